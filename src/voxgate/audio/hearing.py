"""What can be said of a lane's sound by itself: samples in, block by block; at the end where it is voiced,
how loud, how noisy and how much of it is clipped. Of an hour a few numbers for each 10 ms are kept, no
sound.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from voxgate.audio.levels import frame_levels, frame_size
from voxgate.audio.loudness import Levels, integrated_lufs, k_weighting
from voxgate.audio.pcm import Samples
from voxgate.audio.vad import VadParameters
from voxgate.audio.voice import Interval, Voice

CLIP_LEVEL: Final = 32_000
"""Of 32,768. What G.711 can hold ends at 32,124 and 32,256."""
_FRAMES_PER_STEP: Final = 10
_FULL_SCALE: Final = np.float32(1 / 32768)


@dataclass(frozen=True, slots=True)
class Heard:
    """None for what the sound does not tell: there is none, no voice in it, or no background beside it."""

    voiced: list[Interval] = field(default_factory=list)
    clipping: float | None = None
    """Clipped samples of those that are not silent."""
    snr_db: float | None = None
    """The level of the voice over that of the background, the tenth percentile of the frames."""
    loudness_lufs: float | None = None
    """Integrated, by BS.1770."""


class Hearing:
    """Listens to one lane, forwards."""

    def __init__(self, rate: int, parameters: VadParameters | None = None) -> None:
        self._parameters = parameters or VadParameters()
        self._rate = rate
        self._frame = frame_size(rate)
        self._frame_ms = self._frame * 1000 / rate
        self._step = self._frame * _FRAMES_PER_STEP
        self._weighting = k_weighting(rate, self._step)
        self._rest: Samples = np.zeros(0, np.int16)
        self._levels: list[Levels] = []
        self._energies: list[Levels] = []
        self._clipped = 0
        self._sounding = 0

    def feed(self, samples: Samples) -> None:
        if len(self._rest):
            samples = np.concatenate((self._rest, samples))
        whole = len(samples) // self._step * self._step
        self._rest = samples[whole:].copy()
        if whole:
            self._take(samples[:whole])

    def finish(self) -> Heard:
        whole = len(self._rest) // self._frame * self._frame
        if whole:
            self._count(self._rest[:whole])
            self._levels.append(frame_levels(self._floats(self._rest[:whole]), self._rate))
        self._rest = self._rest[:0]
        if not self._sounding:
            return Heard()
        voice = Voice(np.concatenate(self._levels), self._frame_ms, self._parameters)
        self._levels.clear()
        energies = np.concatenate(self._energies) if self._energies else np.zeros(0, np.float32)
        return Heard(
            voiced=voice.intervals,
            clipping=self._clipped / self._sounding,
            snr_db=voice.snr_db,
            loudness_lufs=integrated_lufs(energies),
        )

    def _take(self, samples: Samples) -> None:
        if not self._count(samples):
            frames = len(samples) // self._frame
            self._levels.append(np.zeros(frames, np.float32))
            self._energies.append(np.zeros(frames // _FRAMES_PER_STEP, np.float32))
            return
        floats = self._floats(samples)
        self._levels.append(frame_levels(floats, self._rate))
        steps = floats.reshape(-1, self._step)
        squares = np.einsum("ij,ij->i", steps, steps) / np.float32(self._step)
        self._energies.append(self._weighting.energies(steps, squares))

    def _count(self, samples: Samples) -> bool:
        """Whether there is any sound."""
        sounding = int(np.count_nonzero(samples))
        self._sounding += sounding
        if sounding and (samples.max() >= CLIP_LEVEL or samples.min() <= -CLIP_LEVEL):
            self._clipped += int(np.count_nonzero((samples >= CLIP_LEVEL) | (samples <= -CLIP_LEVEL)))
        return sounding > 0

    @staticmethod
    def _floats(samples: Samples) -> NDArray[np.float32]:
        return samples.astype(np.float32) * _FULL_SCALE
