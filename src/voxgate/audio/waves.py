"""Sound that need not be in memory: whatever gives samples of full scale 1 by slices, as an array does. Read
in blocks, so that an hour takes no more memory than a minute.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

BLOCK_SAMPLES: Final = 1 << 18
"""About ten seconds."""


class Wave(Protocol):
    """Samples of one lane."""

    def __len__(self) -> int: ...

    def __getitem__(self, where: slice, /) -> NDArray[np.float32]: ...


def blocks(wave: Wave, unit: int = 1) -> Iterator[NDArray[np.float32]]:
    """All of it; each block but the last is a multiple of `unit` long."""
    size = max(BLOCK_SAMPLES // unit, 1) * unit
    for first in range(0, len(wave), size):
        yield wave[first : first + size]


def overlapping(wave: Wave, more: int) -> Iterator[tuple[NDArray[np.float32], int]]:
    """Blocks with so many samples of the next one, as far as there are any, and how long each is without."""
    for first in range(0, len(wave), BLOCK_SAMPLES):
        yield wave[first : first + BLOCK_SAMPLES + more], min(BLOCK_SAMPLES, len(wave) - first)


class Runs:
    """Stretches of samples `[first, last)` that have something in common, gathered from block to block: those
    of at least so many samples. Of others there may be millions."""

    def __init__(self, least: float = 1) -> None:
        self._least = least
        self._at = 0
        self._open: int | None = None
        self._found: list[tuple[int, int]] = []

    def add(self, has: NDArray[np.bool_]) -> None:
        """Whether they have it, of the next samples."""
        if not len(has):
            return
        edges = np.flatnonzero(has[1:] != has[:-1]) + (self._at + 1)
        if self._open is not None and not has[0]:
            edges = np.concatenate(([self._open, self._at], edges))
        elif has[0]:
            edges = np.concatenate(([self._at if self._open is None else self._open], edges))
        self._open = int(edges[-1]) if has[-1] else None
        self._at += len(has)
        whole = edges[: len(edges) // 2 * 2].astype(np.int64)
        self._take(whole[::2], whole[1::2])

    def all(self) -> list[tuple[int, int]]:
        """When nothing more comes."""
        if self._open is not None:
            self._take(np.array([self._open]), np.array([self._at]))
            self._open = None
        return self._found

    def _take(self, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> None:
        long = ends - starts >= self._least
        self._found += zip(starts[long].tolist(), ends[long].tolist(), strict=True)
