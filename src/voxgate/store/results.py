"""Results of experiments: each case and trial once, in the order of their ids, and what they come to."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, and_, bindparam, delete, func, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import ReturningInsert

from voxgate.core.clock import now_utc
from voxgate.store.cursors import decode_cursor, encode_cursor
from voxgate.store.database import Database
from voxgate.store.schema import experiments, result_scores, results

Key = tuple[str, int]
"""Of a result in its experiment: the case's id and the trial."""
_KEYS: Final = ["experiment_id", "case_id", "trial"]


class ResultRows:
    """The part of the store that keeps results."""

    _database: Database

    def add_results(
        self, experiment_id: str, rows: Sequence[Mapping[str, Any]]
    ) -> tuple[list[Key], list[Key]] | None:
        """The keys of those that were stored, and of those that had been there before and stay: the first one
        counts, unless it was an error. None if the experiment is not running."""
        stored: list[Key] = []
        known: list[Key] = []
        with self._database.writing() as connection:
            if not _is_running(connection, experiment_id):
                return None
            # In their order, so that two who store the same results do not wait for each other for ever.
            for row in sorted(rows, key=_key):
                place = stored if _save(connection, experiment_id, row) else known
                place.append(_key(row))
        return stored, known

    def list_results(
        self,
        experiment_id: str,
        *,
        case_id: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> tuple[list[dict[str, Any]], str | None]:
        """In the order of case ids (as bytes) and trials."""
        query = select(results.c.body, results.c.case_id, results.c.trial)
        query = query.where(results.c.experiment_id == experiment_id)
        if case_id is not None:
            query = query.where(results.c.case_id == case_id)
        if cursor is not None:
            query = query.where(_after(*decode_cursor(cursor, (str, int))))
        query = query.order_by(results.c.case_id, results.c.trial).limit(limit + 1)
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        last = rows[limit - 1] if len(rows) > limit else None
        next_cursor = None if last is None else encode_cursor([last.case_id, last.trial])
        return [row.body for row in rows[:limit]], next_cursor


def summary_of(connection: Connection, experiment_id: str) -> dict[str, Any]:
    """How many results there are, how many of them errors, what they cost, and of each score: `mean` and
    `stderr` over the cases (of each the mean of its trials, since trials of one case are not independent),
    `n` values, `missing` ones."""
    counted = [func.count(), func.count(results.c.error), func.sum(results.c.cost_usd)]
    query = select(*counted).where(results.c.experiment_id == experiment_id)
    count, errors, cost = connection.execute(query).one()
    scores = connection.execute(_score_query(experiment_id)).all()
    return {
        "results": count,
        "errors": errors,
        "cost_usd": cost,
        "scores": {row.name: _score(row) for row in scores},
    }


def _score_query(experiment_id: str) -> Select[Any]:
    value, name = result_scores.c.value, result_scores.c.name
    of_case = (
        select(
            name,
            func.avg(value).label("mean"),
            func.count(value).label("n"),
            (func.count() - func.count(value)).label("missing"),
            func.max(result_scores.c.direction).label("direction"),
            func.max(result_scores.c.unit).label("unit"),
        )
        .where(result_scores.c.experiment_id == experiment_id)
        .group_by(name, result_scores.c.case_id)
        .cte("of_case")
    )
    means = (
        select(of_case.c.name, func.avg(of_case.c.mean).label("mean")).group_by(of_case.c.name).cte("means")
    )
    # Around the mean: sums of squares of large numbers that differ little would say nothing.
    apart = of_case.c.mean - means.c.mean
    return (
        select(
            of_case.c.name,
            func.max(means.c.mean).label("mean"),
            func.sum(apart * apart).label("squares"),
            func.count(of_case.c.mean).label("cases"),
            func.sum(of_case.c.n).label("n"),
            func.sum(of_case.c.missing).label("missing"),
            func.max(of_case.c.direction).label("direction"),
            func.max(of_case.c.unit).label("unit"),
        )
        .join_from(of_case, means, of_case.c.name == means.c.name)
        .group_by(of_case.c.name)
        .order_by(of_case.c.name)
    )


def _score(row: Row[Any]) -> dict[str, Any]:
    cases = row.cases
    stderr = math.sqrt(float(row.squares) / (cases - 1) / cases) if cases > 1 else None
    return {
        "mean": None if row.mean is None else float(row.mean),
        "stderr": stderr,
        "n": int(row.n),
        "missing": int(row.missing),
        "direction": row.direction,
        "unit": row.unit,
    }


def _is_running(connection: Connection, experiment_id: str) -> bool:
    """And stays so until the transaction is over; others can store results meanwhile."""
    query = select(experiments.c.id).where(
        experiments.c.id == experiment_id, experiments.c.status == "running"
    )
    return connection.execute(query.with_for_update(read=True)).first() is not None


def _key(row: Mapping[str, Any]) -> Key:
    return row["case_id"], row["trial"]


def _save(connection: Connection, experiment_id: str, row: Mapping[str, Any]) -> bool:
    """False if it was there."""
    key = {"experiment_id": experiment_id, "case_id": row["case_id"], "trial": row["trial"]}
    values = {
        "error": row.get("error"),
        "cost_usd": row.get("cost_usd"),
        "session_id": (row.get("output") or {}).get("session_id"),
        "body": dict(row),
        "stored_at": now_utc(),
    }
    if connection.execute(_first_one(connection.dialect.name), key | values).first() is None:
        return False
    connection.execute(_SCORES_OF, {f"of_{name}": value for name, value in key.items()})
    scores = [
        {**key, "place": place, **{name: score.get(name) for name in ("name", "value", "unit")}}
        | {"direction": score.get("direction") or "max"}
        for place, score in enumerate(row.get("scores") or ())
    ]
    if scores:
        connection.execute(_NEW_SCORES, scores)
    return True


_SCORES_OF: Final = delete(result_scores).where(
    *(result_scores.c[name] == bindparam(f"of_{name}") for name in _KEYS)
)
_NEW_SCORES: Final = result_scores.insert()


@functools.cache  # building it takes longer than executing it
def _first_one(dialect: str) -> ReturningInsert[Any]:
    """Answers a row if it was stored."""
    insert = (postgresql if dialect == "postgresql" else sqlite).insert(results)
    new = {column.name: insert.excluded[column.name] for column in results.c if column.name not in _KEYS}
    unless_known = insert.on_conflict_do_update(
        index_elements=_KEYS, set_=new, where=results.c.error.is_not(None)
    )
    answered: ReturningInsert[Any] = unless_known.returning(results.c.trial)
    return answered


def _after(case_id: str, trial: int) -> Any:
    later_trial = and_(results.c.case_id == case_id, results.c.trial > trial)
    return or_(results.c.case_id > case_id, later_trial)
