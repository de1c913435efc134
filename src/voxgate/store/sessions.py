"""Sessions and their spans: traces in from the recorder, whole traces out to the API. `lists` has the
pages."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence, Set
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, bindparam, delete, insert, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql.elements import ColumnElement

from voxgate.store.changes import changes_between, forget_changes, forget_old_changes
from voxgate.store.cursors import decode_cursor, encode_cursor
from voxgate.store.database import Database, changed_rows, to_dict, upsert
from voxgate.store.kept import Kept
from voxgate.store.schema import SUMMARY_KEYS, session_search, sessions, spans
from voxgate.store.search import (
    LAYOUT,
    Saved,
    free_numbers,
    save_new_search,
    save_search,
    wanted_numbers,
)
from voxgate.store.tagging import edit_tags, edited_tags
from voxgate.traces.changes import applied

SESSION_KEYS = (
    *SUMMARY_KEYS,
    "audio_delete_after",
    "audio_deleted_at",
    "data",
)
_SEARCHED = frozenset(SESSION_KEYS) - {"audio_deleted_at"}
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
_SESSION = select(*_SHOWN).where(sessions.c.id == bindparam("wanted"))
_REVISION = select(sessions.c.revision).where(sessions.c.id == bindparam("wanted"))
_SAVED = select(sessions.c.id).where(sessions.c.id.in_(bindparam("wanted", expanding=True)))
_INSERT = insert(sessions)
_INSERT_SPANS = insert(spans)
_SPANS_OF = select(spans.c.id).where(spans.c.session_id == bindparam("wanted"))
_WHOLE = (("revision", sessions.c.revision + 1), ("whole_revision", sessions.c.revision + 1))
_TOLD = (("whole_revision", sessions.c.revision),)
BEGUN_AGAIN = "begun_again"
"""In the data of a session that is recorded again from its wire log, until what is stored has caught up."""


logger = logging.getLogger(__name__)


class SessionRows:
    """The part of the store that keeps sessions and spans."""

    _database: Database

    def save_session(self, row: Mapping[str, Any]) -> None:
        """Insert, or update the given fields; others keep their values. `started_at` is RFC 3339 text."""
        with self._database.writing() as connection:
            _settle(connection, row["id"])
            _save_session(connection, row)
            _make_searchable(connection, row["id"])

    def save_spans(self, session_id: str, spans: Sequence[Mapping[str, Any]]) -> None:
        """Insert or update these spans of a saved session; others stay."""
        with self._database.writing() as connection:
            _settle(connection, session_id)
            _save_spans(connection, session_id, spans)
            connection.execute(sessions.update().where(sessions.c.id == session_id).values(dict(_WHOLE)))
            _make_searchable(connection, session_id)

    def save_trace(
        self,
        row: Mapping[str, Any],
        spans: Sequence[Mapping[str, Any]],
        unchanged: Set[str] = frozenset(),
        *,
        is_told: bool = False,
    ) -> None:
        """A whole trace in one transaction: afterwards the session has exactly these spans. `unchanged` are
        the ids of those that were saved like this before: they are written only if they are not there.
        `is_told`: it is what the changes come to that were saved, so who follows it sees nothing new."""
        with self._database.writing() as connection:
            _save_trace(connection, row, spans, unchanged, is_told=is_told)

    def save_traces(self, traces: Sequence[Saved]) -> None:
        """Many whole traces, each a row and its spans, in one transaction; those of sessions of which nothing
        is saved yet by a few statements for all."""
        new = [(_values_of(row) | {"whole_revision": 1}, own) for row, own in traces]
        if all(_SEARCHED.issubset(values) for values, _ in new):
            try:
                with self._database.writing() as connection:
                    _save_new(connection, new, wanted_numbers([values for values, _ in new]))
            except IntegrityError:
                logger.debug("something is saved of one of %d sessions, or its number is another's", len(new))
            else:
                return
        self._save_each(traces, new)

    def _save_each(self, traces: Sequence[Saved], new: Sequence[Saved]) -> None:
        with self._database.writing() as connection:
            there = _there(connection, [row["id"] for row, _ in traces])
            others: list[Saved] = []
            for (row, own), (values, _) in zip(traces, new, strict=True):
                if row["id"] in there or not _SEARCHED.issubset(values):
                    _save_trace(connection, row, own)
                else:
                    others.append((values, own))
            if others:
                _save_new(connection, others, free_numbers(connection, [values for values, _ in others]))

    def saved_sessions(self, ids: Sequence[str]) -> set[str]:
        """Those of them of which something is saved."""
        with self._database.reading() as connection:
            return _there(connection, ids)

    def get_session(self, session_id: str, *, with_spans: bool = True) -> dict[str, Any] | None:
        """The session's fields, `metrics` and `errors` (a number) of its data, `revision`, and `spans` in the
        order of their start, which is where the reading takes its time."""
        with self._database.reading() as connection:
            return _read_whole(connection, session_id, with_spans=with_spans)

    def begin_again(self, session_id: str) -> bool:
        """Says that what is stored of the session is about to be made again; its trace stays as it is until
        then. False if nothing was saved of it yet."""
        with self._database.writing() as connection:
            _settle(connection, session_id)
            session = _read_session(connection, session_id)
            if session is not None:
                data = {**session["data"], BEGUN_AGAIN: True}
                _save_session(connection, {"id": session_id, "status": "live", "data": data})
                if session["status"] != "live":
                    _make_searchable(connection, session_id)
        return session is not None

    def session_revision(self, session_id: str) -> int | None:
        """A number that grows with every save; None for a session that is not there."""
        with self._database.reading() as connection:
            return connection.execute(_REVISION, {"wanted": session_id}).scalar_one_or_none()

    def delete_session(self, session_id: str) -> bool:
        """Also its spans and what it is found by; False if it was not there. Blobs are deleted by the
        caller."""
        with self._database.writing() as connection:
            return changed_rows(connection, delete(sessions).where(sessions.c.id == session_id)) > 0

    def edit_tags(self, ids: Sequence[str], add: Sequence[str], remove: Sequence[str]) -> list[str]:
        """Of these sessions, for good: also when the recorder saves them again. The ids of those that there
        were."""
        found: list[str] = []
        for session_id in ids:  # a transaction each, so that nobody waits for long
            with self._database.writing() as connection:
                _settle(connection, session_id)
                if edit_tags(connection, session_id, add, remove):
                    _make_searchable(connection, session_id)
                    found.append(session_id)
        return found

    def sessions_to_delete(self, now: datetime, *, kept: Kept, limit: int) -> Sequence[str]:
        """Ids of those whose retention is over: by what their credential said, or because they began so long
        ago. Those that are live are left."""
        return self._over(kept.over(sessions.c.delete_after, now), limit)

    def sessions_to_silence(self, now: datetime, *, kept: Kept, limit: int) -> Sequence[str]:
        """The same of their sound alone, as long as it is there."""
        over = kept.over(sessions.c.audio_delete_after, now)
        return self._over(and_(sessions.c.audio_deleted_at.is_(None), over), limit)

    def _over(self, condition: ColumnElement[bool], limit: int) -> Sequence[str]:
        query = select(sessions.c.id).where(condition, sessions.c.status != "live").limit(limit)
        with self._database.reading() as connection:
            return connection.execute(query).scalars().all()

    def make_searchable(self, after: str | None = None, limit: int = 50) -> str | None:
        """Looks at so many sessions, newest first, and makes those searchable that an earlier Voxgate has
        saved. Where to go on; None at the end."""
        started_at, session_id = sessions.c.started_at, sessions.c.id
        query = select(session_id, started_at, session_search.c.layout).outerjoin(session_search)
        if after is not None:
            moment, last_id = decode_cursor(after, (str, str))
            same = and_(started_at == moment, session_id < last_id)
            query = query.where(or_(started_at < moment, same))
        query = query.order_by(started_at.desc(), session_id.desc()).limit(limit)
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        for row in rows:
            if row.layout != LAYOUT:
                with self._database.writing() as connection:
                    _make_searchable(connection, row.id)
        return encode_cursor([rows[-1].started_at, rows[-1].id]) if len(rows) == limit else None


def _save_trace(
    connection: Connection,
    row: Mapping[str, Any],
    spans: Sequence[Mapping[str, Any]],
    unchanged: Set[str] = frozenset(),
    *,
    is_told: bool = False,
) -> None:
    if "data" not in row:
        _settle(connection, row["id"])
    (forget_old_changes if is_told else forget_changes)(connection, row["id"])
    saved = _save_session(connection, row, is_told=is_told)
    there = _delete_other_spans(connection, row["id"], {span["id"] for span in spans})
    _save_spans(connection, row["id"], spans, there & unchanged)
    if session := saved or _read_session(connection, row["id"]):
        save_search(connection, session, spans)


def _save_new(connection: Connection, traces: Sequence[Saved], numbers: Sequence[int]) -> None:
    """Of sessions of which nothing is saved yet, with their places in lists."""
    connection.execute(_INSERT, [values for values, _ in traces])
    if rows := [one for values, own in traces for one in _all_span_values(values["id"], own)]:
        connection.execute(_INSERT_SPANS, rows)
    save_new_search(connection, traces, numbers)


def _there(connection: Connection, ids: Sequence[str]) -> set[str]:
    return set(connection.execute(_SAVED, {"wanted": list(ids)}).scalars())


def _make_searchable(connection: Connection, session_id: str) -> None:
    session = _read_session(connection, session_id)
    if session is not None:  # somebody may have deleted it meanwhile
        save_search(connection, session, _read_spans(connection, session_id))


def _read_whole(connection: Connection, session_id: str, *, with_spans: bool) -> dict[str, Any] | None:
    session = _read_session(connection, session_id)
    if session is None:
        return None
    changes = _changes_of(connection, session_id, session)
    if not changes:
        return {**session, "spans": _read_spans(connection, session_id) if with_spans else []}
    if with_spans:
        grown = applied({**session, "spans": _read_spans(connection, session_id)}, changes)
    else:
        parts = (
            {name: one for name, one in each.items() if name not in ("spans", "gone")} for each in changes
        )
        grown = applied({**session, "spans": []}, parts)
    return {**grown, "metrics": grown["data"].get("metrics") or {}, "errors": _error_count(grown["data"])}


def _changes_of(connection: Connection, session_id: str, session: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What came after its last whole save; nothing where something else was saved meanwhile, by a Voxgate
    that knows of no changes."""
    query = select(sessions.c.whole_revision).where(sessions.c.id == session_id)
    if session["status"] != "live" or (whole := connection.execute(query).scalar_one()) is None:
        return []
    return changes_between(connection, session_id, whole, session["revision"]) or []


