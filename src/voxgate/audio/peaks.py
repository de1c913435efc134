"""Peaks, from which waveforms are drawn: the largest amplitude of each short piece, in thousandths."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import orjson
from numpy.typing import NDArray

from voxgate.audio.pcm import Samples

PER_SECOND = 50
WAVE_BARS: Final = 60
"""Of a waveform that is one cell of a table."""

_HEAD: Final = b"VXPK\x01"
_VALUES_AT_ONCE: Final = 4096
_SILENCE: Final = 5
"""Thousandths below which nobody hears anything."""
_TEXTS: Final = [orjson.dumps(value / 1000) for value in range(1001)]


def peak_frames(rate: int) -> int:
    return max(rate // PER_SECOND, 1)


def peaks(samples: Samples, rate: int) -> NDArray[np.uint16]:
    """One value for each 20 ms, also for a last piece that is shorter."""
    size = peak_frames(rate)
    missing = -len(samples) % size
    pieces = (np.pad(samples, (0, missing)) if missing else samples).reshape(-1, size)
    loudest = np.maximum(
        pieces.max(axis=1, initial=0).astype(np.int32), -pieces.min(axis=1, initial=0).astype(np.int32)
    )
    thousandths: NDArray[np.uint16] = np.rint(loudest * (1000 / 32768)).astype(np.uint16)
    return thousandths


def peaks_json(tracks: Mapping[str, Sequence[int]]) -> bytes:
    """`{"per_second": 50, "<track>": [0.25, …], …}`. An hour has half a million values, so they are not made
    to objects of their own, nor to text all at once."""
    text = io.BytesIO()
    text.write(b'{"per_second":%d' % PER_SECOND)
    for name, values in tracks.items():
        text.write(b',"%b":[' % name.encode())
        for start in range(0, len(values), _VALUES_AT_ONCE):
            some = values[start : start + _VALUES_AT_ONCE]
            text.write((b"," if start else b"") + b",".join(map(_TEXTS.__getitem__, some)))
        text.write(b"]")
    text.write(b"}")
    return text.getvalue()


def peaks_bytes(lanes: Sequence[NDArray[np.uint16] | NDArray[np.float32]], start: int = 0) -> bytes:
    """`VXPK`, a version, peaks per second, the number of lanes as two bytes, of the first peak and of the
    peaks in each lane as four bytes, little-endian; then lane by lane a byte for each: 255 times the root of
    the amplitude, which is how high it is drawn."""
    count = max((len(lane) for lane in lanes), default=0)
    head = _HEAD + bytes([PER_SECOND]) + len(lanes).to_bytes(2, "little")
    head += start.to_bytes(4, "little") + count.to_bytes(4, "little")
    levels = [np.rint(np.sqrt(lane.astype(np.float32) / 1000) * 255).astype(np.uint8) for lane in lanes]
    return head + b"".join(np.pad(one, (0, count - len(one))).tobytes() for one in levels)


def wave(values: Sequence[int]) -> str:
    """A whole track in WAVE_BARS hexadecimal digits, each the loudest peak of its part. A root lifts quiet
    voices, and only silence is 0."""
    count = len(values)
    parts = (
        values[at * count // WAVE_BARS : max((at + 1) * count // WAVE_BARS, at * count // WAVE_BARS + 1)]
        for at in range(WAVE_BARS)
    )
    return "".join(f"{_level(max(part, default=0)):x}" for part in parts)


def _level(thousandths: int) -> int:
    return min(15, math.ceil(math.sqrt(max(thousandths - _SILENCE, 0) / 1000) * 15))
