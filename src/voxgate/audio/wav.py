"""The header that makes a WAV file of raw 16-bit PCM."""

from __future__ import annotations

import struct

_LARGEST = 0xFFFFFFFF - 36
"""Sizes in a WAV header have 32 bits; players read longer data to its end anyway."""


def wav_header(rate: int, channels: int, data_bytes: int) -> bytes:
    size = min(data_bytes, _LARGEST)
    block = channels * 2
    riff = struct.pack("<4sI4s", b"RIFF", size + 36, b"WAVE")
    fmt = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, channels, rate, rate * block, block, 16)
    return riff + fmt + struct.pack("<4sI", b"data", size)
