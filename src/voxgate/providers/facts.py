"""What is known of a kind of provider: how its URL is formed, how a key travels, which dialect it speaks, and
what it does otherwise than others. Each kind is one file of such facts; `adapters.py` has the table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from voxgate.realtime.dialects import Dialect, MessageTranslator, Refused
from voxgate.realtime.handshake import BETA_VALUE

Header = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Form:
    """One form of a provider's URL."""

    path: str
    model_parameter: str = "model"
    parameters: tuple[tuple[str, str], ...] = ()
    """Those that settings decide and that come before the client's."""
    dialect: Dialect = Dialect.GA


def below(base: str) -> Form:
    """OpenAI's form, whatever the base."""
    return Form(f"{base}/realtime")


def files_below(base: str, api_version: str | None, model: str) -> Form:
    """OpenAI's form of the same, for files of sound."""
    parameters = (("api-version", api_version),) if api_version else ()
    return Form(f"{base}/audio/transcriptions", parameters=parameters)


def rest_below(base: str, api_version: str | None, model: str, endpoint: str) -> Form:
    """OpenAI's form of every endpoint but Realtime."""
    parameters = (("api-version", api_version),) if api_version else ()
    return Form(f"{base}/{endpoint}", parameters=parameters)


def models_below(base: str) -> str | None:
    return f"{base}/models"


def bearer(key: str) -> Header:
    return "Authorization", f"Bearer {key}"


def api_key(key: str) -> Header:
    return "api-key", key


BETA_HEADER: Final[Header] = ("OpenAI-Beta", BETA_VALUE)


@dataclass(frozen=True, slots=True)
class Facts:
    form: Callable[[str, str | None], Form] | None
    """Of `…/realtime`, from the path of `base_url`, without a slash at its end, and `api_version`; None: it
    has no Realtime API."""
    rest: Callable[[str, str | None, str, str], Form] | None = rest_below
    """Of another endpoint such as `chat/completions`, from the same, the model and the endpoint; None: it has
    no others."""
    headers: tuple[Header, ...] = ()
    """What it is sent beside the key unless the client says otherwise."""
    models_path: Callable[[str], str | None] = models_below
    """Of its list of models, from the path of `base_url`; None where it has none."""
    key: Callable[[str], Header] = bearer
    bearer_for: frozenset[str] = frozenset()
    """Endpoints that take it as a bearer's, whatever `key` says."""
    key_variable: str | None = None
    """Where its key is looked for if settings do not say."""
    models: tuple[str, ...] = ()
    """Those it is known to serve: what a route's pattern stands for in `GET /v1/models`."""
    files: Callable[[str, str | None, str], Form] | None = None
    """The form of `POST …/audio/transcriptions`, from the same and the model; None: it has none."""
    transcribes: bool = True
    """Whether it has transcription sessions (`?intent=transcription`)."""
    not_forwarded: frozenset[str] = frozenset({"api-version"})
    """Parameters of the client's URL that mean nothing to it, or that settings decide."""
    beta_headers: tuple[Header, ...] = (BETA_HEADER,)
    """What it is sent beside the key when it speaks beta."""
    own_prices: bool = False
    """Whether a model costs something else here than the model's name says."""
    refused: Refused = field(default_factory=dict)
    translator: Callable[[], MessageTranslator] | None = None
    """What it says otherwise than its dialect; one for each call."""
