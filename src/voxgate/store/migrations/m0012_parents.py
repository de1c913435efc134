"""Which session another one works for, so that a call is found with the requests of its tools."""

from __future__ import annotations

from sqlalchemy import Column, Connection

from voxgate.store.columns import Text
from voxgate.store.migrations.step import Migration, add_column, drop_column

_INDEX = "search_of_parent"


def _up(connection: Connection) -> None:
    for name in ("parent_id", "parent_ref"):
        add_column(connection, "session_search", Column(name, Text))
    connection.exec_driver_sql(f"CREATE INDEX {_INDEX} ON session_search (parent_id)")


def _down(connection: Connection) -> None:
    connection.exec_driver_sql(f"DROP INDEX {_INDEX}")
    for name in ("parent_id", "parent_ref"):
        drop_column(connection, "session_search", name)


MIGRATION = Migration("the session that another one works for", _up, _down)
