"""The tables, their version and the one-step migrations. Only `store` modules read this.

Version 1 is what `metadata.create_all` made first. `MIGRATIONS[n]` takes a database from version n + 1 to
n + 2, so `VERSION` is always `len(MIGRATIONS) + 1`; a fresh database gets the newest tables at once. A table
that is only added needs no step: what is missing is made on opening.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Connection,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    TypeDecorator,
)

from voxgate.core.clock import iso_utc, now_utc

Migration = Callable[[Connection], None]


def _add_retention(connection: Connection) -> None:
    connection.exec_driver_sql("ALTER TABLE sessions ADD COLUMN delete_after VARCHAR")
    connection.exec_driver_sql("CREATE INDEX sessions_by_end_of_retention ON sessions (delete_after)")


MIGRATIONS: list[Migration] = [_add_retention]
VERSION = len(MIGRATIONS) + 1

metadata = MetaData()


class Text(TypeDecorator[str]):
    """Text as anybody may send it: lone surrogates and NUL, which no database takes, are replaced."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        if value is None:
            return None
        return str(value).encode("utf-8", "replace").decode("utf-8").replace("\0", "�")


class Moment(TypeDecorator[str]):
    """A moment as RFC 3339 text in UTC with milliseconds: the order of the texts is the order in time."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | datetime | None, dialect: Dialect) -> str | None:
        if value is None:
            return None
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        return iso_utc(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


class Seconds(TypeDecorator[int]):
    """A moment as Unix seconds, as in the claims of a token; datetimes and RFC 3339 text are converted."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: float | str | datetime | None, dialect: Dialect) -> int | None:
        if value is None:
            return None
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        if isinstance(value, datetime):
            value = (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
        return int(value)


def to_json(value: Any) -> str:
    """JSON that every reader takes: a number that is not finite becomes null (it was not measured), half of a
    surrogate pair, which is no character, a question mark."""
    try:
        text = _dump(value)
    except ValueError:
        text = _dump(_finite(value))
    return text.encode("utf-8", "replace").decode("utf-8")


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


def _json() -> JSON:
    return JSON(none_as_null=True)


schema_version = Table("schema_version", metadata, Column("version", Integer, primary_key=True))

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
    Column("tags", _json(), nullable=False, default=list),
    Column("metadata", _json(), nullable=False, default=dict),
    Column("credential_id", Text),
    Column("title", Text),
    Column("data", _json(), nullable=False, default=dict),
    # Derived from `data` on save: lists show them, and `data` of a long call is too large to read for a list.
    Column("metrics", _json(), nullable=False, default=dict),
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
    Column("error", _json()),
    Column("input", _json()),
    Column("output", _json()),
    Column("usage", _json()),
    Column("cost_usd", Float),
    Column("metrics", _json(), nullable=False, default=dict),
    Column("attachments", _json(), nullable=False, default=list),
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
    Column("model", _json()),
    Column("created_at", Seconds, nullable=False),
    Column("expires_at", Seconds, nullable=False),
    Column("project", Text),
    Column("logging", _json()),
    Column("metadata", _json(), nullable=False, default=dict),
    Column("minted_by", Text),
    Column("scopes", _json(), nullable=False, default=dict),
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
