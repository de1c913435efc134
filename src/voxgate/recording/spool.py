"""The spool: where a gateway worker keeps what crossed the wire until it is in files.

It is memory that the worker shares with a process of its own, the `writer`. A call's bytes are received
right into it, sent on from there, and become a record by a few bytes that are written before them: no copy,
no system call, no thread. The memory is used in segments, again and again as the writer gives them back. When
none is left because the disk takes nothing, calls go on, and what could not be kept is counted.

    worker:  buffer() → receive → send on → commit()      several times a second: announce how far
    writer:  records so far → one file for each call → segment released
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import logging
import mmap
import os
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from voxgate.core.clock import monotonic_ns
from voxgate.recording.wirelog import CLIENT, FACT, LOCK_NAME, MAGIC, RECORD, SUFFIX

CHUNK: Final = 64 << 10
"""The most that is received at once."""
SEGMENT: Final = 2 << 20
ENTRY: Final = struct.Struct("<IIQQBI")
"""Before each record in the spool: call, fill of the segment, place in the call's file, and the file's own
`RECORD`, so that the writer copies nothing either."""
OPEN: Final = 0x10
"""A kind of entry that is in no file: its bytes are the call's file name."""
CLOSE: Final = 0x11
ANNOUNCEMENT: Final = struct.Struct("<IIII")
"""To the writer: segment, fill, end of what is in it, whether it is full."""
RELEASE: Final = struct.Struct("<I")
"""From the writer: a segment that it is done with."""

_LARGEST_RECORD: Final = SEGMENT // 2
_LAST_START: Final = SEGMENT - ENTRY.size - CHUNK
_ANNOUNCE_SECONDS: Final = 0.08
_WRITER_PAUSE_SECONDS: Final = 0.5
_STOP_SECONDS: Final = 10.0

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Gap:
    """What one direction of a call lost since its last record."""

    records: int = 0
    bytes: int = 0


class WireLog:
    """One session's log, as the relay sees it: never waits and never fails."""

    __slots__ = ("_number", "_offset", "_origin_ns", "_spool", "gaps", "session_id")

    def __init__(self, spool: Spool, number: int, session_id: str) -> None:
        self.session_id = session_id
        self.gaps: dict[int, Gap] = {}
        """By kind, what could not be kept and is not yet told in the log."""
        self._spool = spool
        self._number = number
        self._offset = len(MAGIC)
        self._origin_ns = monotonic_ns()

    def buffer(self) -> memoryview:
        """Room for the call's next bytes, until the next call of this or another log's methods."""
        spool = self._spool
        if spool.end > _LAST_START:
            spool.turn()
        at = spool.end + ENTRY.size
        return spool.view[at : at + CHUNK]

    @property
    def has_room(self) -> bool:
        return not self._spool.full

    def commit(self, kind: int, size: int) -> None:
        """The first `size` bytes of the `buffer` are a record."""
        spool = self._spool
        if spool.full:
            self._lose(kind, size)
            return
        t_ns = monotonic_ns() - self._origin_ns
        ENTRY.pack_into(spool.view, spool.end, self._number, spool.fill, self._offset, t_ns, kind, size)
        spool.end += ENTRY.size + size
        self._offset += RECORD.size + size
        if not spool.armed:
            spool.arm()

    def append(self, kind: int, data: bytes) -> None:
        """A record of bytes that are elsewhere; several if they are many."""
        t_ns = monotonic_ns() - self._origin_ns
        for start in range(0, len(data), _LARGEST_RECORD):
            piece = data[start : start + _LARGEST_RECORD]
            if not self._put(t_ns, kind, piece):
                self._lose(kind, len(piece))

    def fact(self, fact: dict[str, Any]) -> None:
        """Facts are few and small: one that finds no room is held until there is some."""
        self._put_or_hold(FACT, orjson.dumps(fact))

    def mend(self, kind: int, side: str, skip: int, torn: bool) -> None:
        """Says what was lost of a direction, before its next record: how much, how many `skip` bytes of a
        frame's payload still follow, and whether a message was cut in the middle (`torn`)."""
        gap = self.gaps.pop(kind)
        lost = {"type": "gateway.lost", "side": side, "records": gap.records, "bytes": gap.bytes}
        self.fact({**lost, "skip": skip, "torn": torn})

    def close(self, code: int, reason: str, side: str) -> None:
        """How the call ended: nothing comes after it."""
        for kind in list(self.gaps):
            self.mend(kind, "client" if kind == CLIENT else "provider", 0, torn=False)
        self.fact({"type": "gateway.closed", "code": code, "reason": reason, "side": side})
        self._put_or_hold(CLOSE, b"")

    def open_file(self) -> None:
        self._put_or_hold(OPEN, f"{self.session_id}{SUFFIX}".encode())

    def put_held(self, t_ns: int, kind: int, data: bytes) -> bool:
        return self._put(t_ns, kind, data)

    def _put_or_hold(self, kind: int, data: bytes) -> None:
        t_ns = monotonic_ns() - self._origin_ns
        if self._spool.held or not self._put(t_ns, kind, data):
            self._spool.hold(self, t_ns, kind, data)

    def _put(self, t_ns: int, kind: int, data: bytes) -> bool:
        spool, size = self._spool, len(data)
        if spool.end + ENTRY.size + size > SEGMENT:
            spool.turn()
        if spool.full:
            return False
        at = spool.end + ENTRY.size
        ENTRY.pack_into(spool.view, spool.end, self._number, spool.fill, self._offset, t_ns, kind, size)
        spool.view[at : at + size] = data
        spool.end = at + size
        if kind <= FACT:
            self._offset += RECORD.size + size
        elif kind == CLOSE:
            spool.closed(self._number)
        if not spool.armed:
            spool.arm()
        return True

    def _lose(self, kind: int, size: int) -> None:
        spool, gap = self._spool, self.gaps.setdefault(kind, Gap())
        gap.records += 1
        gap.bytes += size
        spool.lost_records += 1
        spool.lost_bytes += size
        if not spool.armed:
            spool.arm()


