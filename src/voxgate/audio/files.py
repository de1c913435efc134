"""Sound files as tracks: whatever libsndfile reads (WAV, MP3, Ogg with Opus or Vorbis, FLAC), and PCM without
a header, in; 16-bit mono at the rate of the tracks out.
"""

from __future__ import annotations

import io
from typing import Final

import numpy as np
import soundfile
import soxr

from voxgate.audio.pcm import SAMPLE_BYTES, Samples, to_bytes

RATE: Final = 24_000
LONGEST_SECONDS: Final = 20 * 60
"""What comes behind it is not decoded: a small file may hold days of silence."""
_HIGHEST_RATE: Final = 192_000
_MOST_CHANNELS: Final = 8
_PLAIN: Final = ("pcm", "pcm16")


def decode_file(data: bytes, kind: str) -> bytes | None:
    """`kind` is what its sender called it: only of `pcm` it counts, which is 24 kHz as OpenAI has it. None
    for what is no sound that can be read here, such as AAC."""
    if kind in _PLAIN and data[:4] not in (b"RIFF", b"OggS", b"fLaC"):
        return data[: min(len(data) // SAMPLE_BYTES, RATE * LONGEST_SECONDS) * SAMPLE_BYTES]
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            if file.samplerate > _HIGHEST_RATE or file.channels > _MOST_CHANNELS:
                return None
            samples = file.read(LONGEST_SECONDS * file.samplerate, dtype="float32", always_2d=True)
            return to_bytes(_mono(samples.mean(axis=1), file.samplerate))
    except (soundfile.LibsndfileError, RuntimeError, ValueError):
        return None


def _mono(samples: np.typing.NDArray[np.float32], rate: int) -> Samples:
    if rate != RATE:
        samples = soxr.resample(samples, rate, RATE)
    return (np.clip(samples, -1.0, 1.0) * np.iinfo(np.int16).max).astype(np.int16)
