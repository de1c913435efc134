"""Kinds of providers as settings name them, and which one a URL can only mean."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit


class Kind(StrEnum):
    OPENAI = "openai"
    AZURE = "azure"
    AZURE_VOICE_LIVE = "azure_voice_live"
    XAI = "xai"
    ANTHROPIC = "anthropic"
    GEMINI = "gemini"
    MISTRAL = "mistral"
    GROQ = "groq"
    OPENROUTER = "openrouter"
    OLLAMA = "ollama"
    COMPATIBLE = "compatible"


HOMES: Final[Mapping[Kind, str]] = {
    Kind.OPENAI: "https://api.openai.com/v1",
    Kind.XAI: "https://api.x.ai/v1",
    Kind.ANTHROPIC: "https://api.anthropic.com/v1",
    Kind.GEMINI: "https://generativelanguage.googleapis.com/v1beta/openai",
    Kind.MISTRAL: "https://api.mistral.ai/v1",
    Kind.GROQ: "https://api.groq.com/openai/v1",
    Kind.OPENROUTER: "https://openrouter.ai/api/v1",
    Kind.OLLAMA: "http://127.0.0.1:11434/v1",
}
"""Where those are that have one place for everybody: their `base_url` need not be written."""

FILE_TRANSCRIBERS: Final = frozenset({Kind.OPENAI, Kind.AZURE, Kind.GROQ, Kind.COMPATIBLE})
"""Those that have OpenAI's `POST /audio/transcriptions`."""

_HOSTS: Final = {urlsplit(home).hostname: kind for kind, home in HOMES.items() if kind is not Kind.OLLAMA}
_AZURE_OPENAI_HOSTS: Final = (".openai.azure.com", ".openai.azure.us")
_AZURE_HOSTS: Final = (
    ".services.ai.azure.com",
    ".cognitiveservices.azure.com",
    ".cognitiveservices.azure.us",
    ".api.cognitive.microsoft.com",
)
"""They serve Azure OpenAI and Azure Voice Live, under different paths."""
_PATHS: Final = (("/voice-live", Kind.AZURE_VOICE_LIVE), ("/openai", Kind.AZURE))


def kind_of_url(base_url: str) -> Kind | None:
    """None if the URL could mean several."""
    split = urlsplit(base_url)
    host = split.hostname or ""
    if host in _HOSTS:
        return _HOSTS[host]
    if not host.endswith((*_AZURE_HOSTS, *_AZURE_OPENAI_HOSTS)):
        return Kind.COMPATIBLE
    named = next((kind for path, kind in _PATHS if split.path.startswith(path)), None)
    return named or (Kind.AZURE if host.endswith(_AZURE_OPENAI_HOSTS) else None)


def check_options(kind: Kind, base_url: str, api_version: str | None) -> None:
    """ValueError, with the option first, for one that the kind lacks or does not know."""
    if kind is Kind.AZURE_VOICE_LIVE and api_version is None:
        raise ValueError('api_version: is missing; Azure Voice Live needs one, such as "2025-10-01"')
    if kind in HOMES and api_version is not None:
        raise ValueError(f'api_version: a provider of kind "{kind}" has none')
    if kind is Kind.AZURE and api_version is None and urlsplit(base_url).path.rstrip("/").endswith("/openai"):
        raise ValueError(
            'api_version: is missing; this form of URL needs one, such as "2025-04-01-preview". '
            "The newer form has none: let base_url end with /openai/v1"
        )
