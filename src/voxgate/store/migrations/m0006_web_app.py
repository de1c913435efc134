"""What the web app keeps: a small waveform and people's own tags of each session, and saved views."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Connection, Index, MetaData, Table

from voxgate.store.columns import Moment, Text, json_value
from voxgate.store.migrations.step import Migration, add_column, drop_column

_COLUMNS = ("wave", "tag_edits")
_tables = MetaData()
Table(
    "views",
    _tables,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("project", Text),
    Column("search", json_value(), nullable=False),
    Column("shared", Boolean, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Index("views_by_key", "key_id"),
)


def _up(connection: Connection) -> None:
    for name in _COLUMNS:
        add_column(connection, "sessions", Column(name, json_value()))
    _tables.create_all(connection)


def _down(connection: Connection) -> None:
    _tables.drop_all(connection)
    for name in _COLUMNS:
        drop_column(connection, "sessions", name)


MIGRATION = Migration("waveforms, tags and views of the web app", _up, _down)
