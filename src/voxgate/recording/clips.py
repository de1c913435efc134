"""Stretches of a stored track as WAV files, none of them too long for those who take files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Final, NamedTuple

import numpy as np

from voxgate.audio.pcm import SAMPLE_BYTES, to_samples
from voxgate.audio.wav import wav_header
from voxgate.recording.tracks import open_track
from voxgate.recording.unwritten import Utterance
from voxgate.store import Blobs

LONGEST_SECONDS: Final = 300
"""At 24 kHz these are 14 MB; OpenAI takes files of 25."""
_SEARCH_SECONDS: Final = 10
"""A longer one is cut where it is quietest in its last seconds, which is hardly within a word."""
_WINDOW_SECONDS: Final = 0.1
_SILENT: Final = 104
"""Of 32,768: -50 dBFS. Models make words of silence; no voice that a microphone has caught is so quiet."""


class Clip(NamedTuple):
    wav: bytes
    seconds: float
    is_silent: bool


def clips_of(blobs: Blobs, prefix: str, utterance: Utterance) -> Iterator[Clip]:
    """One of each piece. NotFound when the sound is gone, DamagedRecording when it cannot be read."""
    with closing(open_track(blobs, prefix, "user", utterance.rate)) as track:
        at, longest = utterance.start, LONGEST_SECONDS * utterance.rate * SAMPLE_BYTES
        while at < utterance.end:
            data = track.read(at, min(at + longest, utterance.end))
            if not data:
                return
            if at + len(data) < utterance.end:
                data = data[: _quiet_place(data, utterance.rate)]
            at += len(data)
            yield _clip(data, utterance.rate)


def _clip(data: bytes, rate: int) -> Clip:
    samples = to_samples(data)
    is_silent = not len(samples) or int(np.abs(samples.astype(np.int32)).max()) < _SILENT
    return Clip(wav_header(rate, 1, len(data)) + data, len(samples) / rate, is_silent)


def _quiet_place(data: bytes, rate: int) -> int:
    """In the middle of the quietest window of the last seconds."""
    samples, window = to_samples(data), max(int(rate * _WINDOW_SECONDS), 1)
    first = max(len(samples) - _SEARCH_SECONDS * rate, 0)
    count = (len(samples) - first) // window
    parts = samples[first : first + count * window].astype(np.float64).reshape(count, window)
    return (first + int((parts**2).sum(axis=1).argmin()) * window + window // 2) * SAMPLE_BYTES
