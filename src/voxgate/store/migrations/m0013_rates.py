"""Requests and tokens per minute, counted over all workers; what requests hold of a budget while they run."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Connection, Float, Index, Integer, MetaData, Table

from voxgate.store.columns import Text
from voxgate.store.migrations.step import Migration, add_column, drop_column

_KEY_LIMITS = ("max_requests_per_minute", "max_tokens_per_minute")
_HELD = ("held_tokens", "held_nano_usd")


def _up(connection: Connection) -> None:
    rates = Table(
        "rates",
        MetaData(),
        Column("scope", Text, primary_key=True),
        Column("remaining", Float, nullable=False),
        Column("at", Float, nullable=False),
        Index("rates_by_age", "at"),
    )
    rates.create(connection)
    for name in _KEY_LIMITS:
        add_column(connection, "api_keys", Column(name, Integer))
    for name in _HELD:
        add_column(
            connection,
            "credential_usage",
            Column(name, BigInteger, nullable=False, server_default="0"),
        )


def _down(connection: Connection) -> None:
    for name in _HELD:
        drop_column(connection, "credential_usage", name)
    for name in _KEY_LIMITS:
        drop_column(connection, "api_keys", name)
    connection.exec_driver_sql("DROP TABLE rates")


MIGRATION = Migration("requests and tokens per minute, and what requests hold of a budget", _up, _down)
