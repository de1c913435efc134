"""The spool and its writer, as real processes: what was appended is in the files, whoever of the two dies."""

from __future__ import annotations

import asyncio
import contextlib
import mmap
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from voxgate.recording.spool import SEGMENT, Spool, WireLog
from voxgate.recording.wirelog import (
    CLIENT,
    FACT,
    SERVER,
    WireLogReader,
    WireRecord,
    wire_logs,
    writer_is_alive,
    writers_are_behind,
)
from voxgate.recording.writer import Writer

RECORDS = st.lists(
    st.tuples(st.sampled_from([CLIENT, SERVER]), st.binary(min_size=1, max_size=3000)), max_size=30
)


@contextlib.contextmanager
def running(folder: Path, **options: int) -> Iterator[Spool]:
    spool = Spool(folder, "worker_1", **options)
    try:
        yield spool
    finally:
        spool.stop()


def read(path: Path) -> list[WireRecord]:
    reader = WireLogReader(path)
    records: list[WireRecord] = []
    while portion := reader.read():
        records += portion
    return records


def wait_for(condition: Callable[[], Any], step: Callable[[], Any] = lambda: None) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        step()
        time.sleep(0.01)


def receive(log: WireLog, kind: int, data: bytes) -> None:
    """As a socket does: into the log's own room."""
    log.buffer()[: len(data)] = data
    log.commit(kind, len(data))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=10)
@given(st.lists(RECORDS, min_size=1, max_size=5))
def test_what_several_calls_received_is_in_the_file_of_each(
    tmp_path: Path, calls: list[list[tuple[int, bytes]]]
) -> None:
    folder = tmp_path / os.urandom(4).hex()
    with running(folder) as spool:
        logs = [spool.open(f"sess_{number}") for number in range(len(calls))]
        for turn in range(max(map(len, calls))):
            for log, records in zip(logs, calls, strict=True):
                for kind, data in records[turn : turn + 1]:
                    (receive if turn % 2 else WireLog.append)(log, kind, data)
        for log in logs:
            log.close(1000, "", "client")
    for path, records in zip(wire_logs(folder), calls, strict=True):
        found = read(path)
        assert [(r.kind, r.data) for r in found[:-1]] == records
        assert orjson.loads(found[-1].data)["type"] == "gateway.closed"
        assert [r.t_ns for r in found] == sorted(r.t_ns for r in found)


