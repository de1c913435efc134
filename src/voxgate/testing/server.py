"""A Voxgate of its own for tests and demonstrations: `voxgate serve` on a free port, with a data folder
that is thrown away or one that stays, and the embedded provider.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from voxgate.core.errors import VoxgateError

START_SECONDS: Final = 120
_STOP_SECONDS: Final = 60
_ADDRESS: Final = re.compile(r"Open +(https?://[^/\s]+)")
_STARTED: Final = "Stop with Ctrl-C"


class DidNotStart(VoxgateError):
    """With what it printed."""


@dataclass(frozen=True, slots=True)
class Server:
    url: str
    key: str
    data_dir: Path

    @property
    def environ(self) -> dict[str, str]:
        """What programs find it by."""
        return {"VOXGATE_URL": self.url, "VOXGATE_API_KEY": self.key}


@contextmanager
def running_voxgate(data_dir: Path | None = None) -> Iterator[Server]:
    """Started, and stopped at the end. Without a folder in one that is deleted then."""
    with ExitStack() as stack:
        made = data_dir or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="voxgate-")))
        command = [sys.executable, "-m", "voxgate", "serve", "--port", "0", "--data-dir", str(made)]
        own = {name: value for name, value in os.environ.items() if not name.startswith("VOXGATE_")}
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=made,
            env={**own, "PYTHONUNBUFFERED": "1", "COLUMNS": "200"},
        )
        stack.callback(_end, process)
        url = _address(process)
        yield Server(url, (made / "admin.key").read_text().strip(), made)


def _address(process: subprocess.Popen[str]) -> str:
    lines: list[str] = []
    started = threading.Event()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:  # to the end, so that it never waits for a reader
            lines.append(line)
            if _STARTED in line:
                started.set()
        started.set()

    threading.Thread(target=read, daemon=True).start()
    started.wait(START_SECONDS)
    found = _ADDRESS.search("".join(lines))
    if found is None or process.poll() is not None:
        raise DidNotStart(f"voxgate serve did not start:\n{''.join(lines)}")
    return found[1]


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(_STOP_SECONDS)
