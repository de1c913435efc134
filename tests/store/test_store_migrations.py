"""From every version of the schema to every other, with what is kept in it; old and new beside each other."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, MetaData, inspect, text

from tests.postgres import Postgres
from voxgate.core.errors import SettingsError
from voxgate.store import Store, migrate, migrations, newest_schema, schema, schema_version
from voxgate.store.database import Database
from voxgate.store.migrations.step import Migration

OLD = Path(__file__).parent / "old" / "v1.sql"
SIGNAL_IDS = {
    "sqlite": "INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT",
    "postgresql": "BIGSERIAL NOT NULL PRIMARY KEY",
}
NEWEST = newest_schema()


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/data/voxgate.db"
    return str(request.getfixturevalue("new_postgres_url"))


@contextmanager
def opened(url: str) -> Iterator[Connection]:
    """Without looking at the schema."""
    database = Database(url, check_schema=False)
    try:
        with database.writing() as connection:
            yield connection
    finally:
        database.close()


@pytest.fixture
def url(empty_url: str) -> str:
    """A database of its own, whose tables may be changed."""
    migrate(empty_url)
    return empty_url


@pytest.fixture
def old_url(empty_url: str) -> str:
    """A database of version 1, with something of everything."""
    with opened(empty_url) as connection:
        script = OLD.read_text().replace("{signal_id}", SIGNAL_IDS[connection.dialect.name])
        for statement in script.partition("\n")[2].split(";\n"):
            if statement.strip():
                connection.exec_driver_sql(statement)
    return empty_url


def shape(url: str) -> dict[str, Any]:
    """Tables with their columns and indexes. Whether a default is the database's does not matter here."""
    with opened(url) as connection:
        found = inspect(connection)
        columns, indexes = found.get_multi_columns(), found.get_multi_indexes()
        primary, foreign = found.get_multi_pk_constraint(), found.get_multi_foreign_keys()
        return {
            table[1]: (
                {
                    column["name"]: (column["type"]._type_affinity.__name__, column["nullable"])
                    for column in columns[table]
                },
                {(index["name"], tuple(index["column_names"])) for index in indexes[table]},
                primary[table]["constrained_columns"],
                [key["referred_table"] for key in foreign[table]],
            )
            for table in columns
            if not table[1].startswith("session_fts")  # SQLite's own, behind its full text
        }


def what_was_there(store: Store) -> None:
    session = store.get_session("sess_old")
    assert session is not None
    assert (session["title"], session["turns"], session["cost_usd"]) == ("Refund, please", 3, 0.25)
    assert session["data"] == {"metrics": {"turns": 3}}
    assert [span["input"] for span in session["spans"]] == [{"text": "Hello"}]
    assert store.make_searchable() is None  # as the recorder does after an upgrade
    assert [row["id"] for row in store.list_sessions(q="tag:vip user:u1 refund")[0]] == ["sess_old"]
    assert store.find_api_key("hash of ci") is not None
    assert store.revoked_credentials() == {"cred_old"}
    assert store.signals_after(0) == [(1, "end_session", "sess_old")]


def test_a_database_of_the_first_version_has_everything_and_takes_everything_afterwards(old_url: str) -> None:
    assert schema_version(old_url) == 1
    migrate(old_url)
    with Store(old_url) as store:
        what_was_there(store)
        store.save_session({"id": "sess_new", "delete_after": "2026-01-01T00:00:00Z"})
        ends = {row["id"]: row["delete_after"] for row in store.list_sessions()[0]}
        assert ends == {"sess_old": None, "sess_new": "2026-01-01T00:00:00.000Z"}
        assert store.take_lease(("a", "b"), 1, 60)
        assert store.take_use("cred_old", 1)[0]


def test_sqlite_is_brought_up_when_it_is_opened_and_postgresql_says_which_command_to_run(
    old_url: str,
) -> None:
    if old_url.startswith("sqlite"):
        with Store(old_url) as store:
            what_was_there(store)
    else:
        with pytest.raises(SettingsError, match=rf"version 1; .* needs version {NEWEST}.* voxgate migrate"):
            Store(old_url)
        assert schema_version(old_url) == 1


