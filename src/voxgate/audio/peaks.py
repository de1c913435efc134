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
    loudness = np.abs(samples.astype(np.int32))
    pieces = np.pad(loudness, (0, missing)).reshape(-1, size).max(axis=1) / 32768
    return [round(float(value), 3) for value in pieces]
