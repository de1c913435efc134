"""The tables as they are now. Only `store` modules read this. A change needs a step in `migrations`."""

from __future__ import annotations

from typing import Final

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
    String,
    Table,
    event,
)
from sqlalchemy.dialects.postgresql import TSVECTOR

from voxgate.core.clock import now_utc
from voxgate.store.columns import Moment, Seconds, Text, json_value
from voxgate.store.fields import METRICS, SPOKEN

metadata = MetaData()

# One row. `oldest` is the oldest version whose Voxgate works on this schema too.
schema_version = Table(
    "schema_version",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("oldest", Integer, nullable=False, server_default="1"),
)

SUMMARY_KEYS: Final = (
    "id",
    "project",
    "model",
    "provider",
    "status",
    "started_at",
    "ended_at",
    "duration_ms",
    "turns",
    "interruptions",
    "cost_usd",
    "tags",
    "metadata",
    "credential_id",
    "title",
    "delete_after",
)
"""The columns of a session that are saved with every trace, and are in every list."""
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
    Column("wave", json_value()),
    # Tags that people added and took away: `{"add": [], "remove": []}`. `tags` are those that hold now.
    Column("tag_edits", json_value()),
    # What a Voxgate before version 4 of the schema searches by, as `session_tags`. Not written any more.
    Column("user_id", Text),
    Column("title_folded", Text),
    # When the credential wants the recording deleted; the settings may want it sooner.
    Column("delete_after", Moment),
    # The same of its sound alone, and when that was deleted.
    Column("audio_delete_after", Moment),
    Column("audio_deleted_at", Moment),
    # Counts every save of the session or its spans: a live stream sees a change without reading the trace.
    Column("revision", BigInteger, nullable=False, default=1),
    # The revision at which its spans and `data` were saved as a whole; what came after is `session_changes`.
    Column("whole_revision", BigInteger),
    Index("sessions_newest", "started_at", "id"),
    Index("sessions_by_end_of_retention", "delete_after"),
    Index("sessions_by_end_of_audio_retention", "audio_deleted_at", "audio_delete_after"),
    Index("sessions_with_sound", "audio_deleted_at", "started_at"),
)

