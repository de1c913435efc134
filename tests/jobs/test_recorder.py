"""The recorder from wire logs to store and blobs, with a real store, real files and writers that die."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from tests.traces.calls import OPENED, b64, pcm

from voxgate.audio.g711 import decode_ulaw
from voxgate.jobs import recorder as recorder_module
from voxgate.jobs.hearing import CallHearing
from voxgate.jobs.recorder import Recorder
from voxgate.jobs.recording import SessionRecording
from voxgate.realtime.frames import TEXT, encode_frame
from voxgate.recording.eventlog import read_events
from voxgate.recording.reading import OpenSound
from voxgate.recording.spool import Spool, WireLog
from voxgate.recording.wirelog import CLIENT, LOCK_NAME, SERVER, wire_logs
from voxgate.store import FolderBlobs, Store
from voxgate.traces import build_trace
from voxgate.traces.changes import span_json

SECONDS = 60.0


def wait_for(condition: Callable[[], Any], step: Callable[[], Any] = lambda: None) -> Any:
    deadline = time.monotonic() + SECONDS
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        step()
        time.sleep(0.005)
    return found


class Bench:
    """A wire folder, a store and blobs, and recorders that work on them."""

    def __init__(self, folder: Path) -> None:
        self.wire = folder / "wire"
        self.store = Store(f"sqlite:///{folder / 'voxgate.db'}")
        self.blobs = FolderBlobs(folder / "blobs")
        self.recorder = self.new_recorder()
        self.writers: list[Spool] = []

    def new_recorder(self, **parts: Any) -> Recorder:
        return Recorder(
            **{"wire_dir": self.wire, "store": self.store, "blobs": self.blobs, "poll_ms": 5, **parts}
        )

    def writer(self, worker_id: str = "worker_1") -> Spool:
        self.writers.append(Spool(self.wire, worker_id))
        return self.writers[-1]

    def session(self, session_id: str) -> dict[str, Any] | None:
        return self.store.get_session(session_id)

    def record_until(self, session_id: str, status: str) -> dict[str, Any]:
        def arrived() -> bool:
            row = self.session(session_id)
            return row is not None and row["status"] == status

        def step() -> None:
            for spool in self.writers:
                spool.arm()  # a writer that was not ready for all that it was told hears it now
            self.recorder.step()

        wait_for(arrived, step)
        row = self.session(session_id)
        assert row is not None
        return row

    def finish(self) -> None:
        """Until every log is worked off."""
        wait_for(lambda: not wire_logs(self.wire), self.recorder.step)

    def sound(self, session_id: str, name: str) -> np.ndarray:
        with OpenSound(self.blobs, f"sessions/{session_id}", name) as sound:
            samples = np.frombuffer(sound.read(0, sound.size), "<i2")
            assert len(samples) * 2 == sound.size
            return samples.reshape(-1, 2) if sound.channels == 2 else samples

    def blob(self, session_id: str, name: str) -> bytes:
        with self.blobs.open(f"sessions/{session_id}/{name}") as file:
            return file.read()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    for writer in made.writers:
        writer.stop()
    made.store.close()


def say(log: WireLog, kind: int, **message: Any) -> None:
    log.append(kind, encode_frame(TEXT, json.dumps(message).encode(), masked=kind == CLIENT))


def begin(writer: Spool, session_id: str, input_format: str = "audio/pcm") -> WireLog:
    log = writer.open(session_id)
    log.fact({**OPENED, "session_id": session_id})
    formats = {"input": {"format": {"type": input_format}}, "output": {"format": {"type": input_format}}}
    say(log, SERVER, type="session.created", session={"id": "s", "model": "gpt-realtime", "audio": formats})
    return log


def talk(log: WireLog, user: bytes, assistant: bytes, response_id: str = "resp_1") -> None:
    for at in range(0, len(user), 4801):
        say(log, CLIENT, type="input_audio_buffer.append", audio=b64(user[at : at + 4801]))
    say(log, CLIENT, type="input_audio_buffer.commit")
    say(log, SERVER, type="input_audio_buffer.committed", item_id=f"u_{response_id}")
    say(log, SERVER, type="response.created", response={"id": response_id})
    names = {"response_id": response_id, "item_id": f"a_{response_id}"}
    for at in range(0, len(assistant), 3001):
        say(log, SERVER, type="response.output_audio.delta", delta=b64(assistant[at : at + 3001]), **names)
    say(log, SERVER, type="response.done", response={"id": response_id, "status": "completed"})


def end(log: WireLog) -> None:
    log.close(1000, "", "client")


def test_a_call_becomes_a_trace_with_its_sound_and_the_wire_log_goes(bench: Bench) -> None:
    log = begin(bench.writer(), "sess_1")
    user, assistant = pcm(500), pcm(300, start=7000)
    talk(log, user, assistant)
    end(log)
    row = bench.record_until("sess_1", "complete")
    bench.finish()
    assert [span["type"] for span in row["spans"]] == ["session", "turn", "user", "response"]
    assert row["credential_id"] == "cred_1"
    assert bench.blob("sess_1", "user.pcm") == user
    assert bench.blob("sess_1", "assistant.pcm") == assistant
    heard = bench.sound("sess_1", "heard")
    played = round(row["spans"][-1]["metrics"]["audio_heard_ms"] * 24)
    assert 0 < played < 7200  # the client was gone before the rest could sound
    assert np.array_equal(heard[heard != 0], np.frombuffer(assistant, "<i2")[:played])
    tracks = row["data"]["tracks"]
    assert {name: (track["rate"], track["channels"]) for name, track in tracks.items()} == {
        "user": (24_000, 1),
        "assistant": (24_000, 1),
        "heard": (24_000, 1),
        "mix": (24_000, 2),
    }
    for name, track in tracks.items():
        assert bench.sound("sess_1", name).nbytes == track["bytes"]
    assert {"user track", "assistant track", "heard track", "call"} == {
        attachment["name"] for attachment in row["spans"][0]["attachments"]
    }
    events = list(read_events(bench.blob("sess_1", "events.jsonl").splitlines()))
    assert events[0].type == "gateway.opened"
    assert events[-1].type == "gateway.closed"
    assert not wire_logs(bench.wire)


def test_the_stored_trace_is_the_one_that_its_event_log_gives(bench: Bench) -> None:
    log = begin(bench.writer(), "sess_1")
    talk(log, pcm(300), pcm(200))
    end(log)
    row = bench.record_until("sess_1", "complete")
    lines = bench.blob("sess_1", "events.jsonl").splitlines()
    mix = bench.sound("sess_1", "mix")
    hearing = CallHearing(24_000)
    hearing.feed(mix[:, 0], mix[:, 1])
    again = build_trace(read_events(lines), session_id="sess_1", sound=hearing.facts())
    stored = {span["id"]: span for span in row["spans"]}
    for span in again.spans[1:]:
        assert stored[span.id] == orjson.loads(orjson.dumps(span_json(span)))
    assert row["data"]["metrics"] == again.metrics


def test_the_mix_lies_on_the_calls_clock_with_the_user_left_and_the_heard_right(bench: Bench) -> None:
    log = begin(bench.writer(), "sess_1")
    talk(log, pcm(400), pcm(2000, start=7000))
    say(log, CLIENT, type="conversation.item.truncate", item_id="a_resp_1", content_index=0, audio_end_ms=250)
    end(log)
    row = bench.record_until("sess_1", "complete")
    bench.finish()
    mix = bench.sound("sess_1", "mix")
    response = next(span for span in row["spans"] if span["type"] == "response")
    assert response["metrics"]["audio_heard_ms"] == 250
    start = round(response["output"]["play_start_ms"] * 24)
    right = np.frombuffer(pcm(250, start=7000), "<i2")
    assert np.array_equal(mix[start : start + 6000, 1], right)
    assert not mix[:start, 1].any()
    assert not mix[start + 6000 :, 1].any()
    left = mix[:, 0]
    spoken = np.flatnonzero(left)
    assert len(spoken) == 9600
    assert np.array_equal(left[spoken[0] : spoken[0] + 9600], np.frombuffer(pcm(400), "<i2"))
    assert np.array_equal(bench.sound("sess_1", "heard"), mix[:, 1])
    peaks = orjson.loads(bench.blob("sess_1", "peaks.json"))
    assert peaks["per_second"] == 50
    expected = -(-len(mix) // 480)
    assert [len(peaks[name]) for name in ("user", "assistant", "heard")] == [expected] * 3
    assert sum(value > 0 for value in peaks["heard"]) in (12, 13, 14)
    assert max(peaks["heard"]) == pytest.approx(np.abs(right).max() / 32768, abs=0.001)
    [listed] = bench.store.list_sessions()[0]
    for name, lane in (("user", peaks["user"]), ("assistant", peaks["heard"])):
        loud = [at * 60 / expected for at, value in enumerate(lane) if value > 0.01]
        drawn = [at for at, digit in enumerate(listed["wave"][name]) if digit != "0"]
        assert len(listed["wave"][name]) == 60
        assert (drawn[0], drawn[-1]) == (pytest.approx(loud[0], abs=3), pytest.approx(loud[-1], abs=3))


def test_g711_is_stored_as_pcm_at_eight_kilohertz(bench: Bench) -> None:
    log = begin(bench.writer(), "sess_1", "audio/pcmu")
    user, assistant = bytes(range(256)) * 40, bytes(range(255, -1, -1)) * 20
    talk(log, user, assistant)
    end(log)
    row = bench.record_until("sess_1", "complete")
    assert bench.blob("sess_1", "user.pcm") == decode_ulaw(user).astype("<i2").tobytes()
    assert bench.blob("sess_1", "assistant.pcm") == decode_ulaw(assistant).astype("<i2").tobytes()
    assert row["data"]["tracks"]["mix"]["rate"] == 8000


def test_lanes_of_different_rates_are_mixed_at_the_higher_one(bench: Bench) -> None:
    log = begin(bench.writer(), "sess_1")
    audio = {
        "input": {"format": {"type": "audio/pcma"}},
        "output": {"format": {"type": "audio/pcm", "rate": 24_000}},
    }
    say(log, SERVER, type="session.updated", session={"audio": audio})
    talk(log, b"\x2a" * 8000, pcm(500))
    end(log)
    row = bench.record_until("sess_1", "complete")
    assert row["data"]["tracks"]["mix"]["rate"] == 24_000
    mix = bench.sound("sess_1", "mix")
    loud = np.abs(mix[:, 0].astype(int)) > 20_000
    assert loud.sum() == pytest.approx(24_000, rel=0.01)


def test_a_running_call_is_shown_as_live_and_grows(bench: Bench) -> None:
    log = begin(bench.writer(), "sess_1")
    bench.record_until("sess_1", "live")
    talk(log, pcm(100), pcm(100))

    def answered() -> bool:
        row = bench.session("sess_1")
        return row is not None and any(span["type"] == "response" for span in row["spans"])

    wait_for(answered, bench.recorder.step)
    assert bench.session("sess_1")["status"] == "live"
    assert bench.blob("sess_1", "user.pcm") == pcm(100)
    end(log)
    bench.record_until("sess_1", "complete")


def test_a_recorder_that_is_behind_finishes_the_oldest_sessions_first(bench: Bench) -> None:
    """And keeps few at a time, so that little is begun again if it is killed."""
    writer = bench.writer()
    for number in range(30):
        log = begin(writer, f"sess_{number:02}")
        talk(log, pcm(20_000), b"")
        end(log)
    wait_for(lambda: len(wire_logs(bench.wire)) == 30 and not writer.waiting_bytes, writer.turn)
    done: list[str] = []
    while logs := wire_logs(bench.wire):
        bench.recorder.step()
        assert len(bench.recorder._recordings) <= 8
        done += sorted({path.stem for path in logs} - {path.stem for path in wire_logs(bench.wire)})
    assert done == [f"sess_{number:02}" for number in range(30)]
    assert bench.session("sess_29")["status"] == "complete"


def test_a_worker_that_was_killed_leaves_an_interrupted_session(bench: Bench) -> None:
    script = (
        "import sys, os, json\n"
        "from pathlib import Path\n"
        "from voxgate.recording.spool import Spool\n"
        "log = Spool(Path(sys.argv[1]), 'worker_dead').open('sess_1')\n"
        "log.fact({'type': 'gateway.opened', 'session_id': 'sess_1', 'started_at': '2026-11-22T10:00:00Z'})\n"
        "log.append(1, bytes.fromhex(sys.argv[2]))\n"
        "print('up', flush=True)\n"
        "sys.stdin.read()\n"
    )
    message = json.dumps({"type": "response.created", "response": {"id": "resp_1"}}).encode()
    command = [sys.executable, "-c", script, str(bench.wire), encode_frame(TEXT, message).hex()]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as worker:
        assert worker.stdout.readline() == b"up\n"
        wait_for(lambda: bench.session("sess_1") and bench.session("sess_1")["turns"], bench.recorder.step)
        assert bench.session("sess_1")["status"] == "live"
        worker.kill()
    (path,) = wire_logs(bench.wire)
    with path.open("ab") as file:
        file.write(b"\x01\x02\x03")  # half a record
    row = bench.record_until("sess_1", "interrupted")
    bench.finish()
    assert [span["status"] for span in row["spans"] if span["type"] == "response"] == ["unfinished"]
    assert row["ended_at"] is not None


def test_a_recorder_that_begins_again_in_the_middle_repeats_nothing(bench: Bench) -> None:
    log = begin(bench.writer(), "sess_1")
    first, second = pcm(300), pcm(200, start=9000)
    talk(log, first, b"")
    wait_for(lambda: bench.blobs.size("sessions/sess_1/user.pcm") == len(first), bench.recorder.step)
    bench.recorder = bench.new_recorder()  # the old one is gone with all that it knew
    talk(log, second, first, "resp_2")
    end(log)
    row = bench.record_until("sess_1", "complete")
    bench.finish()
    assert bench.blob("sess_1", "user.pcm") == first + second
    assert bench.blob("sess_1", "assistant.pcm") == first
    assert row["turns"] == 2
    lines = bench.blob("sess_1", "events.jsonl").splitlines()
    assert sum(b"gateway.opened" in line for line in lines) == 1


def test_a_damaged_log_is_put_aside_and_the_others_go_on(bench: Bench) -> None:
    writer = bench.writer()
    bad, good = begin(writer, "sess_1"), begin(writer, "sess_2")
    wait_for(lambda: len(wire_logs(bench.wire)) == 2)
    with (bench.wire / "worker_1" / "sess_1.vgw").open("ab") as file:
        file.write(b"\xff" * 64)
    talk(good, pcm(100), pcm(100))
    end(good)
    row = bench.record_until("sess_1", "failed")
    assert "damaged" in row["data"]["error"]["message"]
    assert row["project"] == "default"
    bench.record_until("sess_2", "complete")
    assert b"\xff" * 64 in bench.blob("sess_1", "failed.vgw")
    assert not (bench.wire / "worker_1" / "sess_1.vgw").exists()
    bad.close(1000, "", "client")


def test_a_file_that_is_no_wire_log_is_put_aside(bench: Bench) -> None:
    bench.writer()
    (bench.wire / "worker_1" / "sess_9.vgw").write_bytes(b"something else entirely")
    assert bench.record_until("sess_9", "failed")["turns"] == 0
    assert not wire_logs(bench.wire)


class FailingStore:
    """A database that is away for some time."""

    def __init__(self, store: Store, failures: int) -> None:
        self._store = store
        self.failures = failures

    def begin_again(self, session_id: str) -> bool:
        return self._store.begin_again(session_id)

    def save_trace(self, row: Any, spans: Any, unchanged: Any) -> None:
        if self.failures:
            self.failures -= 1
            raise RuntimeError("the database is away")
        self._store.save_trace(row, spans, unchanged)


def test_a_store_that_is_away_costs_nothing(bench: Bench) -> None:
    bench.recorder = bench.new_recorder(store=FailingStore(bench.store, 2))
    log = begin(bench.writer(), "sess_1")
    talk(log, pcm(100), pcm(100))
    end(log)
    bench.record_until("sess_1", "complete")
    bench.finish()
    assert bench.blob("sess_1", "user.pcm") == pcm(100)


class FullDisk(FolderBlobs):
    """A disk that is full for some time, and then writes half of what it is given."""

    failures = 1

    def append(self, key: str, data: bytes) -> None:
        if self.failures and key.endswith("user.pcm"):
            self.failures -= 1
            super().append(key, data[: len(data) // 2])
            raise OSError(28, "No space left on device")
        super().append(key, data)


def test_a_disk_that_was_full_leaves_no_half_written_tracks(bench: Bench) -> None:
    bench.recorder = bench.new_recorder(blobs=FullDisk(bench.blobs.root))
    log = begin(bench.writer(), "sess_1")
    talk(log, pcm(100), pcm(100))
    end(log)
    bench.record_until("sess_1", "complete")
    assert bench.blob("sess_1", "user.pcm") == pcm(100)


def test_a_disk_that_is_full_for_long_puts_no_session_aside(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voxgate.jobs.recorder._LONGEST_PAUSE", 0.01)
    full = FullDisk(bench.blobs.root)
    full.failures = 1_000_000
    bench.recorder = bench.new_recorder(blobs=full)
    log = begin(bench.writer(), "sess_1")
    talk(log, pcm(100), pcm(100))
    end(log)
    wait_for(lambda: full.failures < 1_000_000 - 10, bench.recorder.step)
    full.failures = 0
    bench.record_until("sess_1", "complete")
    assert bench.blob("sess_1", "user.pcm") == pcm(100)


def make_old(folder: Path) -> None:
    os.utime(folder, (0, 0))


def test_the_folders_of_workers_that_are_gone_are_removed_once_they_are_empty(bench: Bench) -> None:
    writer = bench.writer("worker_running")
    begin(writer, "sess_1")
    (bench.wire / "worker_gone").mkdir()
    (bench.wire / "worker_gone" / LOCK_NAME).touch()
    (bench.wire / "worker_new").mkdir()
    unfinished = bench.wire / "worker_unfinished"
    unfinished.mkdir()
    (unfinished / "sess_2.vgw.old").touch()
    for name in ("worker_running", "worker_gone", "worker_unfinished"):
        make_old(bench.wire / name)
    bench.recorder.step()
    folders = {path.name for path in bench.wire.iterdir()}
    assert folders == {"worker_running", "worker_new", "worker_unfinished"}


def test_a_call_without_sound_has_no_tracks(bench: Bench) -> None:
    log = begin(bench.writer(), "sess_1")
    end(log)
    row = bench.record_until("sess_1", "complete")
    assert row["data"]["tracks"] == {}
    assert list(bench.blobs.list("sessions/sess_1")) == ["sessions/sess_1/events.jsonl"]


def test_only_one_recorder_works_and_the_second_takes_over(bench: Bench) -> None:
    stops = [threading.Event(), threading.Event()]
    recorders = [bench.recorder, bench.new_recorder()]
    threads = [threading.Thread(target=r.run, args=(s, s)) for r, s in zip(recorders, stops, strict=True)]
    threads[0].start()
    wait_for((bench.wire / "recorder.lock").exists)
    log = begin(bench.writer(), "sess_1")
    wait_for(lambda: bench.session("sess_1"))
    threads[1].start()
    assert not recorders[1]._recordings
    stops[0].set()
    threads[0].join(SECONDS)
    talk(log, pcm(100), pcm(100))
    end(log)
    wait_for(lambda: bench.session("sess_1")["status"] == "complete")
    stops[1].set()
    threads[1].join(SECONDS)
    assert not any(thread.is_alive() for thread in threads)
    assert bench.blob("sess_1", "user.pcm") == pcm(100)


def test_a_recorder_that_is_told_to_stop_finishes_what_workers_still_write(bench: Bench) -> None:
    stop, at_once = threading.Event(), threading.Event()
    thread = threading.Thread(target=bench.recorder.run, args=(stop, at_once))
    thread.start()
    writer = bench.writer()
    log = begin(writer, "sess_1")
    wait_for(lambda: bench.session("sess_1"))
    stop.set()
    later = begin(writer, "sess_2")
    for each in (log, later):
        talk(each, pcm(100), pcm(100))
        end(each)
    bench.writers.remove(writer)
    writer.stop()
    thread.join(SECONDS)
    assert not thread.is_alive()
    assert [bench.session(name)["status"] for name in ("sess_1", "sess_2")] == ["complete", "complete"]
    assert wire_logs(bench.wire) == []


def test_a_recorder_that_is_far_behind_stops_all_the_same_and_says_what_is_left(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(recorder_module, "DRAIN_SECONDS", 0.2)
    end(begin(bench.writer(), "sess_1"))
    wait_for(lambda: wire_logs(bench.wire))
    with monkeypatch.context() as slow:
        slow.setattr(SessionRecording, "advance", lambda self: True)  # never through
        stop = threading.Event()
        thread = threading.Thread(target=bench.recorder.run, args=(stop, threading.Event()))
        thread.start()
        wait_for(lambda: bench.recorder._recordings)
        stop.set()
        thread.join(SECONDS)
        assert not thread.is_alive()
    assert "1 sessions are not finished: 0.0 MB stay in" in caplog.text
    bench.recorder = bench.new_recorder()
    bench.record_until("sess_1", "complete")


def test_the_pages_about_stops_name_the_recorders_time() -> None:
    page = (Path(__file__).parents[2] / "docs/operations.md").read_text()
    assert recorder_module.DRAIN_SECONDS == 5
    assert "finishes traces for at most five seconds" in page


def test_a_recorder_in_a_hurry_leaves_the_rest_to_the_next(bench: Bench) -> None:
    stop, at_once = threading.Event(), threading.Event()
    thread = threading.Thread(target=bench.recorder.run, args=(stop, at_once))
    thread.start()
    log = begin(bench.writer(), "sess_1")
    wait_for(lambda: bench.session("sess_1"))
    stop.set()
    at_once.set()
    thread.join(SECONDS)
    assert not thread.is_alive()
    assert bench.session("sess_1")["status"] == "live"
    bench.recorder = bench.new_recorder()
    end(log)
    bench.record_until("sess_1", "complete")


def test_a_recorder_that_waits_for_the_lock_can_be_stopped(bench: Bench) -> None:
    stops = [threading.Event(), threading.Event()]
    threads = [
        threading.Thread(target=recorder.run, args=(stop, stop))
        for recorder, stop in zip([bench.recorder, bench.new_recorder()], stops, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread, stop in zip(reversed(threads), reversed(stops), strict=True):
        stop.set()
        thread.join(SECONDS)
        assert not thread.is_alive()
