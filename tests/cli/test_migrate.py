"""`voxgate migrate` and `voxgate serve` as a user types them, on PostgreSQL."""

from __future__ import annotations

import asyncio
import functools
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from websockets.asyncio.client import connect

from tests.cli.conftest import RunIn
from tests.postgres import Postgres
from tests.running import start_voxgate
from voxgate.store import newest_schema
from voxgate.testing.provider import ScriptedProvider

pytestmark = pytest.mark.anyio
NEWEST = newest_schema()
Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(tmp_path: Path, new_postgres_url: str, run_in: RunIn) -> Run:
    return functools.partial(run_in, tmp_path, VOXGATE_DATABASE_URL=new_postgres_url)


def test_serve_says_which_command_brings_the_database_up(run: Run) -> None:
    code, words = run("serve", "--port", "0")
    assert code == 2
    assert "has no tables of Voxgate yet. Make them, with the same settings: voxgate migrate" in words
    assert run("migrate", "--check") == (
        1,
        f"The database has no tables; wanted is schema version {NEWEST}.\n",
    )
    code, words = run("migrate")
    assert code == 0
    assert words.endswith(f"The database had no tables and has schema version {NEWEST} now.\n")
    assert run("migrate") == (0, f"Nothing to do: the database has schema version {NEWEST}.\n")


def test_an_older_schema_is_gone_back_to_and_brought_up_again(run: Run) -> None:
    run("migrate")
    code, words = run("migrate", "--to", "1")
    assert (code, words.splitlines()[-1]) == (
        0,
        f"The database had schema version {NEWEST} and has schema version 1 now.",
    )
    code, words = run("serve", "--port", "0")
    assert code == 2
    assert f"needs version {NEWEST}. Upgrade it, with the same settings: voxgate migrate" in words


@pytest.mark.parametrize("command", [["migrate"], ["serve", "--port", "0"]])
def test_a_server_that_is_not_there_and_a_password_are_not_shown(
    run_in: RunIn, tmp_path: Path, command: list[str]
) -> None:
    url = "postgresql://me:planted@127.0.0.1:9/x"
    code, words = run_in(tmp_path, *command, VOXGATE_DATABASE_URL=url)
    assert code == 2
    assert "cannot be opened" in words
    assert "planted" not in words


def test_the_command_explains_itself(run: Run) -> None:
    code, words = run("migrate", "--help")
    assert code == 0
    for part in ("--to", "--check", "Examples:", "voxgate migrate --to 2"):
        assert part in words


async def test_a_call_on_postgresql_is_served_and_recorded(
    tmp_path: Path, postgres: Postgres, new_postgres_url: str
) -> None:
    environ = {**os.environ, "VOXGATE_DATABASE_URL": new_postgres_url}
    migrate = [sys.executable, "-m", "voxgate", "migrate"]
    await asyncio.to_thread(subprocess.run, migrate, env=environ, cwd=tmp_path, check=True, timeout=110)
    async with ScriptedProvider() as provider:
        config = tmp_path / "voxgate.toml"
        config.write_text(
            f'workers = 2\ndatabase_url = "{new_postgres_url}"\n'
            f'[providers.fake]\nbase_url = "{provider.base_url}"\n'
            '[[routes]]\nmodel = "fake"\nproviders = ["fake"]\n'
        )
        voxgate = await asyncio.to_thread(start_voxgate, tmp_path, "--config", str(config), local=False)
        credential = await voxgate.mint(logging={"project_name": "shop"}, max_uses=1)
        headers = {"Authorization": f"Bearer {credential['key']}"}
        url = f"{voxgate.ws_url}?model=fake"
        async with connect(url, additional_headers=headers) as socket:
            assert socket.response is not None
            session_id = socket.response.headers["x-voxgate-session-id"]
            await socket.send('{"type": "input_audio_buffer.clear", "event_id": "e1"}')
        trace = await voxgate.finished_session(session_id, seconds=60)
        assert (trace["project"], trace["credential_id"]) == ("shop", credential["id"])
        assert await asyncio.to_thread(voxgate.stop) == 0, "".join(voxgate.output)
    name = new_postgres_url.rpartition("/")[2]
    assert postgres.sql(name, "SELECT id FROM sessions") == session_id
    assert not (tmp_path / "voxgate.db").exists()
