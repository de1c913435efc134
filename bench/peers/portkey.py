"""Portkey's gateway for Node, from its package: it is put into a folder of its own at the first run."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.machine import RELAY_CORE, descendants, free_port, pin_to, wait_for_port
from bench.peers.process import NotHere, Running, Setup, last_words, program, started

_PACKAGE: Final = "@portkey-ai/gateway@1.15.2"
_FOLDER: Final = Path(__file__).parent.parent / ".peers" / "portkey"
_PROGRAM: Final = _FOLDER / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"


def headers(setup: Setup) -> dict[str, str]:
    """It is told with each request where that goes."""
    return {"x-portkey-provider": "openai", "x-portkey-custom-host": f"http://127.0.0.1:{setup.provider}/v1"}


@contextmanager
def portkey(setup: Setup) -> Iterator[Running]:
    _install()
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        command = [program("node"), str(_PROGRAM), "--headless", f"--port={port}"]
        environ = {**os.environ, "TRUSTED_CUSTOM_HOSTS": "127.0.0.1,localhost"}
        with started(command, log, cwd=folder, env=environ) as process:
            try:
                wait_for_port(port)
            except OSError as error:
                raise NotHere(f"did not start: {last_words(log)}") from error
            relay = [process.pid, *descendants(process.pid)]
            pin_to(RELAY_CORE, relay)
            yield Running(port, relay=relay, log=log)


def _install() -> None:
    if _PROGRAM.is_file():
        return
    print(f"installing {_PACKAGE} into {_FOLDER}, once", file=sys.stderr, flush=True)
    _FOLDER.mkdir(parents=True, exist_ok=True)
    command = [program("npm"), "install", "--silent", "--no-save", "--prefix", str(_FOLDER), _PACKAGE]
    try:
        subprocess.run(command, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise NotHere(f"{_PACKAGE} could not be installed into {_FOLDER}: {error}") from error
