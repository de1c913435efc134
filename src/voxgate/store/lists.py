"""Pages of sessions by a filter, in any order, and what there is to filter by.

A page is found in the narrow rows of `session_search`; only its own sessions are read whole. Its cursor is
the place of its last session, so that new sessions move nothing on the pages that follow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, Select, func, select

from voxgate.core.clock import from_unix_ms, iso_utc, now_utc
from voxgate.store.conditions import Conditions
from voxgate.store.database import Database, to_dict
from voxgate.store.excerpts import excerpt, read_lines
from voxgate.store.fields import FIELDS
from voxgate.store.filter import And, Compare, Filter, Pattern, Words, words_of
from voxgate.store.filter_parser import parse
from voxgate.store.fulltext import full_text
from voxgate.store.places import STARTED, Place
from voxgate.store.schema import SUMMARY_KEYS, session_search, session_words, sessions
from voxgate.store.search import NUMBER_BITS, SEPARATOR

LISTED: Final = (
    *SUMMARY_KEYS,
    "metrics",
    "errors",
    "wave",
    "revision",
)
GROWING: Final = ("duration_ms", "turns", "interruptions", "cost_usd")
"""Those of running calls are newer where they are searched: see `changes`."""
FACETS: Final = {"project": False, "model": False, "provider": False, "status": False} | {
    "tag": True,
    "tool": True,
    "error": True,
}
"""Fields whose values are counted; whether a session may have several."""
FACET_SESSIONS: Final = 10_000
_FACET_VALUES: Final = 100
_FEW_SHARE: Final = ("user", "credential", "id", "parent")
"""Fields with an index."""


class SessionLists:
    """The part of the store that searches."""

    _database: Database

    def list_sessions(
        self,
        *,
        project: str | None = None,
        q: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
        sort: str = STARTED,
        order: str = "desc",
    ) -> tuple[list[dict[str, Any]], str | None]:
        """A page without spans and `data`, newest first or by a measured field, and the cursor of the next
        page if there is one. Sessions without a value come last. Where the filter has words, `excerpt` shows
        them."""
        wanted, place = parse(q or ""), Place(sort, order)
        with self._database.reading() as connection:
            query = _searched(connection, wanted, project, place.columns)
            rows = connection.execute(place.page(query, limit, cursor)).all()
            items = _whole(connection, [row.number for row in rows[:limit]], words_of(wanted))
        return items, place.cursor(rows[limit - 1]) if len(rows) > limit else None

    def children_of(self, session_id: str, project: str, limit: int = 500) -> list[dict[str, Any]]:
        """The sessions that work for this one, the oldest first. Those of other projects only say so."""
        wanted = Compare("parent", "=", Pattern((session_id,)))
        with self._database.reading() as connection:
            query = _searched(connection, wanted, project, (session_search.c.number,))
            rows = connection.execute(query.order_by(session_search.c.number).limit(limit)).all()
            return _whole(connection, [row.number for row in rows], ())

    def count_sessions(self, *, project: str | None = None, q: str | None = None) -> tuple[int, int]:
        """How many a filter finds, and how many of them run."""
        live = func.count().filter(session_search.c.status == "live")
        with self._database.reading() as connection:
            found = connection.execute(_searched(connection, parse(q or ""), project, (func.count(), live)))
            row = found.one()
        return int(row[0]), int(row[1])

    def session_fits(self, session_id: str, *, project: str | None = None, q: str | None = None) -> bool:
        """Whether a filter finds this session."""
        wanted = And((Compare("id", "=", Pattern((session_id,))), parse(q or "")))
        with self._database.reading() as connection:
            query = _searched(connection, wanted, project, (func.count(),))
            return int(connection.execute(query).scalar_one()) > 0

    def session_facets(self, *, project: str | None = None, q: str | None = None) -> dict[str, Any]:
        """How often which values occur in the newest sessions of a filter, at most FACET_SESSIONS."""
        columns = [session_search.c[FIELDS[name].column] for name in FACETS]
        with self._database.reading() as connection:
            query = _searched(connection, parse(q or ""), project, columns)
            query = query.order_by(session_search.c.number.desc()).limit(FACET_SESSIONS + 1)
            rows = connection.execute(query).all()
        counted = rows[:FACET_SESSIONS]
        facets = {name: _counts(counted, at, several) for at, (name, several) in enumerate(FACETS.items())}
        return {"sessions": len(counted), "complete": len(rows) == len(counted), "facets": facets}

    def list_projects(self) -> list[dict[str, Any]]:
        """With the number of their sessions and the start of the newest."""
        numbered = func.count().label("sessions"), func.max(session_search.c.number).label("newest")
        query = select(session_search.c.project.label("name"), *numbered).group_by(session_search.c.project)
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(session_search.c.project)).all()
        return [
            {"name": row.name, "sessions": row.sessions, "last_session_at": _started(row.newest)}
            for row in rows
        ]


def _searched(
    connection: Connection, wanted: Filter, project: str | None, columns: Iterable[ColumnElement[Any]]
) -> Select[Any]:
    query = select(*columns).select_from(session_search).where(matching(connection, wanted))
    if not has_few(wanted):
        # Without statistics SQLite would take an index for the better way whatever it leads to.
        query = query.with_hint(session_search, "NOT INDEXED", "sqlite")
    return query if project is None else query.where(session_search.c.project == project)


def matching(connection: Connection, wanted: Filter) -> ColumnElement[bool]:
    """A condition on the rows of `session_search`."""
    return Conditions(full_text(connection), now_utc()).of(wanted)


def has_few(wanted: Filter) -> bool:
    """Whether an index leads to the sessions."""
    parts = wanted.parts if isinstance(wanted, And) else (wanted,)
    return any(isinstance(part, Compare) and part.field in _FEW_SHARE for part in parts)


def _whole(connection: Connection, numbers: Sequence[int], wanted: Sequence[Words]) -> list[dict[str, Any]]:
    """In the order of the numbers."""
    columns = [(session_search if name in GROWING else sessions).c[name] for name in LISTED]
    found_by = [session_search.c[name] for name in ("tools", "endpoint", "parent_id", "parent_ref")]
    searched = session_search.c.number.label("_number"), *found_by
    query = select(*searched, *columns).join_from(session_search, sessions)
    rows = connection.execute(query.where(session_search.c.number.in_(numbers))).all()
    found = {row[0]: to_dict(row) for row in rows}
    said = _said(connection, numbers) if wanted else {}
    for number, session in found.items():
        del session["_number"]
        session["tools"] = _texts(session["tools"])
        session["parent"] = _parent(session.pop("parent_id"), session.pop("parent_ref"))
        session["excerpt"] = excerpt(read_lines(said[number]), wanted) if number in said else None
    return [found[number] for number in numbers]


def _parent(session_id: str | None, ref: str | None) -> dict[str, Any] | None:
    return None if session_id is None else {"session_id": session_id, "ref": ref}


def _said(connection: Connection, numbers: Sequence[int]) -> dict[int, str]:
    query = select(session_words.c.number, session_words.c.text).where(session_words.c.number.in_(numbers))
    return {row.number: row.text for row in connection.execute(query)}


def _counts(rows: Sequence[Row[Any]], at: int, several: bool) -> list[dict[str, Any]]:
    counter: Counter[str] = Counter(row[at] for row in rows if row[at])
    if several:
        lists, counter = counter, Counter()
        for texts, count in lists.items():
            for text in _texts(texts):
                counter[text] += count
    ordered = sorted(counter.items(), key=lambda pair: (-pair[1], pair[0]))
    return [{"value": value, "count": count} for value, count in ordered[:_FACET_VALUES]]


def _texts(listed: str) -> list[str]:
    return listed.strip(SEPARATOR).split(SEPARATOR) if listed else []


def _started(number: int) -> str:
    return iso_utc(from_unix_ms(number >> NUMBER_BITS))
