"""Scores of sessions and their spans: what people say in the web app, and what code and judges find."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, delete, func, select

from voxgate.core.ids import new_id
from voxgate.store.database import Database, changed_rows, to_dict
from voxgate.store.schema import scores, sessions

SCORE_KEYS: Final = (
    "id",
    "span_id",
    "name",
    "value",
    "label",
    "comment",
    "evidence",
    "details",
    "source",
    "author",
    "created_at",
)


class ScoreRows:
    """The part of the store that keeps scores. They go with their session."""

    _database: Database

    def add_score(
        self, session_id: str, row: Mapping[str, Any], *, replace: bool = False
    ) -> dict[str, Any] | None:
        """As it was saved; None if there is no such session. With `replace` it takes the place of what the
        same author said before under this name of this span."""
        values = {"id": new_id("score"), **row, "session_id": session_id}
        with self._database.writing() as connection:
            if connection.execute(select(sessions.c.id).where(sessions.c.id == session_id)).first() is None:
                return None
            if replace:
                _delete_same(connection, values)
            connection.execute(scores.insert().values(values))
            found = connection.execute(_shown().where(scores.c.id == values["id"])).one()
        return to_dict(found)

    def scores_of(self, session_id: str) -> list[dict[str, Any]]:
        """Oldest first."""
        with self._database.reading() as connection:
            query = _shown().where(scores.c.session_id == session_id)
            rows = connection.execute(query.order_by(scores.c.created_at, scores.c.id)).all()
        return [to_dict(row) for row in rows]

    def mean_scores(self, session_ids: Sequence[str]) -> dict[str, dict[str, float]]:
        """By session and name, of those that have a value."""
        if not session_ids:
            return {}
        mean = func.avg(scores.c.value).label("mean")
        query = select(scores.c.session_id, scores.c.name, mean).group_by(scores.c.session_id, scores.c.name)
        query = query.where(scores.c.session_id.in_(session_ids), scores.c.value.is_not(None))
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(scores.c.name)).all()
        found: dict[str, dict[str, float]] = {}
        for row in rows:
            found.setdefault(row.session_id, {})[row.name] = float(row.mean)
        return found

    def delete_score(self, session_id: str, score_id: str) -> bool:
        """False if it was not there."""
        wanted = delete(scores).where(scores.c.session_id == session_id, scores.c.id == score_id)
        with self._database.writing() as connection:
            return changed_rows(connection, wanted) > 0


def _shown() -> Any:
    return select(*(scores.c[name] for name in SCORE_KEYS))


def _delete_same(connection: Connection, values: Mapping[str, Any]) -> None:
    span_id = values.get("span_id")
    same_span = scores.c.span_id.is_(None) if span_id is None else scores.c.span_id == span_id
    same = [scores.c[key] == values.get(key, "") for key in ("session_id", "name", "source", "author")]
    connection.execute(delete(scores).where(same_span, *same))
