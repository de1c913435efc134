"""Loudness by ITU-R BS.1770-5: the K-weighted energy of each 100 ms of a lane in, integrated LUFS out.

The weighting is applied to the spectrum of each piece and not as a filter over the whole, which is the same
for sound that does not change faster than 100 ms, and within 0.1 LU for speech.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from voxgate.audio.waves import Wave, blocks

Levels = NDArray[np.float32]
"""Mean squares, of full scale 1."""

STEP_MS: Final = 100
"""A gating block is 400 ms long and begins each 100 ms (annex 1)."""
_STEPS_PER_BLOCK: Final = 4
_OFFSET_LUFS: Final = -0.691
_ABSOLUTE_GATE_LUFS: Final = -70.0
_RELATIVE_GATE_LU: Final = -10.0

# The two stages of annex 1, tables 1 and 2, whose coefficients are those for 48 kHz.
_TABLE_RATE: Final = 48_000
_STAGES: Final = (
    ((1.53512485958697, -2.69169618940638, 1.19839281085285), (1.0, -1.69065929318241, 0.73248077421585)),
    ((1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621)),
)
_THIN_RATE: Final = 8_000
_PLATEAU_HZ: Final = 6_000.0
"""From about 4 kHz on the weight is the same for all frequencies."""


def k_weight(hz: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
    """The square of the K-weighting's gain at these frequencies."""
    z = np.exp(-2j * np.pi * np.asarray(hz, np.float64) / _TABLE_RATE)
    gain = np.ones(len(z), np.complex128)
    for above, below in _STAGES:
        gain *= np.polyval(above[::-1], z) / np.polyval(below[::-1], z)
    return np.abs(gain) ** 2


@functools.lru_cache(maxsize=8)
def k_weighting(rate: int, size: int) -> KWeighting:
    """It does not change, and there are few rates."""
    return KWeighting(rate, size)


class KWeighting:
    """Weighs pieces of `size` samples at `rate`. What lies above 4 kHz has one weight, so its spectrum need
    not be known: that of the sound thinned out to 8 kHz is enough, at a third of the time."""

    def __init__(self, rate: int, size: int) -> None:
        factor = max(rate // _THIN_RATE, 1)
        while size % factor:
            factor -= 1
        bins = size // factor // 2 + 1
        hz = np.arange(bins) * rate / size
        self._plateau = float(k_weight([_PLATEAU_HZ])[0])
        missing = np.maximum(self._plateau - k_weight(hz), 0.0) / _thinning(hz, rate, factor)
        both_sides = np.full(bins, 2.0)
        both_sides[0] = 1.0
        if size // factor % 2 == 0:
            both_sides[-1] = 1.0
        per_sample = (size // factor) ** 2
        # Real and imaginary parts lie side by side.
        self._missing = np.repeat(missing * both_sides / per_sample, 2).astype(np.float32)
        self._factor, self._mean = factor, np.full(factor, 1 / factor, np.float32)

    def energies(self, pieces: Levels, mean_squares: Levels) -> Levels:
        """Of pieces (one a row) with these mean squares, after the weighting."""
        thin = pieces.reshape(len(pieces), -1, self._factor) @ self._mean
        spectrum = np.fft.rfft(thin).view(np.float32)
        np.multiply(spectrum, spectrum, out=spectrum)
        lost = spectrum @ self._missing
        weighted: Levels = np.maximum(self._plateau * mean_squares - lost, 0.0)
        return weighted


def _thinning(hz: NDArray[np.float64], rate: int, factor: int) -> NDArray[np.float64]:
    """What the mean of so many samples leaves of a frequency, squared."""
    phase = np.pi * hz / rate
    with np.errstate(invalid="ignore"):
        gain = np.where(hz > 0, np.sin(factor * phase) / (factor * np.sin(phase)), 1.0)
    return np.asarray(gain**2)


def weighted_energies(wave: Wave, rate: int) -> Levels:
    """Of each whole 100 ms of samples of full scale 1, after the weighting."""
    size = max(round(rate * STEP_MS / 1000), 1)
    found = [np.zeros(0, np.float32)]
    for block in blocks(wave, size):
        steps = block[: len(block) // size * size].reshape(-1, size)
        if len(steps):
            squares = np.einsum("ij,ij->i", steps, steps) / np.float32(size)
            found.append(k_weighting(rate, size).energies(steps, squares))
    return np.concatenate(found)


def integrated_lufs(energies: Levels) -> float | None:
    """Of one channel; None if nothing is louder than -70 LUFS, or it is shorter than a block."""
    blocks = _blocks(energies)
    counted = blocks[_gated(blocks)]
    return _lufs(float(counted.mean())) if len(counted) else None


def counted_steps(energies: Levels) -> NDArray[np.bool_]:
    """The 100 ms that `integrated_lufs` is the mean of: those in a block that passes both gates."""
    counted = np.zeros(len(energies), np.bool_)
    for at in np.flatnonzero(_gated(_blocks(energies))).tolist():
        counted[at : at + _STEPS_PER_BLOCK] = True
    return counted


def _blocks(energies: Levels) -> NDArray[np.float64]:
    if len(energies) < _STEPS_PER_BLOCK:
        return np.zeros(0)
    sums = np.cumsum(np.concatenate(([0.0], energies.astype(np.float64))))
    return np.asarray((sums[_STEPS_PER_BLOCK:] - sums[:-_STEPS_PER_BLOCK]) / _STEPS_PER_BLOCK)


def _gated(blocks: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Those above the absolute gate, and of these above the relative one."""
    loud = blocks > _energy(_ABSOLUTE_GATE_LUFS)
    if not loud.any():
        return loud
    gate = _lufs(float(blocks[loud].mean())) + _RELATIVE_GATE_LU
    return np.asarray(loud & (blocks > _energy(gate)))


def _energy(lufs: float) -> float:
    return float(10 ** ((lufs - _OFFSET_LUFS) / 10))


def _lufs(energy: float) -> float:
    return float(_OFFSET_LUFS + 10 * np.log10(energy))
