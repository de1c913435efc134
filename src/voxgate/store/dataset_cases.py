"""The cases of data sets, version by version. A row lives from the version that brought it to the one that
changed or deleted it, so a version never changes, and a change of one case costs one row.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from sqlalchemy import ColumnElement, Connection, Row, and_, or_, select

from voxgate.core.clock import now_utc
from voxgate.core.errors import InvalidRequest
from voxgate.store.columns import to_json
from voxgate.store.cursors import decode_cursor, encode_cursor
from voxgate.store.database import Database, changed_rows
from voxgate.store.schema import dataset_cases, dataset_versions, datasets

_AT_ONCE: Final = 500
BODY_KEYS: Final = ("input", "expected", "metadata", "tags")
"""What of a case is in its row's body; the others are columns of their own."""


@dataclass(frozen=True, slots=True)
class Saved:
    """`version` is the newest one afterwards: where nothing was different it is the one of before."""

    version: int
    ids: list[str]


@dataclass(slots=True)
class _Change:
    """One that is being made, in the transaction that makes it."""

    connection: Connection
    dataset_id: str
    version: int
    cases: int
    places: int
    added: int = 0
    changed: int = 0
    deleted: int = 0
    ids: list[str] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        return not (self.added or self.changed or self.deleted)


class DatasetCaseRows:
    """The part of the store that keeps the cases of data sets."""

    _database: Database

    def save_cases(
        self, dataset_id: str, cases: Iterable[Mapping[str, Any]], created_by: str = ""
    ) -> Saved | None:
        """Adds the cases, or puts them in the place of those with their ids: all or nothing, one new version.
        None if there is no such data set; InvalidRequest if a case is there twice."""
        with self._database.writing() as connection:
            change = _begin(connection, dataset_id)
            if change is None:
                return None
            for some in _batched(cases):
                _save_some(change, some)
            return _finish(change, created_by)

    def delete_cases(self, dataset_id: str, ids: Sequence[str], created_by: str = "") -> Saved | None:
        """Out of the newest version; `ids` of the answer are of those that were there."""
        with self._database.writing() as connection:
            change = _begin(connection, dataset_id)
            if change is None:
                return None
            for start in range(0, len(ids), _AT_ONCE):
                there = _newest(change, ids[start : start + _AT_ONCE])
                change.deleted += _end(change, list(there))
                change.ids += there
            return _finish(change, created_by)

    def list_cases(
        self, dataset_id: str, version: int, *, limit: int = 100, cursor: str | None = None
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Of a version, in the order in which they were added. Cursors begin with the version."""
        query = select(dataset_cases).where(dataset_cases.c.dataset_id == dataset_id, _in_version(version))
        if cursor is not None:
            query = query.where(dataset_cases.c.place > decode_cursor(cursor, (int, int))[1])
        query = query.order_by(dataset_cases.c.place).limit(limit + 1)
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        next_cursor = encode_cursor([version, rows[limit - 1].place]) if len(rows) > limit else None
        return [_case(row) for row in rows[:limit]], next_cursor

    def get_case(self, dataset_id: str, case_id: str, version: int) -> dict[str, Any] | None:
        query = select(dataset_cases).where(
            dataset_cases.c.dataset_id == dataset_id, dataset_cases.c.case_id == case_id, _in_version(version)
        )
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _case(row)

    def known_cases(self, dataset_id: str, ids: Sequence[str]) -> set[str]:
        """Those of the ids that the newest version has."""
        known: set[str] = set()
        with self._database.reading() as connection:
            for start in range(0, len(ids), _AT_ONCE):
                some = ids[start : start + _AT_ONCE]
                query = select(dataset_cases.c.case_id).where(dataset_cases.c.dataset_id == dataset_id)
                newest = dataset_cases.c.case_id.in_(some), dataset_cases.c.until_version.is_(None)
                known.update(connection.execute(query.where(*newest)).scalars())
        return known


def _in_version(version: int) -> ColumnElement[bool]:
    until = dataset_cases.c.until_version
    return and_(dataset_cases.c.since_version <= version, or_(until.is_(None), until > version))


def _case(row: Row[Any]) -> dict[str, Any]:
    return {"id": row.case_id, **row.body, "session_id": row.session_id, "span_id": row.span_id}


def _begin(connection: Connection, dataset_id: str) -> _Change | None:
    """Others that change this data set wait until this is over."""
    query = select(datasets).where(datasets.c.id == dataset_id).with_for_update()
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    return _Change(connection, dataset_id, row.version + 1, row.cases, row.places)


def _save_some(change: _Change, cases: Sequence[Mapping[str, Any]]) -> None:
    there = _newest(change, [case["id"] for case in cases])
    rows: dict[str, dict[str, Any]] = {}
    for case in cases:
        before = there.get(case["id"])
        if case["id"] in rows or (before is not None and before.since_version == change.version):
            raise InvalidRequest(
                f"There are two cases {case['id']!r}; each needs an id of its own.", param="id"
            )
        rows[case["id"]] = _row(change, case, before)
    change.ids += rows
    new = [row for name, row in rows.items() if name not in there or row["digest"] != there[name].digest]
    changed = [row["case_id"] for row in new if row["case_id"] in there]
    change.changed += _end(change, changed)
    change.added += len(new) - len(changed)
    if new:
        change.connection.execute(dataset_cases.insert(), new)


def _row(change: _Change, case: Mapping[str, Any], before: Row[Any] | None) -> dict[str, Any]:
    body = {key: case.get(key) for key in BODY_KEYS}
    place = before.place if before is not None else change.places
    change.places += before is None
    return {
        "dataset_id": change.dataset_id,
        "case_id": case["id"],
        "since_version": change.version,
        "place": place,
        "digest": _digest([body, case.get("session_id"), case.get("span_id")]),
        "body": body,
        "session_id": case.get("session_id"),
        "span_id": case.get("span_id"),
    }


def _digest(body: Any) -> str:
    """The same however the fields are ordered."""
    data = orjson.dumps(orjson.loads(to_json(body)), option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(data).hexdigest()[:32]


def _newest(change: _Change, ids: Sequence[str]) -> dict[str, Row[Any]]:
    columns = [dataset_cases.c[name] for name in ("case_id", "since_version", "place", "digest")]
    query = select(*columns).where(dataset_cases.c.dataset_id == change.dataset_id)
    query = query.where(dataset_cases.c.case_id.in_(ids), dataset_cases.c.until_version.is_(None))
    return {row.case_id: row for row in change.connection.execute(query)}


def _end(change: _Change, ids: Sequence[str]) -> int:
    ended = dataset_cases.update().where(
        dataset_cases.c.dataset_id == change.dataset_id,
        dataset_cases.c.case_id.in_(ids),
        dataset_cases.c.until_version.is_(None),
    )
    return changed_rows(change.connection, ended.values(until_version=change.version)) if ids else 0


def _finish(change: _Change, created_by: str) -> Saved:
    if change.is_empty:
        return Saved(change.version - 1, change.ids)
    now = now_utc()
    counts = {"version": change.version, "cases": change.cases + change.added - change.deleted}
    changed = datasets.update().where(datasets.c.id == change.dataset_id)
    change.connection.execute(changed.values(**counts, places=change.places, updated_at=now))
    made = {"added": change.added, "changed": change.changed, "deleted": change.deleted}
    row = {"dataset_id": change.dataset_id, "created_by": created_by, "created_at": now}
    change.connection.execute(dataset_versions.insert().values({**row, **counts, **made}))
    return Saved(change.version, change.ids)


def _batched(cases: Iterable[Mapping[str, Any]]) -> Iterable[Sequence[Mapping[str, Any]]]:
    source = iter(cases)
    while some := list(itertools.islice(source, _AT_ONCE)):
        yield some