# How a running call's trace went on since its last whole save: from revision `number - 1` to `number`.
session_changes = Table(
    "session_changes",
    metadata,
    Column("session_id", Text, ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("body", Text, nullable=False),
)

session_tags = Table(
    "session_tags",
    metadata,
    Column("session_id", Text, ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True),
    Column("tag", Text, primary_key=True),
    Index("session_tags_by_tag", "tag"),
)

# What lists are searched by: see `search`. Narrow, so that a filter reads little of each session.
session_search = Table(
    "session_search",
    metadata,
    # An INTEGER PRIMARY KEY is SQLite's own row id, by which it finds rows and goes through them quickest.
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("session_id", Text, ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False, unique=True),
    *(Column(name, Text, nullable=False) for name in ("project", "model", "provider", "status")),
    *(Column(name, Text) for name in ("user_id", "credential_id")),
    *(Column(name, Float) for name in ("duration_ms", "cost_usd")),
    *(Column(name, Integer) for name in ("turns", "interruptions", "errors")),
    # Several texts, with a line break before, between and after them.
    *(Column(name, Text, nullable=False) for name in ("tags", "tools", "codes")),
    Column("layout", Integer, nullable=False),
    *(Column(name, Float) for name in METRICS),
    # `realtime`, or that of a request such as `chat/completions`.
    Column("endpoint", Text),
    # The session that it works for, and the tool call or span of that one (`traces.parents`).
    *(Column(name, Text) for name in ("parent_id", "parent_ref")),
    # Of values that few sessions share. For the others reading all rows is quicker than looking up each.
    Index("search_of_user", "user_id"),
    Index("search_of_credential", "credential_id"),
    Index("search_of_parent", "parent_id"),
)

# What was said, for excerpts; the words of it are in `session_fts` (SQLite) or in `vector` (PostgreSQL).
session_words = Table(
    "session_words",
    metadata,
    Column(
        "number",
        BigInteger().with_variant(Integer, "sqlite"),
        ForeignKey("session_search.number", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("text", Text, nullable=False),
    Column("indexed_at", Seconds, nullable=False),
    Column("vector", String().with_variant(TSVECTOR, "postgresql")),
    Index("words_of_sessions", "vector", postgresql_using="gin").ddl_if(dialect="postgresql"),
)

# Words come folded and separated by spaces, so FTS5 has nothing to fold, and need not know their number.
# Prefixes of three letters are indexed: a longer one is one of few words.
FULL_TEXT: Final = (
    f"CREATE VIRTUAL TABLE session_fts USING fts5({', '.join(SPOKEN)},"
    " tokenize='ascii', prefix='3', columnsize=0)"
)
FULL_TEXT_DELETED: Final = (
    "CREATE TRIGGER session_fts_deleted AFTER DELETE ON session_words"
    " BEGIN DELETE FROM session_fts WHERE rowid = old.number; END"
)


@event.listens_for(session_words, "after_create")
def _create_full_text(_table: Table, connection: Connection, **_: object) -> None:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(FULL_TEXT)
        connection.exec_driver_sql(FULL_TEXT_DELETED)


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

# Lists that somebody has given a name: `search` is what the address of the page carries.
views = Table(
    "views",
    metadata,
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

# What people, code and judges think of a session or one of its spans.
scores = Table(
    "scores",
    metadata,
    Column("id", Text, primary_key=True),
    Column("session_id", Text, ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False),
    # No foreign key: a trace that is built again writes its spans anew.
    Column("span_id", Text),
    Column("name", Text, nullable=False),
    Column("value", Float),
    Column("label", Text),
    Column("comment", Text),
    # `[{"span_id", "start_ms", "end_ms"}]`: the stretches of the call that the score is about.
    Column("evidence", json_value(), nullable=False, default=list),
    # What else its scorer says: expected, params, scorer_version, n, unit, direction, reason_missing.
    Column("details", json_value(), nullable=False, default=dict),
    Column("source", Text, nullable=False),
    Column("author", Text, nullable=False, default=""),
    Column("created_at", Moment, nullable=False, default=now_utc),
    Index("scores_of_session", "session_id"),
    Index("scores_by_name", "name", "value"),
    Index("scores_by_author", "author", "name", "created_at"),
    Index("scores_of_name", "name", "session_id", "value"),
)

# What experiments run over. `version` and `cases` are those of the newest version.
datasets = Table(
    "datasets",
    metadata,
    Column("id", Text, primary_key=True),
    Column("project", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False, default=""),
    Column("metadata", json_value(), nullable=False, default=dict),
    Column("version", Integer, nullable=False, default=0),
    Column("cases", Integer, nullable=False, default=0),
    # How many cases were ever added: the place of the next one.
    Column("places", Integer, nullable=False, default=0),
    Column("created_by", Text, nullable=False, default=""),
    Column("created_at", Moment, nullable=False, default=now_utc),
    Column("updated_at", Moment, nullable=False, default=now_utc),
    Index("datasets_by_name", "project", "name", unique=True),
)

dataset_versions = Table(
    "dataset_versions",
    metadata,
    Column("dataset_id", Text, ForeignKey("datasets.id", ondelete="CASCADE"), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("cases", Integer, nullable=False),
    *(Column(name, Integer, nullable=False) for name in ("added", "changed", "deleted")),
    Column("created_by", Text, nullable=False, default=""),
    Column("created_at", Moment, nullable=False, default=now_utc),
)

# A row is a case as it was from one version until another (not in that one any more; null: to this day), so
# that a version never changes, and a new one costs the rows that differ.
dataset_cases = Table(
    "dataset_cases",
    metadata,
    Column("dataset_id", Text, ForeignKey("datasets.id", ondelete="CASCADE"), primary_key=True),
    Column("case_id", Text, primary_key=True),
    Column("since_version", Integer, primary_key=True, autoincrement=False),
    Column("until_version", Integer),
    # Its place in the data set, which a changed case keeps.
    Column("place", Integer, nullable=False),
    # Of its body: whether it is another one is known without reading it.
    Column("digest", Text, nullable=False),
    Column("body", json_value(), nullable=False),
    Column("session_id", Text),
    Column("span_id", Text),
    Index("dataset_cases_by_place", "dataset_id", "place"),
    Index("dataset_cases_by_session", "session_id"),
)

# Sound and event logs that cases refer to. The bytes are a blob; the id is made of them.
dataset_blobs = Table(
    "dataset_blobs",
    metadata,
    Column("dataset_id", Text, ForeignKey("datasets.id", ondelete="CASCADE"), primary_key=True),
    Column("id", Text, primary_key=True),
    Column("content_type", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("duration_ms", Float),
    Column("created_at", Moment, nullable=False, default=now_utc),
)

# No foreign keys to the data set, the baseline and so on: the record stays as it is when they are deleted.
experiments = Table(
    "experiments",
    metadata,
    Column("id", Text, primary_key=True),
    Column("project", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("status", Text, nullable=False),
    *(Column(name, Text) for name in ("dataset_id", "dataset_name")),
    Column("dataset_version", Integer),
    Column("task", json_value(), nullable=False, default=dict),
    Column("scorers", json_value(), nullable=False, default=list),
    Column("trials", Integer, nullable=False, default=1),
    Column("seed", BigInteger, nullable=False, default=0),
    Column("cases", Integer),
    *(Column(name, Text) for name in ("baseline", "scored_from", "branch")),
    Column("git", json_value()),
    Column("metadata", json_value(), nullable=False, default=dict),
    # Of one that is over; of a running one it is counted when somebody asks.
    Column("summary", json_value()),
    Column("created_by", Text, nullable=False, default=""),
    Column("created_at", Moment, nullable=False, default=now_utc),
    Column("ended_at", Moment),
    Index("experiments_by_name", "project", "name"),
    Index("experiments_by_dataset", "dataset_id"),
)

# The cases of an experiment whose data was no data set.
experiment_cases = Table(
    "experiment_cases",
    metadata,
    Column("experiment_id", Text, ForeignKey("experiments.id", ondelete="CASCADE"), primary_key=True),
    Column("case_id", Text, primary_key=True),
    Column("place", Integer, nullable=False),
    Column("body", json_value(), nullable=False),
    Index("experiment_cases_by_place", "experiment_id", "place"),
)

results = Table(
    "results",
    metadata,
    Column("experiment_id", Text, ForeignKey("experiments.id", ondelete="CASCADE"), primary_key=True),
    Column("case_id", Text, primary_key=True),
    Column("trial", Integer, primary_key=True, autoincrement=False),
    Column("error", Text),
    Column("cost_usd", Float),
    Column("session_id", Text),
    Column("body", json_value(), nullable=False),
    Column("stored_at", Moment, nullable=False, default=now_utc),
    Index("results_by_session", "session_id"),
)

# The scores of `results`, narrow, for what they come to.
result_scores = Table(
    "result_scores",
    metadata,
    Column("experiment_id", Text, primary_key=True),
    Column("case_id", Text, primary_key=True),
    Column("trial", Integer, primary_key=True, autoincrement=False),
    # Its place among those of the result, which may have several of a name.
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("value", Float),
    Column("direction", Text, nullable=False),
    Column("unit", Text),
    ForeignKeyConstraint(
        ["experiment_id", "case_id", "trial"],
        ["results.experiment_id", "results.case_id", "results.trial"],
        ondelete="CASCADE",
    ),
)

# Online scoring: which sessions are scored by what when they are over.
rules = Table(
    "rules",
    metadata,
    Column("id", Text, primary_key=True),
    Column("project", Text),
    Column("name", Text, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("filter", Text, nullable=False),
    Column("sampling_rate", Float, nullable=False),
    Column("scorers", json_value(), nullable=False),
    Column("alert", json_value()),
    # What the recorder remembers of it, such as whether its alert was sent.
    Column("state", json_value()),
    Column("created_by", Text, nullable=False, default=""),
    Column("created_at", Moment, nullable=False, default=now_utc),
    Column("updated_at", Moment, nullable=False, default=now_utc),
)

rule_runs = Table(
    "rule_runs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("rule_id", Text, ForeignKey("rules.id", ondelete="CASCADE"), nullable=False),
    Column("q", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("created_by", Text, nullable=False),
    # Sessions that it is about, that were looked at, that have scores now, and that have none.
    *(Column(name, Integer, nullable=False) for name in ("total", "done", "scored", "failed")),
    # Where it goes on, as lists have it; why it failed.
    *(Column(name, Text) for name in ("cursor", "error")),
    Column("created_at", Moment, nullable=False, default=now_utc),
    Column("ended_at", Moment),
    Index("rule_runs_of_rule", "rule_id"),
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
    Column("max_requests_per_minute", Integer),
    Column("max_tokens_per_minute", Integer),
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
    # What requests that run may still use; in the sums when they have ended.
    Column("held_tokens", BigInteger, nullable=False, default=0, server_default="0"),
    Column("held_nano_usd", BigInteger, nullable=False, default=0, server_default="0"),
)

# What is left of limits per minute, and when that was so (unix seconds); one that is missing is full.
rates = Table(
    "rates",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("remaining", Float, nullable=False),
    Column("at", Float, nullable=False),
    Index("rates_by_age", "at"),
)
