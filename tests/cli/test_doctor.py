"""`voxgate doctor` as a user types it: what is in order, what is wrong, and that it changes nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from voxgate.cli.main import app
from voxgate.core.errors import VoxgateError
from voxgate.store import Store
from voxgate.testing.provider import ScriptedProvider, Upstreamed

pytestmark = pytest.mark.anyio
SETTINGS = """
[providers.house]
base_url = "{url}"
api_key_env = "HOUSE_KEY"

[[routes]]
model = "gpt-realtime"
providers = ["house"]
"""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def run(folder: Path, *arguments: str, environ: dict[str, str] | None = None) -> Result:
    known = {
        "COLUMNS": "200",
        "OPENAI_API_KEY": "",
        "VOXGATE_DATA_DIR": str(folder / "data"),
        **(environ or {}),
    }
    return CliRunner().invoke(app, ["doctor", *arguments], env=known)


def findings(done: Result) -> dict[str, dict[str, Any]]:
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return {one["about"]: one for one in found}


async def greet(call: Upstreamed) -> None:
    await call.send('{"type": "session.created", "session": {}}')
    await call.receive()


def settings_for(folder: Path, url: str) -> str:
    path = folder / "voxgate.toml"
    path.write_text(SETTINGS.format(url=url))
    return str(path)


async def test_what_is_in_order_is_said_so_and_the_exit_code_is_0(tmp_path: Path) -> None:
    async with ScriptedProvider(greet) as provider:
        config = settings_for(tmp_path, provider.base_url)
        done = await _in_a_thread(tmp_path, "--config", config, "--json")
    found = findings(done)
    assert {one["about"] for one in found.values() if one["status"] == "failed"} == set()
    assert found["house"]["status"] == "passed"
    assert "opened a call with gpt-realtime" in found["house"]["said"]
    assert done.exit_code == 0
    assert not (tmp_path / "data").exists()


async def _in_a_thread(folder: Path, *arguments: str) -> Result:
    import anyio

    return await anyio.to_thread.run_sync(lambda: run(folder, *arguments, environ={"HOUSE_KEY": "k"}))


def test_a_provider_without_its_key_is_named_with_what_to_do(tmp_path: Path) -> None:
    done = run(tmp_path, "--config", settings_for(tmp_path, "http://127.0.0.1:9/v1"))
    assert done.exit_code == 1
    assert "fail  house" in done.stdout
    assert "HOUSE_KEY is not set" in done.stdout
    assert "Set HOUSE_KEY where Voxgate is started" in done.stdout


def test_only_the_providers_that_are_asked_for_are_checked(tmp_path: Path) -> None:
    done = run(tmp_path, "house", "--config", settings_for(tmp_path, "http://127.0.0.1:9/v1"), "--json")
    assert list(findings(done)) == ["house"]


def test_an_unknown_provider_is_a_usage_error(tmp_path: Path) -> None:
    done = run(tmp_path, "nobody", "--config", settings_for(tmp_path, "http://127.0.0.1:9/v1"))
    assert isinstance(done.exception, VoxgateError)
    assert "The settings have: house" in done.exception.message


def test_a_data_folder_that_cannot_be_made_is_found(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file is in the way")
    done = run(tmp_path, "--json")
    found = findings(done)["data folder"]
    assert (found["status"], done.exit_code) == ("failed", 1)
    assert "is no folder" in found["said"]


def test_a_database_of_a_newer_voxgate_is_found(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'data' / 'voxgate.db'}"
    (tmp_path / "data").mkdir()
    Store(url).close()
    assert findings(run(tmp_path, "--json"))["database"]["said"].startswith("It answers")
    import sqlite3

    with sqlite3.connect(tmp_path / "data" / "voxgate.db") as raw:
        raw.execute("UPDATE schema_version SET version = 900, oldest = 900")
    raw.close()
    found = findings(run(tmp_path, "--json"))["database"]
    assert found["status"] == "failed"
    assert "900" in found["said"]
