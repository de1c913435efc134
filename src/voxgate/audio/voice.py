"""Where there is voice: the level of each 10 ms of a lane in, voiced intervals out. By energy alone: a
frame is voiced that stands far enough above the lane's own background.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from voxgate.audio.levels import frame_levels, frame_size
from voxgate.audio.vad import VadParameters
from voxgate.audio.waves import Wave, blocks

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
    return np.asarray(levels_db > threshold_db(floor, parameters))


def threshold_db(floor: float, parameters: VadParameters) -> float:
    """What is louder is voice."""
    return max(min(floor, parameters.loudest_floor_db) + parameters.margin_db, parameters.least_db)


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


@dataclass(frozen=True)
class Voice:
    """A lane as the voice detector has it: `mean_squares` of its frames, one after the other."""

    mean_squares: Levels
    frame_ms: float
    parameters: VadParameters

    @classmethod
    def of(cls, wave: Wave, rate: int, parameters: VadParameters | None = None) -> Voice:
        """Of samples of full scale 1."""
        size = frame_size(rate)
        levels = [frame_levels(block, rate) for block in blocks(wave, size)]
        found = np.concatenate([np.zeros(0, np.float32), *levels])
        return cls(found, size * 1000 / rate, parameters or VadParameters())

    @cached_property
    def levels_db(self) -> Levels:
        return decibels(self.mean_squares)

    @cached_property
    def floor_db(self) -> float | None:
        return floor_db(self.levels_db)

    @cached_property
    def voiced(self) -> NDArray[np.bool_]:
        """Of each frame."""
        return voiced_frames(self.levels_db, self.floor_db, self.parameters)

    @cached_property
    def intervals(self) -> list[Interval]:
        return voiced_intervals(self.voiced, self.frame_ms, self.parameters)

    @property
    def threshold_db(self) -> float | None:
        return None if self.floor_db is None else threshold_db(self.floor_db, self.parameters)

    @property
    def mean_square(self) -> float | None:
        """Of the voiced frames."""
        return float(self.mean_squares[self.voiced].mean(dtype=np.float64)) if self.voiced.any() else None

    @property
    def level_db(self) -> float | None:
        return None if self.mean_square is None else 10 * float(np.log10(self.mean_square))

    @property
    def snr_db(self) -> float | None:
        """The level of the voice over that of the background. None too for sound without a pause: its
        quietest tenth is no background."""
        floor, level = self.floor_db, self.level_db
        if floor is None or level is None or floor >= float(self.levels_db[self.voiced].min()):
            return None
        return level - floor