def test_an_empty_postgresql_gets_its_tables_by_the_command_only(empty_url: str) -> None:
    if empty_url.startswith("sqlite"):
        Store(empty_url).close()
        return
    with pytest.raises(SettingsError, match=r"no tables of Voxgate yet.*voxgate migrate"):
        Store(empty_url)
    assert migrate(empty_url).before is None
    Store(empty_url).close()


def test_a_migrated_database_is_like_a_fresh_one(old_url: str, tmp_path: Path) -> None:
    migrate(old_url)
    migrated = shape(old_url)
    with opened(old_url) as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("DROP TABLE session_fts")
        everything = MetaData()
        everything.reflect(connection)
        everything.drop_all(connection)
    migrate(old_url)
    assert migrated == shape(old_url)
    assert migrated.keys() == schema.metadata.tables.keys()


@pytest.mark.parametrize("version", range(1, NEWEST))
def test_down_and_up_again_loses_nothing_that_both_know(old_url: str, version: int) -> None:
    migrate(old_url)
    newest = shape(old_url)
    assert migrate(old_url, version).after == version
    down = shape(old_url)
    assert migrate(old_url).before == version
    assert shape(old_url) == newest
    with Store(old_url) as store:
        what_was_there(store)
    migrate(old_url, version)
    assert shape(old_url) == down


ROWS: dict[str, Callable[[str], dict[str, Any]]] = {
    "sessions": lambda id_: {
        "id": id_, "project": "p", "model": "m", "provider": "x", "status": "live", "started_at": "2026",
        "tags": [], "metadata": {}, "data": {}, "metrics": {}, "revision": 1,
    },
    "session_tags": lambda id_: {"session_id": id_, "tag": "vip"},
    "spans": lambda id_: {
        "session_id": id_, "id": "span", "position": 0, "type": "turn", "name": "", "metrics": {},
        "attachments": [],
    },
    "api_keys": lambda id_: {
        "id": id_, "name": "n", "role": "read", "key_hash": id_, "key_hint": "", "created_at": "2026",
    },
    "api_key_old_secrets": lambda id_: {"key_hash": id_, "key_id": id_, "valid_until": "2026"},
    "credentials": lambda id_: {
        "id": id_, "created_at": 1, "expires_at": 2, "metadata": {}, "scopes": {},
    },
    "signals": lambda id_: {"kind": "end_session", "target": id_, "created_at": 1},
    "leases": lambda id_: {"scope": id_, "holder": "h", "expires_at": 1},
    "credential_usage": lambda id_: {
        "credential_id": id_, "uses": 0, "tokens": 0, "audio_ms": 0, "nano_usd": 0, "unpriced": 0,
    },
}  # fmt: skip
"""What a Voxgate of before writes: its columns that cannot be null. Later tables are not in here."""


@pytest.mark.parametrize("version", range(migrations.oldest_beside(NEWEST), NEWEST))
def test_an_older_voxgate_goes_on_writing_and_reading_on_the_newest_schema(
    old_url: str, version: int
) -> None:
    migrate(old_url, version)
    tables = MetaData()
    with opened(old_url) as connection:
        tables.reflect(connection)
    migrate(old_url)
    known = [tables.tables[name] for name in ROWS if name in tables.tables]
    assert len(known) >= 6
    with opened(old_url) as connection:
        for table in known:
            connection.execute(table.insert().values(ROWS[table.name]("written_later")))
        for table in known:
            assert connection.execute(table.select()).first() is not None
        sessions = tables.tables["sessions"]
        connection.execute(sessions.update().values(status="complete"))
    with Store(old_url) as store:
        session = store.get_session("written_later")
        assert session is not None
        assert session["status"] == "complete"
        assert store.delete_session("written_later")


