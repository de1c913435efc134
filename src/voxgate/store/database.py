"""One SQL database: its engine, SQLite's settings, transactions, upserts, and the schema's version."""

from __future__ import annotations

import functools
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import (
    URL,
    Connection,
    CursorResult,
    Engine,
    Executable,
    Insert,
    Row,
    Table,
    create_engine,
    event,
    inspect,
    make_url,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DatabaseError, DisconnectionError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.sql.elements import ColumnElement

from voxgate.core.errors import SettingsError, StoreUnavailable
from voxgate.store import schema

BUSY_TIMEOUT_MS = 10_000

PRAGMAS = (
    # First: the others may meet a writer of another process, and wait for it instead of failing.
    f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}",
    # SQLite's default is off, and deleting a session must take its spans and tags with it.
    "PRAGMA foreign_keys = ON",
    # In WAL mode a crash of the process loses nothing; only a power cut may lose the last commits, never
    # the database. The event logs are synced by themselves, and traces are rebuilt from them.
    "PRAGMA synchronous = NORMAL",
    # Sorting a page of a long list must not write temporary files beside the recordings.
    "PRAGMA temp_store = MEMORY",
)

# Execution option of a transaction that will write; see `_begin`.
_WRITES = "voxgate_writes"


class Database:
    """Opened at once: connected, in WAL mode, and on the newest schema. Safe to use from many threads."""

    def __init__(self, url: str) -> None:
        self._url = _parse(url)
        self.engine = _engine(self._url)
        try:
            if self.is_sqlite:
                _make_file(Path(str(self._url.database)))
                _enter_wal_mode(self.engine)
            self._migrate()
        except (StoreUnavailable, DatabaseError, sqlite3.DatabaseError, OSError) as error:
            self.close()
            raise SettingsError(f"The database {self.name} cannot be opened: {_reason(error)}.") from error
        except SettingsError:
            self.close()
            raise

    @property
    def is_sqlite(self) -> bool:
        return self._url.get_backend_name() == "sqlite"

    @property
    def name(self) -> str:
        """The URL without its password, for messages."""
        return self._url.render_as_string(hide_password=True)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database and writes nothing. StoreUnavailable when the
        database is away."""
        with _available(), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that commits at the end, or rolls back on an error. StoreUnavailable when the
        database is away, or locked for too long."""
        with _available(), self.engine.connect() as plain:
            connection = plain.execution_options(**{_WRITES: True})
            with connection.begin():
                yield connection

    def close(self) -> None:
        self.engine.dispose()

    def _migrate(self) -> None:
        with self.writing() as connection:
            version = _stored_version(connection)
            if version is None:
                schema.metadata.create_all(connection)
                connection.execute(schema.schema_version.insert().values(version=schema.VERSION))
                return
            if version > schema.VERSION:
                raise SettingsError(
                    f"The database {self.name} has schema version {version}, made by a newer Voxgate; this"
                    f" one knows version {schema.VERSION}. Install that Voxgate, or use another database."
                )
            self._upgrade(connection, version)

    def _upgrade(self, connection: Connection, version: int) -> None:
        for migration in schema.MIGRATIONS[version - 1 :]:
            migration(connection)
        schema.metadata.create_all(connection)  # tables that were added since
        if version != schema.VERSION:
            connection.execute(schema.schema_version.update().values(version=schema.VERSION))


@contextmanager
def _available() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InternalError, PoolTimeout, sqlite3.OperationalError) as error:
        raise _unavailable(error) from error
    except DatabaseError as error:
        if type(error) is not DatabaseError:  # the statement is wrong, not the database
            raise
        raise _unavailable(error) from error


def _unavailable(error: Exception) -> StoreUnavailable:
    return StoreUnavailable(f"The database is not available now ({_reason(error)}). Try again later.")


