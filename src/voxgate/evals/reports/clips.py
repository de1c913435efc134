"""The sound of a case for a page that holds all it needs: the part of the call that counts, as Ogg with Opus,
written into the page.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from io import BytesIO
from typing import Final

import numpy as np
import soundfile

from voxgate.evals.session import Session
from voxgate.evals.sound import Sound

LONGEST_MS: Final = 180_000.0
_OPUS_RATES: Final = (8000, 12000, 16000, 24000, 48000)
_BLOCK: Final = 4096
"""libsndfile's Vorbis encoder overflows its stack on long pieces."""


@dataclass(frozen=True, slots=True)
class ClipData:
    """`start_ms` is where in the call it begins."""

    data: bytes
    content_type: str
    start_ms: float
    duration_ms: float

    @property
    def url(self) -> str:
        return f"data:{self.content_type};base64,{b64encode(self.data).decode()}"


def clip_of(session: Session) -> ClipData | None:
    """Both sides of a call, or of one turn of it; None without sound."""
    sound = session.audio("mix", LONGEST_MS)
    if not sound.rate or not len(sound.samples):
        return None
    return ClipData(*encoded(sound), start_ms=session.start_ms, duration_ms=sound.duration_ms)


def encoded(sound: Sound) -> tuple[bytes, str]:
    """The file and its content type. WAV at rates that Opus does not know."""
    file, rate = BytesIO(), sound.rate
    samples = np.atleast_1d(sound.samples)
    channels = samples.shape[1] if samples.ndim == 2 else 1
    if rate not in _OPUS_RATES:
        soundfile.write(file, samples, rate, format="WAV", subtype="PCM_16")
        return file.getvalue(), "audio/wav"
    with soundfile.SoundFile(file, "w", rate, channels, format="OGG", subtype="OPUS") as writer:
        for first in range(0, len(samples), _BLOCK):
            writer.write(samples[first : first + _BLOCK])
    return file.getvalue(), "audio/ogg"
