"""Experiments: what was run over which cases, and what it came to. Their results are in `results`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, delete, func, select

from voxgate.core.clock import now_utc
from voxgate.core.ids import new_id
from voxgate.store.cursors import decode_cursor, encode_cursor
from voxgate.store.database import Database, changed_rows, insert_new, to_dict
from voxgate.store.results import summary_of
from voxgate.store.schema import experiment_cases, experiments

RUNNING: Final = "running"
_FILTERS: Final = {"project": "project", "name": "name", "branch": "branch", "status": "status"} | {
    "dataset": "dataset_id"
}


class ExperimentRows:
    """The part of the store that keeps experiments. Each comes with its `summary`."""

    _database: Database

    def add_experiment(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """As it was saved."""
        values = {"id": new_id("exp"), "status": RUNNING, **row}
        with self._database.writing() as connection:
            connection.execute(experiments.insert().values(values))
            saved = _read(connection, values["id"])
        assert saved is not None
        return saved

    def get_experiment(self, experiment_id: str, *, with_summary: bool = True) -> dict[str, Any] | None:
        """Of a running one the summary is counted anew, which takes a while where there is much."""
        with self._database.reading() as connection:
            return _read(connection, experiment_id, with_summary=with_summary)

    def list_experiments(
        self, *, limit: int = 50, cursor: str | None = None, **wanted: str | None
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Newest first. `wanted`: project, name, branch, dataset (its id), status."""
        query = select(experiments).order_by(experiments.c.id.desc()).limit(limit + 1)
        for name, value in wanted.items():
            if value is not None:
                query = query.where(experiments.c[_FILTERS[name]] == value)
        if cursor is not None:
            query = query.where(experiments.c.id < decode_cursor(cursor, (str,))[0])
        with self._database.reading() as connection:
            rows = [to_dict(row) for row in connection.execute(query)]
            items = [_with_summary(connection, row) for row in rows[:limit]]
        return items, encode_cursor([rows[limit - 1]["id"]]) if len(rows) > limit else None

    def edit_experiment(self, experiment_id: str, values: Mapping[str, Any]) -> dict[str, Any] | None:
        """As it is now; None if it is not running. With another status it ends, and what it comes to is kept
        as it is at this moment."""
        with self._database.writing() as connection:
            running = experiments.c.id == experiment_id, experiments.c.status == RUNNING
            query = select(experiments.c.id).where(*running).with_for_update()
            if connection.execute(query).first() is None:
                return None
            if values.get("status", RUNNING) != RUNNING:
                values = {"ended_at": now_utc(), "summary": summary_of(connection, experiment_id), **values}
            connection.execute(experiments.update().where(*running).values(dict(values)))
            return _read(connection, experiment_id)

    def delete_experiment(self, experiment_id: str) -> bool:
        """With its results; False if it was not there."""
        with self._database.writing() as connection:
            return changed_rows(connection, delete(experiments).where(experiments.c.id == experiment_id)) > 0

    def add_experiment_cases(self, experiment_id: str, cases: Sequence[Mapping[str, Any]]) -> bool:
        """Of data that is no data set, in the order of the list; one that is there already stays. False if
        the experiment is not running."""
        places = select(func.coalesce(func.max(experiment_cases.c.place), -1) + 1)
        with self._database.writing() as connection:
            running = experiments.c.id == experiment_id, experiments.c.status == RUNNING
            query = select(experiments.c.id).where(*running).with_for_update()
            if connection.execute(query).first() is None:
                return False
            of_this = places.where(experiment_cases.c.experiment_id == experiment_id)
            first = connection.execute(of_this).scalar_one()
            rows = [
                {"experiment_id": experiment_id, "case_id": case["id"], "place": place, "body": dict(case)}
                for place, case in enumerate(cases, first)
            ]
            insert_new(connection, experiment_cases, rows)
        return True

    def list_experiment_cases(
        self, experiment_id: str, *, limit: int = 100, cursor: str | None = None
    ) -> tuple[list[dict[str, Any]], str | None]:
        """In the order in which they were added."""
        query = select(experiment_cases).where(experiment_cases.c.experiment_id == experiment_id)
        if cursor is not None:
            query = query.where(experiment_cases.c.place > decode_cursor(cursor, (int,))[0])
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(experiment_cases.c.place).limit(limit + 1)).all()
        next_cursor = encode_cursor([rows[limit - 1].place]) if len(rows) > limit else None
        return [row.body for row in rows[:limit]], next_cursor


def _read(connection: Connection, experiment_id: str, *, with_summary: bool = True) -> dict[str, Any] | None:
    found = connection.execute(select(experiments).where(experiments.c.id == experiment_id)).one_or_none()
    if found is None:
        return None
    row = to_dict(found)
    return _with_summary(connection, row) if with_summary else row


def _with_summary(connection: Connection, row: dict[str, Any]) -> dict[str, Any]:
    return row if row["summary"] is not None else {**row, "summary": summary_of(connection, row["id"])}
