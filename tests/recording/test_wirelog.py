"""The wire log: written in batches, followed while it grows, whole after a crash."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from voxgate.recording import wirelog
from voxgate.recording.wirelog import (
    CLIENT,
    FACT,
    MAGIC,
    SERVER,
    WireLogReader,
    WireLogWriter,
    wire_logs,
    writer_is_alive,
)

RECORDS = st.lists(st.tuples(st.sampled_from([CLIENT, SERVER]), st.binary(max_size=2000)), max_size=30)


@contextlib.contextmanager
def writer(folder: Path, **options: int) -> Iterator[WireLogWriter]:
    made = WireLogWriter(folder, "worker_1", **options)
    try:
        yield made
    finally:
        made.stop()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25)
@given(RECORDS, st.integers(0, 10**6))
def test_what_was_appended_is_read_again_and_a_torn_end_waits(
    tmp_path: Path, records: list[tuple[int, bytes]], cut: int
) -> None:
    folder = tmp_path / os.urandom(4).hex()
    with writer(folder) as log_writer:
        log = log_writer.open("sess_1")
        log.fact({"type": "gateway.opened"})
        for kind, data in records:
            log.append(kind, data)
        log.fact({"type": "gateway.closed"})
        log.close()
    (path,) = wire_logs(folder)
    whole = path.read_bytes()
    reader = WireLogReader(path)
    read = [(record.kind, record.data) for record in reader.read()]
    assert read[1:-1] == records
    assert reader.closed
    path.write_bytes(whole[: cut % len(whole)])
    torn = WireLogReader(path)
    first = torn.read()
    assert [(record.kind, record.data) for record in first] == read[: len(first)]
    path.write_bytes(whole)
    assert [(r.kind, r.data) for r in [*first, *torn.read()]] == read


def test_a_log_larger_than_one_portion_is_read_in_portions(tmp_path: Path) -> None:
    with writer(tmp_path) as log_writer:
        log = log_writer.open("sess_1")
        for number in range(30):
            log.append(SERVER, bytes([number]) * 500_000)
        log.append(SERVER, b"L" * 9_000_000)
        log.close()
    reader = WireLogReader(wire_logs(tmp_path)[0])
    portions = []
    while portion := reader.read():
        portions.append(portion)
    sizes = [len(record.data) for portion in portions for record in portion]
    assert sizes == [500_000] * 30 + [9_000_000]
    assert len(portions) > 3


def test_a_writer_is_alive_until_it_stops(tmp_path: Path) -> None:
    with writer(tmp_path) as log_writer:
        log_writer.open("sess_1").append(CLIENT, b"x")
        deadline = time.monotonic() + 10
        while not wire_logs(tmp_path):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        (path,) = wire_logs(tmp_path)
        assert writer_is_alive(path)
    assert not writer_is_alive(path)


def test_what_a_full_disk_refused_is_kept_and_written_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.writev
    full = True

    def write(descriptor: int, pieces: list[bytes]) -> int:
        if full:
            os.write(descriptor, pieces[0][:3])  # a short write, then the error: the tail must go
            raise OSError(28, "No space left on device")
        return real(descriptor, pieces)

    monkeypatch.setattr(wirelog.os, "writev", write)
    with writer(tmp_path) as log_writer:
        log = log_writer.open("sess_1")
        log.append(CLIENT, b"one")
        deadline = time.monotonic() + 10
        while not wire_logs(tmp_path):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        log.append(CLIENT, b"two")
        full = False
        log.close()
    (path,) = wire_logs(tmp_path)
    assert [record.data for record in WireLogReader(path).read()] == [b"one", b"two"]


def test_beyond_the_bound_records_are_lost_counted_and_the_facts_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.writev
    full = True

    def write(descriptor: int, pieces: list[bytes]) -> int:
        if full:
            raise OSError(28, "No space left on device")
        return real(descriptor, pieces)

    monkeypatch.setattr(wirelog.os, "writev", write)
    with writer(tmp_path, most_pending_bytes=1000) as log_writer:
        log = log_writer.open("sess_1")
        log.fact({"type": "gateway.opened"})
        for _ in range(5):
            log.append(SERVER, b"x" * 400)
        deadline = time.monotonic() + 10
        while not log.lost_records:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        full = False
        log.fact({"type": "gateway.closed"})
        log.close()
    facts = [r.data for r in WireLogReader(wire_logs(tmp_path)[0]).read() if r.kind == FACT]
    assert facts[0] == b'{"type":"gateway.opened"}'
    assert b'"gateway.lost"' in facts[1]
    assert b'"gateway.closed"' in facts[-1]


def test_another_version_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "sess_1.vgw"
    path.write_bytes(MAGIC[:-1] + b"\x07")
    with pytest.raises(ValueError, match=r"sess_1\.vgw is not a wire log of version 1"):
        WireLogReader(path).read()


def test_a_short_write_is_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.writev
    monkeypatch.setattr(wirelog.os, "writev", lambda fd, pieces: real(fd, [b"".join(pieces)[:5]]))
    with writer(tmp_path) as log_writer:
        log = log_writer.open("sess_1")
        log.append(CLIENT, b"one" * 100)
        log.append(SERVER, b"two")
        log.close()
    assert [r.data for r in WireLogReader(wire_logs(tmp_path)[0]).read()] == [b"one" * 100, b"two"]
