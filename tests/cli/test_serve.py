"""`voxgate serve` as a user starts it: what it says when it cannot, and how it stops."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.asyncio.client import connect

from tests.cli.conftest import RunIn
from tests.cli.paced import start_with
from tests.cli.processes import children_of, command_of, runs
from tests.running import Voxgate, none_left_running, start_voxgate
from voxgate.testing.provider import ScriptedProvider

pytestmark = pytest.mark.anyio


def run_serve(folder: Path, *flags: str, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "voxgate", "serve", *flags]
    clean = {key: value for key, value in os.environ.items() if not key.startswith("VOXGATE_")}
    env = {**clean, "COLUMNS": "300", **environ}
    return subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=folder, env=env, timeout=60
    )


def test_a_taken_port_is_named_with_what_to_do(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run_serve(tmp_path, "--port", str(port))
    assert result.returncode == 2
    assert f"Port {port} on 127.0.0.1 is already taken" in result.stderr
    assert "--port" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_data_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run_serve(tmp_path, "--port", "0", "--data-dir", str(tmp_path / "file" / "data"))
    assert result.returncode == 2
    assert f"The data folder {tmp_path}/file/data cannot be written" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('host = "127.0.0.1"\nport = "many"\n', "voxgate.toml, line 2: port:"),
        ("[providers.local]\nseeed = 1\n", "voxgate.toml, line 2: providers.local.seeed: unknown key"),
        ('[providers.local]\n\nvoice_engine = "x"\n', "line 3: providers.local.voice_engine"),
        ('tls_cert = "cert.pem"\n', "--tls-cert and --tls-key belong together"),
        ('tls_cert = "cert.pem"\ntls_key = "key.pem"\n', "cannot be used"),
        ('api_key = "ek_mine"\n', "may not start with ek_"),
        ('port = 0\n[providers.local]\nvoice_engine = "http"\n', "set providers.local.speech_base_url"),
        ('[[routes]]\nmodel = "x"\nproviders = ["[bold]"]\n', "unknown provider '[bold]'"),
        ("port = \n", "voxgate.toml is not valid TOML"),
    ],
)
def test_a_wrong_configuration_names_the_key_and_the_line(
    run_in: RunIn, tmp_path: Path, text: str, words: str
) -> None:
    (tmp_path / "voxgate.toml").write_text(text)
    status, said = run_in(tmp_path, "serve")
    assert status == 2
    assert words in said
    assert "Traceback" not in said


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Voxgate]:
    """With two workers and the embedded provider; what tests kill comes back, the last one kills all."""
    flags = "--workers", "2", "--drain-seconds", "0.2"
    with none_left_running():
        yield start_voxgate(tmp_path_factory.mktemp("own"), *flags, as_users=True)


def test_the_first_start_makes_a_private_admin_key(own: Voxgate) -> None:
    path = own.data_dir / "admin.key"
    assert path.read_text().strip() == own.key
    assert path.stat().st_mode & 0o777 == 0o600


async def test_the_embedded_provider_can_be_left_out(tmp_path: Path) -> None:
    running = start_voxgate(tmp_path, local=False)
    assert (await running.request("GET", "/v1/models"))["data"] == []
    async with connect(f"{running.ws_url}?model=local", additional_headers=running.auth) as refused:
        said = json.loads(await refused.recv())
    assert "local_enabled" in said["error"]["message"]
    assert running.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_stop_ends_calls_with_a_reason_keeps_their_traces_and_leaves_no_process(
    tmp_path: Path, number: signal.Signals
) -> None:
    """And the next start keeps the admin key."""
    async with ScriptedProvider() as provider:
        has_local = number == signal.SIGTERM  # once: it is the process that starts slowest
        own = await start_with(provider, tmp_path, "--drain-seconds", "0.2", local=has_local)
        children = children_of(own.process.pid)
        assert len(children) == 2 + has_local
        model = "local" if has_local else "echo"
        async with connect(f"{own.ws_url}?model={model}", additional_headers=own.auth) as call:
            await call.send("{}")
            await call.recv()
            assert call.response is not None
            session_id = call.response.headers["x-voxgate-session-id"]
            own.process.send_signal(number)
            async for _ in call:
                pass
            assert call.close_code == 1001
    assert await asyncio.to_thread(own.process.wait, 30) == 0
    assert not any(runs(child) for child in children)
    again = start_voxgate(own.data_dir, local=False)
    assert again.key == own.key
    trace = await again.finished_session(session_id)
    assert trace["close"]["code"] == 1001
    assert again.stop() == 0


async def test_two_workers_share_one_port_and_their_credentials(own: Voxgate) -> None:
    key = (await own.mint(model="local"))["key"]
    for _ in range(6):
        headers = {"Authorization": f"Bearer {key}"}
        async with connect(f"{own.ws_url}?model=local", additional_headers=headers) as call:
            assert "session.created" in str(await call.recv())


def test_each_process_loads_only_what_it_is_for(own: Voxgate) -> None:
    loaded = {
        name: _libraries(pid)
        for pid in children_of(own.process.pid)
        for name in [command_of(pid).split()[-1]]
    }
    assert "numpy" not in loaded["worker"]
    assert "onnxruntime" not in loaded["recorder"]
    assert "httptools" not in loaded["recorder"]
    assert "numpy" in loaded["recorder"]
    assert "sqlalchemy" not in loaded["local"]


def _libraries(pid: int) -> str:
    """The native libraries that a process has mapped."""
    return Path(f"/proc/{pid}/maps").read_text()


@pytest.mark.parametrize("which", ["recorder", "local"])
async def test_a_child_that_dies_is_started_again_and_calls_are_recorded(own: Voxgate, which: str) -> None:
    victim = next(pid for pid in children_of(own.process.pid) if which in command_of(pid))
    os.kill(victim, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while True:
        children = [pid for pid in children_of(own.process.pid) if which in command_of(pid) and runs(pid)]
        if children and victim not in children:
            break
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    async with connect(f"{own.ws_url}?model=local", additional_headers=own.auth) as call:
        await asyncio.wait_for(call.recv(), 60)
        assert call.response is not None
        session_id = call.response.headers["x-voxgate-session-id"]
    assert (await own.finished_session(session_id, 30))["status"] == "complete"


def test_children_do_not_outlive_a_parent_that_was_killed(own: Voxgate) -> None:
    children = children_of(own.process.pid)
    own.process.kill()
    own.process.wait(60)
    deadline = time.monotonic() + 60
    while alive := [child for child in children if runs(child)]:
        assert time.monotonic() < deadline, alive
        time.sleep(0.05)
