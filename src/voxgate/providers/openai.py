"""Facts about OpenAI: which Realtime models it has. Source: the types of the official SDK, November 2026; the
live service was not asked.
"""

from __future__ import annotations

from typing import Final

REALTIME_MODELS: Final = (
    "gpt-realtime-2.1",
    "gpt-realtime-2.1-mini",
    "gpt-realtime-2",
    "gpt-realtime-1.5",
    "gpt-realtime",
    "gpt-realtime-mini",
)
