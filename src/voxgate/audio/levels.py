"""Levels of sound that is in memory: samples of full scale 1 in, the mean squares of its 10 ms frames out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxgate.audio.vad import FRAMES_PER_SECOND


def frame_size(rate: int) -> int:
    """Samples in a frame of the voice detector."""
    return max(round(rate / FRAMES_PER_SECOND), 1)


def frame_levels(wave: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    """The mean square of each whole frame, without its direct current, which is no sound."""
    size = frame_size(rate)
    frames = wave[: len(wave) // size * size].reshape(-1, size)
    squares = np.einsum("ij,ij->i", frames, frames) / np.float32(size)
    means = frames @ np.full(size, 1 / size, np.float32)
    levels: NDArray[np.float32] = np.maximum(squares - means * means, 0.0)
    return levels


def mean_square(wave: NDArray[np.floating[Any]]) -> float:
    """0 of nothing."""
    return float(np.mean(np.square(wave, dtype=np.float64))) if len(wave) else 0.0
