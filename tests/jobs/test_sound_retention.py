"""The sound of a recording is deleted before the rest of it: with real stores and files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from tests.jobs.test_compaction import World, encoded, put_away
from tests.recording.logs import PREFIX, RecordedCall, message

from voxgate.jobs.compaction import Compactor
from voxgate.jobs.retention import Retention
from voxgate.recording.eventlog import read_events
from voxgate.recording.reading import read_lines
from voxgate.recording.wirelog import CLIENT, SERVER
from voxgate.store import Kept
from voxgate.traces import build_trace

START = datetime(2026, 7, 1, 12, tzinfo=UTC)
SOUND = np.random.default_rng(7).integers(-9000, 9000, 4800, np.int16).tobytes()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.store.close()


def call(world: World, **opened: object) -> RecordedCall:
    """Sound in every place where it may stand."""
    made = RecordedCall(world.blobs.root, started_at="2026-07-01T12:00:00.000Z", **opened)
    content = [{"type": "input_audio", "audio": encoded(SOUND), "transcript": "PLUM"}]
    for _ in range(20):
        made.text(CLIENT, message(type="input_audio_buffer.append", audio=encoded(SOUND)))
    made.text(SERVER, message(type="response.created", response={"id": "r"}))
    for _ in range(20):
        delta = {"item_id": "i", "response_id": "r", "delta": encoded(SOUND)}
        made.text(SERVER, message(type="response.output_audio.delta", **delta))
    item = {"id": "u", "type": "message", "role": "user", "content": content}
    made.text(SERVER, message(type="conversation.item.done", item=item))
    made.text(SERVER, message(type="response.done", response={"id": "r", "status": "completed"}))
    made.record(CLIENT, b"\x82\x84\0\0\0\0PEAR")  # a binary message
    return made


def clear_after(world: World, days: float, kept: Kept) -> None:
    compactor = Compactor(world.store, world.blobs, world.folder / "compact")
    now = START + timedelta(days=days)
    retention = Retention(world.store, world.blobs, None, kept, compactor=compactor, now=lambda: now)
    while retention.step():
        pass
    compactor.close()


def files(world: World) -> bytes:
    return b"".join(path.read_bytes() for path in (world.folder / "blobs").rglob("*") if path.is_file())


@pytest.mark.parametrize("stored", ["raw", "put away"])
def test_the_sound_goes_and_the_words_stay(world: World, stored: str) -> None:
    world.add(call(world))
    if stored == "put away":
        put_away(world)
    for name in ("peaks.json", "mix.ogg", "failed.vgw"):
        world.blobs.put(f"{PREFIX}/{name}", SOUND)
    before = world.store.get_session("sess_1")
    assert before is not None
    clear_after(world, 6.9, Kept(7))
    assert world.sound("user") == SOUND * 20
    clear_after(world, 7, Kept(7))
    put_away(world)
    assert world.names == {"events.zst"}
    log = b"".join(read_lines(world.blobs, PREFIX))
    assert b"PLUM" in log
    assert encoded(SOUND).encode() not in log
    assert b"PEAR" not in log + files(world)
    assert len(files(world)) < 20_000
    after = world.store.get_session("sess_1")
    assert after is not None
    assert after["audio_deleted_at"] == "2026-07-08T12:00:00.000Z"
    assert (after["data"]["recorded"], after["data"]["tracks"]) == ({"audio": False, "text": True}, {})
    assert after["data"]["audio_ms"] == before["data"]["audio_ms"]
    assert after["metrics"] == before["metrics"]
    assert not [span for span in after["spans"] if span["attachments"]]
    rebuilt = build_trace(read_events(log.splitlines(keepends=True)), session_id="sess_1")
    assert rebuilt.data["audio_ms"] == before["data"]["audio_ms"]
    assert not [span for span in rebuilt.spans if span.attachments]


def test_what_is_already_without_sound_is_not_looked_at_again(world: World) -> None:
    world.add(call(world))
    clear_after(world, 8, Kept(7))
    revision = world.store.session_revision("sess_1")
    clear_after(world, 9, Kept(7))
    assert world.store.session_revision("sess_1") == revision


def test_the_soonest_of_settings_project_and_credential_counts(world: World) -> None:
    world.add(call(world, project="shop", audio_retention_days=5))
    row = world.store.get_session("sess_1", with_spans=False)
    assert row is not None
    assert row["audio_delete_after"] == "2026-07-06T12:00:00.000Z"
    now = START + timedelta(days=3)

    def due(kept: Kept, days: float) -> bool:
        return bool(world.store.sessions_to_silence(START + timedelta(days=days), kept=kept, limit=9))

    assert not due(Kept(), 4.9)
    assert due(Kept(), 5)
    assert due(Kept(30, {"shop": 3}), 3)
    assert not due(Kept(30, {"shop": 4, "other": 1}), 3)
    assert due(Kept(3, {"shop": 4}), 3)
    assert not world.store.sessions_to_delete(now, kept=Kept(30, {"other": 1}), limit=9)
    assert world.store.sessions_to_delete(now, kept=Kept(30, {"shop": 3}), limit=9) == ["sess_1"]


def test_what_a_crash_cut_off_is_done_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.add(call(world))
    put_away(world)

    def fail(*_: object) -> None:
        raise OSError("the power is gone")

    with monkeypatch.context() as patch:
        patch.setattr(world.store, "save_trace", fail)
        clear_after(world, 8, Kept(7))
    assert json.loads(next(read_lines(world.blobs, PREFIX)))["msg"]["recorded"]["audio"] is False
    clear_after(world, 8, Kept(7))
    put_away(world)
    assert world.names == {"events.zst"}
