"""What is asked for while the recorder makes a session again from its wire log: the whole, or an error that
says when to ask again. It does so when it was killed before a log was gone, and for a call that another
machine has finished before its own one came back.
"""

from __future__ import annotations

import base64
import fcntl
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.api.world import World
from tests.traces.calls import OPENED
from voxgate.core.errors import StoreUnavailable
from voxgate.jobs.compaction import Compactor
from voxgate.jobs.recorder import Recorder
from voxgate.jobs.recording import SessionRecording
from voxgate.realtime.frames import TEXT, encode_frame
from voxgate.recording.wirelog import CLIENT, FACT, LOCK_NAME, MAGIC, RECORD, SERVER, wire_logs
from voxgate.store import Store

SECONDS = 60.0
URL = "/api/sessions/sess_1"
PATHS = {
    "events": f"{URL}/events",
    "user": f"{URL}/audio?track=user",
    "mix": f"{URL}/audio?track=mix",
    "ogg": f"{URL}/audio?track=heard&format=ogg",
    "peaks": f"{URL}/peaks",
}


def wire_log(*, closed: bool = True) -> bytes:
    """A call of ten seconds with an answer, in more than one portion of the recorder's."""
    chance = random.Random(1)
    audio = [base64.b64encode(chance.randbytes(48_000)).decode() for _ in range(20)]
    said = [(CLIENT, {"type": "input_audio_buffer.append", "audio": each}) for each in audio[:10]]
    names = {"response_id": "r", "item_id": "i"}
    delta = {"type": "response.output_audio.delta", **names}
    said += [(SERVER, {"type": "response.created", "response": {"id": "r"}})]
    said += [(SERVER, {**delta, "delta": each}) for each in audio[10:]]
    said += [(SERVER, {"type": "response.done", "response": {"id": "r", "status": "completed"}})]
    opened = json.dumps({**OPENED, "session_id": "sess_1", "project": "shop"}).encode()
    records = [(FACT, opened)]
    records += [
        (kind, encode_frame(TEXT, json.dumps(message).encode(), masked=kind == CLIENT))
        for kind, message in said
    ]
    if closed:
        end = {"type": "gateway.closed", "code": 1000, "reason": "", "by": "client"}
        records.append((FACT, json.dumps(end).encode()))
    times = range(0, 500_000_000 * len(records), 500_000_000)
    framed = [RECORD.pack(t, kind, len(data)) + data for t, (kind, data) in zip(times, records, strict=True)]
    return MAGIC + b"".join(framed)


