"""Runs of rules over sessions that were recorded before: what is asked for, and how far it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import select

from voxgate.core.clock import now_utc
from voxgate.core.ids import new_id
from voxgate.store.database import Database, to_dict
from voxgate.store.schema import rule_runs

RUNNING: Final = "running"
_NOTHING_DONE: Final = {"status": RUNNING, "total": 0, "done": 0, "scored": 0, "failed": 0}
_MOST_LISTED: Final = 100


class RuleRunRows:
    """The part of the store that keeps them. They go with their rule."""

    _database: Database

    def add_rule_run(self, rule_id: str, q: str, by: str) -> dict[str, Any]:
        run_id = new_id("run")
        values = {"id": run_id, "rule_id": rule_id, "q": q, "created_by": by, **_NOTHING_DONE}
        with self._database.writing() as connection:
            connection.execute(rule_runs.insert().values(values))
            return to_dict(connection.execute(_of(run_id)).one())

    def get_rule_run(self, run_id: str) -> dict[str, Any] | None:
        with self._database.reading() as connection:
            row = connection.execute(_of(run_id)).one_or_none()
        return None if row is None else to_dict(row)

    def list_rule_runs(self, rule_id: str | None = None, status: str | None = None) -> list[dict[str, Any]]:
        """Newest first, a hundred at most."""
        query = select(rule_runs).order_by(rule_runs.c.id.desc()).limit(_MOST_LISTED)
        for column, wanted in ((rule_runs.c.rule_id, rule_id), (rule_runs.c.status, status)):
            query = query if wanted is None else query.where(column == wanted)
        with self._database.reading() as connection:
            return [to_dict(row) for row in connection.execute(query)]

    def edit_rule_run(self, run_id: str, values: Mapping[str, Any]) -> None:
        """A status other than `running` ends it."""
        ended = {"ended_at": now_utc()} if values.get("status", RUNNING) != RUNNING else {}
        with self._database.writing() as connection:
            changed = rule_runs.update().where(rule_runs.c.id == run_id)
            connection.execute(changed.values({**values, **ended}))


def _of(run_id: str) -> Any:
    return select(rule_runs).where(rule_runs.c.id == run_id)
