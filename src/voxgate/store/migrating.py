"""`voxgate migrate`: brings a database to a version of the schema, up or down, one step and one transaction
at a time. A step that does not get its locks at once is tried again, so that nobody waits behind it for long.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from voxgate.core.errors import SettingsError, StoreUnavailable
from voxgate.store import migrations, versions
from voxgate.store.database import Database, reason

_LOCK_TIMEOUT: Final = "3s"
_ATTEMPTS: Final = 20
_PAUSE_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Migrated:
    """From which version to which; None before the tables were made."""

    before: int | None
    after: int


def schema_version(url: str) -> int | None:
    """None for a database without our tables."""
    database = Database(url, check_schema=False)
    try:
        with database.reading() as connection:
            found = versions.stored(connection)
    except StoreUnavailable as error:
        raise SettingsError(f"The database {database.name} cannot be opened: {reason(error)}.") from error
    finally:
        database.close()
    return found.version if found else None


def migrate(url: str, to: int | None = None) -> Migrated:
    """To the newest version, or to the one given. SettingsError when that cannot be done; what was done until
    then stays, and the same again goes on from there."""
    goal = migrations.newest_schema() if to is None else to
    if not 1 <= goal <= migrations.newest_schema():
        raise SettingsError(
            f"There is no schema version {goal};"
            f" this Voxgate knows versions 1 to {migrations.newest_schema()}."
        )
    before = schema_version(url)
    if before is not None and before > migrations.newest_schema():
        raise SettingsError(
            f"The database has schema version {before}, which this Voxgate does not know: only the one that"
            " made it can go back from there."
        )
    database = Database(url, check_schema=False)
    try:
        while not _attempt(lambda: _step(database, goal)):
            pass
    finally:
        database.close()
    return Migrated(before, goal)


def _step(database: Database, goal: int) -> bool:
    """Whether the goal is reached."""
    with database.writing() as connection:
        versions.wait_for_turn(connection)
        _hurry(connection)
        found = versions.stored(connection)
        if found is None:
            versions.create(connection)
            return goal == migrations.newest_schema()
        if found.version < goal:
            versions.step_up(connection, found.version)
        elif found.version > goal:
            versions.step_down(connection, found.version)
        return abs(found.version - goal) <= 1


def _attempt(action: Callable[[], bool]) -> bool:
    for attempt in range(_ATTEMPTS):
        try:
            return action()
        except StoreUnavailable as error:
            if "lock" not in reason(error) or attempt == _ATTEMPTS - 1:
                raise SettingsError(f"The schema cannot be changed: {reason(error)}. Try again.") from error
            time.sleep(_PAUSE_SECONDS)
    raise AssertionError("unreachable")


def _hurry(connection: Connection) -> None:
    """While a statement waits for a table, everybody else waits for that statement."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
