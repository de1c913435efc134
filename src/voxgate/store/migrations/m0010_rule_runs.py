"""Runs of rules over what was recorded before; the scores of a rule in the order in which calls ended."""

from __future__ import annotations

from sqlalchemy import Column, Connection, Float, ForeignKey, Index, Integer, MetaData, Table

from voxgate.store.columns import Moment, Text
from voxgate.store.migrations.step import Migration


def _up(connection: Connection) -> None:
    metadata = MetaData()
    Table("rules", metadata, Column("id", Text, primary_key=True))
    runs = Table(
        "rule_runs",
        metadata,
        Column("id", Text, primary_key=True),
        Column("rule_id", Text, ForeignKey("rules.id", ondelete="CASCADE"), nullable=False),
        *(Column(name, Text, nullable=False) for name in ("q", "status", "created_by")),
        *(Column(name, Integer, nullable=False) for name in ("total", "done", "scored", "failed")),
        *(Column(name, Text) for name in ("cursor", "error")),
        Column("created_at", Moment, nullable=False),
        Column("ended_at", Moment),
        Index("rule_runs_of_rule", "rule_id"),
    )
    runs.create(connection)
    scores = Table(
        "scores",
        metadata,
        *(Column(name, Text) for name in ("author", "name", "session_id")),
        Column("value", Float),
        Column("created_at", Moment),
    )
    Index("scores_by_author", scores.c.author, scores.c.name, scores.c.created_at).create(connection)
    Index("scores_of_name", scores.c.name, scores.c.session_id, scores.c.value).create(connection)


def _down(connection: Connection) -> None:
    connection.exec_driver_sql("DROP INDEX scores_of_name")
    connection.exec_driver_sql("DROP INDEX scores_by_author")
    connection.exec_driver_sql("DROP TABLE rule_runs")


MIGRATION = Migration("runs of rules", _up, _down)
