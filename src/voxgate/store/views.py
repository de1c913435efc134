"""Saved views: lists of sessions that somebody has given a name, for themselves or for all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, func, or_, select

from voxgate.store.database import Database, changed_rows, to_dict
from voxgate.store.schema import views

MOST_OF_A_KEY = 200


class ViewRows:
    """The part of the store that keeps saved views."""

    _database: Database

    def add_view(self, row: Mapping[str, Any]) -> bool:
        """False if the key has so many already that nobody would find another one."""
        count = select(func.count()).where(views.c.key_id == row["key_id"])
        with self._database.writing() as connection:
            if connection.execute(count).scalar_one() >= MOST_OF_A_KEY:
                return False
            connection.execute(views.insert().values(dict(row)))
        return True

    def list_views(self, key_id: str, project: str | None) -> list[dict[str, Any]]:
        """Those of the key and the shared ones, by name; of one project only if `project` is given."""
        query = select(views).where(or_(views.c.key_id == key_id, views.c.shared))
        if project is not None:
            query = query.where(or_(views.c.project == project, views.c.key_id == key_id))
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(views.c.name, views.c.id)).all()
        return [to_dict(row) for row in rows]

    def get_view(self, view_id: str) -> dict[str, Any] | None:
        with self._database.reading() as connection:
            row = connection.execute(select(views).where(views.c.id == view_id)).one_or_none()
        return None if row is None else to_dict(row)

    def delete_view(self, view_id: str) -> bool:
        with self._database.writing() as connection:
            return changed_rows(connection, delete(views).where(views.c.id == view_id)) > 0
