"""Signals between processes that share the database, such as `end_session`: one adds, the others poll."""

from __future__ import annotations

from sqlalchemy import Connection, delete, func, select

from voxgate.core.clock import unix_seconds
from voxgate.store.database import Database
from voxgate.store.schema import signals

KEPT_SECONDS = 24 * 3600

REBUILD = "rebuild_session"
REBUILT = "session_rebuilt"
REBUILD_FAILED = "session_not_rebuilt"
TRANSCRIBE = "transcribe_session"
"""Its target is JSON: `session_id`, and what is `wanted`."""
TRANSCRIBED = "session_transcribed"
NOT_TRANSCRIBED = "session_not_transcribed"
RUN_RULE = "run_rule"
"""Its target is the run."""
_LOCK = 0x766F787369676E  # of PostgreSQL


class SignalRows:
    """The part of the store that passes signals on."""

    _database: Database

    def add_signal(self, kind: str, target: str) -> None:
        """Also forgets signals that are older than a day."""
        now = unix_seconds()
        with self._database.writing() as connection:
            _wait_for_turn(connection)
            connection.execute(signals.insert().values(kind=kind, target=target, created_at=now))
            connection.execute(delete(signals).where(signals.c.created_at < now - KEPT_SECONDS))

    def signals_after(self, last_id: int) -> list[tuple[int, str, str]]:
        """`(id, kind, target)` of those that came later, in their order."""
        if self._database.is_sqlite and not self._any_after(last_id):
            return []
        query = select(signals.c.id, signals.c.kind, signals.c.target).where(signals.c.id > last_id)
        with self._database.reading() as connection:
            return [
                (row.id, row.kind, row.target) for row in connection.execute(query.order_by(signals.c.id))
            ]

    def _any_after(self, last_id: int) -> bool:
        """Asked some times a second by each process, beside calls, and nearly always there are none: a query
        through SQLAlchemy takes fifteen times as long."""
        with self._database.plainly() as cursor:
            cursor.execute("SELECT 1 FROM signals WHERE id > ? LIMIT 1", (last_id,))
            return cursor.fetchone() is not None

    def last_signal_id(self) -> int:
        """Where a new reader starts; 0 before the first signal."""
        with self._database.reading() as connection:
            return connection.execute(select(func.max(signals.c.id))).scalar_one() or 0


def _wait_for_turn(connection: Connection) -> None:
    """Until no other signal is on its way: one with a lower id must not appear after a higher one, or a
    reader that has seen that one would never see it. SQLite's writers follow one another anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
