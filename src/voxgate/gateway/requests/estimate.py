"""How many tokens a request may use, before anybody has counted them: by the length of its body, and by the
most that it lets the model say. For limits per minute and for what is held of a budget while it runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from voxgate.gateway.requests.bodies import Wanted
from voxgate.gateway.requests.endpoints import Endpoint
from voxgate.traces.events import Json, number
from voxgate.traces.usage import as_realtime

BYTES_PER_TOKEN: Final = 4
_FILE_TOKENS: Final = 1000
"""Of a picture, a sound or another file inside a body, whatever its size."""
_LONG: Final = 1024
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")
_DEEPEST: Final = 20
_MOST_OUTPUT: Final = ("max_completion_tokens", "max_output_tokens", "max_tokens")
SILENT: Final = (
    "embeddings",
    "moderations",
    "messages/count_tokens",
    "audio/transcriptions",
    "audio/translations",
)
"""What these say is nothing, or as long as what was said to them."""
_SPEECH: Final = "audio/speech"
_SPOKEN_TOKENS: Final = 1.5
"""For each letter that is to be spoken, at 15 letters and some 20 tokens a second."""
UNSTATED: Final = 4096
"""Tokens that a request is thought to be answered with that does not say how many there may be."""


@dataclass(frozen=True, slots=True)
class Estimate:
    input_tokens: int
    output_tokens: int | None
    """The most that it lets be said; None where it does not say."""
    is_speech: bool = False

    @property
    def tokens(self) -> int:
        """At least, for the limits: without a bound on the answer only what is asked."""
        return self.input_tokens + (self.output_tokens or 0)

    def usage(self, output_tokens: float | None = None) -> Json:
        """As a Realtime usage, to be priced: with so much output, or with the most that there may be."""
        if output_tokens is None:
            output_tokens = UNSTATED if self.output_tokens is None else self.output_tokens
        made = {"audio_tokens": output_tokens} if self.is_speech else {}
        counted = {"input_tokens": self.input_tokens, "output_tokens": output_tokens}
        return as_realtime({**counted, "output_tokens_details": made})


def estimate(endpoint: Endpoint, body: bytes, wanted: Wanted | None) -> Estimate:
    """`wanted` is None for what passes unread: it has no tokens."""
    if wanted is None:
        return Estimate(0, 0)
    length = len(body) if wanted.is_json else sum(len(str(each)) for each in wanted.fields.values())
    files = list(_files(wanted.fields)) if length > _LONG else []
    text = max(length - sum(files), 0)
    tokens = -(-text // BYTES_PER_TOKEN) + _FILE_TOKENS * (len(files) + (not wanted.is_json))
    return Estimate(tokens, _output(endpoint, wanted.fields), endpoint.name == _SPEECH)


def _output(endpoint: Endpoint, fields: dict[str, Any]) -> int | None:
    if endpoint.name in SILENT:
        return 0
    if endpoint.name == _SPEECH:
        said = fields.get("input")
        return int(len(said) * _SPOKEN_TOKENS) if isinstance(said, str) else None
    most = next((value for name in _MOST_OUTPUT if (value := number(fields, name)) is not None), None)
    return None if most is None else int(max(most, 0) * max(number(fields, "n") or 1, 1))


def _files(value: Any, depth: int = 0) -> Iterator[int]:
    """The lengths of what is no text: data URLs, and long base64."""
    if isinstance(value, str):
        if len(value) > _LONG and (value.startswith("data:") or _BASE64.fullmatch(value)):
            yield len(value)
    elif depth < _DEEPEST and isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _files(each, depth + 1)
