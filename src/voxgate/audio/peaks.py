"""Peaks, from which waveforms are drawn: the largest amplitude of each short piece, in thousandths."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import orjson
from numpy.typing import NDArray

from voxgate.audio.pcm import Samples

PER_SECOND = 50

_VALUES_AT_ONCE: Final = 4096
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
