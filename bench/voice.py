"""Spoken sound for benchmarks whose cost depends on what is said: the embedded provider's voice, cut in
pieces of one length, with the hiss of a microphone where a person speaks.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import soxr
from numpy.typing import NDArray

from bench.soak.script import DOWN_BYTES, POOL, Direction, give_sound
from voxgate.audio.g711 import encode_ulaw
from voxgate.audio.pcm import to_bytes
from voxgate.providers.local.voices import load_hibari

_RATE: Final = 24_000
_HISS: Final = 20.0
"""Of 32,768, root mean square: -64 dBFS."""
_PAUSE_SECONDS: Final = 0.35
_SENTENCES: Final = (
    "Good morning, I am calling about the order that I made last week, and I would like to know where it is.",
    "Certainly. I have found it: it left our house on Monday, and it is expected on Thursday before noon.",
    "Could you send it to another address instead, please? It is number twelve, Station Road.",
    "Of course. I have changed the address, and you will have a message as soon as it is on its way.",
)
Samples = NDArray[np.int16]


def write_voice(path: Path) -> None:
    """As much as the calls' pools need, which takes some seconds of CPU."""
    speak, pieces, length = load_hibari(0), [], 0
    pause = np.zeros(int(_RATE * _PAUSE_SECONDS), np.float32)
    needed = POOL * DOWN_BYTES["pcm"] // 2
    while length < needed:
        said = np.concatenate([np.concatenate((speak(one, 1.0), pause)) for one in _SENTENCES])
        pieces.append(said)
        length += len(said)
    whole = np.concatenate(pieces)[:needed]
    np.save(path, np.clip(whole * 32_767, -32_768, 32_767).astype(np.int16))


def speak_with(path: Path) -> None:
    """From now on the calls of `bench.soak.script` say this in this process."""
    assistant: Samples = np.load(path)
    said = assistant[: len(assistant) // 5]
    hiss = np.random.default_rng(1).normal(0, _HISS, len(said))
    user = np.clip(said + hiss, -32_768, 32_767).astype(np.int16)
    directions: tuple[tuple[Direction, Samples], ...] = (("up", user), ("down", assistant))
    for direction, samples in directions:
        give_sound("pcm", direction, _pieces(to_bytes(samples)))
        give_sound("pcmu", direction, _pieces(encode_ulaw(soxr.resample(samples, _RATE, 8_000))))


def _pieces(data: bytes) -> list[bytes]:
    size = len(data) // POOL
    return [data[start : start + size] for start in range(0, size * POOL, size)]
