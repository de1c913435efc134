"""A whole Voxgate for tests, started as a user starts it: `voxgate serve` with a data folder of its own."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from tests.nursery import HAS_NURSERY, Forked, Nursery
from voxgate.testing.provider import ScriptedProvider

START_SECONDS = 60
Process = subprocess.Popen[str] | Forked


@dataclass
class Voxgate:
    process: Process
    url: str
    key: str
    data_dir: Path
    output: list[str] = field(default_factory=list)

    @property
    def ws_url(self) -> str:
        return self.url.replace("http", "ws", 1) + "/v1/realtime"

    @property
    def auth(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    async def request(self, method: str, path: str, **options: Any) -> Any:
        """The JSON of an answer that is no error; its bytes when it is not JSON."""
        async with (
            aiohttp.ClientSession(headers=self.auth) as http,
            http.request(method, self.url + path, **options) as answer,
        ):
            body = await answer.read()
            assert answer.status < 400, (answer.status, body)
            return await answer.json() if answer.content_type == "application/json" else body

    async def mint(self, **body: Any) -> dict[str, Any]:
        answer: dict[str, Any] = await self.request("POST", "/v1/credentials", json=body)
        return answer

    async def finished_session(self, session_id: str, seconds: float = 60, **options: Any) -> dict[str, Any]:
        """The trace of a session, once it is no longer live."""
        deadline = time.monotonic() + seconds
        while True:
            items = (await self.request("GET", f"/api/sessions?q=id:{session_id}", **options))["items"]
            if items and items[0]["status"] != "live":
                trace: dict[str, Any] = await self.request("GET", f"/api/sessions/{session_id}", **options)
                return trace
            assert time.monotonic() < deadline, f"{session_id} is not finished: {items}"
            await _pause()

    def stop(self, seconds: float = 90) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)


NURSERY = Nursery()
STARTED: list[Voxgate] = []
"""By this process, in order."""


async def _pause() -> None:
    import asyncio

    await asyncio.sleep(0.05)


def start_voxgate(
    data_dir: Path,
    *flags: str,
    environ: dict[str, str] | None = None,
    launcher: Sequence[str] = (),
    local: bool = True,
    as_users: bool = False,
    **options: Any,
) -> Voxgate:
    """Starts on a free port and waits until it says where it is. AssertionError, with its words, if not.
    `launcher` is a command that replaces itself with the one behind it. Without `local` the start is quicker.
    The options are Popen's. With one of these, or `as_users`, each process is a new interpreter, as it is for
    users; else they are forked by the `nursery`."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("VOXGATE_")}
    plain = {"PYTHONUNBUFFERED": "1", "COLUMNS": "200", "VOXGATE_LOCAL_ENABLED": str(local).lower()}
    env = {**clean, **plain, **(environ or {})}
    serve = ["voxgate", "serve", "--port", "0", "--data-dir", str(data_dir), *flags]
    if HAS_NURSERY and not (as_users or launcher or options):
        process: Process = NURSERY.start(serve, data_dir, env)
    else:
        process = subprocess.Popen(
            [*launcher, sys.executable, "-m", *serve],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=data_dir,
            env=env,
            **options,
        )
    lines: list[str] = []
    started = threading.Event()
    threading.Thread(target=_collect, args=(process, lines, started.set), daemon=True).start()
    deadline = time.monotonic() + START_SECONDS
    while not started.wait(0.1):
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise AssertionError("voxgate did not start:\n" + "".join(lines))
    opened = re.search(r"Open +(https?://[^/\s]+)", "".join(lines))
    assert opened is not None
    key = (environ or {}).get("VOXGATE_API_KEY") or (data_dir / "admin.key").read_text().strip()
    STARTED.append(Voxgate(process, opened[1], key, data_dir, lines))
    return STARTED[-1]


def _collect(process: Process, lines: list[str], say_started: Callable[[], None]) -> None:
    assert process.stdout is not None
    with process.stdout as output:
        for line in output:
            lines.append(line)
            if "Stop with Ctrl-C" in line:
                say_started()


@contextlib.contextmanager
def none_left_running() -> Iterator[None]:
    """Ends every Voxgate that was started in it and still runs."""
    before = len(STARTED)
    yield
    for each in STARTED[before:]:
        if each.process.poll() is None:
            each.process.kill()
            each.process.wait(60)


@contextlib.contextmanager
def two_workers(folder: Path, provider: ScriptedProvider, more: str = "") -> Iterator[Voxgate]:
    """A Voxgate with two workers before this provider, whose model is `fake`. `more` are settings."""
    config = folder / "voxgate.toml"
    config.write_text(
        f'workers = 2\ndrain_seconds = 0\n[providers.fake]\nbase_url = "{provider.base_url}"\n'
        f'[[routes]]\nmodel = "fake"\nproviders = ["fake"]\n{more}'
    )
    voxgate = start_voxgate(folder, "--config", str(config), local=False)
    try:
        yield voxgate
    finally:
        assert voxgate.stop() == 0, "".join(voxgate.output)


def workers_of(voxgate: Voxgate) -> list[int]:
    """Their process ids."""
    parent = voxgate.process.pid
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [int(pid) for pid in children if b"\0worker" in Path(f"/proc/{pid}/cmdline").read_bytes()]


@contextlib.contextmanager
def sleeping(pid: int) -> Iterator[None]:
    """A worker that sleeps takes no call, so that the other one gets it."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
