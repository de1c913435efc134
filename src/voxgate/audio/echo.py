"""How much of what one lane says comes back on another one: both on one clock in, for each piece of speech
the likeness, the delay and the level of its echo out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np
import soxr
from numpy.typing import NDArray

from voxgate.audio.voice import Voice
from voxgate.audio.waves import Wave

Samples = NDArray[np.float32]
Spectrum = NDArray[np.float64]
_RATE: Final = 8_000
"""Voices have what they are known by below 4 kHz."""
_STEP: Final = _RATE // 10
"""100 ms are whole samples at any usual rate."""
_PRE_EMPHASIS: Final = 0.95
"""Takes the weight from the low tones, which make all voices alike."""
_NOTHING: Final = 1e-12


@dataclass(frozen=True, slots=True)
class EchoParameters:
    longest_lag_ms: float = 500.0
    longest_ms: float = 2000.0
    """Speech is looked at in pieces no longer than this: the way of an echo may change."""
    shortest_ms: float = 400.0
    """What is shorter is like something else by chance."""
    least_db: float = -70.0
    """What comes back more quietly than this nobody hears, and no detector."""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


class Echo(NamedTuple):
    """Of the speech from `start_ms` to `end_ms`. `correlation` is from 0 to 1: how far what came `lag_ms`
    later is that speech; `level_db` is how much louder it is."""

    start_ms: float
    end_ms: float
    correlation: float
    lag_ms: float
    level_db: float


def echoes(near: Wave, far: Wave, rate: int, parameters: EchoParameters | None = None) -> list[Echo]:
    """Of the speech in `far` what is in `near`: the greatest normalised cross-correlation over all lags from
    0 to `longest_lag_ms`, each normalised by the energy of the part of `near` that it looks at."""
    parameters = parameters or EchoParameters()
    pieces = list(_pieces(Voice.of(far, rate).intervals, parameters))
    if not pieces:
        return []
    return [_echo(near, far, rate, start, end, parameters) for start, end in pieces]


def _pieces(
    intervals: list[tuple[float, float]], parameters: EchoParameters
) -> Iterator[tuple[float, float]]:
    for start, end in intervals:
        count = max(int(np.ceil((end - start) / parameters.longest_ms)), 1)
        edges = np.linspace(start, end, count + 1).tolist()
        if (end - start) / count >= parameters.shortest_ms:
            yield from pairwise(edges)


def _echo(
    near: Wave, far: Wave, rate: int, start_ms: float, end_ms: float, parameters: EchoParameters
) -> Echo:
    first, last = round(start_ms * _RATE / 1000), round(end_ms * _RATE / 1000)
    lags = round(parameters.longest_lag_ms * _RATE / 1000) + 1
    said = _part(far, rate, first, last).astype(np.float64)
    size = len(said)
    came = np.zeros(size + lags - 1)
    part = _part(near, rate, first, first + len(came))
    came[: len(part)] = part
    products = _products(said, came)[:lags]
    sums = np.concatenate(([0.0], np.cumsum(np.square(came))))
    energies = sums[size : size + lags] - sums[:lags]
    own = float(np.square(said).sum())
    is_audible = energies > size * 10 ** (parameters.least_db / 10)
    likeness = np.where(is_audible, np.abs(products) / np.sqrt(np.maximum(energies * own, _NOTHING)), 0.0)
    best = int(likeness.argmax())
    level_db = 20 * float(np.log10(max(abs(products[best]) / max(own, _NOTHING), _NOTHING)))
    return Echo(start_ms, end_ms, min(float(likeness[best]), 1.0), best * 1000 / _RATE, level_db)


def _products(said: Spectrum, came: Spectrum) -> Spectrum:
    """Of `said` with what came, for each lag."""
    size = 1 << (len(came) + len(said) - 1).bit_length()
    both = np.conj(np.fft.rfft(said, size)) * np.fft.rfft(came, size)
    return np.asarray(np.fft.irfft(both, size))


def _part(wave: Wave, rate: int, first: int, last: int) -> Samples:
    """`[first, last)` of it at 8 kHz, as if all of it had been brought there: with what is around it, from a
    moment on that is a sample at both rates."""
    begin = max(first // _STEP - 1, 0)
    end = -(-last // _STEP) + 1
    around = wave[begin * _STEP * rate // _RATE : end * _STEP * rate // _RATE]
    found = _emphasised(_thin(around, rate))
    return found[first - begin * _STEP : last - begin * _STEP]


def _thin(wave: Samples, rate: int) -> Samples:
    return wave if rate == _RATE else np.asarray(soxr.resample(wave, rate, _RATE), np.float32)


def _emphasised(wave: Samples) -> Samples:
    found = wave.copy()
    found[1:] -= np.float32(_PRE_EMPHASIS) * wave[:-1]
    return found