def newer(monkeypatch: pytest.MonkeyPatch, *steps: Migration) -> None:
    """This Voxgate is a newer one from now on."""
    monkeypatch.setattr(migrations, "MIGRATIONS", [*migrations.MIGRATIONS, *steps])


def nothing(connection: Connection) -> None:
    """A step that changes no table."""


def mood_up(connection: Connection) -> None:
    connection.execute(text("ALTER TABLE sessions ADD COLUMN mood VARCHAR"))


def mood_down(connection: Connection) -> None:
    connection.execute(text("ALTER TABLE sessions DROP COLUMN mood"))


def test_beside_a_newer_schema_that_only_adds_an_older_voxgate_can_be_started_too(url: str) -> None:
    Store(url).close()
    with pytest.MonkeyPatch.context() as patch:
        newer(patch, Migration("mood", mood_up, mood_down))
        migrate(url)
        assert schema_version(url) == NEWEST + 1
    with Store(url) as store:
        store.save_session({"id": "sess_1"})
        assert store.get_session("sess_1") is not None


def test_a_schema_on_which_it_does_not_work_is_refused_with_both_versions(url: str) -> None:
    Store(url).close()
    with pytest.MonkeyPatch.context() as patch:
        newer(patch, Migration("mood", mood_up, mood_down), Migration("x", nothing, nothing, NEWEST + 1))
        migrate(url)
    with pytest.raises(SettingsError, match=rf"version {NEWEST + 2}.*newer.*version {NEWEST}.*{NEWEST + 1}"):
        Store(url)
    with pytest.raises(SettingsError, match="only the one that made it"):
        migrate(url)


def test_each_step_is_taken_once(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Store(url).close()
    taken: list[str] = []
    newer(monkeypatch, *(Migration(name, lambda _, name=name: taken.append(name), nothing) for name in "ab"))
    migrate(url)
    migrate(url)
    Store(url).close()
    assert taken == ["a", "b"]


def broken(connection: Connection) -> None:
    mood_up(connection)
    connection.execute(text("no such statement"))


def test_a_failing_step_leaves_the_database_as_it_was(url: str) -> None:
    Store(url).close()
    before = shape(url)
    with pytest.MonkeyPatch.context() as patch:
        newer(patch, Migration("broken", broken, nothing))
        with pytest.raises(Exception, match="syntax error"):
            migrate(url)
    assert schema_version(url) == NEWEST
    assert shape(url) == before


@pytest.mark.parametrize("wrong", [0, NEWEST + 1])
def test_there_is_no_other_version(url: str, wrong: int) -> None:
    with pytest.raises(SettingsError, match=f"no schema version {wrong}"):
        migrate(url, wrong)


def test_many_that_migrate_at_once_take_turns(old_url: str) -> None:
    failures: list[BaseException] = []

    def run() -> None:
        try:
            migrate(old_url)
        except Exception as error:  # noqa: BLE001 - it is what is asserted
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with Store(old_url) as store:
        what_was_there(store)


def test_a_migration_waits_for_a_long_reader_without_keeping_others_waiting(
    new_postgres_url: str, postgres: Postgres
) -> None:
    """A table that somebody reads cannot be altered; who asks for that blocks all who come after it."""
    migrate(new_postgres_url)
    reader = Database(new_postgres_url)
    with pytest.MonkeyPatch.context() as patch, Store(new_postgres_url) as store:
        newer(patch, Migration("mood", mood_up, mood_down))
        migrating = threading.Thread(target=migrate, args=(new_postgres_url,))
        with reader.reading() as connection:
            connection.execute(text("SELECT count(*) FROM sessions"))
            migrating.start()
            waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            name = new_postgres_url.rpartition("/")[2]
            deadline = time.monotonic() + 30
            while postgres.sql(name, waiting) == "0":
                assert time.monotonic() < deadline
            store.save_session({"id": "sess_1"})  # waits until the migration has given up for now
            assert store.get_session("sess_1") is not None
        migrating.join()
        assert schema_version(new_postgres_url) == NEWEST + 1
    reader.close()
