"""Peaks, from which waveforms are drawn: the largest amplitude of each short piece of sound, 0 to 1."""

from __future__ import annotations

import numpy as np

from voxgate.audio.pcm import Samples

PER_SECOND = 50


def peak_frames(rate: int) -> int:
    return max(rate // PER_SECOND, 1)


def peaks(samples: Samples, rate: int) -> list[float]:
    """One value for each 20 ms, also for a last piece that is shorter."""
    size = peak_frames(rate)
    if not len(samples):
        return []
    missing = -len(samples) % size
    pieces = (np.pad(samples, (0, missing)) if missing else samples).reshape(-1, size)
    loudest = np.maximum(pieces.max(axis=1).astype(np.int32), -pieces.min(axis=1).astype(np.int32))
    values: list[float] = np.round(loudest / 32768, 3).tolist()
    return values
