"""Where there is voice: the level of each 10 ms of a lane in, voiced intervals out. By energy alone: a
frame is voiced that stands far enough above the lane's own background.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from voxgate.audio.vad import VadParameters

Levels = NDArray[np.float32]
Interval = tuple[float, float]
"""From and to, in ms of the lane."""

DIGITAL_SILENCE_DB: Final = -90.0
_FLOOR_PERCENTILE: Final = 10.0


def decibels(mean_squares: Levels) -> Levels:
    """Of full scale; -120 for silence."""
    levels: Levels = mean_squares + np.float32(1e-12)
    np.log10(levels, out=levels)  # of an hour there are many: no copies
    levels *= np.float32(10)
    return levels


def floor_db(levels_db: Levels) -> float | None:
    """The level of the background; None where there is nothing but digital silence."""
    sounding = levels_db[levels_db > DIGITAL_SILENCE_DB]
    if not len(sounding):
        return None
    # As numpy's percentile, which takes several times as long for a call of some minutes.
    rank = (len(sounding) - 1) * _FLOOR_PERCENTILE / 100
    low = int(rank)
    high = min(low + 1, len(sounding) - 1)
    sounding.partition((low, high))
    below, above = float(sounding[low]), float(sounding[high])
    return below + (above - below) * (rank - low)


def voiced_frames(levels_db: Levels, floor: float | None, parameters: VadParameters) -> NDArray[np.bool_]:
    """`floor` as `floor_db` has it."""
    if floor is None:
        return np.zeros(len(levels_db), np.bool_)
    floor = min(floor, parameters.loudest_floor_db)
    return np.asarray(levels_db > max(floor + parameters.margin_db, parameters.least_db))


def voiced_intervals(voiced: NDArray[np.bool_], frame_ms: float, parameters: VadParameters) -> list[Interval]:
    edges = np.flatnonzero(np.diff(np.concatenate(([False], voiced, [False])).astype(np.int8)))
    starts, ends = edges[::2], edges[1::2]
    if not len(starts):
        return []
    apart = (starts[1:] - ends[:-1]) * frame_ms > parameters.close_gap_ms
    starts, ends = starts[np.concatenate(([True], apart))], ends[np.concatenate((apart, [True]))]
    long = (ends - starts) * frame_ms >= parameters.shortest_ms
    return [
        (round(start * frame_ms, 3), round(end * frame_ms, 3))
        for start, end in zip(starts[long].tolist(), ends[long].tolist(), strict=True)
    ]
