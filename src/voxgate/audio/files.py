"""Sound files as tracks: whatever libsndfile reads (WAV, MP3, Ogg with Opus or Vorbis, FLAC), and PCM without
a header, in; 16-bit mono at the rate of the tracks out.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import soundfile
import soxr

from voxgate.audio.pcm import SAMPLE_BYTES, to_bytes

RATE: Final = 24_000
LONGEST_SECONDS: Final = 20 * 60
"""What comes behind it is not decoded: a small file may hold days of silence."""
_BLOCK_SECONDS: Final = 10
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
            if (file.samplerate, file.channels) == (RATE, 1):  # as it is, to the bit
                return to_bytes(file.read(LONGEST_SECONDS * RATE, dtype="int16"))
            return b"".join(_resampled(file))
    except (soundfile.LibsndfileError, RuntimeError, ValueError):
        return None


def _resampled(file: Any) -> Iterator[bytes]:
    """Block by block: in the floats of a whole file would be hundreds of MB."""
    rate, left = file.samplerate, LONGEST_SECONDS * file.samplerate
    stream = soxr.ResampleStream(rate, RATE, 1, dtype="int16")
    while left > 0:
        block = file.read(min(_BLOCK_SECONDS * rate, left), dtype="float32", always_2d=True)
        left -= len(block)
        is_last = left <= 0 or len(block) < _BLOCK_SECONDS * rate
        samples = np.clip(block.mean(axis=1), -1.0, 1.0) * np.iinfo(np.int16).max
        yield to_bytes(stream.resample_chunk(np.rint(samples).astype(np.int16), last=is_last))
        if is_last:
            return