def upsert(
    connection: Connection,
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    *,
    also_set: tuple[tuple[str, ColumnElement[Any]], ...] = (),
) -> None:
    """Insert the rows, or set the given columns where the primary key is there already.

    All rows need the same columns; columns that are not given keep their values. `also_set` are expressions
    for the update only, always the same objects. `ON CONFLICT` is not in the SQL standard, but SQLite and
    PostgreSQL share it.
    """
    if rows:
        statement = _upsert(connection.dialect.name, table, tuple(rows[0]), also_set)
        connection.execute(statement, list(rows))


@functools.lru_cache(maxsize=256)  # building one takes longer than executing it
def _upsert(
    dialect: str, table: Table, columns: tuple[str, ...], also_set: tuple[tuple[str, ColumnElement[Any]], ...]
) -> Insert:
    insert = (postgresql if dialect == "postgresql" else sqlite).insert(table)
    keys = [column.name for column in table.primary_key]
    new = {name: insert.excluded[name] for name in columns if name not in keys} | dict(also_set)
    statement: Insert = insert.on_conflict_do_update(index_elements=keys, set_=new)
    return statement


def changed_rows(connection: Connection, statement: Executable) -> int:
    """Execute an update or a delete; how many rows it met."""
    result = connection.execute(statement)
    return result.rowcount if isinstance(result, CursorResult) else 0


def to_dict(row: Row[Any]) -> dict[str, Any]:
    """With plain keys: SQLAlchemy's own are a subclass of str, which JSON encoders refuse."""
    return {str(key): value for key, value in row._mapping.items()}  # noqa: SLF001 - public in SQLAlchemy in spite of its name


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise SettingsError(f"{url!r} is not a database URL; an example is sqlite:///voxgate.db.") from error
    if parsed.get_backend_name() == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise SettingsError(
            "The database must be a file: processes cannot share an SQLite database in memory."
        )
    return parsed


def _engine(url: URL) -> Engine:
    path, is_sqlite = Path(str(url.database)), url.get_backend_name() == "sqlite"
    special: dict[str, Any] = {"creator": functools.partial(_connect_sqlite, path)} if is_sqlite else {}
    try:
        # A pool larger than the API's thread pool, so that no request waits for a connection.
        engine = create_engine(url, json_serializer=schema.to_json, pool_size=8, max_overflow=56, **special)
    except (ArgumentError, ImportError) as error:
        raise SettingsError(f"There is no driver for {url.drivername!r} databases: {error}.") from error
    if is_sqlite:
        path.parent.mkdir(parents=True, exist_ok=True)
        event.listen(engine, "connect", functools.partial(_configure_sqlite, path))
        event.listen(engine, "checkout", functools.partial(_check_file, path))
        event.listen(engine, "begin", _begin)
    return engine


def _make_file(path: Path) -> None:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o666))


def _connect_sqlite(path: Path) -> sqlite3.Connection:
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


def _configure_sqlite(path: Path, connection: sqlite3.Connection, record: ConnectionPoolEntry) -> None:
    record.info["file"] = _file_id(path)
    # Python's driver opens transactions by guessing from the statement; `_begin` says exactly when.
    connection.isolation_level = None
    for pragma in PRAGMAS:
        connection.execute(pragma)


def _begin(connection: Connection) -> None:
    # A transaction that reads first and writes later fails at once when another process wrote in between,
    # whatever the busy timeout; one that takes the write lock at its start waits its turn.
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _enter_wal_mode(engine: Engine) -> None:
    """Readers and the one writer do not block each other. It is a property of the file, so set once."""
    _retry_while_locked(lambda: _set_wal_mode(engine))


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


def _stored_version(connection: Connection) -> int | None:
    if not inspect(connection).has_table(schema.schema_version.name):
        return None
    version = connection.execute(select(schema.schema_version.c.version)).scalar_one_or_none()
    return None if version is None else int(version)


def _reason(error: BaseException) -> str:
    if isinstance(error, StoreUnavailable) and error.__cause__ is not None:
        error = error.__cause__
    return str(error.orig) if isinstance(error, OperationalError | DatabaseError) else str(error)
