"""Voxgates of two versions beside each other: the database says which ones work on its schema.

Tables that came without a step until now are made where they are missing.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
)

from voxgate.store.columns import Moment, Seconds, Text
from voxgate.store.migrations.step import Migration, add_column, drop_column

_tables = MetaData()
Table("api_keys", _tables, Column("id", Text, primary_key=True))  # only what the next one refers to
Table(
    "api_key_old_secrets",
    _tables,
    Column("key_hash", Text, primary_key=True),
    Column("key_id", Text, ForeignKey("api_keys.id", ondelete="CASCADE"), nullable=False),
    Column("valid_until", Moment, nullable=False),
    Index("old_secrets_of_key", "key_id"),
)
Table(
    "leases",
    _tables,
    Column("scope", Text, primary_key=True),
    Column("holder", Text, primary_key=True),
    Column("expires_at", Seconds, nullable=False),
    Index("leases_by_end", "expires_at"),
)
Table(
    "credential_usage",
    _tables,
    Column("credential_id", Text, primary_key=True),
    *(
        Column(name, BigInteger, nullable=False)
        for name in ("uses", "tokens", "audio_ms", "nano_usd", "unpriced")
    ),
)


def _up(connection: Connection) -> None:
    _tables.create_all(connection)
    add_column(connection, "schema_version", Column("oldest", Integer, nullable=False, server_default="1"))


def _down(connection: Connection) -> None:
    """The tables stay: the Voxgate of before knows them."""
    drop_column(connection, "schema_version", "oldest")


MIGRATION = Migration("two versions of Voxgate beside each other", _up, _down)
