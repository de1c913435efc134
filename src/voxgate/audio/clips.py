"""Pieces of sound as WAV files for those who take files: none too long, and none without a voice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np

from voxgate.audio.pcm import SAMPLE_BYTES, to_samples
from voxgate.audio.wav import wav_header

LONGEST_SECONDS: Final = 300
"""At 24 kHz these are 14 MB; OpenAI takes files of 25."""
_SHORTEST_SECONDS: Final = 0.1
"""OpenAI refuses what is shorter; there is no word in it."""
_SEARCH_SECONDS: Final = 10
"""A longer one is cut where it is quietest in its last seconds, which is hardly within a word."""
_WINDOW_SECONDS: Final = 0.1
_SILENT: Final = 104
"""Of 32,768: -50 dBFS. Models make words of silence; no voice that a microphone has caught is so quiet."""


class Clip(NamedTuple):
    wav: bytes
    seconds: float
    is_silent: bool

    @property
    def may_have_words(self) -> bool:
        return not self.is_silent and self.seconds >= _SHORTEST_SECONDS


def clips_in(data: bytes, rate: int) -> Iterator[Clip]:
    """All of it, as 16-bit PCM, in one piece or in several."""
    longest = LONGEST_SECONDS * rate * SAMPLE_BYTES
    while len(data) > longest:
        cut = quiet_place(data[:longest], rate)
        yield clip_of(data[:cut], rate)
        data = data[cut:]
    if data:
        yield clip_of(data, rate)


def clip_of(data: bytes, rate: int) -> Clip:
    samples = to_samples(data)
    is_silent = not len(samples) or int(np.abs(samples.astype(np.int32)).max()) < _SILENT
    return Clip(wav_header(rate, 1, len(data)) + data, len(samples) / rate, is_silent)


def quiet_place(data: bytes, rate: int) -> int:
    """In the middle of the quietest window of the last seconds."""
    samples, window = to_samples(data), max(int(rate * _WINDOW_SECONDS), 1)
    first = max(len(samples) - _SEARCH_SECONDS * rate, 0)
    count = (len(samples) - first) // window
    parts = samples[first : first + count * window].astype(np.float64).reshape(count, window)
    return (first + int((parts**2).sum(axis=1).argmin()) * window + window // 2) * SAMPLE_BYTES
