"""API keys: only their hashes are kept; `auth` makes and checks the keys themselves."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, ScalarSelect, Select, delete, func, or_, select

from voxgate.core.clock import now_utc
from voxgate.store.database import Database, changed_rows, to_dict
from voxgate.store.schema import api_keys, old_secrets

_SHOWN = [column for column in api_keys.c if column.name not in ("key_hash", "revoked_at")]


class KeyRows:
    """The part of the store that keeps API keys. Moments are RFC 3339 text in UTC. A key that was revoked is
    in no answer; one that has expired is."""

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
        max_requests_per_minute: int | None = None,
        max_tokens_per_minute: int | None = None,
    ) -> None:
        row: dict[str, Any] = {"id": id, "name": name, "role": role, "project": project, "key_hash": key_hash}
        row |= {"key_hint": key_hint, "created_at": created_at, "expires_at": expires_at}
        row |= {"max_requests_per_minute": max_requests_per_minute}
        row |= {"max_tokens_per_minute": max_tokens_per_minute}
        with self._database.writing() as connection:
            connection.execute(api_keys.insert().values(row))

    def find_api_key(self, key_hash: str) -> dict[str, Any] | None:
        """By its secret, or by one that a rotation replaced and that is still good."""
        replaced = select(old_secrets.c.key_id).where(
            old_secrets.c.key_hash == key_hash, old_secrets.c.valid_until > now_utc()
        )
        return self._one(_keys().where(or_(api_keys.c.key_hash == key_hash, api_keys.c.id.in_(replaced))))

    def get_api_key(self, id: str) -> dict[str, Any] | None:  # noqa: A002
        return self._one(_keys().where(api_keys.c.id == id))

    def list_api_keys(self) -> list[dict[str, Any]]:
        """Oldest first, without their hashes."""
        with self._database.reading() as connection:
            rows = connection.execute(_keys().order_by(api_keys.c.created_at, api_keys.c.id)).all()
        return [to_dict(row) for row in rows]

    def rotate_api_key(self, id: str, key_hash: str, key_hint: str, old_until: datetime | None) -> bool:  # noqa: A002
        """A new secret. The one before is good until `old_until`; without that it and all earlier ones are
        good no more. False if there is no such key."""
        key = api_keys.c.id == id, api_keys.c.revoked_at.is_(None)
        with self._database.writing() as connection:
            before = connection.execute(select(api_keys.c.key_hash).where(*key)).scalar_one_or_none()
            if before is None:
                return False
            _forget_old_secrets(connection, id, all_of_them=old_until is None)
            if old_until is not None:
                old = {"key_hash": before, "key_id": id, "valid_until": old_until}
                connection.execute(old_secrets.insert().values(old))
            connection.execute(api_keys.update().where(*key).values(key_hash=key_hash, key_hint=key_hint))
            return True

    def revoke_api_key(self, id: str) -> bool:  # noqa: A002
        """False if there is no such key, or it was revoked before."""
        update = api_keys.update().where(api_keys.c.id == id, api_keys.c.revoked_at.is_(None))
        with self._database.writing() as connection:
            return changed_rows(connection, update.values(revoked_at=now_utc())) > 0

    def touch_api_key(self, id: str, when: str) -> None:  # noqa: A002
        """Remember when the key was last used."""
        with self._database.writing() as connection:
            connection.execute(api_keys.update().where(api_keys.c.id == id).values(last_used_at=when))

    def _one(self, query: Select[Any]) -> dict[str, Any] | None:
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else to_dict(row)


def _keys() -> Select[Any]:
    return select(*_SHOWN, _old_until().label("old_secret_until")).where(api_keys.c.revoked_at.is_(None))


def _old_until() -> ScalarSelect[Any]:
    """Until when secrets that were replaced are good; null when none is."""
    query = select(func.max(old_secrets.c.valid_until))
    return query.where(
        old_secrets.c.key_id == api_keys.c.id, old_secrets.c.valid_until > now_utc()
    ).scalar_subquery()


def _forget_old_secrets(connection: Connection, key_id: str, *, all_of_them: bool) -> None:
    forgotten = old_secrets.c.valid_until <= now_utc()
    if all_of_them:
        forgotten = or_(forgotten, old_secrets.c.key_id == key_id)
    connection.execute(delete(old_secrets).where(forgotten))
