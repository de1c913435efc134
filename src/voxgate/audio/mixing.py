"""Laying pieces of tracks out on the call's clock, block by block: a long call needs little memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from voxgate.audio.pcm import Samples

Read = Callable[[int, int], Samples]
"""`read(from_frame, frames)`: samples of a track, fewer at its end."""


@dataclass(frozen=True, slots=True)
class Piece:
    """`frames` of a track from `from_frame` on, which sound at `at_frame` of the call."""

    at_frame: int
    from_frame: int
    frames: int

    @property
    def end_frame(self) -> int:
        return self.at_frame + self.frames


class LaneRenderer:
    """Renders a lane forwards: blocks must be asked for in their order."""

    def __init__(self, pieces: Sequence[Piece], read: Read) -> None:
        self._coming = sorted(pieces, key=lambda piece: piece.at_frame, reverse=True)
        self._sounding: list[Piece] = []
        self._read = read

    def block(self, start: int, frames: int) -> Samples:
        """The lane's samples `[start:start + frames]`; silence where nothing lies."""
        end = start + frames
        while self._coming and self._coming[-1].at_frame < end:
            self._sounding.append(self._coming.pop())
        mixed = np.zeros(frames, np.int32)
        for piece in self._sounding:
            first = max(piece.at_frame, start)
            wanted = min(piece.end_frame, end) - first
            if wanted > 0:
                samples = self._read(piece.from_frame + first - piece.at_frame, wanted)
                mixed[first - start : first - start + len(samples)] += samples
        self._sounding = [piece for piece in self._sounding if piece.end_frame > end]
        return np.clip(mixed, -32768, 32767).astype(np.int16)


def stereo(left: Samples, right: Samples) -> Samples:
    return np.column_stack((left, right)).reshape(-1)
