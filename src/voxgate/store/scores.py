"""Scores of sessions and their spans: what people say in the web app, and what code and judges find."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, and_, delete, func, or_, select

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

    def replace_scores(self, session_id: str, author: str, rows: Sequence[Mapping[str, Any]]) -> bool:
        """What an author says of a session now, in place of all that it has said before. False if there is
        no such session."""
        values = [{"id": new_id("score"), **row, "session_id": session_id, "author": author} for row in rows]
        with self._database.writing() as connection:
            if connection.execute(select(sessions.c.id).where(sessions.c.id == session_id)).first() is None:
                return False
            said = scores.c.session_id == session_id, scores.c.author == author
            connection.execute(delete(scores).where(*said))
            if values:
                connection.execute(scores.insert(), values)
        return True

    def last_values(self, author: str, name: str, most: int) -> list[tuple[str, float]]:
        """The session and the value of an author's last scores of a name that have one, the newest first."""
        query = select(scores.c.session_id, scores.c.value).where(
            scores.c.author == author, scores.c.name == name, scores.c.value.is_not(None)
        )
        query = query.order_by(scores.c.created_at.desc()).limit(most)
        with self._database.reading() as connection:
            return [(row.session_id, float(row.value)) for row in connection.execute(query)]

    def judged_pairs(
        self, *, project: str | None = None, name: str | None = None, most: int = 100_000
    ) -> list[dict[str, Any]]:
        """What people and scorers say under the same name of the same session or span; newest first."""
        human, other = scores.alias("human"), scores.alias("other")
        same_span = func.coalesce(human.c.span_id, "") == func.coalesce(other.c.span_id, "")
        same = human.c.session_id == other.c.session_id, human.c.name == other.c.name, same_span
        said = [
            side.c[key].label(f"{side.name}_{key}") for side in (human, other) for key in ("value", "label")
        ]
        own = [other.c[key] for key in ("name", "source", "author", "session_id", "span_id")]
        query = select(*own, *said)
        query = query.join_from(human, other, and_(*same)).where(
            human.c.source == "human",
            other.c.source != "human",
            *(or_(side.c.value.is_not(None), side.c.label.is_not(None)) for side in (human, other)),
        )
        if project is not None:
            query = query.join(sessions, sessions.c.id == human.c.session_id)
            query = query.where(sessions.c.project == project)
        if name is not None:
            query = query.where(human.c.name == name)
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(human.c.created_at.desc()).limit(most)).all()
        return [to_dict(row) for row in rows]

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
