"""Facts about Groq: OpenAI's forms, files of sound among them."""

from __future__ import annotations

from typing import Final

from voxgate.providers.facts import Facts, files_below

FACTS: Final = Facts(form=None, key_variable="GROQ_API_KEY", files=files_below, transcribes=False)
