"""The wire log as a file: followed while it grows, whole after a crash, refused when it is none."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from voxgate.recording.wirelog import CLIENT, FACT, MAGIC, RECORD, SERVER, WireLogReader, wire_logs

RECORDS = st.lists(st.tuples(st.sampled_from([CLIENT, SERVER]), st.binary(max_size=2000)), max_size=30)


def log_bytes(records: list[tuple[int, bytes]]) -> bytes:
    return MAGIC + b"".join(RECORD.pack(t, kind, len(data)) + data for t, (kind, data) in enumerate(records))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(RECORDS, st.integers(0, 10**6))
def test_a_torn_end_waits_for_its_rest(tmp_path: Path, records: list[tuple[int, bytes]], cut: int) -> None:
    records = [*records, (FACT, b'{"type":"gateway.closed"}')]
    whole = log_bytes(records)
    path = tmp_path / "sess_1.vgw"
    path.write_bytes(whole[: cut % len(whole)])
    reader = WireLogReader(path)
    first = reader.read()
    assert [(record.kind, record.data) for record in first] == records[: len(first)]
    assert not reader.closed
    path.write_bytes(whole)
    assert [(r.kind, r.data) for r in [*first, *reader.read()]] == records
    assert reader.closed


def test_a_log_larger_than_one_portion_is_read_in_portions(tmp_path: Path) -> None:
    path = tmp_path / "sess_1.vgw"
    sizes = [500_000] * 30 + [9_000_000]
    path.write_bytes(log_bytes([(SERVER, bytes(size)) for size in sizes]))
    reader = WireLogReader(path)
    portions = []
    while portion := reader.read():
        portions.append(portion)
    assert [len(record.data) for portion in portions for record in portion] == sizes
    assert len(portions) > 3


def test_another_version_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "sess_1.vgw"
    path.write_bytes(MAGIC[:-1] + b"\x07")
    with pytest.raises(ValueError, match=r"sess_1\.vgw is not a wire log of version 1"):
        WireLogReader(path).read()


def test_bytes_that_are_no_record_are_damage_and_not_read(tmp_path: Path) -> None:
    path = tmp_path / "sess_1.vgw"
    path.write_bytes(log_bytes([(CLIENT, b"one")]) + RECORD.pack(2, 77, 3) + b"two")
    with pytest.raises(ValueError, match="damaged at byte"):
        WireLogReader(path).read()


def test_logs_are_found_in_all_workers_folders_oldest_first(tmp_path: Path) -> None:
    for name in ("worker_2/sess_1", "worker_1/sess_2"):
        path = tmp_path / f"{name}.vgw"
        path.parent.mkdir()
        path.write_bytes(MAGIC)
    assert [path.stem for path in wire_logs(tmp_path)] == ["sess_1", "sess_2"]
