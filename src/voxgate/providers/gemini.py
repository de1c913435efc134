"""Facts about Gemini by its endpoints that are compatible with OpenAI's. Its own forms go by pass-through."""

from __future__ import annotations

from typing import Final

from voxgate.providers.facts import Facts

FACTS: Final = Facts(form=None, key_variable="GEMINI_API_KEY", transcribes=False)
