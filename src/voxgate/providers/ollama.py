"""Facts about Ollama: OpenAI's forms, on this machine, without a key."""

from __future__ import annotations

from typing import Final

from voxgate.providers.facts import Facts

FACTS: Final = Facts(form=None, transcribes=False)
