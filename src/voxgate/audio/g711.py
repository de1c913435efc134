"""G.711 companding: mu-law and A-law bytes to 16-bit PCM and back, by table lookup.

The tables follow the reference code of ITU-T G.191 (STL): 14 of the 16 bits count for mu-law, 13 for A-law.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Pcm16 = NDArray[np.int16]

_ALL_CODES = np.arange(256, dtype=np.int32)
_ALL_SAMPLES = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32)


def decode_ulaw(data: bytes) -> Pcm16:
    return _ULAW_TO_PCM[np.frombuffer(data, np.uint8)]


def decode_alaw(data: bytes) -> Pcm16:
    return _ALAW_TO_PCM[np.frombuffer(data, np.uint8)]


def encode_ulaw(pcm: Pcm16) -> bytes:
    return _PCM_TO_ULAW[_as_index(pcm)].tobytes()


def encode_alaw(pcm: Pcm16) -> bytes:
    return _PCM_TO_ALAW[_as_index(pcm)].tobytes()


def _as_index(pcm: Pcm16) -> NDArray[np.uint16]:
    return np.ascontiguousarray(pcm, np.int16).view(np.uint16)


def _magnitude(samples: NDArray[np.int32]) -> NDArray[np.int32]:
    """Ones' complement, as the reference code has it: -1 and 0 are both the smallest step."""
    return np.where(samples < 0, ~samples, samples)


def _ulaw_decode_table() -> Pcm16:
    code = ~_ALL_CODES & 0xFF  # sent inverted
    magnitude = (((code & 0x0F) << 3) + 0x84 << ((code >> 4) & 7)) - 0x84
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


def _ulaw_encode_table() -> NDArray[np.uint8]:
    biased = np.minimum((_magnitude(_ALL_SAMPLES) >> 2) + 33, 0x1FFF)
    segment = np.searchsorted([64 << n for n in range(7)], biased, side="right")
    code = (segment << 4) | ((biased >> (segment + 1)) & 0x0F)
    sign = np.where(_ALL_SAMPLES < 0, 0x80, 0)
    return np.asarray((code | sign) ^ 0xFF, np.uint8)


def _alaw_decode_table() -> Pcm16:
    code = _ALL_CODES ^ 0x55  # even bits are sent inverted
    segment = (code >> 4) & 7
    mantissa = ((code & 0x0F) << 4) + 8
    magnitude = np.where(segment == 0, mantissa, mantissa + 0x100 << np.maximum(segment - 1, 0))
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


def _alaw_encode_table() -> NDArray[np.uint8]:
    magnitude = _magnitude(_ALL_SAMPLES) >> 4
    segment = np.searchsorted([16 << n for n in range(7)], magnitude, side="right")
    mantissa = (magnitude >> np.maximum(segment - 1, 0)) & 0x0F
    sign = np.where(_ALL_SAMPLES < 0, 0, 0x80)
    return np.asarray(((segment << 4) | mantissa | sign) ^ 0x55, np.uint8)


_ULAW_TO_PCM = _ulaw_decode_table()
_ALAW_TO_PCM = _alaw_decode_table()
_PCM_TO_ULAW = _ulaw_encode_table()
_PCM_TO_ALAW = _alaw_encode_table()
