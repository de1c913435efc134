"""What became of a running call since it was saved as a whole."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Connection, ForeignKey, MetaData, Table

from voxgate.store.columns import Text
from voxgate.store.migrations.step import Migration, add_column, drop_column


def _up(connection: Connection) -> None:
    add_column(connection, "sessions", Column("whole_revision", BigInteger))
    metadata = MetaData()
    Table("sessions", metadata, Column("id", Text, primary_key=True))
    changes = Table(
        "session_changes",
        metadata,
        Column("session_id", Text, ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True),
        Column("number", BigInteger, primary_key=True, autoincrement=False),
        Column("body", Text, nullable=False),
    )
    changes.create(connection)


def _down(connection: Connection) -> None:
    connection.exec_driver_sql("DROP TABLE session_changes")
    drop_column(connection, "sessions", "whole_revision")


MIGRATION = Migration("changes of running calls", _up, _down)
