"""What a recorder makes of writers that die, damaged logs, full disks and databases that are away."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.jobs.recorded import Bench, begin, end, talk, wait_for
from tests.traces.calls import pcm

from voxgate.realtime.frames import TEXT, encode_frame
from voxgate.recording.wirelog import LOCK_NAME, wire_logs
from voxgate.store import FolderBlobs, Store


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

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def save_trace(self, *trace: Any, **how: Any) -> None:
        if self.failures:
            self.failures -= 1
            raise RuntimeError("the database is away")
        self._store.save_trace(*trace, **how)


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
