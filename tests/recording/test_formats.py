"""What is stored stays readable: files of each version that there was, and bytes that are none.

`stored/1` was written by the first Voxgate that had these formats; it is never written again. A new version
of a format gets a folder of its own, and what reads it reads this one too (docs/formats.md).
"""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from voxgate.recording.eventlog import EventLogBuilder, read_events
from voxgate.recording.reading import OpenSound, read_lines
from voxgate.recording.sound import Plan
from voxgate.recording.wirelog import FACT, MAGIC, RECORD, WireLogReader
from voxgate.store import FolderBlobs
from voxgate.traces import build_trace

STORED = Path(__file__).parent / "stored"


def lines_of_wire_log(path: Path) -> list[bytes]:
    reader, log = WireLogReader(path), EventLogBuilder()
    lines = [line for record in reader.read() for line in log.feed(record)]
    assert reader.closed
    return lines


def test_a_wire_log_of_version_1_is_read() -> None:
    lines = (STORED / "1" / "events.jsonl").read_bytes().splitlines(keepends=True)
    assert lines_of_wire_log(STORED / "1" / "wire.vgw") == lines
    assert len(lines) == 13
    trace = build_trace(read_events(lines), session_id="sess_1")
    assert [span.type for span in trace.spans] == ["session", "turn", "user", "response"]


def test_a_recording_of_version_1_that_was_put_away_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "sessions" / "sess_1"
    shutil.copytree(STORED / "1", folder)
    (folder / "events.jsonl").rename(tmp_path / "expected")
    blobs = FolderBlobs(tmp_path)
    assert b"".join(read_lines(blobs, "sessions/sess_1")) == (tmp_path / "expected").read_bytes()
    with (
        OpenSound(blobs, "sessions/sess_1", "user") as user,
        OpenSound(blobs, "sessions/sess_1", "mix") as mix,
    ):
        assert (user.rate, user.size) == (8000, 2560)
        assert (mix.rate, mix.channels) == (24_000, 2)
        assert any(mix.read(0, mix.size))


def test_a_plan_of_version_1_is_read_and_written_the_same() -> None:
    data = (STORED / "1" / "lanes.json").read_bytes()
    assert Plan.from_json(data).to_json() == data


RECORDS = st.lists(
    st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 4), st.integers(0, 40), st.binary(max_size=40)).map(
        lambda one: struct.pack("<QBI", *one[:3]) + one[3]
    ),
    max_size=6,
).map(b"".join)
FACTS = st.lists(
    st.sampled_from(
        [b"[]", b"{", b"", b'{"type":"gateway.closed"}', b'"gateway.closed"', b'{"gateway.closed":1}']
    ),
    max_size=4,
).map(lambda facts: b"".join(RECORD.pack(1, FACT, len(fact)) + fact for fact in facts))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)
@given(st.one_of(st.binary(max_size=60), RECORDS, FACTS), st.booleans())
def test_any_bytes_are_a_wire_log_or_said_to_be_none(tmp_path: Path, data: bytes, with_magic: bool) -> None:
    path = tmp_path / "sess_1.vgw"
    path.write_bytes(MAGIC + data if with_magic else data)
    reader = WireLogReader(path)
    try:
        records = reader.read()
    except ValueError:
        return  # said to be none
    read = b"".join(RECORD.pack(one.t_ns, one.kind, len(one.data)) + one.data for one in records)
    assert data.startswith(read) or not with_magic
    assert reader.closed == any(one.data == b'{"type":"gateway.closed"}' for one in records)
    log = EventLogBuilder()
    list(read_events(line for record in records for line in log.feed(record)))
