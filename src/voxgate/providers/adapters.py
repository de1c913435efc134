"""The table of all kinds of providers, and what is known of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from voxgate.core.kinds import Kind
from voxgate.core.upstreams import ProviderSettings
from voxgate.providers import (
    anthropic,
    azure,
    azure_voice_live,
    compatible,
    gemini,
    groq,
    mistral,
    ollama,
    openai,
    openrouter,
    xai,
)
from voxgate.providers.facts import Facts

ADAPTERS: Final[Mapping[Kind, Facts]] = {
    Kind.OPENAI: openai.FACTS,
    Kind.AZURE: azure.FACTS,
    Kind.AZURE_VOICE_LIVE: azure_voice_live.FACTS,
    Kind.XAI: xai.FACTS,
    Kind.ANTHROPIC: anthropic.FACTS,
    Kind.GEMINI: gemini.FACTS,
    Kind.MISTRAL: mistral.FACTS,
    Kind.GROQ: groq.FACTS,
    Kind.OPENROUTER: openrouter.FACTS,
    Kind.OLLAMA: ollama.FACTS,
    # It promises to be like OpenAI, so a route's pattern stands for the same names.
    Kind.COMPATIBLE: replace(compatible.FACTS, models=openai.REALTIME_MODELS),
}


def facts_of(provider: ProviderSettings) -> Facts:
    return ADAPTERS[provider.kind]
