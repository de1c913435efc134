"""API keys: only their hashes are kept; `auth` makes and checks the keys themselves."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from voxgate.core.clock import now_utc
from voxgate.store.database import Database, changed_rows, to_dict
from voxgate.store.schema import api_keys

_SHOWN = [column for column in api_keys.c if column.name not in ("key_hash", "revoked_at")]


class KeyRows:
    """The part of the store that keeps API keys. Moments are RFC 3339 text in UTC."""

    _database: Database

    def add_api_key(
        self,
        id: str,  # noqa: A002 - the column's name, as in every row
        name: str,
        role: str,
        project: str | None,
        key_hash: str,
        key_hint: str,
        created_at: str,
        expires_at: str | None = None,
    ) -> None:
        row: dict[str, Any] = {"id": id, "name": name, "role": role, "project": project, "key_hash": key_hash}
        row |= {"key_hint": key_hint, "created_at": created_at, "expires_at": expires_at}
        with self._database.writing() as connection:
            connection.execute(api_keys.insert().values(row))

    def find_api_key(self, key_hash: str) -> dict[str, Any] | None:
        """A key that was not revoked; it may have expired."""
        query = select(*_SHOWN).where(api_keys.c.key_hash == key_hash, api_keys.c.revoked_at.is_(None))
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else to_dict(row)

    def get_api_key(self, id: str) -> dict[str, Any] | None:  # noqa: A002
        """A key that was not revoked; it may have expired."""
        query = select(*_SHOWN).where(api_keys.c.id == id, api_keys.c.revoked_at.is_(None))
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else to_dict(row)

    def list_api_keys(self) -> list[dict[str, Any]]:
        """Those not revoked, oldest first, without their hashes."""
        query = select(*_SHOWN).where(api_keys.c.revoked_at.is_(None))
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(api_keys.c.created_at, api_keys.c.id)).all()
        return [to_dict(row) for row in rows]

    def revoke_api_key(self, id: str) -> bool:  # noqa: A002
        """False if there is no such key, or it was revoked before."""
        update = api_keys.update().where(api_keys.c.id == id, api_keys.c.revoked_at.is_(None))
        with self._database.writing() as connection:
            return changed_rows(connection, update.values(revoked_at=now_utc())) > 0

    def touch_api_key(self, id: str, when: str) -> None:  # noqa: A002
        """Remember when the key was last used."""
        with self._database.writing() as connection:
            connection.execute(api_keys.update().where(api_keys.c.id == id).values(last_used_at=when))
