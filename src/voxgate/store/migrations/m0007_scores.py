"""Scores: what people, code and judges think of a session or one of its spans."""

from __future__ import annotations

from sqlalchemy import Column, Connection, Float, ForeignKey, Index, MetaData, Table

from voxgate.store.columns import Moment, Text, json_value
from voxgate.store.migrations.step import Migration

_tables = MetaData()
Table("sessions", _tables, Column("id", Text, primary_key=True))  # only what the next one refers to
_scores = Table(
    "scores",
    _tables,
    Column("id", Text, primary_key=True),
    Column("session_id", Text, ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False),
    *(Column(name, Text, nullable=name not in ("name", "source", "author")) for name in (
        "span_id", "name", "label", "comment", "source", "author",
    )),
    Column("value", Float),
    *(Column(name, json_value(), nullable=False) for name in ("evidence", "details")),
    Column("created_at", Moment, nullable=False),
    Index("scores_of_session", "session_id"),
    Index("scores_by_name", "name", "value"),
)  # fmt: skip


def _up(connection: Connection) -> None:
    _scores.create(connection)


def _down(connection: Connection) -> None:
    _scores.drop(connection)


MIGRATION = Migration("scores", _up, _down)
