"""Quick starts of a whole Voxgate, and of single processes of it, which hundreds of tests want: one process
has imported what a Voxgate is made of (`forking`) and forks into it, which takes a tenth of the time that new
interpreters take.

    here: orders and files, by a socket   →   there: a process forks; its pid, later how it ended
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

_REPOSITORY: Final = Path(__file__).resolve().parent.parent
_ROOM: Final = "." * 1024
"""For the arguments that processes show."""
MOST_ORDERS_BYTES: Final = 1 << 18
PID_BYTES: Final = 16

HAS_NURSERY: Final = sys.platform == "linux"


@dataclass
class Forked:
    """As `subprocess.Popen`, as far as tests need it."""

    pid: int
    end: int
    """Where its exit code is said."""
    stdout: IO[str] | None = None
    returncode: int | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def poll(self) -> int | None:
        return self._look(0)

    def wait(self, timeout: float | None = None) -> int:
        deadline = None if timeout is None else time.monotonic() + timeout
        while (code := self._look(0.05)) is None:
            if deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
        return code

    def _look(self, seconds: float) -> int | None:
        with self._lock:
            if self.returncode is None and select.select([self.end], [], [], seconds)[0]:
                self.returncode = int(os.read(self.end, 64) or -signal.SIGKILL)  # nothing: all are gone
                os.close(self.end)
            return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Nursery:
    """Of this process, begun when the first one is wanted."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()

    def start(self, arguments: Sequence[str], folder: Path, environ: Mapping[str, str]) -> Forked:
        """`python -m …`, with its output and its errors in one pipe."""
        said, says = os.pipe()
        with os.fdopen(says, "wb"):
            process = self._ask(arguments, folder, environ, {1: says, 2: says}, leads_session=False)
        process.stdout = os.fdopen(said, encoding="utf-8", errors="replace")
        return process

    def popen(
        self,
        command: Sequence[str],
        *,
        stdin: int,
        stdout: int,
        pass_fds: Sequence[int],
        start_new_session: bool,
    ) -> Forked:
        """In place of `subprocess.Popen`, as `recording.link` calls it."""
        assert (list(command[:2]), stdout) == ([sys.executable, "-m"], subprocess.DEVNULL)
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123
            files = {0: stdin, 1: nowhere.fileno(), 2: 2, **{each: each for each in pass_fds}}
            return self._ask(command[2:], Path.cwd(), os.environ, files, leads_session=start_new_session)

    def _ask(
        self,
        arguments: Sequence[str],
        folder: Path,
        environ: Mapping[str, str],
        files: Mapping[int, int],
        *,
        leads_session: bool,
    ) -> Forked:
        """`files` of ours, by the numbers that they shall have there."""
        orders = {
            "arguments": list(arguments),
            "folder": str(folder),
            "environ": dict(environ),
            "files": list(files),
            "leads_session": leads_session,
        }
        ended, ends = os.pipe()
        with os.fdopen(ends, "wb"), self._lock:
            if self._socket is None:
                self._socket = _begin()
            socket.send_fds(self._socket, [json.dumps(orders).encode()], [ends, *files.values()])
        pid = int(os.read(ended, PID_BYTES) or 0)
        assert pid, "the nursery is gone"
        return Forked(pid, ended)


def _begin() -> socket.socket:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MOST_ORDERS_BYTES)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.forking", str(theirs.fileno()), _ROOM],
            cwd=_REPOSITORY,
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        )

    def end() -> None:
        ours.close()
        process.wait(30)

    atexit.register(end)
    return ours
