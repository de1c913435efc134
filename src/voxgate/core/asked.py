"""`[judge]`, `[audio_judge]` and `[transcriber]` of the settings: the models that evaluations ask, each
behind an endpoint in OpenAI's shape.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from voxgate.core.errors import SettingsError

OPENAI_URL: Final = "https://api.openai.com/v1"
OPENAI_VARIABLE: Final = "OPENAI_API_KEY"
GATEWAY: Final = "voxgate"
"""In the place of an endpoint: the Voxgate that runs, with its routes, keys and log."""


class AskedModel(BaseModel):
    """A model, where it is, and how it is asked."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: Annotated[str, Field(pattern=r"^(voxgate|https?://[^\s/?#]+[^\s?#]*)$")] = OPENAI_URL
    """Ends before `/chat/completions` or `/audio/transcriptions`; or `GATEWAY`."""
    model: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    api_key_env: Annotated[str, Field(min_length=1)] | None = None
    """The variable that holds the key; of OpenAI itself `OPENAI_API_KEY`, else none is sent."""
    api_key: SecretStr | None = None
    timeout_seconds: Annotated[float, Field(gt=0, le=3600)] = 120.0
    """For one answer."""
    attempts: Annotated[int, Field(ge=1, le=20)] = 5
    """How often one question is asked where it may be asked again."""
    concurrency: Annotated[int, Field(ge=1, le=1000)] = 8
    """How many questions wait for an answer at once."""

    def key(self, environ: Mapping[str, str]) -> str | None:
        """None where none is sent. SettingsError where the variable is not set."""
        if self.api_key is not None:
            return self.api_key.get_secret_value()
        is_openai = self.base_url.rstrip("/") == OPENAI_URL
        variable = self.api_key_env or (OPENAI_VARIABLE if is_openai else None)
        if variable is None:
            return None
        if not environ.get(variable):
            raise SettingsError(f"There is no key for {self.base_url}: set {variable}.", param=variable)
        return environ[variable]


def variables(prefix: str, section: str, environ: Mapping[str, str]) -> dict[str, tuple[str, Any]]:
    """By the fields of a section the variables that are set, and what they say: `VOXGATE_JUDGE_MODEL`."""
    names = {name: f"{prefix}{section}_{name}".upper() for name in AskedModel.model_fields}
    return {name: (variable, environ[variable]) for name, variable in names.items() if variable in environ}