def _settle(connection: Connection, session_id: str) -> None:
    """Before something else is saved: what the changes come to becomes what is saved."""
    session = _read_session(connection, session_id)
    if session is None or not _changes_of(connection, session_id, session):
        return
    whole = _read_whole(connection, session_id, with_spans=True)
    if whole is not None:
        _save_session(connection, whole, is_told=True)
        _delete_other_spans(connection, session_id, {span["id"] for span in whole["spans"]})
        _save_spans(connection, session_id, whole["spans"])
        forget_changes(connection, session_id)


def _save_session(
    connection: Connection, row: Mapping[str, Any], *, is_told: bool = False
) -> dict[str, Any] | None:
    """What is saved of the session now; None if the row lacks some of what it is searched by."""
    values = _values_of(row)
    if "tags" in values:
        values["tags"] = edited_tags(connection, row["id"], values["tags"])
    counters = _TOLD if is_told else _WHOLE
    upsert(connection, sessions, [values | {"whole_revision": 1}], also_set=counters)
    return values if _SEARCHED.issubset(values) else None


def _values_of(row: Mapping[str, Any]) -> dict[str, Any]:
    values = {key: row[key] for key in SESSION_KEYS if _is_given(row, key)}
    if "data" in values:
        values["metrics"] = values["data"].get("metrics") or {}
        values["wave"] = values["data"].get("wave")
        values["errors"] = _error_count(values["data"])
    return values


