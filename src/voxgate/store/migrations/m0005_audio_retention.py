"""The sound of a recording may be deleted before the rest of it."""

from __future__ import annotations

from sqlalchemy import Column, Connection

from voxgate.store.columns import Moment
from voxgate.store.migrations.step import Migration, add_column, drop_column

_BY_END = "sessions_by_end_of_audio_retention"
_WITH_SOUND = "sessions_with_sound"


def _up(connection: Connection) -> None:
    for name in ("audio_delete_after", "audio_deleted_at"):
        add_column(connection, "sessions", Column(name, Moment))
    connection.exec_driver_sql(f"CREATE INDEX {_BY_END} ON sessions (audio_deleted_at, audio_delete_after)")
    connection.exec_driver_sql(f"CREATE INDEX {_WITH_SOUND} ON sessions (audio_deleted_at, started_at)")


def _down(connection: Connection) -> None:
    for index in (_BY_END, _WITH_SOUND):
        connection.exec_driver_sql(f"DROP INDEX {index}")
    for name in ("audio_delete_after", "audio_deleted_at"):
        drop_column(connection, "sessions", name)


MIGRATION = Migration("the end of its sound's retention", _up, _down)
