"""Connections to an SQLite file: its settings, its transactions, and that it stays the same file."""

from __future__ import annotations

import functools
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry

BUSY_TIMEOUT_MS: Final = 10_000

PRAGMAS = (
    # First: the others may meet a writer of another process, and wait for it instead of failing.
    f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}",
    # SQLite's default is off, and deleting a session must take its spans and tags with it.
    "PRAGMA foreign_keys = ON",
    # In WAL mode a crash of the process loses nothing; only a power cut may lose the last commits, never
    # the database. The event logs are synced by themselves, and traces are rebuilt from them.
    "PRAGMA synchronous = NORMAL",
    # What is deleted, or replaced by something else, is overwritten: otherwise it stays in free pages until
    # SQLite needs them again.
    "PRAGMA secure_delete = ON",
    # Sorting a page of a long list must not write temporary files beside the recordings.
    "PRAGMA temp_store = MEMORY",
)

# A pool larger than the API's thread pool, so that no request waits for a connection.
_POOL: Final = {"pool_size": 8, "max_overflow": 56}


def sqlite_engine(url: URL, writes: str, **options: Any) -> Engine:
    """`writes` is the execution option of a transaction that will write. Makes the file's folder."""
    path = Path(str(url.database))
    engine = create_engine(url, creator=functools.partial(_connect, path), **_POOL, **options)
    path.parent.mkdir(parents=True, exist_ok=True)
    event.listen(engine, "connect", functools.partial(_configure, path))
    event.listen(engine, "checkout", functools.partial(_check_file, path))
    event.listen(engine, "begin", functools.partial(_begin, writes))
    return engine


def prepare_file(url: URL, engine: Engine) -> None:
    """Makes the file if there is none. In WAL mode readers and the one writer do not block each other; it is
    a property of the file, so set once."""
    os.close(os.open(str(url.database), os.O_RDWR | os.O_CREAT, 0o666))
    _retry_while_locked(lambda: _set_wal_mode(engine))


def _connect(path: Path) -> sqlite3.Connection:
    """Never makes the file: one that is gone in the middle of the work must not be replaced by an empty one,
    in which nothing would be found and everything lost when the right one is put back."""
    return sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=rw", uri=True, check_same_thread=False)


def _check_file(path: Path, _connection: object, record: ConnectionPoolEntry, _proxy: object) -> None:
    """A connection goes on with the file that it opened, wherever that is now."""
    if _file_id(path) != record.info["file"]:
        raise DisconnectionError(f"{path} is another file than before")


def _file_id(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _configure(path: Path, connection: sqlite3.Connection, record: ConnectionPoolEntry) -> None:
    record.info["file"] = _file_id(path)
    # Python's driver opens transactions by guessing from the statement; `_begin` says exactly when.
    connection.isolation_level = None
    for pragma in PRAGMAS:
        connection.execute(pragma)


def _begin(writes: str, connection: Connection) -> None:
    # A transaction that reads first and writes later fails at once when another process wrote in between,
    # whatever the busy timeout; one that takes the write lock at its start waits its turn.
    will_write = connection.get_execution_options().get(writes, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if will_write else "BEGIN")


def _set_wal_mode(engine: Engine) -> None:
    raw = engine.raw_connection()
    try:
        raw.cursor().execute("PRAGMA journal_mode = WAL")
    finally:
        raw.close()


def _retry_while_locked(action: Callable[[], None]) -> None:
    # SQLite does not wait out the busy timeout when several processes switch a fresh file to WAL at once.
    deadline = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            return action()
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
