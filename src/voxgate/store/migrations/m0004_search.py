"""Lists are found in rows of their own, and by what was said in a call.

What is saved already is made searchable by the recorder: see `SessionRows.make_searchable`. `session_tags`
and the columns `user_id` and `title_folded` are what a Voxgate of before searches by; they stay, but are not
written any more.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
)
from sqlalchemy.dialects.postgresql import TSVECTOR

from voxgate.store.columns import Seconds, Text
from voxgate.store.migrations.step import Migration

_METRICS: Final = (
    *("v2v_p50", "v2v_p95", "tool_turn_v2v_p50", "tool_turn_v2v_p95", "endpointing_p50"),
    *("commit_to_response_p50", "model_ttfa_p50", "model_ttfa_p95", "ttfa_peer_p50", "lead_silence_p50"),
    *("transcript_lag_p50", "tool_wait_p95", "greeting_latency", "underrun_ms", "response_latency_p50"),
    *("silence_during_tool_total", "silence_during_tool_longest", "yield_latency_p50", "overlap_ms"),
    *("dead_air_total", "dead_air_longest", "dead_air_agent", "dead_air_user", "dead_air_tool"),
    *("response_rate", "yield_rate", "agent_interruption_rate", "ghost_interruption_rate", "talk_ratio"),
    *("reprompt_rate", "clipping", "clipping_assistant", "tool_error_rate", "tool_schema_validity"),
    *("cache_hit_rate", "cost_per_minute"),
    *("tokens_in", "tokens_out", "tokens_audio_in", "tokens_audio_out"),
    *("snr_db", "loudness", "loudness_assistant", "missed_last_turn"),
)
_NUMBER: Final = BigInteger().with_variant(Integer, "sqlite")

_tables = MetaData()
Table("sessions", _tables, Column("id", Text, primary_key=True))  # only what the next one refers to
_search = Table(
    "session_search",
    _tables,
    Column("number", _NUMBER, primary_key=True, autoincrement=False),
    Column("session_id", Text, ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False, unique=True),
    *(Column(name, Text, nullable=False) for name in ("project", "model", "provider", "status")),
    *(Column(name, Text) for name in ("user_id", "credential_id")),
    *(Column(name, Float) for name in ("duration_ms", "cost_usd")),
    *(Column(name, Integer) for name in ("turns", "interruptions", "errors")),
    *(Column(name, Text, nullable=False) for name in ("tags", "tools", "codes")),
    Column("layout", Integer, nullable=False),
    *(Column(name, Float) for name in _METRICS),
    Index("search_of_user", "user_id"),
    Index("search_of_credential", "credential_id"),
)
_words = Table(
    "session_words",
    _tables,
    Column(
        "number",
        _NUMBER,
        ForeignKey("session_search.number", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("text", Text, nullable=False),
    Column("indexed_at", Seconds, nullable=False),
    Column("vector", String().with_variant(TSVECTOR, "postgresql")),
    Index("words_of_sessions", "vector", postgresql_using="gin").ddl_if(dialect="postgresql"),
)
_FULL_TEXT: Final = (
    "CREATE VIRTUAL TABLE session_fts USING fts5(title, user_said, assistant_said, tools,"
    " tokenize='ascii', prefix='3', columnsize=0)"
)
_FULL_TEXT_DELETED: Final = (
    "CREATE TRIGGER session_fts_deleted AFTER DELETE ON session_words"
    " BEGIN DELETE FROM session_fts WHERE rowid = old.number; END"
)
_NOT_USED_ANY_MORE: Final = {
    "sessions_newest_of_project": "project, started_at, id",
    "sessions_of_credential": "credential_id",
    "sessions_of_user": "user_id",
    "sessions_of_status": "status",
}


def _up(connection: Connection) -> None:
    _tables.create_all(connection)
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(_FULL_TEXT)
        connection.exec_driver_sql(_FULL_TEXT_DELETED)
    for index in _NOT_USED_ANY_MORE:
        connection.exec_driver_sql(f"DROP INDEX IF EXISTS {index}")


def _down(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("DROP TABLE session_fts")
    for table in (_words, _search):
        table.drop(connection)
    for index, columns in _NOT_USED_ANY_MORE.items():
        connection.exec_driver_sql(f"CREATE INDEX {index} ON sessions ({columns})")


MIGRATION = Migration("search by any field and by what was said", _up, _down)