class Workshop:
    """A recorder that puts away what it has finished, and is given the same log again and again."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world = world
        self.wire = folder / "wire"
        self.log = wire_log()
        self.compactor = Compactor(world.store, world.blobs, folder / "compact")
        self.marks = folder / "compact"
        self.recorder = self.new_recorder()

    def new_recorder(self) -> Recorder:
        return Recorder(
            wire_dir=self.wire, store=self.world.store, blobs=self.world.blobs, compactor=self.compactor
        )

    def give(self, log: bytes | None = None) -> Path:
        """A log as a recorder has left it that was killed."""
        path = self.wire / "worker_1" / "sess_1.vgw"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(log or self.log)
        return path

    def finish(self) -> None:
        self.work(lambda: not wire_logs(self.wire) and not any(self.marks.glob("*.todo")))

    def work(self, until: Callable[[], bool]) -> None:
        deadline = time.monotonic() + SECONDS
        while not until():
            assert time.monotonic() < deadline, "it did not happen in time"
            self.recorder.step()


@pytest.fixture
def workshop(world: World, tmp_path: Path) -> Iterator[Workshop]:
    made = Workshop(world, tmp_path)
    made.give()
    made.finish()
    yield made
    made.compactor.close()


def contents(client: TestClient) -> dict[str, bytes]:
    answers = {name: client.get(path) for name, path in PATHS.items()}
    assert {answer.status_code for answer in answers.values()} == {200}
    return {name: answer.content for name, answer in answers.items()}


def ask(client: TestClient, path: str) -> Any:
    answer = client.get(path)
    if answer.status_code == 503:
        assert answer.headers["retry-after"] == "1"
        assert answer.json()["error"]["code"] == "recorded_again"
    return answer


def test_what_is_read_while_a_session_is_made_again_is_whole_or_refused(
    workshop: Workshop, client: TestClient
) -> None:
    expected = contents(client)
    end, seen, wrong = threading.Event(), Counter[tuple[str, int]](), list[str]()

    def hammer(name: str) -> None:
        while not end.is_set():
            answer = ask(client, PATHS[name])
            seen[name, answer.status_code] += 1
            same = answer.content == expected[name] or name == "ogg"
            if answer.status_code != 503 and (answer.status_code, same) != (200, True):
                wrong.append(f"{name}: {answer.status_code}, {len(answer.content)} bytes")

    def enough() -> bool:
        """A format that takes long to make is not ready before all is another again."""
        return all(seen[name, 503] > 1 and (seen[name, 200] > 1 or name == "ogg") for name in PATHS)

    readers = [threading.Thread(target=hammer, args=(name,)) for name in PATHS]
    for reader in readers:
        reader.start()
    try:
        deadline = time.monotonic() + SECONDS
        while not wrong and not enough():
            assert time.monotonic() < deadline, f"it did not happen in time: {seen}"
            workshop.give()
            workshop.finish()
    finally:
        end.set()
        for reader in readers:
            reader.join()
    assert not wrong
    after = contents(client)
    assert {name: after[name] for name in PATHS if name != "ogg"} == {
        name: expected[name] for name in PATHS if name != "ogg"
    }


def test_the_trace_of_a_session_that_is_made_again_stays_as_it_was(
    workshop: Workshop, client: TestClient
) -> None:
    before = client.get(URL).json()
    path = workshop.give()
    recording = SessionRecording(path, workshop.world.store, workshop.world.blobs)
    assert recording.advance()
    recording.refresh()
    meanwhile = client.get(URL).json()
    assert meanwhile["status"] == "live"
    assert [span["id"] for span in meanwhile["spans"]] == [span["id"] for span in before["spans"]]
    assert client.delete(URL).status_code == 409
    for path in PATHS.values():
        assert ask(client, path).status_code == 503
    workshop.finish()
    after = client.get(URL).json()
    assert (after["status"], after["spans"]) == (before["status"], before["spans"])
    assert "begun_again" not in after


def test_a_running_call_that_was_begun_again_can_be_read_when_it_has_caught_up(
    workshop: Workshop, client: TestClient
) -> None:
    path = workshop.give(wire_log(closed=False))
    recording = SessionRecording(path, workshop.world.store, workshop.world.blobs)
    with (path.parent / LOCK_NAME).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # as its worker, which goes on
        while recording.advance():
            recording.refresh()
            assert ask(client, PATHS["events"]).status_code == 503
        recording.refresh()
    events = client.get(PATHS["events"])
    assert events.status_code == 200
    assert events.content.count(b"response.output_audio.delta") == 10
    assert client.get(PATHS["user"]).status_code == 200


def test_nothing_that_is_stored_goes_before_the_database_could_be_told(
    workshop: Workshop, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(client)
    with monkeypatch.context() as patch:

        def away(*_: object) -> None:
            raise StoreUnavailable("away")

        patch.setattr(Store, "begin_again", away)
        workshop.give()
        for _ in range(5):
            workshop.recorder.step()
        assert wire_logs(workshop.wire)
        assert contents(client) == before
    workshop.recorder = workshop.new_recorder()
    workshop.finish()
    assert contents(client)["events"] == before["events"]


def test_a_new_call_is_recorded_while_the_database_is_away(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise StoreUnavailable("away")

    blobs = workshop.world.blobs
    with monkeypatch.context() as patch:
        patch.setattr(Store, "begin_again", away)
        patch.setattr(Store, "save_trace", away)
        workshop.give().rename(workshop.wire / "worker_1" / "sess_2.vgw")
        workshop.work(lambda: blobs.size("sessions/sess_2/user.pcm") is not None)
