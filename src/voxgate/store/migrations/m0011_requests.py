"""Which endpoint a session was of, so that lists tell calls from other requests."""

from __future__ import annotations

from sqlalchemy import Column, Connection

from voxgate.store.columns import Text
from voxgate.store.migrations.step import Migration, add_column, drop_column


def _up(connection: Connection) -> None:
    add_column(connection, "session_search", Column("endpoint", Text))


def _down(connection: Connection) -> None:
    drop_column(connection, "session_search", "endpoint")


MIGRATION = Migration("the endpoint of sessions", _up, _down)