class Unrecorded:
    """The log of a call that is not recorded."""

    def __init__(self) -> None:
        self.gaps: dict[int, Gap] = {}
        self.has_room = True
        self._view = memoryview(bytearray(CHUNK))

    def buffer(self) -> memoryview:
        return self._view

    def commit(self, kind: int, size: int) -> None:
        pass

    def append(self, kind: int, data: bytes) -> None:
        pass

    def fact(self, fact: dict[str, Any]) -> None:
        pass

    def mend(self, kind: int, side: str, skip: int, torn: bool) -> None:
        pass

    def close(self, code: int, reason: str, side: str) -> None:
        pass


UNRECORDED: Final = Unrecorded()
Log = WireLog | Unrecorded


@dataclass(slots=True)
class _Filling:
    """A segment that the writer has not released: the use that it is in, and how far it is filled."""

    fill: int
    end: int = 0
    full: bool = False
    closed: list[int] = field(default_factory=list)
    """The calls whose last entry is in it."""


@dataclass(slots=True)
class _Held:
    log: WireLog
    t_ns: int
    kind: int
    data: bytes


class Spool:
    """One gateway worker's spool and its writer. `view`, `end`, `fill`, `full` and `armed` are for its logs.

    `buffer_bytes` bounds the memory. The folder's lock is held by this process and by the writer, so a log
    counts as abandoned only when nobody is left to write it.
    """

    def __init__(self, wire_dir: Path, worker_id: str, *, buffer_bytes: int = 256 << 20) -> None:
        self._folder = wire_dir / worker_id
        self._folder.mkdir(parents=True, exist_ok=True)
        self._lock = (self._folder / LOCK_NAME).open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._segments = max(2, buffer_bytes // SEGMENT)
        self._file = _shared_file(self._folder, self._segments * SEGMENT)
        self._memory = memoryview(mmap.mmap(self._file, self._segments * SEGMENT))
        self._nowhere = memoryview(bytearray(ENTRY.size + CHUNK))
        self._filling: dict[int, _Filling] = {}
        self._free: list[int] = []
        self._used = 0
        self._current = 0
        self._names: dict[int, str] = {}
        self._opened = 0
        self.view, self.end, self.fill = self._nowhere, 0, 0
        self.full = True
        self.armed = False
        self.held: deque[_Held] = deque()
        self.lost_records = 0
        self.lost_bytes = 0
        self.writer_starts = 0
        self._outbox = bytearray()
        self._released = b""
        self._stopped = False
        self._next_start = 0.0
        self._writer: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._start_writer()
        self.turn()

    # For the relay

    def open(self, session_id: str) -> WireLog:
        self._opened += 1
        log = WireLog(self, self._opened, session_id)
        self._names[self._opened] = f"{session_id}{SUFFIX}"
        log.open_file()
        return log

    @property
    def waiting_bytes(self) -> int:
        """What is in memory and not yet in files."""
        return sum(filling.end for filling in self._filling.values() if filling.full) + self.end

    @property
    def writer_pid(self) -> int | None:
        return self._writer.pid if self._writer is not None else None

    def stop(self) -> None:
        """Writes what waits and lets go of the lock: the worker's logs are complete after it."""
        deadline = time.monotonic() + _STOP_SECONDS
        self._announce()
        while (self.held or self._outbox) and time.monotonic() < deadline:
            time.sleep(0.02)
            self._announce()
        self._stopped = True
        if self._socket is not None:
            self._socket.close()
        if self._writer is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):  # it goes on without us, and ends by itself
                self._writer.wait(max(0.1, deadline - time.monotonic()))
        self._lock.close()
        os.close(self._file)

    # For the logs

    def turn(self) -> None:
        """Goes on in another segment, or, if none is to be had, nowhere."""
        if not self.full:
            self._note(full=True)
        self._take_released()
        index = self._next_segment()
        self.end = 0
        if index is None:
            self.full, self.view = True, self._nowhere
            self._arm_if_running()
            return
        self.full, self.fill = False, self.fill + 1
        self._current = index
        self.view = self._memory[index * SEGMENT : (index + 1) * SEGMENT]
        self._filling[index] = _Filling(self.fill)
        self._note(full=False)
        self._put_held()

    def arm(self) -> None:
        """Sees to it that the writer hears of what is new. Without an event loop it hears at once."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._announce()
            return
        self.armed = True
        loop.call_later(_ANNOUNCE_SECONDS, self._announce)

    def hold(self, log: WireLog, t_ns: int, kind: int, data: bytes) -> None:
        self.held.append(_Held(log, t_ns, kind, data))
        if not self.armed:
            self.arm()

    def closed(self, number: int) -> None:
        self._filling[self._current].closed.append(number)

    # Between the worker and its writer

    def _next_segment(self) -> int | None:
        if self._free:
            return self._free.pop()  # the one that was used last is still in the processor's cache
        if self._used < self._segments:
            self._used += 1
            return self._used - 1
        return None

    def _note(self, *, full: bool) -> None:
        filling = self._filling[self._current]
        filling.end, filling.full = self.end, full
        self._outbox += ANNOUNCEMENT.pack(self._current, self.fill, self.end, full)

    def _announce(self) -> None:
        if self._stopped:
            return
        self.armed = True  # what is put now is announced now
        self._take_released()
        if self.full:
            self.turn()
        self._put_held()
        if not self.full and self._filling[self._current].end != self.end:
            self._note(full=False)
        self._send()
        self.armed = False
        if self._outbox or self.held or self.full:
            self._arm_if_running()

    def _arm_if_running(self) -> None:
        if self.armed:
            return
        with contextlib.suppress(RuntimeError):
            asyncio.get_running_loop().call_later(_ANNOUNCE_SECONDS, self._announce)
            self.armed = True

    def _put_held(self) -> None:
        while self.held and not self.full:
            first = self.held.popleft()
            if not first.log.put_held(first.t_ns, first.kind, first.data):
                self.held.appendleft(first)

    def _send(self) -> None:
        if self._socket is None:
            self._start_writer()
            return
        try:
            while self._outbox:
                del self._outbox[: self._socket.send(self._outbox)]
        except BlockingIOError:
            pass  # the writer is held up: it hears later
        except OSError:
            self._lose_writer()

    def _take_released(self) -> None:
        if self._socket is None:
            return
        try:
            while data := self._socket.recv(4096):
                self._released += data
        except BlockingIOError:
            pass
        except OSError:
            self._lose_writer()
        whole = len(self._released) // RELEASE.size * RELEASE.size
        for (index,) in RELEASE.iter_unpack(self._released[:whole]):
            filling = self._filling.get(index)
            if filling is not None and filling.full:
                for number in self._filling.pop(index).closed:
                    del self._names[number]
                self._free.append(index)
        self._released = self._released[whole:]

    # The writer's life

    def _lose_writer(self) -> None:
        logger.error("the writer of the wire logs ended; another one takes over")
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._writer is not None:
            self._writer.kill()  # it closed its socket: at most it is about to end
            self._writer.wait()
        self._start_writer()

    def _start_writer(self) -> None:
        now = time.monotonic()
        if now < self._next_start:
            return
        self._next_start = now + _WRITER_PAUSE_SECONDS
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        orders = {
            "folder": str(self._folder),
            "segments": self._segments,
            "memory": self._file,
            "socket": theirs.fileno(),
            "names": self._names,
            "waiting": [[index, f.fill, f.end, f.full] for index, f in self._filling.items()],
        }
        try:
            with theirs:
                self._writer = _start_process(orders, [self._file, theirs.fileno(), self._lock.fileno()])
        except OSError as error:  # no process to be had just now: it is tried again
            logger.warning("the writer of the wire logs could not be started: %s", error)
            ours.close()
            return
        self._socket = ours
        self._outbox.clear()
        self._released = b""
        self.writer_starts += 1


def _start_process(orders: dict[str, Any], descriptors: list[int]) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-m", "voxgate.recording.writer"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        pass_fds=descriptors,
        start_new_session=True,  # it ends when the worker has ended and everything is written
    )
    assert process.stdin is not None
    with process.stdin as orders_pipe:
        orders_pipe.write(json.dumps(orders).encode())
    return process


def _shared_file(folder: Path, size: int) -> int:
    """A file without a name that takes memory only where it was written."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("voxgate-spool", os.MFD_CLOEXEC)
    else:  # not on every platform
        with tempfile.TemporaryFile(dir=folder) as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, size)
    return descriptor
