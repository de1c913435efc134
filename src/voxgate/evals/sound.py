"""The sound of a call as it is scored: the WAV file of a track comes in pieces and lies beside memory while
it is looked at; out come samples, as many as are asked for. So an hour takes no more memory than a minute.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from tempfile import SpooledTemporaryFile
from threading import Lock
from typing import Final, Literal, NamedTuple

import numpy as np
import soundfile
from numpy.typing import NDArray

Track = Literal["user", "assistant", "heard", "mix"]
Samples = NDArray[np.float32]
_MOST_IN_MEMORY_BYTES: Final = 8 << 20
"""Three minutes of both sides."""


class Sound(NamedTuple):
    """Samples from -1 to 1: one for each frame, of `mix` a row of user and assistant. Without
    sound none, at 0 Hz."""

    samples: Samples
    rate: int

    @property
    def duration_ms(self) -> float:
        return len(self.samples) * 1000 / self.rate if self.rate else 0.0


class HeldTrack:
    """A whole track. `rate` is 0 where nothing came of it."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        # Open as long as this is: a finalizer closes it.
        file = SpooledTemporaryFile(max_size=_MOST_IN_MEMORY_BYTES)  # noqa: SIM115
        weakref.finalize(self, file.close)
        for piece in pieces:
            file.write(piece)
        self._lock = Lock()
        self._wav: soundfile.SoundFile | None = None
        if file.tell():
            file.seek(0)
            self._wav = soundfile.SoundFile(file)

    @property
    def rate(self) -> int:
        return self._wav.samplerate if self._wav is not None else 0

    @property
    def channels(self) -> int:
        return self._wav.channels if self._wav is not None else 1

    def __len__(self) -> int:
        """In frames."""
        return self._wav.frames if self._wav is not None else 0

    def read(self, first: int = 0, last: int | None = None) -> Samples:
        """The frames `[first, last)`, as far as they are there."""
        last = min(len(self) if last is None else last, len(self))
        if self._wav is None or first >= last:
            return np.zeros(0, np.float32)
        with self._lock:
            self._wav.seek(first)
            found: Samples = self._wav.read(last - first, dtype="float32")
        found.flags.writeable = False
        return found

    def between(self, start_ms: float, end_ms: float) -> tuple[int, int]:
        """The frames that lie there."""
        first, last = (min(max(round(ms * self.rate / 1000), 0), len(self)) for ms in (start_ms, end_ms))
        return first, max(first, last)


class LaneWave:
    """One side of a track, or of a part of it, read where it is looked at. What is no number is silence."""

    def __init__(self, track: HeldTrack, channel: int, first: int, last: int) -> None:
        self._track, self._channel = track, channel
        self._first, self._last = first, last
        self.rate = track.rate

    def __len__(self) -> int:
        return self._last - self._first

    def __getitem__(self, where: slice) -> Samples:
        first, last, _ = where.indices(len(self))
        frames = self._track.read(self._first + first, self._first + last)
        samples = frames[:, self._channel].copy() if frames.ndim == 2 else frames
        if not np.isfinite(samples.sum(dtype=np.float64)):
            samples = np.nan_to_num(samples, posinf=1.0, neginf=-1.0)
        return samples
