"""Reads what is not stored as it is asked for: event logs and tracks that were put away, and the whole call
as it was heard. A process of its own does it, so that neither its time nor its libraries get into a gateway
worker: it is started when it is needed, serves one piece after the other, and ends after a while.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from multiprocessing.connection import Connection
from typing import Any, Final, NamedTuple

from voxgate.core.errors import BlobsUnavailable, NotFound, VoxgateError
from voxgate.store import Blobs

IDLE_SECONDS: Final = 60.0
_LONGEST_SECONDS: Final = 120.0
"""For one answer; the first one for a track may have to read the whole log of a running call."""

_MOST_STARTS: Final = 3


class Sound(NamedTuple):
    rate: int
    channels: int
    size: int


class Archive:
    """Safe to use from many threads, which take turns."""

    def __init__(self, blobs: Blobs, idle_seconds: float = IDLE_SECONDS) -> None:
        self._blobs = blobs
        self._idle_seconds = idle_seconds
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection[Any, Any] | None = None

    def sound(self, session_id: str, track: str, stamp: str) -> Sound:
        """What there is of a track. A stamp names this state of it: with the same one it is read, also when
        the call has gone on."""
        return Sound(*self._ask("sound", session_id, track, stamp))

    def read_sound(
        self, session_id: str, track: str, stamp: str, start: int, end: int, *, live: bool = True
    ) -> bytes:
        """Bytes of its samples; silence where a call that has gone on has less than before. One that is over
        never has less, unless what is stored was changed meanwhile."""
        found: bytes = self._ask("read_sound", session_id, track, stamp, start, end)
        missing = end - start - len(found)
        if missing and not live:
            raise BlobsUnavailable("What is stored was changed while it was read. Ask again.")
        return found + bytes(missing)

    def read_events(self, session_id: str, start: int, most: int, *, sound: bool = True) -> bytes:
        """The bytes of the event log from `start` on, at most so many; none at its end. Without sound, they
        are those of a log that has its size in its place."""
        found: bytes = self._ask("read_events", session_id, start, most, sound)
        return found

    def listen(self, session_id: str, listener: str) -> tuple[float, bytes]:
        """Where on the call's clock this listener began, and what of a running call it hears since it last
        asked. NotFound when the call is over."""
        while (found := self._ask("listen", session_id, listener)) is None:
            pass
        start_ms, sound = found
        return start_ms, sound

    def peaks(self, session_id: str, start: int, *, live: bool) -> bytes:
        """From the one with this number on, as `recording.listening.peaks_bytes`; of a running call as far as
        it has come."""
        while (found := self._ask("peaks", session_id, start, live)) is None:
            pass
        data: bytes = found
        return data

    def no_peaks(self, start: int) -> bytes:
        """As `peaks`, of a call of which nothing is to be drawn now."""
        data: bytes = self._ask("no_peaks", start)
        return data

    def image(self, session_id: str, stamp: str, digest: str) -> tuple[str, bytes]:
        """What kind of picture it is, and the picture. The stamp names this state of the event log."""
        content_type, data = self._ask("image", session_id, stamp, digest)
        return content_type, data

    def close(self) -> None:
        with self._lock:
            self._end()

    @property
    def process_id(self) -> int | None:
        return self._process.pid if self._process is not None else None

    def _ask(self, *question: Any) -> Any:
        with self._lock:
            kind, answer = self._exchange_with_some(question)
        if kind == "not found":
            raise NotFound(answer)
        if kind == "unavailable":
            raise BlobsUnavailable(answer)
        if kind == "failed":
            raise VoxgateError(answer)
        return answer

    def _exchange_with_some(self, question: tuple[Any, ...]) -> Any:
        """It may have ended just now, since nobody needed it, and the next one may be killed."""
        for _ in range(_MOST_STARTS):
            try:
                return self._exchange(question)
            except (EOFError, OSError):
                self._end()
        raise BlobsUnavailable("The recording could not be read: the process that reads it died. Ask again.")

    def _exchange(self, question: tuple[Any, ...]) -> Any:
        connection = self._connection or self._start()
        connection.send(question)
        if not connection.poll(_LONGEST_SECONDS):
            self._end()
            return "failed", f"The recording could not be read in {_LONGEST_SECONDS:.0f} s."
        return connection.recv()

    def _start(self) -> Connection[Any, Any]:
        ours, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-m", "voxgate.api.archive_process"]
            self._process = subprocess.Popen(command, stdin=theirs.fileno())
        self._connection = Connection(ours.detach())
        self._connection.send((self._blobs, self._idle_seconds))
        return self._connection

    def _end(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
