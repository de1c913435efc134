"""Sound made by hand, of which every level and every moment is known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Pcm = NDArray[np.int16]


def tone(ms: float, *, hz: float = 1000.0, db: float = -20.0, rate: int = 24_000) -> Pcm:
    """A sine whose peak is `db` below full scale."""
    at = np.arange(round(ms * rate / 1000)) / rate
    return np.round(np.sin(2 * np.pi * hz * at) * 10 ** (db / 20) * 32767).astype(np.int16)


def silence(ms: float, rate: int = 24_000) -> Pcm:
    return np.zeros(round(ms * rate / 1000), np.int16)


def noise(ms: float, *, rms_db: float, rate: int = 24_000, seed: int = 1) -> Pcm:
    """White noise at this level."""
    wave = np.random.default_rng(seed).standard_normal(round(ms * rate / 1000))
    return np.clip(np.round(wave * 10 ** (rms_db / 20) * 32768), -32768, 32767).astype(np.int16)


def add(one: Pcm, other: Pcm) -> Pcm:
    return np.clip(one.astype(np.int32) + other, -32768, 32767).astype(np.int16)


def joined(*pieces: Pcm) -> Pcm:
    return np.concatenate(pieces)
