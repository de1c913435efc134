"""A running call is heard about a second behind, at the place where it sounds, and drawn as it grows."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from voxgate.core.errors import NotFound
from voxgate.recording.listening import DELAY_MS, RATE, Listener, LiveCall, peaks_of, stored_peaks
from voxgate.store import FolderBlobs

CALL = "sessions/sess_1"
LOUD = np.full(RATE // 10, 16_384, "<i2").tobytes()
"""100 ms."""


class Running:
    """A call whose recorder is quick, on a clock that is set."""

    def __init__(self, folder: Path) -> None:
        self.blobs = FolderBlobs(folder)
        self.now_ms = 0.0
        self.write("gateway", {"type": "gateway.opened", "recorded": {"audio": True, "text": True}})
        self.call = LiveCall(self.blobs, CALL, lambda: round(self.now_ms * 1e6))

    def write(self, side: str, message: dict[str, Any]) -> None:
        line = json.dumps({"t": round(self.now_ms * 1e6), "dir": side, "msg": message})
        self.blobs.append(f"{CALL}/events.jsonl", line.encode() + b"\n")

    def user(self, pcm: bytes) -> None:
        audio = base64.b64encode(pcm).decode()
        self.write("client", {"type": "input_audio_buffer.append", "audio": audio})
        self.blobs.append(f"{CALL}/user.pcm", pcm)

    def assistant(self, pcm: bytes) -> None:
        delta = base64.b64encode(pcm).decode()
        ids = {"response_id": "resp_1", "item_id": "item_1"}
        self.write("server", {"type": "response.output_audio.delta", "delta": delta, **ids})
        self.blobs.append(f"{CALL}/assistant.pcm", pcm)

    def cut(self, audio_end_ms: int) -> None:
        cut = {"type": "conversation.item.truncate", "item_id": "item_1", "audio_end_ms": audio_end_ms}
        self.write("client", cut)

    def at(self, ms: float) -> None:
        self.now_ms = ms
        assert self.call.follow()


@pytest.fixture
def running(tmp_path: Path) -> Running:
    return Running(tmp_path)


def heard(listener: Listener) -> tuple[Any, Any]:
    both = np.frombuffer(listener.hear(), "<i2").reshape(-1, 2)
    return both[:, 0], both[:, 1]


def test_both_sides_are_heard_where_they_sound(running: Running) -> None:
    running.at(0)
    listener = Listener(running.call)
    running.at(500)
    running.user(LOUD)
    running.at(800)
    running.assistant(LOUD * 2)
    running.at(DELAY_MS + 2000)
    left, right = heard(listener)
    assert len(left) == len(right) == 2 * RATE
    assert np.flatnonzero(left)[[0, -1]].tolist() == [RATE // 2, RATE * 6 // 10 - 1]
    assert np.flatnonzero(right)[[0, -1]].tolist() == [RATE * 8 // 10, RATE - 1]


def test_what_was_heard_once_is_not_heard_again_and_nothing_is_left_out(running: Running) -> None:
    running.at(0)
    listener = Listener(running.call)
    pieces = []
    for step in range(30):
        running.at(step * 100)
        running.user((np.arange(RATE // 10) + step * 100 + 1).astype("<i2").tobytes())
        pieces.append(heard(listener)[0])
    whole = np.concatenate(pieces)
    track = np.frombuffer(running.blobs.read_range(f"{CALL}/user.pcm", 0, 2 * len(whole)), "<i2")
    assert len(whole) == RATE * 19 // 10
    assert np.array_equal(whole, track)


def test_who_comes_later_begins_a_second_before_now(running: Running) -> None:
    running.at(5000)
    running.user(LOUD)
    running.at(5000)
    assert Listener(running.call).start_ms == 5000 - DELAY_MS


def test_sound_that_was_cut_is_not_heard_but_drawn(running: Running) -> None:
    running.at(0)
    listener = Listener(running.call)
    running.assistant(LOUD * 10)
    running.at(300)
    running.cut(300)
    running.at(3000)
    assert np.flatnonzero(heard(listener)[1])[-1] == RATE * 3 // 10 - 1
    user, generated, as_heard = lanes(peaks_of(running.call, 0))
    assert not user.any()
    assert np.flatnonzero(generated)[-1] == 49
    assert np.flatnonzero(as_heard)[-1] == 14
    assert generated[0] == round(255 * 0.5**0.5)


def test_telephone_sound_is_heard_at_the_listeners_rate(running: Running) -> None:
    running.at(0)
    session = {"type": "realtime", "audio": {"input": {"format": {"type": "audio/pcmu"}}}}
    running.write("server", {"type": "session.created", "session": session})
    tone = np.sin(np.arange(8000) * 440 * 2 * np.pi / 8000) * 12_000
    running.write(
        "client", {"type": "input_audio_buffer.append", "audio": base64.b64encode(bytes(8000)).decode()}
    )
    running.blobs.append(f"{CALL}/user.pcm", tone.astype("<i2").tobytes())
    running.at(1)
    listener = Listener(running.call)
    running.at(2000)
    left, _ = heard(listener)
    spectrum = np.abs(np.fft.rfft(left.astype(np.float64)))
    assert abs(np.argmax(spectrum) * RATE / len(left) - 440) < 3


def test_peaks_go_on_from_where_they_were_asked_for(running: Running) -> None:
    running.at(0)
    running.user(LOUD * 10)
    running.at(1000)
    whole, rest = lanes(peaks_of(running.call, 0)), lanes(peaks_of(running.call, 40))
    assert len(whole[0]) == 50
    assert np.array_equal(whole[0][40:], rest[0])


def test_stored_peaks_are_the_same_in_fewer_bytes() -> None:
    stored = {"per_second": 50, "user": [0.25, 1.0], "assistant": [0.0, 0.04], "heard": [0.0]}
    user, assistant, as_heard = lanes(stored_peaks(json.dumps(stored).encode(), 0))
    assert (user.tolist(), assistant.tolist(), as_heard.tolist()) == ([128, 255], [0, 51], [0, 0])


def test_a_call_that_was_put_away_is_over(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        LiveCall(FolderBlobs(tmp_path), CALL).follow()


def lanes(data: bytes) -> list[Any]:
    assert data[:6] == b"VXPK\x01\x32"
    many, count = int.from_bytes(data[6:8], "little"), int.from_bytes(data[12:16], "little")
    return list(np.frombuffer(data[16:], np.uint8).reshape(many, count))
