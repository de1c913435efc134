"""A credential may say when its recordings are deleted."""

from __future__ import annotations

from sqlalchemy import Column, Connection

from voxgate.store.columns import Moment
from voxgate.store.migrations.step import Migration, add_column, drop_column

_INDEX = "sessions_by_end_of_retention"


def _up(connection: Connection) -> None:
    add_column(connection, "sessions", Column("delete_after", Moment))
    connection.exec_driver_sql(f"CREATE INDEX {_INDEX} ON sessions (delete_after)")


def _down(connection: Connection) -> None:
    connection.exec_driver_sql(f"DROP INDEX {_INDEX}")
    drop_column(connection, "sessions", "delete_after")


MIGRATION = Migration("the end of a recording's retention", _up, _down)
