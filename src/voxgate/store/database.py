"""One SQL database: its transactions, upserts, and what it means when it is away."""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import (
    URL,
    Connection,
    CursorResult,
    Engine,
    Executable,
    Insert,
    Row,
    Table,
    make_url,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.exc import ArgumentError, DatabaseError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.sql.elements import ColumnElement

from voxgate.core.errors import SettingsError, StoreUnavailable
from voxgate.store import versions
from voxgate.store.columns import from_json, to_json
from voxgate.store.postgres_engine import postgres_engine
from voxgate.store.sqlite_engine import prepare_file, sqlite_engine

# Execution option of a transaction that will write; SQLite begins it differently.
_WRITES: Final = "voxgate_writes"
# A transaction of several statements sees one state in SQLite anyway.
_READS: Final = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}


class Database:
    """Opened at once: connected, and on a schema that this Voxgate works with. SQLite's is brought to the
    newest one on opening, PostgreSQL's by `voxgate migrate`. Safe to use from many threads."""

    def __init__(self, url: str, *, check_schema: bool = True) -> None:
        self._url = _parse(url)
        self.engine = _engine(self._url)
        try:
            if self.is_sqlite:
                prepare_file(self._url, self.engine)
            if check_schema:
                self._check_schema()
        except (StoreUnavailable, DatabaseError, sqlite3.DatabaseError, OSError) as error:
            self.close()
            raise SettingsError(f"The database {self.name} cannot be opened: {reason(error)}.") from error
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
        with _available(), self.engine.connect() as plain:
            connection = plain if self.is_sqlite else plain.execution_options(**_READS)
            with connection.begin():
                yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that commits at the end, or rolls back on an error. StoreUnavailable when the
        database is away, or locked for too long."""
        with _available(), self.engine.connect() as plain:
            connection = plain.execution_options(**{_WRITES: True})
            with connection.begin():
                yield connection

    @contextmanager
    def plainly(self) -> Iterator[DBAPICursor]:
        """SQLite without a transaction, for what must not be in one."""
        with _available():
            raw = self.engine.raw_connection()
            try:
                yield raw.cursor()
            finally:
                raw.close()

    def close(self) -> None:
        self.engine.dispose()

    def _check_schema(self) -> None:
        if self.is_sqlite:
            with self.writing() as connection:
                versions.bring_up(connection, self.name)
        else:
            with self.reading() as connection:
                versions.check(connection, self.name)


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
    return StoreUnavailable(f"The database is not available now ({reason(error)}). Try again later.")


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


def insert_new(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert those of the rows whose primary key is not there; the others stay as they are."""
    if rows:
        insert = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(table)
        connection.execute(insert.on_conflict_do_nothing(index_elements=table.primary_key), list(rows))


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
        raise SettingsError(
            "The database_url cannot be read; examples are sqlite:////var/lib/voxgate/voxgate.db and"
            " postgresql://voxgate:PASSWORD@host/voxgate."
        ) from error
    if parsed.drivername == "postgres":
        parsed = parsed.set(drivername="postgresql")
    if parsed.get_backend_name() == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise SettingsError(
            "The database must be a file: processes cannot share an SQLite database in memory."
        )
    return parsed


def _engine(url: URL) -> Engine:
    try:
        match url.get_backend_name():
            case "sqlite":
                return sqlite_engine(url, _WRITES, json_serializer=to_json, json_deserializer=from_json)
            case "postgresql":
                return postgres_engine(url, json_serializer=to_json, json_deserializer=from_json)
    except ImportError as error:
        raise SettingsError(
            f"There is no driver for PostgreSQL: {error}. Install it with: pip install 'voxgate[postgres]'"
        ) from error
    except ArgumentError as error:
        raise SettingsError(f"The database_url cannot be used: {error}.") from error
    raise SettingsError(f"{url.drivername!r} databases are not known; there are sqlite and postgresql.")


def reason(error: BaseException) -> str:
    """What the database's driver says was wrong, in one line."""
    if isinstance(error, StoreUnavailable) and error.__cause__ is not None:
        error = error.__cause__
    text = str(error.orig) if isinstance(error, OperationalError | DatabaseError) else str(error)
    return " ".join(text.split())
