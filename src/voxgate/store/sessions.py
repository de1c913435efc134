"""Sessions and their spans: traces in from the recorder, pages and whole traces out to the API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, delete, func, or_, select
from sqlalchemy.sql.elements import ColumnElement

from voxgate.core.clock import now_utc
from voxgate.store import filter as filters
from voxgate.store.cursors import decode_cursor, encode_cursor
from voxgate.store.database import Database, changed_rows, to_dict, upsert
from voxgate.store.schema import session_tags, sessions, spans

SESSION_KEYS = (
    "id",
    "project",
    "model",
    "provider",
    "status",
    "started_at",
    "ended_at",
    "duration_ms",
    "turns",
    "interruptions",
    "cost_usd",
    "tags",
    "metadata",
    "credential_id",
    "title",
    "delete_after",
    "data",
)
SPAN_KEYS = (
    "id",
    "parent_id",
    "type",
    "name",
    "start_ms",
    "end_ms",
    "status",
    "error",
    "input",
    "output",
    "usage",
    "cost_usd",
    "metrics",
    "attachments",
)

# What a session shows to callers: its own fields, what was derived from `data`, the counter of its saves.
_SHOWN = [sessions.c[name] for name in (*SESSION_KEYS, "metrics", "errors", "revision")]
_LISTED = [column for column in _SHOWN if column.name != "data"]
_BUMP = (("revision", sessions.c.revision + 1),)


class SessionRows:
    """The part of the store that keeps sessions and spans."""

    _database: Database

    def save_session(self, row: Mapping[str, Any]) -> None:
        """Insert, or update the given fields; others keep their values. `started_at` is RFC 3339 text."""
        with self._database.writing() as connection:
            _save_session(connection, row)

    def save_spans(self, session_id: str, spans: Sequence[Mapping[str, Any]]) -> None:
        """Insert or update these spans of a saved session; others stay."""
        with self._database.writing() as connection:
            _save_spans(connection, session_id, spans)
            bump = sessions.update().where(sessions.c.id == session_id)
            connection.execute(bump.values(revision=sessions.c.revision + 1))

    def save_trace(
        self, row: Mapping[str, Any], spans: Sequence[Mapping[str, Any]], unchanged: Set[str] = frozenset()
    ) -> None:
        """A whole trace in one transaction: afterwards the session has exactly these spans. `unchanged` are
        the ids of those that were saved like this before: they are written only if they are not there."""
        with self._database.writing() as connection:
            _save_session(connection, row)
            there = _delete_other_spans(connection, row["id"], {span["id"] for span in spans})
            _save_spans(connection, row["id"], spans, there & unchanged)

    def get_session(self, session_id: str, *, with_spans: bool = True) -> dict[str, Any] | None:
        """The session's fields, `metrics` and `errors` (a number) of its data, `revision`, and `spans` in the
        order of their start, which is where the reading takes its time."""
        with self._database.reading() as connection:
            row = connection.execute(select(*_SHOWN).where(sessions.c.id == session_id)).one_or_none()
            if row is None:
                return None
            spans = _read_spans(connection, session_id) if with_spans else []
        return {**to_dict(row), "spans": spans}

    def session_revision(self, session_id: str) -> int | None:
        """A number that grows with every save; None for a session that is not there."""
        query = select(sessions.c.revision).where(sessions.c.id == session_id)
        with self._database.reading() as connection:
            return connection.execute(query).scalar_one_or_none()

    def list_sessions(
        self, *, project: str | None = None, q: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> tuple[list[dict[str, Any]], str | None]:
        """A page without spans and `data`, newest first, and the cursor of the next page if there is one."""
        query = _page(select(*_LISTED), limit, cursor)
        if project is not None:
            query = query.where(sessions.c.project == project)
        for term in filters.parse(q or ""):
            query = query.where(_condition(term))
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        return [to_dict(row) for row in rows[:limit]], _next_cursor(rows, limit)

    def delete_session(self, session_id: str) -> bool:
        """Also its spans and tags; False if it was not there. Blobs are deleted by the caller."""
        with self._database.writing() as connection:
            return changed_rows(connection, delete(sessions).where(sessions.c.id == session_id)) > 0

    def sessions_to_delete(
        self, now: datetime, *, started_before: datetime | None, limit: int
    ) -> Sequence[str]:
        """Ids of those whose retention is over: by what their credential said, or because they began so long
        ago. Those that are live are left."""
        over = sessions.c.delete_after <= now
        if started_before is not None:
            over = or_(over, sessions.c.started_at <= started_before)
        query = select(sessions.c.id).where(over, sessions.c.status != "live").limit(limit)
        with self._database.reading() as connection:
            return connection.execute(query).scalars().all()

    def list_projects(self) -> list[dict[str, Any]]:
        query = (
            select(
                sessions.c.project.label("name"),
                func.count().label("sessions"),
                func.max(sessions.c.started_at).label("last_session_at"),
            )
            .group_by(sessions.c.project)
            .order_by(sessions.c.project)
        )
        with self._database.reading() as connection:
            return [to_dict(row) for row in connection.execute(query)]


def _save_session(connection: Connection, row: Mapping[str, Any]) -> None:
    values = {key: row[key] for key in SESSION_KEYS if _is_given(row, key)}
    if "title" in values:
        values["title_folded"] = (values["title"] or "").casefold() or None
    if "metadata" in values:
        values["user_id"] = _user_id(values["metadata"])
    if "data" in values:
        values["metrics"] = values["data"].get("metrics") or {}
        values["errors"] = _error_count(values["data"])
    upsert(connection, sessions, [values], also_set=_BUMP)
    if "tags" in values:
        _save_tags(connection, row["id"], values["tags"])


def _is_given(row: Mapping[str, Any], key: str) -> bool:
    """None for a field that cannot be null means that the caller does not know it."""
    return key in row and (row[key] is not None or bool(sessions.c[key].nullable))


def _user_id(metadata: Any) -> str | None:
    user = metadata.get("user_id") if isinstance(metadata, dict) else None
    return None if user is None else str(user)


def _error_count(data: Mapping[str, Any]) -> int | None:
    errors = data.get("errors", (data.get("metrics") or {}).get("errors"))
    return len(errors) if isinstance(errors, list) else errors


def _save_tags(connection: Connection, session_id: str, tags: Sequence[str]) -> None:
    connection.execute(delete(session_tags).where(session_tags.c.session_id == session_id))
    rows = [{"session_id": session_id, "tag": str(tag)} for tag in dict.fromkeys(tags)]
    if rows:
        connection.execute(session_tags.insert(), rows)


def _save_spans(
    connection: Connection,
    session_id: str,
    rows: Sequence[Mapping[str, Any]],
    but: Set[str] = frozenset(),
) -> None:
    values = [_span_values(session_id, n, row) for n, row in enumerate(rows) if row["id"] not in but]
    upsert(connection, spans, values)


def _span_values(session_id: str, position: int, row: Mapping[str, Any]) -> dict[str, Any]:
    values = {key: row.get(key) for key in SPAN_KEYS}
    values["name"] = values["name"] or ""
    values["metrics"] = values["metrics"] or {}
    values["attachments"] = values["attachments"] or []
    return {"session_id": session_id, "position": position, **values}


def _delete_other_spans(connection: Connection, session_id: str, kept: set[str]) -> set[str]:
    """Those that stay."""
    query = select(spans.c.id).where(spans.c.session_id == session_id)
    there = set(connection.execute(query).scalars())
    gone = sorted(there - kept)
    # In slices: a database takes only so many parameters in one statement.
    for start in range(0, len(gone), 500):
        some = gone[start : start + 500]
        connection.execute(delete(spans).where(spans.c.session_id == session_id, spans.c.id.in_(some)))
    return there & kept


def _read_spans(connection: Connection, session_id: str) -> list[dict[str, Any]]:
    columns = [spans.c[name] for name in SPAN_KEYS]
    query = select(*columns).where(spans.c.session_id == session_id)
    # A span without a start (the provider never sent its first event) comes last, in every database.
    order = (spans.c.start_ms.is_(None), spans.c.start_ms, spans.c.position)
    return [to_dict(row) for row in connection.execute(query.order_by(*order))]


def _page(query: Select[Any], limit: int, cursor: str | None) -> Select[Any]:
    # One row more than asked for tells whether there is a next page.
    query = query.order_by(sessions.c.started_at.desc(), sessions.c.id.desc()).limit(limit + 1)
    if cursor is None:
        return query
    started_at, session_id = decode_cursor(cursor, (str, str))
    same = and_(sessions.c.started_at == started_at, sessions.c.id < session_id)
    return query.where(or_(sessions.c.started_at < started_at, same))


def _next_cursor(rows: Sequence[Row[Any]], limit: int) -> str | None:
    if len(rows) <= limit:
        return None
    last = rows[limit - 1]
    return encode_cursor([last.started_at, last.id])


def _condition(term: filters.Term) -> ColumnElement[bool]:
    match term.key:
        case "status" | "provider" | "project" | "id":
            return sessions.c[term.key] == term.value
        case "model":
            return _matches(sessions.c.model, term.value)
        case "tag":
            return sessions.c.id.in_(
                select(session_tags.c.session_id).where(session_tags.c.tag == term.value)
            )
        case "credential":
            return sessions.c.credential_id == term.value
        case "user":
            return sessions.c.user_id == term.value
        case "last":
            return sessions.c.started_at >= now_utc() - term.span
        case _:
            return sessions.c.title_folded.contains(term.value.casefold(), autoescape=True)


def _matches(column: ColumnElement[str], pattern: str) -> ColumnElement[bool]:
    """`*` stands for any text; without one the value must be equal."""
    if "*" not in pattern:
        return column == pattern
    escaped = pattern.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    # SQLite's LIKE does not tell capital letters from small ones; so none does.
    return column.ilike(escaped.replace("*", "%"), escape="\\")
