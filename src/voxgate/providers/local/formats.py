"""The three audio formats of a session, to and from 16-bit samples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from voxgate.audio.g711 import decode_alaw, decode_ulaw, encode_alaw, encode_ulaw

Samples = NDArray[np.int16]

RATES = {"audio/pcm": 24_000, "audio/pcmu": 8_000, "audio/pcma": 8_000}
BYTES_PER_SAMPLE = {"audio/pcm": 2, "audio/pcmu": 1, "audio/pcma": 1}


def decode(format_type: str, data: bytes) -> Samples:
    """Samples at the rate of the format; for `audio/pcm` the length must be even."""
    if format_type == "audio/pcmu":
        return decode_ulaw(data)
    if format_type == "audio/pcma":
        return decode_alaw(data)
    return np.frombuffer(data, "<i2").astype(np.int16, copy=False)


def encode(format_type: str, samples: Samples) -> bytes:
    if format_type == "audio/pcmu":
        return encode_ulaw(samples)
    if format_type == "audio/pcma":
        return encode_alaw(samples)
    return samples.astype("<i2").tobytes()


def duration_ms(format_type: str, size_bytes: int) -> int:
    return size_bytes * 1000 // (RATES[format_type] * BYTES_PER_SAMPLE[format_type])


def bytes_until(format_type: str, end_ms: int) -> int:
    return end_ms * RATES[format_type] // 1000 * BYTES_PER_SAMPLE[format_type]
