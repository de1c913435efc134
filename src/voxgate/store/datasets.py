"""Data sets: what they are called, which versions they have, and the blobs that their cases refer to. The
cases are in `dataset_cases`, the bytes of the blobs in the blob store.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from sqlalchemy import Connection, delete, select
from sqlalchemy.exc import IntegrityError

from voxgate.core.clock import now_utc
from voxgate.core.ids import new_id
from voxgate.store.cursors import decode_cursor, encode_cursor
from voxgate.store.database import Database, changed_rows, insert_new, to_dict
from voxgate.store.schema import dataset_blobs, dataset_versions, datasets

_AT_ONCE: Final = 500
"""Ids in one statement: a database takes only so many parameters."""


class DatasetRows:
    """The part of the store that keeps data sets."""

    _database: Database

    def add_dataset(self, row: Mapping[str, Any]) -> dict[str, Any] | None:
        """As it was saved; None if the project has one of that name."""
        values = {"id": new_id("dataset"), **row}
        try:
            with self._database.writing() as connection:
                connection.execute(datasets.insert().values(values))
                return _read(connection, values["id"])
        except IntegrityError:  # the name is unique in its project
            return None

    def get_dataset(self, dataset_id: str) -> dict[str, Any] | None:
        with self._database.reading() as connection:
            return _read(connection, dataset_id)

    def list_datasets(
        self,
        *,
        project: str | None = None,
        name: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Newest first."""
        query = select(datasets).order_by(datasets.c.id.desc()).limit(limit + 1)
        if project is not None:
            query = query.where(datasets.c.project == project)
        if name is not None:
            query = query.where(datasets.c.name == name)
        if cursor is not None:
            query = query.where(datasets.c.id < decode_cursor(cursor, (str,))[0])
        with self._database.reading() as connection:
            rows = [to_dict(row) for row in connection.execute(query)]
        return rows[:limit], encode_cursor([rows[limit - 1]["id"]]) if len(rows) > limit else None

    def edit_dataset(self, dataset_id: str, values: Mapping[str, Any]) -> dict[str, Any] | None:
        """As it is now. None if there is none, ValueError if its new name is another one's."""
        try:
            with self._database.writing() as connection:
                changed = datasets.update().where(datasets.c.id == dataset_id)
                connection.execute(changed.values({"updated_at": now_utc(), **values}))
                return _read(connection, dataset_id)
        except IntegrityError as error:
            raise ValueError(f"There is another data set {values.get('name')!r}.") from error

    def delete_dataset(self, dataset_id: str) -> bool:
        """With all of its versions; False if it was not there. Blobs are deleted by the caller."""
        with self._database.writing() as connection:
            return changed_rows(connection, delete(datasets).where(datasets.c.id == dataset_id)) > 0

    def dataset_versions(
        self, dataset_id: str, *, limit: int = 50, cursor: str | None = None
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Newest first."""
        columns = [column for column in dataset_versions.c if column.name != "dataset_id"]
        query = select(*columns).where(dataset_versions.c.dataset_id == dataset_id)
        if cursor is not None:
            query = query.where(dataset_versions.c.version < decode_cursor(cursor, (int,))[0])
        query = query.order_by(dataset_versions.c.version.desc()).limit(limit + 1)
        with self._database.reading() as connection:
            rows = [to_dict(row) for row in connection.execute(query)]
        return rows[:limit], encode_cursor([rows[limit - 1]["version"]]) if len(rows) > limit else None

    def add_dataset_blob(self, dataset_id: str, row: Mapping[str, Any]) -> bool:
        """Once, however often it is added. False if there is no such data set."""
        with self._database.writing() as connection:
            if _read(connection, dataset_id) is None:
                return False
            insert_new(connection, dataset_blobs, [{"dataset_id": dataset_id, **row}])
        return True

    def get_dataset_blob(self, dataset_id: str, blob_id: str) -> dict[str, Any] | None:
        query = select(dataset_blobs).where(
            dataset_blobs.c.dataset_id == dataset_id, dataset_blobs.c.id == blob_id
        )
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else to_dict(row)

    def missing_blobs(self, dataset_id: str, ids: Collection[str]) -> set[str]:
        """Those of the ids that the data set has no blob of."""
        missing, wanted = set(ids), sorted(ids)
        query = select(dataset_blobs.c.id).where(dataset_blobs.c.dataset_id == dataset_id)
        with self._database.reading() as connection:
            for start in range(0, len(wanted), _AT_ONCE):
                some = query.where(dataset_blobs.c.id.in_(wanted[start : start + _AT_ONCE]))
                missing.difference_update(connection.execute(some).scalars())
        return missing


def _read(connection: Connection, dataset_id: str) -> dict[str, Any] | None:
    row = connection.execute(select(datasets).where(datasets.c.id == dataset_id)).one_or_none()
    return None if row is None else to_dict(row)
