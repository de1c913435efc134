"""Several recorders as processes of their own share the work on one folder of wire logs."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.traces.calls import OPENED, b64, pcm

from voxgate.core.ids import new_id
from voxgate.core.settings import Settings
from voxgate.jobs.shares import Share
from voxgate.realtime.frames import TEXT, encode_frame
from voxgate.recording.spool import Spool, WireLog
from voxgate.recording.wirelog import CLIENT, wire_logs
from voxgate.store import FolderBlobs, Store

SECONDS = 60.0
SOUND = pcm(200)


def wait_for(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


class House:
    """A data folder, a worker that writes into it, and recorders that are started and killed."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.settings = Settings(data_dir=folder)
        self.wire = folder / "wire"
        self.blobs = FolderBlobs(folder / "blobs")
        self.store = stack.enter_context(Store(self.settings.database_url))
        self.spool = Spool(self.wire, "worker_1")
        stack.callback(self.spool.stop)
        self._stack = stack
        self.running: list[subprocess.Popen[bytes]] = []
        stack.callback(self.kill_recorders)

    def start(self, number: int, of: int, errors: int | None = None) -> subprocess.Popen[bytes]:
        process = self._stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-m", "voxgate.cli.children", "recorder"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
            )
        )  # fmt: skip
        self.running.append(process)
        orders = {"settings": self.settings.model_dump(mode="json"), "share": [number, of]}
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(orders).encode() + b"\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"ready\n"
        return process

    def kill_recorders(self) -> None:
        for process in self.running:
            process.kill()
            process.wait(SECONDS)
        self.running.clear()

    def begin(self, count: int) -> dict[str, WireLog]:
        logs = {
            session_id: self.spool.open(session_id) for session_id in (new_id("sess") for _ in range(count))
        }
        for session_id, log in logs.items():
            log.fact({**OPENED, "session_id": session_id})
            say(log)
        return logs

    def end(self, logs: dict[str, WireLog]) -> None:
        for log in logs.values():
            say(log)
            log.close(1000, "", "client")

    def statuses(self, ids: list[str]) -> Counter[str | None]:
        rows = [self.store.get_session(session_id, with_spans=False) for session_id in ids]
        return Counter(row["status"] if row else None for row in rows)

    def are_complete(self, ids: list[str]) -> bool:
        return self.statuses(ids) == Counter(complete=len(ids))

    def check_sound(self, ids: list[str]) -> None:
        """Before it may be put away, or afterwards."""
        for session_id in ids:
            row = self.store.get_session(session_id)
            assert row is not None
            assert row["data"]["tracks"]["user"]["bytes"] == 2 * len(SOUND), session_id
            assert row["spans"][0]["type"] == "session"


def say(log: WireLog) -> None:
    message = {"type": "input_audio_buffer.append", "audio": b64(SOUND)}
    log.append(CLIENT, encode_frame(TEXT, json.dumps(message).encode(), masked=True))


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with ExitStack() as stack:
        yield House(tmp_path, stack)


@pytest.mark.parametrize("of", [1, 2, 3, 16])
def test_each_session_falls_to_one_share_and_the_shares_are_alike(of: int) -> None:
    shares = [Share(number, of) for number in range(of)]
    found: Counter[int] = Counter()
    for _ in range(300 * of):
        session_id = new_id("sess")
        (owner,) = [share.number for share in shares if share.has(session_id)]
        found[owner] += 1
    assert min(found.values()) > 200
    assert len(found) == of


def test_each_recorder_works_on_its_own_sessions_and_only_those(house: House) -> None:
    logs = house.begin(12)
    house.end(logs)
    mine = [session_id for session_id in logs if Share(0, 2).has(session_id)]
    others = [session_id for session_id in logs if Share(1, 2).has(session_id)]
    first = house.start(0, 2)
    wait_for(lambda: house.are_complete(mine))
    assert house.statuses(others) == Counter({None: len(others)})
    assert {path.stem for path in wire_logs(house.wire)} >= set(others)
    second = house.start(1, 2)
    wait_for(lambda: house.are_complete(others))
    house.check_sound(list(logs))
    for process in (first, second):
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 0
    assert wire_logs(house.wire) == []


def test_another_number_of_recorders_goes_on_where_the_former_were_killed(house: House) -> None:
    logs = house.begin(9)
    for number in range(2):
        house.start(number, 2)
    wait_for(lambda: house.statuses(list(logs)) == Counter(live=len(logs)))
    house.kill_recorders()
    for number in range(3):
        house.start(number, 3)
    later = house.begin(3)
    house.end({**logs, **later})
    wait_for(lambda: house.are_complete([*logs, *later]))
    house.check_sound([*logs, *later])
    wait_for(lambda: wire_logs(house.wire) == [])


@pytest.mark.parametrize(("number", "of"), [(0, 1), (0, 2), (2, 3)])
def test_a_recorder_of_the_same_share_or_of_another_split_waits(house: House, number: int, of: int) -> None:
    """Also of a share whose number nobody else has."""
    house.start(0, 2)
    late = house.start(number, of, subprocess.PIPE)
    assert late.stderr is not None
    words = late.stderr.readline()
    assert b"another recorder works on" in words
    logs = house.begin(8)
    house.end(logs)
    first = [session_id for session_id in logs if Share(0, 2).has(session_id)]
    wait_for(lambda: house.are_complete(first))
    rest = [session_id for session_id in logs if session_id not in first]
    assert house.statuses(rest) == Counter({None: len(rest)} if rest else {})
    house.running[0].kill()
    more = house.begin(8)
    house.end(more)
    mine = [session_id for session_id in [*more, *rest] if Share(number, of).has(session_id)]
    wait_for(lambda: house.are_complete(mine))


def test_recorders_that_begin_at_once_with_different_splits_come_to_work_one_after_the_other(
    tmp_path: Path,
) -> None:
    """Whoever holds a share knows that all others who hold one split the folder likewise."""
    holding: Counter[int] = Counter()
    lock, seen = threading.Lock(), Counter[int]()

    def work(share: Share) -> None:
        for _ in range(10):
            with share.held(tmp_path, threading.Event(), 0.001) as is_ours:
                assert is_ours
                with lock:
                    holding[share.of] += 1
                    assert [of for of, count in holding.items() if count] == [share.of]
                    seen[share.of] += 1
                time.sleep(0.001)
                with lock:
                    holding[share.of] -= 1

    found: list[BaseException] = []

    def run(share: Share) -> None:
        try:
            work(share)
        except BaseException as error:  # noqa: BLE001 - for the thread that waits
            found.append(error)

    shares = [Share(number, of) for of in (1, 2, 3) for number in range(of)]
    threads = [threading.Thread(target=run, args=(share,), daemon=True) for share in shares]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
        assert not thread.is_alive()
    assert found == []
    assert seen == {1: 10, 2: 20, 3: 30}
