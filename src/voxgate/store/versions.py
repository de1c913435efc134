"""The version of a database's schema: what it is, whether this Voxgate works with it, and how it gets from
one to the other. One row says the version and the oldest one whose Voxgate still works on it, so that old and
new may run beside each other while a fleet is upgraded.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from sqlalchemy import Connection, func, inspect, select, text

from voxgate.core.errors import SettingsError
from voxgate.store import migrations, schema

_LOCK = 0x766F7867617465  # of PostgreSQL: one migration at a time

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SchemaVersion:
    version: int
    oldest: int = 1
    """The oldest version whose Voxgate works on this schema."""


def stored(connection: Connection) -> SchemaVersion | None:
    """None for a database without our tables."""
    inspector = inspect(connection)
    if not inspector.has_table("schema_version"):
        return None
    told = "oldest" in {column["name"] for column in inspector.get_columns("schema_version")}
    row = connection.execute(text(f"SELECT version, {'oldest' if told else '1'} FROM schema_version")).first()  # noqa: S608
    return SchemaVersion(*row) if row is not None else None


def check(connection: Connection, name: str) -> None:
    """SettingsError, with what to do, when this Voxgate cannot work on the schema as it is."""
    found = stored(connection)
    if found is None:
        raise SettingsError(
            f"The database {name} has no tables of Voxgate yet. Make them, with the same settings:"
            " voxgate migrate"
        )
    _refuse_newer(found, name)
    if found.version < migrations.newest_schema():
        raise SettingsError(
            f"The database {name} has schema version {found.version}; this Voxgate needs version"
            f" {migrations.newest_schema()}. Upgrade it, with the same settings: voxgate migrate"
        )


def bring_up(connection: Connection, name: str) -> None:
    """To the newest version if it is older; a database without tables gets them."""
    found = stored(connection)
    if found is None:
        create(connection)
        return
    _refuse_newer(found, name)
    for version in range(found.version, migrations.newest_schema()):
        step_up(connection, version)


def create(connection: Connection) -> None:
    schema.metadata.create_all(connection)
    row = {
        "version": migrations.newest_schema(),
        "oldest": migrations.oldest_beside(migrations.newest_schema()),
    }
    connection.execute(schema.schema_version.insert().values(row))


def step_up(connection: Connection, version: int) -> None:
    """From `version` to the next one."""
    step = migrations.MIGRATIONS[version - 1]
    logger.info("the database goes from schema version %d to %d: %s", version, version + 1, step.what)
    step.up(connection)
    _note(connection, version + 1)


def step_down(connection: Connection, version: int) -> None:
    """From `version` to the one before."""
    step = migrations.MIGRATIONS[version - 2]
    logger.info("the database goes back from schema version %d to %d: %s", version, version - 1, step.what)
    step.down(connection)
    _note(connection, version - 1)


def wait_for_turn(connection: Connection) -> None:
    """Until no other migration runs. SQLite's writing transactions follow one another anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))


def _note(connection: Connection, version: int) -> None:
    connection.execute(text("UPDATE schema_version SET version = :version"), {"version": version})
    if "oldest" in {column["name"] for column in inspect(connection).get_columns("schema_version")}:
        oldest = {"oldest": migrations.oldest_beside(version)}
        connection.execute(text("UPDATE schema_version SET oldest = :oldest"), oldest)


def _refuse_newer(found: SchemaVersion, name: str) -> None:
    """One that is newer by steps that only add is as good as ours."""
    if found.oldest <= migrations.newest_schema() or found.version <= migrations.newest_schema():
        return
    raise SettingsError(
        f"The database {name} has schema version {found.version}, made by a newer Voxgate; this one knows"
        f" version {migrations.newest_schema()}, and the schema needs one that knows version {found.oldest}."
        " Install that Voxgate, or use another database."
    )
