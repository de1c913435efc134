"""The sound of long calls: heard in pieces, so that an hour takes no more memory than a minute."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.evals.subjects import subject_of
from voxgate.audio.wav import wav_header
from voxgate.evals.registry import ENTRIES, make_scorer, needs
from voxgate.evals.session import Session
from voxgate.evals.sound import HeldTrack, Track

RATE = 24_000
HEARING = [name for name in ENTRIES if needs(name) == "sound"]


def minutes_of_a_call() -> np.ndarray:
    """Ten seconds in which first the one speaks and then the other, and a little comes back."""
    random = np.random.default_rng(7)
    sides = random.standard_normal((10 * RATE, 2)) * 10
    sides[RATE : 4 * RATE, 0] *= 300
    sides[5 * RATE : 9 * RATE, 1] *= 300
    sides[5 * RATE + 2400 : 9 * RATE + 2400, 0] += sides[5 * RATE : 9 * RATE, 1] / 4
    return sides.astype("<i2")


class LongCall:
    """`minutes` of the same ten seconds."""

    def __init__(self, minutes: int) -> None:
        self.count = minutes * 6
        self.ten_seconds = minutes_of_a_call()
        self.asked: list[str] = []

    def audio(self, session_id: str, track: Track) -> Iterator[bytes]:
        self.asked.append(track)
        piece = self.ten_seconds if track == "mix" else self.ten_seconds[:, 0]
        data = piece.tobytes()
        yield wav_header(RATE, 2 if track == "mix" else 1, len(data) * self.count)
        for _ in range(self.count):
            yield data

    def events(self, session_id: str) -> Iterator[dict[str, Any]]:
        return iter(())

    def session(self) -> Session:
        return Session({"id": "sess_1", "duration_ms": self.count * 10_000.0, "spans": []}, self)


@pytest.mark.parametrize("name", HEARING)
def test_a_long_call_is_heard_in_little_memory(name: str) -> None:
    call = LongCall(minutes=4)
    scorer = make_scorer(name)
    tracemalloc.start()
    try:
        scores = asyncio.run(scorer.score(subject_of(call.session())))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert scores[0].value is not None
    assert peak < 30e6  # its samples alone are 46 MB as numbers, and 23 as bytes


def test_that_a_side_was_recorded_is_known_without_all_of_its_sound() -> None:
    call = LongCall(minutes=1)
    pieces = call.audio("sess_1", "user")
    taken: list[int] = []
    call.audio = lambda *_: (taken.append(len(one)) or one for one in pieces)  # type: ignore[method-assign]
    assert call.session().has_audio("user")
    assert taken == [44]


def test_a_track_is_read_where_it_is_asked_for() -> None:
    held = HeldTrack(LongCall(minutes=2).audio("", "mix"))
    assert (held.rate, held.channels, len(held)) == (RATE, 2, 120 * RATE)
    expected = minutes_of_a_call()[100:200] / np.float32(32768)
    assert np.array_equal(held.read(50 * RATE * 2 + 100, 50 * RATE * 2 + 200), expected)
    assert held.read(120 * RATE - 5, 120 * RATE + 5).shape == (5, 2)
    assert held.read(120 * RATE).size == held.read(7, 3).size == 0
    assert not held.read(0, 3).flags.writeable


def test_no_sound_is_no_track() -> None:
    held = HeldTrack(iter(()))
    assert (held.rate, len(held), held.read().size) == (0, 0, 0)
