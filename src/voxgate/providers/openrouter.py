"""Facts about OpenRouter: OpenAI's forms; models are named with their maker."""

from __future__ import annotations

from typing import Final

from voxgate.providers.facts import Facts

FACTS: Final = Facts(form=None, key_variable="OPENROUTER_API_KEY", transcribes=False)
