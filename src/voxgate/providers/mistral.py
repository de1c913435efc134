"""Facts about Mistral: OpenAI's forms."""

from __future__ import annotations

from typing import Final

from voxgate.providers.facts import Facts

FACTS: Final = Facts(form=None, key_variable="MISTRAL_API_KEY", transcribes=False)
