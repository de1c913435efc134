"""Facts about OpenAI: which Realtime models it has and which it has retired. Source: the types of the
official SDK, November 2026; the live service was not asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from voxgate.providers.facts import Facts, below, files_below

REALTIME_MODELS: Final = (
    "gpt-realtime-2.1",
    "gpt-realtime-2.1-mini",
    "gpt-realtime-2",
    "gpt-realtime-1.5",
    "gpt-realtime",
    "gpt-realtime-mini",
)
RETIRED_MODELS: Final = (
    "gpt-4o-realtime-preview",
    "gpt-4o-realtime-preview-2024-10-01",
    "gpt-4o-realtime-preview-2024-12-17",
    "gpt-4o-realtime-preview-2025-06-03",
    "gpt-4o-mini-realtime-preview",
    "gpt-4o-mini-realtime-preview-2024-12-17",
)
"""Names that went with the beta in May 2026; applications still ask for them."""

TRANSCRIPTION: Final = "transcription"
"""What a call with `?intent=transcription` and without a model is routed by; no provider is told it."""

ALIASES: Final[Mapping[str, str]] = {
    "gpt-4o-realtime-preview*": "gpt-realtime-2.1",
    "gpt-4o-mini-realtime-preview*": "gpt-realtime-2.1-mini",
    TRANSCRIPTION: "gpt-realtime-whisper",
}
"""Name or pattern → the live model that serves it. Not to `gpt-realtime` and `gpt-realtime-mini`: their end
is announced for 20 January 2027."""

FACTS: Final = Facts(form=lambda base, _: below(base), files=files_below, models=REALTIME_MODELS)
