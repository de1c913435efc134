"""The user's sound for a replay: from a track or a file, made worse where that is asked for, to the bytes
that the session takes.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import pybase64
import soundfile
import soxr

from voxgate.audio.g711 import encode_alaw, encode_ulaw
from voxgate.audio.pcm import Samples, to_bytes
from voxgate.audio.perturb import perturb
from voxgate.evals.model import Json
from voxgate.evals.protocols import TaskError
from voxgate.traces.formats import AudioFormat

SHORTEST_MS: Final = 100
"""The live service refuses to commit less (`input_audio_buffer_commit_empty`)."""
_FULL_SCALE: Final = 32768.0


def read_sound(data: bytes, name: str) -> tuple[Samples, int]:
    """Any WAV (mu-law too), FLAC or OGG, its channels mixed: samples and rate. TaskError if it is none."""
    try:
        samples, rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError, ValueError) as error:
        raise TaskError(f"{name} is no sound that can be read: {error}", retryable=False) from error
    return _to_int16(samples.mean(axis=1)), int(rate)


def worse(samples: Samples, rate: int, specs: Sequence[Json], seed: int) -> Samples:
    """As long as before. `specs` as `audio.perturb` reads them, one after the other."""
    if not specs or not len(samples):
        return samples
    wave = samples.astype(np.float32) / np.float32(_FULL_SCALE)
    for spec in specs:
        wave = perturb(wave, rate, spec, seed)
    return _to_int16(wave)


def encode(samples: Samples, rate: int, to: AudioFormat) -> bytes:
    if rate != to.rate and len(samples):
        samples = soxr.resample(samples, rate, to.rate)
    if to.kind == "pcmu":
        return encode_ulaw(samples)
    return encode_alaw(samples) if to.kind == "pcma" else to_bytes(samples)


def at_least(data: bytes, to: AudioFormat, ms: int = SHORTEST_MS) -> bytes:
    """With silence behind it, where it is shorter."""
    return data + silence(to, ms)[len(data) :] if len(data) < bytes_of(to, ms) else data


def silence(to: AudioFormat, ms: float) -> bytes:
    return encode(np.zeros(round(to.rate * ms / 1000), np.int16), to.rate, to)


def bytes_of(to: AudioFormat, ms: float) -> int:
    return round(to.rate * ms / 1000) * to.sample_bytes


def ms_of(data: bytes, to: AudioFormat) -> float:
    return len(data) / to.sample_bytes * 1000 / to.rate


def appends(data: bytes, to: AudioFormat, ms: int) -> Iterator[Json]:
    """The events that append it, in pieces of `ms`."""
    size = bytes_of(to, ms)
    for start in range(0, len(data), size):
        yield append(data[start : start + size])


def append(data: bytes) -> Json:
    return {"type": "input_audio_buffer.append", "audio": pybase64.b64encode(data).decode()}


def input_audio(data: bytes) -> Json:
    """As the content of a user's item."""
    return {"type": "input_audio", "audio": pybase64.b64encode(data).decode()}


def _to_int16(wave: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> Samples:
    samples: Samples = np.clip(np.rint(wave * _FULL_SCALE), -32768, 32767).astype(np.int16)
    return samples