def _read_session(connection: Connection, session_id: str) -> dict[str, Any] | None:
    row = connection.execute(_SESSION, {"wanted": session_id}).one_or_none()
    return None if row is None else to_dict(row)


def _is_given(row: Mapping[str, Any], key: str) -> bool:
    """None for a field that cannot be null means that the caller does not know it."""
    return key in row and (row[key] is not None or bool(sessions.c[key].nullable))


def _error_count(data: Mapping[str, Any]) -> int | None:
    errors = data.get("errors", (data.get("metrics") or {}).get("errors"))
    return len(errors) if isinstance(errors, list) else errors


def _save_spans(
    connection: Connection,
    session_id: str,
    rows: Sequence[Mapping[str, Any]],
    but: Set[str] = frozenset(),
) -> None:
    upsert(connection, spans, _all_span_values(session_id, rows, but))


def _all_span_values(
    session_id: str, rows: Sequence[Mapping[str, Any]], but: Set[str] = frozenset()
) -> list[dict[str, Any]]:
    return [_span_values(session_id, n, row) for n, row in enumerate(rows) if row["id"] not in but]


def _span_values(session_id: str, position: int, row: Mapping[str, Any]) -> dict[str, Any]:
    values = {key: row.get(key) for key in SPAN_KEYS}
    values["name"] = values["name"] or ""
    values["metrics"] = values["metrics"] or {}
    values["attachments"] = values["attachments"] or []
    return {"session_id": session_id, "position": row.get("position", position), **values}


def _delete_other_spans(connection: Connection, session_id: str, kept: set[str]) -> set[str]:
    """Those that stay."""
    there = set(connection.execute(_SPANS_OF, {"wanted": session_id}).scalars())
    gone = sorted(there - kept)
    # In slices: a database takes only so many parameters in one statement.
    for start in range(0, len(gone), 500):
        some = gone[start : start + 500]
        connection.execute(delete(spans).where(spans.c.session_id == session_id, spans.c.id.in_(some)))
    return there & kept


def _read_spans(connection: Connection, session_id: str) -> list[dict[str, Any]]:
    names = (*SPAN_KEYS, "position")
    query = select(*(spans.c[name] for name in names)).where(spans.c.session_id == session_id)
    # A span without a start (the provider never sent its first event) comes last, in every database.
    order = (spans.c.start_ms.is_(None), spans.c.start_ms, spans.c.position)
    found = connection.execute(query.order_by(*order))
    return [dict(zip(names, row, strict=True)) for row in found]
