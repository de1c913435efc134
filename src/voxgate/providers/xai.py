"""Facts about xAI: GA, but for what `realtime/dialects/xai.py` translates. It also says
`conversation.created`, `ping` and `….input_audio_transcription.updated`, which go on to the client unchanged.

Source: a recorded call, July 2026, and LiveKit's plugin. Transcribing alone is another API of it.
"""

from __future__ import annotations

from voxgate.providers.facts import Facts, below
from voxgate.realtime.dialects import XaiTranslator

FACTS = Facts(
    form=lambda base, _: below(base),
    key_variable="XAI_API_KEY",
    models=("grok-voice-latest", "grok-voice-think-fast-1.0"),
    transcribes=False,
    translator=XaiTranslator,
)
