"""The endpoints: their paths, and what their bodies are. More the gateway need not know of them to route."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True, slots=True)
class Endpoint:
    name: str
    """Behind `/v1/`, and behind a provider's base."""
    body: Literal["json", "form"] = "json"
    errors: Literal["openai", "anthropic"] = "openai"
    """In whose shape its errors are."""
    default_model: str | None = None
    """Where the API does not ask for one."""
    provider: str | None = None
    """The one that it passes through to, unread; None: where its model is routed."""


_ALL: Final = (
    Endpoint("chat/completions"),
    Endpoint("completions"),
    Endpoint("responses"),
    Endpoint("embeddings"),
    Endpoint("moderations", default_model="omni-moderation-latest"),
    Endpoint("audio/speech"),
    Endpoint("audio/transcriptions", "form"),
    Endpoint("audio/translations", "form"),
    Endpoint("images/generations", default_model="dall-e-2"),
    Endpoint("images/edits", "form", default_model="dall-e-2"),
    Endpoint("images/variations", "form", default_model="dall-e-2"),
    Endpoint("messages", errors="anthropic"),
    Endpoint("messages/count_tokens", errors="anthropic"),
)
_PREFIXES: Final = ("/v1/", "/openai/v1/")
ENDPOINTS: Final[Mapping[str, Endpoint]] = {
    f"{prefix}{endpoint.name}": endpoint for endpoint in _ALL for prefix in _PREFIXES
}
"""By path."""
PASS_THROUGH: Final = "/v1/providers/"
