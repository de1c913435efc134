"""The worker's end of its `writer`: starts that process, tells it what is new in the spool, hears what is in
files, and starts another when it died. Nothing here waits for the writer or for a disk.

    worker → writer:  orders once, on standard input; then announcements
    writer → worker:  reports
"""

from __future__ import annotations

import json
import logging
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from voxgate.recording.layout import ANNOUNCEMENT, REPORT

_PAUSE_SECONDS: Final = 0.5
"""From one start to the next, at least."""

logger = logging.getLogger(__name__)


class WriterLink:
    """`orders` says what a writer has to know that begins now; `descriptors` are for it too."""

    def __init__(self, orders: Callable[[], dict[str, Any]], descriptors: Sequence[int]) -> None:
        self.starts = 0
        self.process: subprocess.Popen[bytes] | None = None
        self._orders = orders
        self._descriptors = descriptors
        self._socket: socket.socket | None = None
        self._unsent = bytearray()
        self._heard = b""
        self._next_start = 0.0
        self._ended: list[subprocess.Popen[bytes]] = []
        """Those that are killed and may not be gone yet."""

    @property
    def has_unsent(self) -> bool:
        return bool(self._unsent) or self._socket is None

    def announce(self, segment: int, fill: int, end: int, full: bool) -> None:
        """A writer that starts later hears the same in its orders."""
        if self._socket is not None:
            self._unsent += ANNOUNCEMENT.pack(segment, fill, end, full)

    def give_back(self, segment: int) -> None:
        self.announce(segment, 0, 0, full=False)

    def prepare(self, segment: int) -> None:
        """One that a writer misses which starts later is slower when it is used, no more."""
        self.announce(segment, 0, 0, full=True)

    def send(self) -> None:
        """What was announced, or as much as the writer takes now."""
        if self._socket is None:
            self.start()
            return
        try:
            while self._unsent:
                del self._unsent[: self._socket.send(self._unsent)]
        except BlockingIOError:
            pass  # the writer is held up: it hears later
        except OSError:
            self._replace()

    def reports(self) -> Iterator[tuple[int, int, int, int]]:
        """What the writer said since the last time."""
        if self._socket is None:
            return iter(())
        try:
            while data := self._socket.recv(65_536):
                self._heard += data
            self._replace()
        except BlockingIOError:
            pass
        except OSError:
            self._replace()
        whole = len(self._heard) // REPORT.size * REPORT.size
        heard, self._heard = self._heard[:whole], self._heard[whole:]
        return REPORT.iter_unpack(heard)

    def close(self) -> None:
        """The writer writes what is left, and ends."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _replace(self) -> None:
        logger.error("the writer of the wire logs ended; another one takes over")
        self.close()
        if self.process is not None:
            self.process.kill()  # it closed its socket: at most it is about to end
            self._ended.append(self.process)
        self.start()

    def start(self) -> None:
        self._ended = [process for process in self._ended if process.poll() is None]
        now = time.monotonic()
        if now < self._next_start:
            return
        self._next_start = now + _PAUSE_SECONDS
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        try:
            with theirs:
                self.process = _start_process(
                    {**self._orders(), "socket": theirs.fileno()}, [*self._descriptors, theirs.fileno()]
                )
        except OSError as error:  # no process to be had just now: it is tried again
            logger.warning("the writer of the wire logs could not be started: %s", error)
            ours.close()
            return
        self._socket = ours
        self._unsent.clear()
        self._heard = b""
        self.starts += 1


def _start_process(orders: dict[str, Any], descriptors: Sequence[int]) -> subprocess.Popen[bytes]:
    """The orders come from memory: a pipe may be too small for them, and would keep the worker waiting until
    the writer has begun to read."""
    text = json.dumps(orders).encode()
    memory = shared_memory(len(text))
    try:
        os.pwrite(memory, text, 0)
        return subprocess.Popen(
            [sys.executable, "-m", "voxgate.recording.writer"],
            stdin=memory,
            stdout=subprocess.DEVNULL,
            pass_fds=descriptors,
            start_new_session=True,  # it ends when the worker has ended and everything is written
        )
    finally:
        os.close(memory)


def shared_memory(size: int) -> int:
    """A file without a name that takes memory only where it was written."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("voxgate-spool", os.MFD_CLOEXEC)
    else:  # not on every platform
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, size)
    return descriptor
