"""A relay as many write it: Node's `ws` package on both sides, every message parsed and written again."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.machine import RELAY_CORE, free_port, pin_to, wait_for_port
from bench.peers.process import NotHere, Running, Setup, program, started

_FOLDER: Final = Path(__file__).parent.parent / "node-ws"


@contextmanager
def node_ws(setup: Setup) -> Iterator[Running]:
    if setup.certificate or setup.workers != 1:
        raise NotHere("is measured without TLS and with one process only")
    node = program("node")
    if not (_FOLDER / "node_modules").is_dir():
        subprocess.run([program("npm"), "ci", "--silent"], cwd=_FOLDER, check=True)
    port = free_port()
    command = [node, str(_FOLDER / "relay.mjs"), str(port), str(setup.provider)]
    with tempfile.TemporaryDirectory() as folder, started(command, Path(folder) / "log") as process:
        wait_for_port(port)
        pin_to(RELAY_CORE, [process.pid])
        yield Running(port, relay=[process.pid], log=Path(folder) / "log")
