"""The tables as they are now. Only `store` modules read this. A change needs a step in `migrations`."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
)

from voxgate.core.clock import now_utc
from voxgate.store.columns import Moment, Seconds, Text, json_value

metadata = MetaData()

# One row. `oldest` is the oldest version whose Voxgate works on this schema too.
schema_version = Table(
    "schema_version",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("oldest", Integer, nullable=False, server_default="1"),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("project", Text, nullable=False, default="default"),
    Column("model", Text, nullable=False, default=""),
    Column("provider", Text, nullable=False, default=""),
    Column("status", Text, nullable=False, default="live"),
    Column("started_at", Moment, nullable=False, default=now_utc),
    Column("ended_at", Moment),
    Column("duration_ms", Float),
    Column("turns", Integer),
    Column("interruptions", Integer),
    Column("cost_usd", Float),
    Column("tags", json_value(), nullable=False, default=list),
    Column("metadata", json_value(), nullable=False, default=dict),
    Column("credential_id", Text),
    Column("title", Text),
    Column("data", json_value(), nullable=False, default=dict),
    # Derived from `data` on save: lists show them, and `data` of a long call is too large to read for a list.
    Column("metrics", json_value(), nullable=False, default=dict),
    Column("errors", Integer),
    # Derived on save, so that the filter needs no JSON operators and folds case the same in every database.
    Column("user_id", Text),
    Column("title_folded", Text),
    # When the credential wants the recording deleted; the settings may want it sooner.
    Column("delete_after", Moment),
    # Counts every save of the session or its spans: a live stream sees a change without reading the trace.
    Column("revision", BigInteger, nullable=False, default=1),
    Index("sessions_newest", "started_at", "id"),
    Index("sessions_newest_of_project", "project", "started_at", "id"),
    Index("sessions_of_credential", "credential_id"),
    Index("sessions_of_user", "user_id"),
    Index("sessions_of_status", "status"),
    Index("sessions_by_end_of_retention", "delete_after"),
)

session_tags = Table(
    "session_tags",
    metadata,
    Column("session_id", Text, ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True),
    Column("tag", Text, primary_key=True),
    Index("session_tags_by_tag", "tag"),
)

spans = Table(
    "spans",
    metadata,
    Column("session_id", Text, ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True),
    Column("id", Text, primary_key=True),
    # The order of the saved list, so that spans which start together keep it.
    Column("position", Integer, nullable=False),
    Column("parent_id", Text),
    Column("type", Text, nullable=False),
    Column("name", Text, nullable=False, default=""),
    Column("start_ms", Float),
    Column("end_ms", Float),
    Column("status", Text),
    Column("error", json_value()),
    Column("input", json_value()),
    Column("output", json_value()),
    Column("usage", json_value()),
    Column("cost_usd", Float),
    Column("metrics", json_value(), nullable=False, default=dict),
    Column("attachments", json_value(), nullable=False, default=list),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("project", Text),
    Column("key_hash", Text, nullable=False, unique=True),
    Column("key_hint", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment),
    Column("revoked_at", Moment),
    Column("last_used_at", Moment),
)

# What a rotation replaced and left good for a while.
old_secrets = Table(
    "api_key_old_secrets",
    metadata,
    Column("key_hash", Text, primary_key=True),
    Column("key_id", Text, ForeignKey("api_keys.id", ondelete="CASCADE"), nullable=False),
    Column("valid_until", Moment, nullable=False),
    Index("old_secrets_of_key", "key_id"),
)

credentials = Table(
    "credentials",
    metadata,
    Column("id", Text, primary_key=True),
    Column("model", json_value()),
    Column("created_at", Seconds, nullable=False),
    Column("expires_at", Seconds, nullable=False),
    Column("project", Text),
    Column("logging", json_value()),
    Column("metadata", json_value(), nullable=False, default=dict),
    Column("minted_by", Text),
    Column("scopes", json_value(), nullable=False, default=dict),
    Column("revoked_at", Seconds),
    Index("credentials_newest", "created_at", "id"),
    Index("credentials_revoked", "revoked_at"),
)

signals = Table(
    "signals",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("kind", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("created_at", Seconds, nullable=False),
    Index("signals_by_age", "created_at"),
    # Ids must never come again after pruning: a reader that remembers the last one would miss signals.
    sqlite_autoincrement=True,
)

leases = Table(
    "leases",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("holder", Text, primary_key=True),
    Column("expires_at", Seconds, nullable=False),
    Index("leases_by_end", "expires_at"),
)

# Only of credentials that have a budget or a number of uses. Sums, to which workers add without reading.
credential_usage = Table(
    "credential_usage",
    metadata,
    Column("credential_id", Text, primary_key=True),
    Column("uses", BigInteger, nullable=False, default=0),
    Column("tokens", BigInteger, nullable=False, default=0),
    Column("audio_ms", BigInteger, nullable=False, default=0),
    # In billionths of a dollar: whole numbers add up without rounding.
    Column("nano_usd", BigInteger, nullable=False, default=0),
    # How often something was used whose price is not known.
    Column("unpriced", BigInteger, nullable=False, default=0),
)
