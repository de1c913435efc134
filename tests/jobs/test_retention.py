"""When recordings are deleted: a real store, real blobs, and a clock that is told the time."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from voxgate.core.clock import iso_utc
from voxgate.core.ids import first_id
from voxgate.jobs.retention import Retention
from voxgate.store import FolderBlobs, Kept, Spent, Store

START = datetime(2026, 11, 1, 12, tzinfo=UTC)
FILES = ("events.jsonl", "user.pcm", "mix.pcm", "peaks.json")


class Archive:
    def __init__(self, folder: Path) -> None:
        self.store = Store(f"sqlite:///{folder / 'voxgate.db'}")
        self.blobs = FolderBlobs(folder / "blobs")
        self.now = START

    def keep(self, session_id: str, *, own_days: int | None = None, status: str = "complete") -> None:
        own = None if own_days is None else iso_utc(START + timedelta(days=own_days))
        row = {"id": session_id, "started_at": iso_utc(START), "status": status, "delete_after": own}
        span = {"id": "span_1", "type": "session", "start_ms": 0.0}
        self.store.save_trace({**row, "tags": ["a"]}, [span])
        for name in FILES:
            self.blobs.put(f"sessions/{session_id}/{name}", b"PLUM")

    def after(self, days: float, default_days: int | None) -> list[str]:
        """What is left then."""
        self.now = START + timedelta(days=days)
        retention = Retention(self.store, self.blobs, Kept(default_days), now=lambda: self.now)
        while retention.step():
            pass
        left = sorted(row["id"] for row in self.store.list_sessions(limit=500)[0])
        assert sorted({key.split("/")[1] for key in self.blobs.list("sessions/")}) == left
        return left


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    made = Archive(tmp_path)
    yield made
    made.store.close()


def test_without_a_retention_everything_stays(archive: Archive) -> None:
    archive.keep("a")
    assert archive.after(30_000, None) == ["a"]


def test_a_recording_goes_with_all_that_belongs_to_it(archive: Archive, tmp_path: Path) -> None:
    archive.keep("a")
    assert archive.after(29.99, 30) == ["a"]
    assert archive.after(30, 30) == []
    assert archive.store.get_session("a") is None
    assert not [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()]


def test_no_row_of_any_table_and_no_word_of_the_full_text_is_left(archive: Archive, tmp_path: Path) -> None:
    archive.keep("sess_a")
    spoken = {"id": "span_2", "type": "user", "start_ms": 1.0, "input": {"transcript": "QUINCE"}}
    row = {"id": "sess_a", "started_at": iso_utc(START), "status": "complete", "title": "QUINCE"}
    archive.store.save_trace({**row, "metadata": {"user_id": "u_QUINCE"}}, [spoken])

    def found() -> list[str]:
        """But for the inner tables of FTS5, which drop what was deleted when they are merged."""
        with sqlite3.connect(tmp_path / "voxgate.db") as database:
            tables = [
                name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type='table'")
            ]
            tables = [name for name in tables if not name.startswith("session_fts_")]
            rows = {name: str(database.execute(f'SELECT * FROM "{name}"').fetchall()) for name in tables}
            words = database.execute(
                "SELECT count(*) FROM session_fts WHERE session_fts MATCH 'quince'"
            ).fetchone()
        return [name for name, text in rows.items() if "quince" in text.lower()] + ["words"] * words[0]

    assert {"sessions", "spans", "words"} <= set(found())
    assert archive.after(30, 30) == []
    assert found() == []


def in_files(folder: Path, word: bytes) -> list[str]:
    files = [path for path in folder.iterdir() if path.name.startswith("voxgate.db")]
    assert files
    return sorted(path.name for path in files if word in path.read_bytes().lower())


@pytest.mark.parametrize("by", ["retention", "hand"])
def test_nothing_that_was_said_is_left_in_the_files_of_the_database(
    archive: Archive, tmp_path: Path, by: str
) -> None:
    """The call grows as it does while it runs, other calls come before and after it, and what is long lies in
    pages of its own."""
    for number in range(40):
        said = [f"{kind} {'medlar ' * (number % 7 + 1) * 40}" for kind in ("quince", "plum")]
        for session_id, text in (("sess_a", said[0]), (f"sess_{number}", said[1])):
            spans = [
                {"id": f"span_{n}", "type": "user", "start_ms": float(n), "input": {"transcript": text}}
                for n in range(number % 5 + 1)
            ]
            row = {"id": session_id, "started_at": iso_utc(START), "status": "live", "title": text[:60]}
            row |= {"metadata": {"user_id": text[:20]}, "tags": [text[:10]], "data": {"config": text}}
            archive.store.save_trace(row, spans)
    archive.store.save_session({"id": "sess_a", "status": "complete"})
    assert in_files(tmp_path, b"quince")
    if by == "hand":
        archive.store.delete_session("sess_a")
    kept = Kept(30 if by == "retention" else None)
    retention = Retention(archive.store, archive.blobs, kept, now=lambda: START + timedelta(days=30))
    while retention.step():
        pass
    assert archive.store.get_session("sess_a") is None
    assert in_files(tmp_path, b"quince") == []
    assert in_files(tmp_path, b"plum")


def test_the_sooner_of_the_settings_and_the_credential_counts(archive: Archive) -> None:
    archive.keep("short", own_days=5)
    archive.keep("long", own_days=90)
    archive.keep("default")
    assert archive.after(4.9, 30) == ["default", "long", "short"]
    assert archive.after(5, 30) == ["default", "long"]
    assert archive.after(30, 30) == []


def test_a_credentials_retention_needs_no_setting(archive: Archive) -> None:
    archive.keep("short", own_days=5)
    archive.keep("default")
    assert archive.after(6, None) == ["default"]


def test_a_call_that_runs_is_left_alone(archive: Archive) -> None:
    archive.keep("a", own_days=1, status="live")
    assert archive.after(40, 30) == ["a"]


def test_many_are_deleted_at_one_go(archive: Archive) -> None:
    for number in range(450):
        archive.store.save_session({"id": f"s{number}", "started_at": iso_utc(START), "status": "complete"})
    archive.keep("kept")
    archive.store.save_session({"id": "kept", "started_at": iso_utc(START + timedelta(days=10))})
    assert archive.after(31, 30) == ["kept"]


def test_what_could_not_be_deleted_stays_in_sight(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    archive.keep("a")

    def refuse(prefix: str) -> int:
        raise PermissionError(f"no right to delete {prefix}")

    with monkeypatch.context() as patch:
        patch.setattr(archive.blobs, "delete_prefix", refuse)
        assert archive.after(31, 30) == ["a"]
    assert archive.after(31, 30) == []


def test_sums_of_credentials_that_nobody_kept_go_after_eight_days(archive: Archive) -> None:
    credential_id = first_id("cred", int(START.timestamp()))
    archive.store.settle_spending({credential_id: Spent(uses=1)})
    archive.after(7.9, None)
    assert archive.store.spent_by([credential_id])
    archive.after(8.1, None)
    assert not archive.store.spent_by([credential_id])