def test_more_than_fits_into_memory_goes_through_it(tmp_path: Path) -> None:
    """Segments are used again as the writer gives them back, and nothing is lost as long as it keeps up."""
    sent = [os.urandom(60_000) for _ in range(20)]
    with running(tmp_path, buffer_bytes=3 * SEGMENT) as spool:
        log = spool.open("sess_1")
        for _ in range(20):
            for data in sent:
                receive(log, SERVER, data)
            wait_for(lambda: spool.waiting_bytes < SEGMENT // 2, spool._announce)
        assert spool.lost_records == 0
        log.append(CLIENT, bytes(SEGMENT // 2 + 5))
        log.close(1000, "", "client")
    records = read(wire_logs(tmp_path)[0])
    assert b"".join(r.data for r in records if r.kind == SERVER) == b"".join(sent) * 20
    assert sum(len(r.data) for r in records if r.kind == CLIENT) == SEGMENT // 2 + 5


def test_a_log_is_alive_until_nobody_is_left_to_write_it(tmp_path: Path) -> None:
    with running(tmp_path) as spool:
        spool.open("sess_1").append(CLIENT, b"x")
        wait_for(lambda: wire_logs(tmp_path))
        (path,) = wire_logs(tmp_path)
        assert writer_is_alive(path)
    assert not writer_is_alive(path)


def test_another_writer_takes_over_from_one_that_was_killed(tmp_path: Path) -> None:
    with running(tmp_path) as spool:
        early, late = spool.open("sess_1"), spool.open("sess_2")
        for number in range(200):
            receive(early, CLIENT, b"%d " % number * 3000)
            if number in (50, 120):
                first = spool.writer_pid
                assert first is not None
                os.kill(first, signal.SIGKILL)
                wait_for(lambda before=first: spool.writer_pid != before, lambda: late.append(SERVER, b"x"))
        early.close(1000, "", "client")
        late.close(1000, "", "client")
        assert spool.writer_starts == 3
        assert not spool.lost_records
    records = read(wire_logs(tmp_path)[0])[:-1]
    assert [r.data for r in records] == [b"%d " % number * 3000 for number in range(200)]


def test_another_writer_takes_over_also_where_a_worker_has_very_many_descriptors(tmp_path: Path) -> None:
    """As one that carries hundreds of calls: its end of the new writer's socket has a high number."""
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most < 1200:
        pytest.skip("this machine lets a process have too few open files")
    with running(tmp_path) as spool, contextlib.ExitStack() as calls:
        log = spool.open("sess_1")
        first = spool.writer_pid
        assert first is not None
        for _ in range(1050):
            calls.enter_context(open(os.devnull))  # noqa: PTH123 - a descriptor and no more
        os.kill(first, signal.SIGKILL)
        wait_for(lambda: spool.writer_pid != first, lambda: log.append(SERVER, b"x"))
        wait_for(lambda: not spool.waiting_bytes, spool._announce)
        assert spool.writer_starts == 2
        log.close(1000, "", "client")
    assert orjson.loads(read(wire_logs(tmp_path)[0])[-1].data)["type"] == "gateway.closed"


def test_a_held_up_writer_costs_nothing_until_the_memory_is_full(tmp_path: Path) -> None:
    """Then records are lost and counted, the facts stay, and afterwards the log goes on."""
    with running(tmp_path, buffer_bytes=2 * SEGMENT) as spool:
        log = spool.open("sess_1")
        log.fact({"type": "gateway.opened"})
        wait_for(lambda: wire_logs(tmp_path))
        assert spool.writer_pid is not None
        os.kill(spool.writer_pid, signal.SIGSTOP)
        try:
            kept = 0
            while not spool.lost_records:
                receive(log, SERVER, bytes(60_000))
                kept += not spool.lost_records
            late = spool.open("sess_2")
            late.fact({"type": "gateway.opened", "late": True})
        finally:
            os.kill(spool.writer_pid, signal.SIGCONT)
        assert kept >= 60
        wait_for(lambda: log.has_room, lambda: receive(log, SERVER, b"again"))
        log.mend(SERVER, "provider", 7, torn=False)
        receive(log, SERVER, b"after")
        for each in (log, late):
            each.close(1000, "", "client")
        lost = spool.lost_records
    first, second = map(read, wire_logs(tmp_path))
    facts = [orjson.loads(r.data) for r in first if r.kind == FACT]
    assert [fact["type"] for fact in facts] == ["gateway.opened", "gateway.lost", "gateway.closed"]
    assert facts[1]["side"] == "provider"
    assert facts[1]["records"] == lost
    assert facts[1]["skip"] == 7
    assert first[-2].data == b"after"
    assert sum(r.data == bytes(60_000) for r in first) == kept
    assert [orjson.loads(r.data)["type"] for r in second] == ["gateway.opened", "gateway.closed"]


def test_nothing_is_kept_behind_a_gap_before_the_gap_is_told(tmp_path: Path) -> None:
    with running(tmp_path, buffer_bytes=2 * SEGMENT) as spool:
        log = spool.open("sess_1")
        assert isinstance(log, WireLog)
        assert spool.writer_pid is not None
        os.kill(spool.writer_pid, signal.SIGSTOP)
        while not log.gaps:
            log.append(CLIENT, bytes(500_000))
        os.kill(spool.writer_pid, signal.SIGCONT)
        wait_for(lambda: log.has_room, spool._announce)
        log.append(CLIENT, b"of the gap")
        log.append(SERVER, b"of the other side")
        log.mend(CLIENT, "client", 0, torn=False)
        log.append(CLIENT, b"behind it")
        log.close(1000, "", "client")
    records = [r for r in read(wire_logs(tmp_path)[0]) if len(r.data) != 500_000]
    assert [r.data for r in records if r.kind != FACT] == [b"of the other side", b"behind it"]
    lost, closed = (orjson.loads(r.data) for r in records if r.kind == FACT)
    assert (lost["records"], lost["bytes"]) == (2, 500_000 + len(b"of the gap"))
    assert closed["type"] == "gateway.closed"
    assert records[1].kind == FACT


def test_what_a_killed_worker_had_not_announced_is_written_too(tmp_path: Path) -> None:
    script = (
        "import asyncio, os, sys\n"
        "from pathlib import Path\n"
        "from voxgate.recording.spool import Spool\n"
        "spool = Spool(Path(sys.argv[1]), 'worker_1')\n"
        "async def main():\n"
        "    log = spool.open('sess_1')\n"
        "    for number in range(100):\n"
        "        log.append(0, b'%d ' % number * 10_000)\n"
        "    os.kill(os.getpid(), 9)\n"
        "asyncio.run(main())\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    wait_for(lambda: wire_logs(tmp_path) and not writer_is_alive(wire_logs(tmp_path)[0]))
    records = read(wire_logs(tmp_path)[0])
    assert [r.data for r in records] == [b"%d " % number * 10_000 for number in range(100)]


def test_a_log_that_the_recorder_has_finished_is_not_made_again(tmp_path: Path) -> None:
    with running(tmp_path) as spool:
        log = spool.open("sess_1")
        log.append(CLIENT, bytes(SEGMENT))  # its first record's segment is released before the writer dies
        log.append(CLIENT, bytes(SEGMENT))
        wait_for(lambda: wire_logs(tmp_path) and spool.waiting_bytes < 2 * SEGMENT, spool._announce)
        (path,) = wire_logs(tmp_path)
        path.unlink()
        assert spool.writer_pid is not None
        os.kill(spool.writer_pid, signal.SIGKILL)
        log.close(1000, "", "client")
        before = spool.writer_starts
        wait_for(lambda: spool.writer_starts > before, lambda: spool.open("sess_2"))
    assert path not in wire_logs(tmp_path)


def test_a_short_log_that_the_recorder_has_finished_is_not_made_again_either(tmp_path: Path) -> None:
    """Although what it consists of is still in a segment that is not full."""
    with running(tmp_path) as spool:
        log = spool.open("sess_1")
        log.append(CLIENT, b"x")
        log.close(1000, "", "client")
        wait_for(lambda: not spool.waiting_bytes, spool._announce)
        wire_logs(tmp_path)[0].unlink()
        assert spool.writer_pid is not None
        os.kill(spool.writer_pid, signal.SIGKILL)
        wait_for(lambda: spool.writer_starts > 1, lambda: spool.open("sess_2"))
    assert [path.name for path in wire_logs(tmp_path)] == []


def test_a_writer_that_dies_over_the_last_records_is_replaced_although_nothing_more_comes(
    tmp_path: Path,
) -> None:
    async def talk(spool: Spool) -> None:
        first = spool.writer_pid
        assert first is not None
        os.kill(first, signal.SIGSTOP)
        log = spool.open("sess_1")
        receive(log, CLIENT, b"the last")
        log.close(1000, "", "client")
        while spool.armed and spool._link.has_unsent:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)  # it was told, and could not do anything
        os.kill(first, signal.SIGKILL)
        while not wire_logs(tmp_path) or spool.waiting_bytes:
            await asyncio.sleep(0.01)

    with running(tmp_path) as spool:
        asyncio.run(asyncio.wait_for(talk(spool), 60))
        assert spool.writer_starts == 2
        assert next(r.data for r in read(wire_logs(tmp_path)[0])) == b"the last"


@contextlib.contextmanager
def full(spool: Spool) -> Iterator[None]:
    """The writer is held up, and the memory is full."""
    assert spool.writer_pid is not None
    os.kill(spool.writer_pid, signal.SIGSTOP)
    filler = spool.open("sess_filler")
    while not spool.lost_records:
        receive(filler, SERVER, bytes(60_000))
    try:
        yield
    finally:
        os.kill(spool.writer_pid, signal.SIGCONT)


def test_many_calls_that_find_no_room_have_their_facts_in_order_afterwards(tmp_path: Path) -> None:
    """More facts than fit into one segment."""
    with running(tmp_path, buffer_bytes=2 * SEGMENT) as spool:
        with full(spool):
            for number in range(200):
                log = spool.open(f"sess_{number:03}")
                log.fact({"type": "gateway.opened", "padding": "x" * 20_000})
                log.close(1000, "", "client")
        wait_for(lambda: not spool.held, spool._announce)
    logs = [path for path in wire_logs(tmp_path) if path.name != "sess_filler.vgw"]
    assert len(logs) == 200
    for path in logs:
        assert [orjson.loads(r.data)["type"] for r in read(path)] == ["gateway.opened", "gateway.closed"]


def test_when_nothing_is_written_for_too_long_new_calls_are_not_recorded_and_counted(tmp_path: Path) -> None:
    with running(tmp_path, buffer_bytes=2 * SEGMENT) as spool:
        with full(spool):
            for number in range(40):
                log = spool.open(f"sess_{number:02}")
                log.fact({"type": "gateway.opened", "padding": "x" * 1_000_000})
            last = spool.open("sess_last")
            last.fact({"type": "gateway.opened"})
            receive(last, CLIENT, b"x")
            last.close(1000, "", "client")
        assert spool.unrecorded_calls == 40 + 1 - len(spool._names) + 1
        wait_for(lambda: not spool.held, spool._announce)
        assert spool.unrecorded_calls > 10
        spool.open("sess_next").append(CLIENT, b"x")
    names = {path.name for path in wire_logs(tmp_path)}
    assert "sess_next.vgw" in names
    assert "sess_last.vgw" not in names


def memory_of(spool: Spool) -> int:
    return os.fstat(spool._file).st_blocks * 512


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux gives back memory of this kind")
def test_the_memory_of_a_long_wait_goes_back_to_the_system(tmp_path: Path) -> None:
    with running(tmp_path, buffer_bytes=20 * SEGMENT, keep_seconds=0.2) as spool:
        with full(spool):
            held = memory_of(spool)
        assert held > 19 * SEGMENT
        wait_for(lambda: memory_of(spool) <= 3 * SEGMENT, spool._announce)
        segments = spool._segments
        assert sorted([*segments.bare, *segments.leaving, *segments.ready, spool._current]) == list(range(20))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says what memory of this kind takes")
def test_memory_is_touched_before_it_is_needed(tmp_path: Path) -> None:
    with running(tmp_path, buffer_bytes=64 * SEGMENT) as spool:
        assert memory_of(spool) < SEGMENT, "nobody has called yet"
        spool.open("sess_1").append(CLIENT, b"x")
        wait_for(lambda: memory_of(spool) > 4 * SEGMENT, spool._announce)
        assert spool.waiting_bytes < SEGMENT
        assert spool._segments.in_use == 1


def test_a_writer_with_much_to_write_hears_what_comes_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voxgate.recording.writer._LISTEN_SECONDS", 0.0)
    with running(tmp_path / "spool", buffer_bytes=4 * SEGMENT) as spool:
        os.kill(spool.writer_pid or 0, signal.SIGSTOP)
        for number in range(3):
            spool.open(f"sess_{number}").append(CLIENT, b"x")
        writer = Writer(mmap.mmap(spool._file, 4 * SEGMENT), tmp_path, {})
        writer.announced(spool._current, spool.fill, spool.end, full=False)
        writer.take()
        heard: list[int] = []
        writer.write(lambda: heard.append(len(list(tmp_path.glob("*.vgw")))))
        os.kill(spool.writer_pid or 0, signal.SIGCONT)
    assert heard == [0, 1, 2], "how many files there were each time"


def test_a_writer_says_while_it_is_behind(tmp_path: Path) -> None:
    with running(tmp_path, buffer_bytes=16 * SEGMENT) as spool:
        log = spool.open("sess_1")
        log.append(CLIENT, bytes(SEGMENT))
        wait_for(lambda: spool.waiting_bytes == 0, spool._announce)
        assert not writers_are_behind(tmp_path)
        os.kill(spool.writer_pid or 0, signal.SIGSTOP)
        for _ in range(8):
            log.append(CLIENT, bytes(SEGMENT))
        spool._announce()
        os.kill(spool.writer_pid or 0, signal.SIGCONT)
        wait_for(lambda: writers_are_behind(tmp_path))
        wait_for(lambda: spool.waiting_bytes == 0, spool._announce)
        wait_for(lambda: not writers_are_behind(tmp_path))


def test_a_disk_that_takes_nothing_is_no_want_of_time(tmp_path: Path) -> None:
    with running(tmp_path / "spool", buffer_bytes=4 * SEGMENT) as spool:
        os.kill(spool.writer_pid or 0, signal.SIGSTOP)
        log = spool.open("sess_1")
        log.append(CLIENT, bytes(SEGMENT // 2))
        log.append(CLIENT, bytes(SEGMENT))
        writer = Writer(mmap.mmap(spool._file, 4 * SEGMENT), tmp_path, {})
        for index, filling in spool._filling.items():
            end = spool.end if index == spool._current else filling.end
            writer.announced(index, filling.fill, end, filling.full)
        (tmp_path / "sess_1.vgw").mkdir()
        assert writer.is_behind
        writer.take()
        writer.write()
        assert not writer.is_behind
        (tmp_path / "sess_1.vgw").rmdir()
        writer.write()
        assert (tmp_path / "sess_1.vgw").stat().st_size > SEGMENT
        os.kill(spool.writer_pid or 0, signal.SIGCONT)


def test_how_much_waits_for_the_recorder_is_known(tmp_path: Path) -> None:
    left = tmp_path / "worker_dead"
    left.mkdir()
    (left / "sess_0.vgw").write_bytes(bytes(1000))
    with running(tmp_path) as spool:
        spool.open("sess_1").append(CLIENT, bytes(500))
        wait_for(lambda: spool.logs_on_disk, spool._announce)
        assert spool.logs_on_disk in (1, 2)
        assert spool.bytes_on_disk >= 1000


def test_in_an_event_loop_the_writer_hears_a_few_times_a_second(tmp_path: Path) -> None:
    async def talk(spool: Spool) -> None:
        log = spool.open("sess_1")
        receive(log, CLIENT, b"one")
        while not wire_logs(tmp_path) or len(read(wire_logs(tmp_path)[0])) < 1:
            await asyncio.sleep(0.01)
        receive(log, CLIENT, b"two")
        while len(read(wire_logs(tmp_path)[0])) < 2:
            await asyncio.sleep(0.01)

    with running(tmp_path) as spool:
        asyncio.run(asyncio.wait_for(talk(spool), 60))


def test_a_second_worker_cannot_have_the_same_folder(tmp_path: Path) -> None:
    with running(tmp_path), pytest.raises(BlockingIOError):
        Spool(tmp_path, "worker_1")
