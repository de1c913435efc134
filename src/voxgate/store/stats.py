"""What calls came to, over time and by model, project or tag: sums and percentiles of what a filter finds.

Only the narrow rows of `session_search` are read, and the database does all of the counting. Percentiles are
taken over calls of a measure that each call has one of (such as its own median): they are exact, by the
nearest rank, and never an average of percentiles.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Integer,
    Row,
    Select,
    and_,
    case,
    cast,
    column,
    func,
    literal,
    select,
    union_all,
)

from voxgate.core.clock import from_unix_ms, iso_utc, unix_ms
from voxgate.store.columns import Text
from voxgate.store.database import Database
from voxgate.store.filter_parser import parse
from voxgate.store.fulltext import full_text
from voxgate.store.lists import SessionLists, has_few, matching
from voxgate.store.schema import scores, session_search
from voxgate.store.search import NUMBER_BITS, SEPARATOR, first_number

GROUPS: Final = ("model", "project", "tag")
MOST_GROUPS: Final = 12
MOST_BUCKETS: Final = 1000
_MEASURES: Final = {"v2v": "v2v_p50", "first_audio": "model_ttfa_p50"}
"""Of which percentiles are given, and the column."""
_PERCENTS: Final = {"p50": 50, "p95": 95}
_ROW: Final = session_search.c


@dataclass(frozen=True, slots=True)
class Asked:
    """`offset_ms` moves the borders of buckets, so that days are those of a time zone."""

    start: datetime
    end: datetime
    bucket_ms: int
    offset_ms: int = 0
    project: str | None = None
    q: str = ""

    @property
    def starts_ms(self) -> Sequence[int]:
        """Of all buckets."""
        first = (unix_ms(self.start) + self.offset_ms) // self.bucket_ms * self.bucket_ms - self.offset_ms
        return range(first, unix_ms(self.end), self.bucket_ms)

    @property
    def at(self) -> ColumnElement[int]:
        """A row's bucket, counted from the first. One division, since the number begins with the time."""
        from_first = _ROW.number - literal(first_number(self.starts_ms[0]))
        return cast(from_first // literal(self.bucket_ms << NUMBER_BITS), Integer)


class SessionStats(SessionLists):
    """The part of the store that counts."""

    _database: Database

    def session_stats(self, asked: Asked, by: str | None = None, score: str | None = None) -> dict[str, Any]:
        """`total`, `buckets` without gaps, and `groups` by `by`, most calls first; each with `score`, the
        mean of the sessions' scores of that name and how many have one."""
        tags = self._tags(asked) if by == "tag" else []
        with self._database.reading() as connection:
            rows = _Rows(connection, asked, score)
            buckets = rows.figures(asked.at)
            total = rows.figures(literal(0))
            groups = rows.groups(by, tags) if by else {}
        starts = asked.starts_ms
        return {
            "start": iso_utc(from_unix_ms(starts[0])) if starts else iso_utc(asked.start),
            "end": iso_utc(asked.end),
            "bucket_seconds": asked.bucket_ms / 1000,
            "total": total.get(0) or _NOTHING,
            "buckets": [
                {"start": iso_utc(from_unix_ms(start)), **(buckets.get(number) or _NOTHING)}
                for number, start in enumerate(starts)
            ],
            "groups": [{"value": value, **found} for value, found in groups.items()],
        }

    def _tags(self, asked: Asked) -> list[str]:
        """The most frequent ones."""
        facets = self.session_facets(project=asked.project, q=asked.q)["facets"]["tag"]
        return [one["value"] for one in facets[:MOST_GROUPS]]


class _Rows:
    """The rows that are asked about, to be counted in several ways."""

    def __init__(self, connection: Connection, asked: Asked, score: str | None = None) -> None:
        self._connection = connection
        self._score = score
        wanted = parse(asked.q)
        in_time = and_(
            first_number(unix_ms(asked.start)) <= _ROW.number, _ROW.number < first_number(unix_ms(asked.end))
        )
        own = [] if asked.project is None else [_ROW.project == asked.project]
        self._condition = and_(in_time, matching(connection, wanted), *own)
        self._hint = None if has_few(wanted) else "NOT INDEXED"

    def groups(self, by: str, tags: Sequence[str]) -> dict[str, dict[str, Any]]:
        if by != "tag":
            found = self.figures(_ROW[by])
        elif tags:
            listed = union_all(*(select(literal(tag, Text).label("tag")) for tag in tags)).subquery()
            around = literal(SEPARATOR, Text) + listed.c.tag + literal(SEPARATOR, Text)
            has_tag = full_text(self._connection).contains(_ROW.tags, around)
            found = self.figures(listed.c.tag, session_search.join(listed, has_tag))
        else:
            found = {}
        most = sorted(found.items(), key=lambda pair: (-pair[1]["calls"], str(pair[0])))
        return {str(value): figures for value, figures in most[:MOST_GROUPS]}

    def figures(
        self, key: ColumnElement[Any], source: FromClause = session_search
    ) -> dict[Any, dict[str, Any]]:
        """Sums and percentiles for each value of the key."""
        sums = {row.key: _without_key(row) for row in self._fetch(self._sums(key, source))}
        for name, measure in _MEASURES.items():
            shares = {row.key: _without_key(row) for row in self._fetch(self._shares(key, source, measure))}
            for value, figures in sums.items():
                figures[name] = shares.get(value) or dict.fromkeys(_PERCENTS)
        if self._score is not None:
            scored = {
                row.key: _without_key(row) for row in self._fetch(self._scored(key, source, self._score))
            }
            for value, figures in sums.items():
                figures["score"] = scored.get(value)
        return sums

    def _scored(self, key: ColumnElement[Any], source: FromClause, name: str) -> Select[Any]:
        """Of each session the mean of its scores counts once."""
        own = select(scores.c.session_id, func.avg(scores.c.value).label("value"))
        own = own.where(scores.c.name == name, scores.c.value.is_not(None)).group_by(scores.c.session_id)
        means = own.subquery()
        joined = source.join(means, means.c.session_id == _ROW.session_id)
        figures = func.avg(means.c.value).label("mean"), func.count().label("sessions")
        query = select(key.label("key"), *figures).select_from(joined).where(self._condition)
        return self._hinted(query).group_by(column("key"))

    def _sums(self, key: ColumnElement[Any], source: FromClause) -> Select[Any]:
        counted = [expression.label(name) for name, expression in _SUMS.items()]
        query = select(key.label("key"), *counted).select_from(source).where(self._condition)
        return self._hinted(query).group_by(column("key"))

    def _shares(self, key: ColumnElement[Any], source: FromClause, measure: str) -> Select[Any]:
        """The nearest rank: the smallest value that such a share of the values does not exceed."""
        value = _ROW[measure]
        ranked = (
            select(
                key.label("key"),
                value.label("value"),
                func.cume_dist().over(partition_by=key, order_by=value).label("share"),
            )
            .select_from(source)
            .where(self._condition, value.is_not(None))
        )
        inner = self._hinted(ranked).subquery()
        found = [
            func.min(case((inner.c.share >= percent / 100, inner.c.value))).label(name)
            for name, percent in _PERCENTS.items()
        ]
        return select(inner.c.key, *found).group_by(inner.c.key)

    def _hinted(self, query: Select[Any]) -> Select[Any]:
        return query if self._hint is None else query.with_hint(session_search, self._hint, "sqlite")

    def _fetch(self, query: Select[Any]) -> Iterable[Row[Any]]:
        return self._connection.execute(query).all()


def _number_of(condition: ColumnElement[bool]) -> ColumnElement[Any]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)


def _sum(expression: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.coalesce(func.sum(expression), 0)


_SUMS: Final[Mapping[str, ColumnElement[Any]]] = {
    "calls": func.count(),
    "live": _number_of(_ROW.status == "live"),
    "failed": _number_of(_ROW.status == "failed"),
    "with_errors": _number_of(_ROW.errors > 0),
    "errors": _sum(_ROW.errors),
    "duration_ms": _sum(_ROW.duration_ms),
    "cost_usd": _sum(_ROW.cost_usd),
    "priced": func.count(_ROW.cost_usd),
    "turns": _sum(_ROW.turns),
    "interruptions": _sum(_ROW.interruptions),
    "with_tools": _number_of(_ROW.tools != ""),
    "with_failed_tools": _number_of(_ROW.tool_error_rate > 0),
}
_NOTHING: Final[Mapping[str, Any]] = {
    **dict.fromkeys(_SUMS, 0),
    **{name: dict.fromkeys(_PERCENTS) for name in _MEASURES},
}


def _without_key(row: Row[Any]) -> dict[str, Any]:
    return {str(name): value for name, value in row._mapping.items() if name != "key"}  # noqa: SLF001 - public in SQLAlchemy in spite of its name
