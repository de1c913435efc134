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
        heard = [piece for piece in self._sounding if piece.end_frame > start]
        self._sounding = [piece for piece in heard if piece.end_frame > end]
        if len(heard) == 1 and heard[0].at_frame <= start and heard[0].end_frame >= end:
            samples = self._read(heard[0].from_frame + start - heard[0].at_frame, frames)
            if len(samples) == frames:
                return samples
        mixed = np.zeros(frames, np.int16)
        wide = mixed.astype(np.int32) if _overlap(heard) else None
        for piece in heard:
            first = max(piece.at_frame, start)
            wanted = min(piece.end_frame, end) - first
            samples = self._read(piece.from_frame + first - piece.at_frame, wanted)
            place = slice(first - start, first - start + len(samples))
            if wide is None:
                mixed[place] = samples
            else:
                wide[place] += samples
        return mixed if wide is None else np.clip(wide, -32768, 32767).astype(np.int16)


def _overlap(pieces: Sequence[Piece]) -> bool:
    """Whether two of them sound at once; they are in the order of their beginnings."""
    until = 0
    for piece in pieces:
        if piece.at_frame < until:
            return True
        until = piece.end_frame
    return False


def stereo(left: Samples, right: Samples) -> Samples:
    both = np.empty((len(left), 2), np.int16)
    both[:, 0], both[:, 1] = left, right
    return both.reshape(-1)
