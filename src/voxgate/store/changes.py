"""What became of running calls since their traces were saved as a whole. A change is one row that is added,
whatever the length of the call: who reads a session applies those that came after its last whole save, and
who follows one reads those that came since.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from voxgate.store.columns import Text, to_json
from voxgate.store.database import Database
from voxgate.store.schema import session_changes, session_search, sessions

WATCHED: Final = "watched"
"""Of the leases of sessions that somebody watches; their holders are the sessions' ids."""

_COUNTS: Final = ("duration_ms", "turns")
_SEARCHED: Final = (*_COUNTS, "interruptions", "cost_usd")


@dataclass(frozen=True, slots=True)
class Change:
    """`row` has all fields of `traces.changes.COUNTED`, also those that did not change. `body` is a
    difference as `traces.changes` tells it."""

    session_id: str
    row: Mapping[str, Any]
    body: Mapping[str, Any]


class ChangeRows:
    """The part of the store that running calls grow in."""

    _database: Database

    def save_changes(self, changes: Sequence[Change]) -> None:
        """At most one of each session. Of sessions that are live; those of others are passed over."""
        rows = [{"its_id": one.session_id, "its_body": to_json(one.body), **one.row} for one in changes]
        if rows:
            with self._database.writing() as connection:
                connection.execute(_GROW, rows)
                connection.execute(_ADD, rows)
                connection.execute(_SEARCH_ALL, rows)

    def save_counts(self, counts: Sequence[Mapping[str, Any]]) -> None:
        """How long calls that nobody watches have run, and how many turns they have: `id`, `duration_ms`,
        `turns`, for lists. That is no change of their traces."""
        rows = [{"its_id": one["id"], **{name: one[name] for name in _COUNTS}} for one in counts]
        if rows:
            with self._database.writing() as connection:
                connection.execute(_SEARCH_COUNTS, rows)

    def session_changes(self, session_id: str, after: int) -> tuple[int | None, list[dict[str, Any]] | None]:
        """The session's revision, None if it is not there, and the changes that lead to it from the revision
        `after`: None if there are none that do, and the session has to be read as a whole."""
        query = select(sessions.c.revision).where(sessions.c.id == session_id)
        with self._database.reading() as connection:
            revision = connection.execute(query).scalar_one_or_none()
            if revision is None or revision == after:
                return revision, []
            return revision, changes_between(connection, session_id, after, revision)


def _its(*names: str) -> dict[str, Any]:
    return {name: bindparam(name) for name in names}


_LIVE: Final = (sessions.c.id == bindparam("its_id"), sessions.c.status == "live")
_GROW: Final = update(sessions).where(*_LIVE).values(_its("title") | {"revision": sessions.c.revision + 1})
_ADD: Final = insert(session_changes).from_select(
    ["session_id", "number", "body"],
    select(sessions.c.id, sessions.c.revision, bindparam("its_body", type_=Text())).where(*_LIVE),
)
# Of a narrow row: that of the session has all its data beside it.
_SEARCH: Final = update(session_search).where(
    session_search.c.session_id == bindparam("its_id"), session_search.c.status == "live"
)
_SEARCH_COUNTS: Final = _SEARCH.values(_its(*_COUNTS))
_SEARCH_ALL: Final = _SEARCH.values(_its(*_SEARCHED))


def changes_between(
    connection: Connection, session_id: str, after: int, until: int
) -> list[dict[str, Any]] | None:
    """Those that lead from the one revision to the other; None if not each of the steps is there."""
    number, of_it = session_changes.c.number, session_changes.c.session_id == session_id
    query = select(number, session_changes.c.body).where(of_it, number > after, number <= until)
    rows = connection.execute(query.order_by(number)).all()
    if [row.number for row in rows] != list(range(after + 1, until + 1)):
        return None
    return [json.loads(row.body) for row in rows]


def forget_changes(connection: Connection, session_id: str) -> None:
    connection.execute(delete(session_changes).where(session_changes.c.session_id == session_id))


def forget_old_changes(connection: Connection, session_id: str) -> None:
    """Those before the last whole save: they are only kept for who follows the session and is late."""
    whole = select(sessions.c.whole_revision).where(sessions.c.id == session_id).scalar_subquery()
    of_it = session_changes.c.session_id == session_id
    connection.execute(delete(session_changes).where(of_it, session_changes.c.number <= whole))
