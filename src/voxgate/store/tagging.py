"""Tags that people give to sessions and take away. They hold beside those that a call brought itself, also
when the recorder saves the session again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from voxgate.store.schema import sessions


def edited_tags(connection: Connection, session_id: str, tags: Sequence[Any]) -> list[Any]:
    """The call's own tags, as people have changed them. The row stays locked until the end of the
    transaction, so that no edit falls between."""
    query = select(sessions.c.tag_edits).where(sessions.c.id == session_id).with_for_update()
    edits = connection.execute(query).scalar_one_or_none()
    return list(tags) if not edits else _with_edits(tags, edits)


def edit_tags(connection: Connection, session_id: str, add: Sequence[str], remove: Sequence[str]) -> bool:
    """False if there is no such session."""
    columns = sessions.c.tags, sessions.c.tag_edits
    row = connection.execute(select(*columns).where(sessions.c.id == session_id).with_for_update()).first()
    if row is None:
        return False
    before = row.tag_edits or {"add": [], "remove": []}
    edits = {
        "add": _without([*before["add"], *add], remove),
        "remove": _without([*before["remove"], *remove], add),
    }
    changed = sessions.update().where(sessions.c.id == session_id)
    revision = sessions.c.revision + 1
    counters = {"revision": revision, "whole_revision": revision}
    new = {"tags": _with_edits(row.tags, edits), "tag_edits": edits, **counters}
    connection.execute(changed.values(new))
    return True


def _with_edits(tags: Sequence[Any], edits: Mapping[str, Sequence[str]]) -> list[Any]:
    return _without([*tags, *edits["add"]], edits["remove"])


def _without(tags: Iterable[Any], gone: Sequence[str]) -> list[Any]:
    """Each once, in the order of their first mention."""
    return [tag for tag in dict.fromkeys(tags) if tag not in gone]
