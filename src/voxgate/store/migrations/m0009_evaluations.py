"""Evaluations: data sets with their versions and blobs, experiments with their results, rules for scoring."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Table,
)

from voxgate.store.columns import Moment, Text, json_value
from voxgate.store.migrations.step import Migration

_tables = MetaData()


def _key(name: str, table: str) -> Column[str]:
    return Column(name, Text, ForeignKey(f"{table}.id", ondelete="CASCADE"), primary_key=True)


def _number(name: str) -> Column[int]:
    return Column(name, Integer, primary_key=True, autoincrement=False)


def _texts(*names: str) -> list[Column[str]]:
    return [Column(name, Text, nullable=False) for name in names]


def _moments(*names: str) -> list[Column[str]]:
    return [Column(name, Moment, nullable=False) for name in names]


Table(
    "datasets",
    _tables,
    Column("id", Text, primary_key=True),
    *_texts("project", "name", "description", "created_by"),
    Column("metadata", json_value(), nullable=False),
    *(Column(name, Integer, nullable=False) for name in ("version", "cases", "places")),
    *_moments("created_at", "updated_at"),
    Index("datasets_by_name", "project", "name", unique=True),
)
Table(
    "dataset_versions",
    _tables,
    _key("dataset_id", "datasets"),
    _number("version"),
    *(Column(name, Integer, nullable=False) for name in ("cases", "added", "changed", "deleted")),
    *_texts("created_by"),
    *_moments("created_at"),
)
Table(
    "dataset_cases",
    _tables,
    _key("dataset_id", "datasets"),
    Column("case_id", Text, primary_key=True),
    _number("since_version"),
    Column("until_version", Integer),
    Column("place", Integer, nullable=False),
    *_texts("digest"),
    Column("body", json_value(), nullable=False),
    *(Column(name, Text) for name in ("session_id", "span_id")),
    Index("dataset_cases_by_place", "dataset_id", "place"),
    Index("dataset_cases_by_session", "session_id"),
)
Table(
    "dataset_blobs",
    _tables,
    _key("dataset_id", "datasets"),
    Column("id", Text, primary_key=True),
    *_texts("content_type"),
    Column("size_bytes", BigInteger, nullable=False),
    Column("duration_ms", Float),
    *_moments("created_at"),
)
Table(
    "experiments",
    _tables,
    Column("id", Text, primary_key=True),
    *_texts("project", "name", "status", "created_by"),
    *(Column(name, Text) for name in ("dataset_id", "dataset_name", "baseline", "scored_from", "branch")),
    *(Column(name, Integer) for name in ("dataset_version", "cases")),
    *(Column(name, json_value(), nullable=False) for name in ("task", "scorers", "metadata")),
    *(Column(name, json_value()) for name in ("git", "summary")),
    Column("trials", Integer, nullable=False),
    Column("seed", BigInteger, nullable=False),
    *_moments("created_at"),
    Column("ended_at", Moment),
    Index("experiments_by_name", "project", "name"),
    Index("experiments_by_dataset", "dataset_id"),
)
Table(
    "experiment_cases",
    _tables,
    _key("experiment_id", "experiments"),
    Column("case_id", Text, primary_key=True),
    Column("place", Integer, nullable=False),
    Column("body", json_value(), nullable=False),
    Index("experiment_cases_by_place", "experiment_id", "place"),
)
Table(
    "results",
    _tables,
    _key("experiment_id", "experiments"),
    Column("case_id", Text, primary_key=True),
    _number("trial"),
    *(Column(name, Text) for name in ("error", "session_id")),
    Column("cost_usd", Float),
    Column("body", json_value(), nullable=False),
    *_moments("stored_at"),
    Index("results_by_session", "session_id"),
)
Table(
    "result_scores",
    _tables,
    *(Column(name, Text, primary_key=True) for name in ("experiment_id", "case_id")),
    _number("trial"),
    _number("place"),
    *_texts("name", "direction"),
    Column("value", Float),
    Column("unit", Text),
    ForeignKeyConstraint(
        ["experiment_id", "case_id", "trial"],
        ["results.experiment_id", "results.case_id", "results.trial"],
        ondelete="CASCADE",
    ),
)
Table(
    "rules",
    _tables,
    Column("id", Text, primary_key=True),
    Column("project", Text),
    *_texts("name", "filter", "created_by"),
    Column("enabled", Boolean, nullable=False),
    Column("sampling_rate", Float, nullable=False),
    Column("scorers", json_value(), nullable=False),
    *(Column(name, json_value()) for name in ("alert", "state")),
    *_moments("created_at", "updated_at"),
)


def _up(connection: Connection) -> None:
    _tables.create_all(connection, checkfirst=False)


def _down(connection: Connection) -> None:
    _tables.drop_all(connection, checkfirst=False)


MIGRATION = Migration("evaluations", _up, _down)
