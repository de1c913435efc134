"""Temporary credentials: the record of what was minted, and which of them were revoked.

A credential is verified from its own bytes; this is for lists, for looking at one, and for revocation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, or_, select

from voxgate.core.clock import unix_seconds
from voxgate.store.cursors import decode_cursor, encode_cursor
from voxgate.store.database import Database, changed_rows, to_dict
from voxgate.store.schema import api_keys, credentials

_OWN = frozenset(credentials.c.keys()) - {"scopes", "revoked_at"}


class CredentialRows:
    """The part of the store that keeps temporary credentials. All moments are Unix seconds."""

    _database: Database

    def add_credential(self, row: Mapping[str, Any]) -> None:
        """Fields beyond the columns (uses, budget, origins …) are kept too and come back beside them."""
        values = {key: row[key] for key in row if key in _OWN}
        values["metadata"] = values.get("metadata") or {}
        values["scopes"] = {key: row[key] for key in row if key not in _OWN and key != "revoked_at"}
        with self._database.writing() as connection:
            connection.execute(credentials.insert().values(values))

    def get_credential(self, id: str, *, project: str | None = None) -> dict[str, Any] | None:  # noqa: A002
        """With `project` only if it belongs to that."""
        query = select(credentials).where(credentials.c.id == id)
        if project is not None:
            query = query.where(_belongs_to(project))
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _shown(row)

    def list_credentials(
        self, limit: int = 50, cursor: str | None = None, *, project: str | None = None
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Newest first, with the cursor of the next page if there is one."""
        at, id_ = credentials.c.created_at, credentials.c.id
        query = select(credentials).order_by(at.desc(), id_.desc()).limit(limit + 1)
        if project is not None:
            query = query.where(_belongs_to(project))
        if cursor is not None:
            created_at, last_id = decode_cursor(cursor, (int, str))
            query = query.where(or_(at < created_at, and_(at == created_at, id_ < last_id)))
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        return [_shown(row) for row in rows[:limit]], _next_cursor(rows, limit)

    def revoke_credential(self, id: str) -> bool:  # noqa: A002
        """False if there is no such credential, or it was revoked before."""
        update = credentials.update().where(credentials.c.id == id, credentials.c.revoked_at.is_(None))
        with self._database.writing() as connection:
            return changed_rows(connection, update.values(revoked_at=unix_seconds())) > 0

    def revoke_credentials_of(self, api_key_id: str) -> None:
        """Those that this API key made and that would otherwise still be valid."""
        valid = credentials.c.revoked_at.is_(None), credentials.c.expires_at > unix_seconds()
        update = credentials.update().where(credentials.c.minted_by == api_key_id, *valid)
        with self._database.writing() as connection:
            connection.execute(update.values(revoked_at=unix_seconds()))

    def revoked_credentials(self) -> set[str]:
        """Ids of those that were revoked and would otherwise still be valid."""
        revoked = credentials.c.revoked_at.is_not(None), credentials.c.expires_at > unix_seconds()
        with self._database.reading() as connection:
            return set(connection.execute(select(credentials.c.id).where(*revoked)).scalars())


def _belongs_to(project: str) -> ColumnElement[bool]:
    """Recorded there, or made by one of its API keys."""
    its_keys = select(api_keys.c.id).where(api_keys.c.project == project)
    return or_(credentials.c.project == project, credentials.c.minted_by.in_(its_keys))


def _next_cursor(rows: Sequence[Row[Any]], limit: int) -> str | None:
    if len(rows) <= limit:
        return None
    last = rows[limit - 1]
    return encode_cursor([last.created_at, last.id])


def _shown(row: Row[Any]) -> dict[str, Any]:
    values = to_dict(row)
    scopes: dict[str, Any] = values.pop("scopes")
    return scopes | values
