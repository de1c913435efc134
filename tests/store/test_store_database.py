"""Opening and sharing the database."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from voxgate.core.errors import SettingsError, StoreUnavailable
from voxgate.store import Store, sqlite_engine
from voxgate.store.database import Database


def test_a_new_file_and_its_folder_are_made_on_opening(tmp_path: Path) -> None:
    Store(f"sqlite:///{tmp_path}/a/b/voxgate.db").close()
    assert (tmp_path / "a/b/voxgate.db").is_file()


def test_what_was_saved_is_there_after_opening_again(url: str) -> None:
    with Store(url) as store:
        store.save_session({"id": "sess_1"})
    with Store(url) as store:
        assert store.get_session("sess_1") is not None


def test_sqlite_runs_in_wal_mode_with_foreign_keys(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/voxgate.db")
    with database.reading() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1
        assert connection.execute(text("PRAGMA synchronous")).scalar() == 1
        assert connection.execute(text("PRAGMA busy_timeout")).scalar() == 10_000
    database.close()


@pytest.mark.parametrize("wrong", ["not a url", "sqlite://", "sqlite:///:memory:", "nosuchdb://host/x"])
def test_a_wrong_url_is_a_settings_error(wrong: str) -> None:
    with pytest.raises(SettingsError):
        Store(wrong)


def test_a_file_that_is_no_database_is_a_settings_error(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text(
        "this is not a database, and long enough to be read as a header " * 10
    )
    with pytest.raises(SettingsError, match="not a database"):
        Store(f"sqlite:///{tmp_path}/notes.txt")


def test_many_threads_write_without_losing_anything(store: Store) -> None:
    store.save_session({"id": "sess_1"})

    def write(thread: int) -> None:
        for n in range(20):
            store.save_spans("sess_1", [{"id": f"span_{thread}_{n}", "type": "turn", "start_ms": n}])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    session = store.get_session("sess_1")
    assert session is not None
    assert len(session["spans"]) == 160
    assert session["revision"] == 161


WRITER = """
import sys
from voxgate.store import Store
with Store(sys.argv[1]) as store:
    for n in range(30):
        store.add_signal("end_session", f"{sys.argv[2]}_{n}")
"""


def test_processes_that_open_a_fresh_database_together_all_succeed(url: str) -> None:
    processes = [
        subprocess.Popen([sys.executable, "-c", WRITER, url, str(n)], stderr=subprocess.PIPE)
        for n in range(4)
    ]
    for process in processes:
        _, complaint = process.communicate(timeout=60)
        assert process.returncode == 0, complaint.decode()
    with Store(url) as store:
        signals = store.signals_after(0)
    assert [signal[0] for signal in signals] == list(range(1, 121))
    assert {signal[2] for signal in signals} == {f"{process}_{n}" for process in range(4) for n in range(30)}


# A database that goes away in the middle of the work


def test_a_locked_database_is_an_error_that_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_engine, "PRAGMAS", ("PRAGMA busy_timeout = 20",))
    with Store(f"sqlite:///{tmp_path / 'x.db'}") as store:
        other = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreUnavailable, match="database is locked"):
            store.save_session({"id": "sess_1", "project": "p", "status": "live"})
        assert store.get_session("sess_1") is None
        other.execute("ROLLBACK")
        store.save_session({"id": "sess_1", "project": "p", "status": "live"})
        assert store.get_session("sess_1") is not None
        other.close()


def test_a_database_that_is_moved_away_and_put_back_goes_on(tmp_path: Path) -> None:
    """What is saved meanwhile must not go into the file that was moved, nor into a new empty one."""
    path, away = tmp_path / "x.db", tmp_path / "away.db"
    with Store(f"sqlite:///{path}") as store:
        store.save_session({"id": "sess_1", "project": "p", "status": "live"})
        path.rename(away)
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                store.save_session({"id": "sess_2", "project": "p", "status": "live"})
            with pytest.raises(StoreUnavailable):
                store.get_session("sess_1")
        assert not path.exists()
        away.rename(path)
        assert store.get_session("sess_1") is not None
        assert store.get_session("sess_2") is None
        store.save_session({"id": "sess_2", "project": "p", "status": "live"})


def test_a_database_that_was_replaced_by_another_is_used_as_it_is_now(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'x.db'}"
    with Store(url) as store:
        store.save_session({"id": "sess_1", "project": "p", "status": "live"})
        for name in ("x.db", "x.db-wal", "x.db-shm"):
            (tmp_path / name).unlink()
        with Store(url) as restarted:
            restarted.save_session({"id": "sess_2", "project": "p", "status": "live"})
        assert store.get_session("sess_1") is None
        assert store.get_session("sess_2") is not None


def test_a_statement_that_is_wrong_is_no_missing_database(store: Store) -> None:
    row = {"id": "key_1", "name": "n", "role": "read", "project": None, "key_hash": "h", "key_hint": ""}
    store.add_api_key(**row, created_at="2026-11-22T10:00:00Z")
    with pytest.raises(IntegrityError):
        store.add_api_key(**row, created_at="2026-11-22T10:00:00Z")
