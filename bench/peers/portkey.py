"""Portkey's gateway for Node, from its package: it is put into a folder of its own at the first run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.machine import RELAY_CORE, descendants, free_port, pin_to, wait_for_port
from bench.peers.process import NotHere, Running, Setup, last_words, program, started

_PACKAGE: Final = {
    "private": True,
    "dependencies": {"@portkey-ai/gateway": "1.15.2"},
    "overrides": {"@hono/node-server": "1.14.0"},
}
"""With the newest server that npm would take (1.19), it answers each stream with 500: `TypeError: immutable`,
since its own headers cannot be added to the provider's."""
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
    wanted, manifest = json.dumps(_PACKAGE), _FOLDER / "package.json"
    if _PROGRAM.is_file() and manifest.is_file() and manifest.read_text() == wanted:
        return
    print(f"installing Portkey's gateway into {_FOLDER}, once", file=sys.stderr, flush=True)
    npm = program("npm")
    shutil.rmtree(_FOLDER, ignore_errors=True)
    _FOLDER.mkdir(parents=True)
    manifest.write_text(wanted)
    try:
        subprocess.run([npm, "install", "--silent"], cwd=_FOLDER, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise NotHere(f"Portkey's gateway could not be installed into {_FOLDER}: {error}") from error
