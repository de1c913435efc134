"""The spool: where a gateway worker keeps what crossed the wire until it is in files.

It is memory that the worker shares with a process of its own, the `writer`. A call's bytes are received
right into it, sent on from there, and become a record by a few bytes that are written before them: no copy,
no system call, no thread. The memory is used in segments, again and again as the writer gives them back. When
none is left because the disk takes nothing, calls go on, and what could not be kept is counted.

    worker:  buffer() → receive → send on → commit()      several times a second: announce how far
    writer:  records so far → one file for each call → report how far; a full segment is free again
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import mmap
import os
import subprocess
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

import orjson

from voxgate.core.clock import monotonic_ns
from voxgate.recording.layout import CLOSE, ENTRY, GIVEN_BACK, LOST, ON_DISK, OPEN, SEGMENT, WRITTEN
from voxgate.recording.link import WriterLink, shared_memory
from voxgate.recording.segments import KEEP_SECONDS, Segments
from voxgate.recording.wirelog import CLIENT, FACT, LOCK_NAME, MAGIC, RECORD, SUFFIX

Relayed = dict[str, int]
"""What a call's sides sent in all: `in` the client, `out` the provider."""
CHUNK: Final = 64 << 10
"""The most that is received at once."""
_LARGEST_RECORD: Final = SEGMENT // 2
_LAST_START: Final = SEGMENT - ENTRY.size - CHUNK
_ANNOUNCE_SECONDS: Final = 0.08
_STOP_SECONDS: Final = 10.0
_MOST_HELD_BYTES: Final = 16 << 20
"""When the facts that find no room are so many, new calls are not recorded at all."""


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
            # Behind a gap that is not told yet it would be taken for what is missing.
            if kind in self.gaps or not self._put(t_ns, kind, piece):
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

    def close(self, code: int, reason: str, side: str, relayed: Relayed | None = None) -> None:
        """How the call ended: nothing comes after it."""
        for kind in list(self.gaps):
            self.mend(kind, "client" if kind == CLIENT else "provider", 0, torn=False)
        told = {"bytes": relayed} if relayed is not None else {}
        self.fact({"type": "gateway.closed", "code": code, "reason": reason, "side": side, **told})
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
        spool.view[at : at + size] = data  # first: a worker that is killed here leaves no entry without bytes
        ENTRY.pack_into(spool.view, spool.end, self._number, spool.fill, self._offset, t_ns, kind, size)
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

    def close(self, code: int, reason: str, side: str, relayed: Relayed | None = None) -> None:
        pass


UNRECORDED: Final = Unrecorded()


class Log(Protocol):
    """What the relay needs of a call's log: `WireLog` is the one that is recorded as it is."""

    gaps: dict[int, Gap]

    def buffer(self) -> memoryview: ...

    @property
    def has_room(self) -> bool: ...

    def commit(self, kind: int, size: int) -> None: ...

    def append(self, kind: int, data: bytes) -> None: ...

    def fact(self, fact: dict[str, Any]) -> None: ...

    def mend(self, kind: int, side: str, skip: int, torn: bool) -> None: ...

    def close(self, code: int, reason: str, side: str, relayed: Relayed | None = None) -> None: ...


@dataclass(slots=True)
class _Filling:
    """A segment that is in use: for which time, how far it is filled, and how far it is in files."""

    fill: int
    end: int = 0
    full: bool = False
    written: int = 0
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

    # Not for the memory: `gateway/_splice.c` knows where slots are.
    __slots__ = ("__dict__", "armed", "end", "fill", "full", "view")

    def __init__(
        self,
        wire_dir: Path,
        worker_id: str,
        *,
        buffer_bytes: int = 256 << 20,
        keep_seconds: float = KEEP_SECONDS,
    ) -> None:
        self._folder = wire_dir / worker_id
        self._folder.mkdir(parents=True, exist_ok=True)
        self._lock = (self._folder / LOCK_NAME).open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._count = max(2, buffer_bytes // SEGMENT)
        self._file = shared_memory(self._count * SEGMENT)
        self._memory = memoryview(mmap.mmap(self._file, self._count * SEGMENT))
        self._nowhere = memoryview(bytearray(ENTRY.size + CHUNK))
        self._filling: dict[int, _Filling] = {}
        self._segments = Segments(self._count, keep_seconds)
        self._looks_later = False
        self._current = 0
        self._names: dict[int, str] = {}
        self._opened = 0
        self.view, self.end, self.fill = self._nowhere, 0, 0
        self.full = True
        self.armed = False
        self.held: deque[_Held] = deque()
        self._held_bytes = 0
        self._putting_held = False
        self.lost_records = 0
        self.lost_bytes = 0
        self.unrecorded_calls = 0
        """Calls that were not even begun to be recorded, because nothing had been written for too long."""
        self.logs_on_disk = 0
        self.bytes_on_disk = 0
        """What waits for the recorder in the folders of all workers, as the writer last saw it."""
        self._stopped = False
        self._link = WriterLink(self._orders, [self._file, self._lock.fileno()])
        self._link.start()
        self.turn()

    # For the relay

    def open(self, session_id: str) -> Log:
        if self._held_bytes > _MOST_HELD_BYTES:
            self.unrecorded_calls += 1
            return UNRECORDED
        self._opened += 1
        log = WireLog(self, self._opened, session_id)
        self._names[self._opened] = f"{session_id}{SUFFIX}"
        log.open_file()
        return log

    @property
    def waiting_bytes(self) -> int:
        """What is in memory and not yet in files."""
        waiting = sum(filling.end - filling.written for filling in self._filling.values())
        return waiting + self._held_bytes + (0 if self.full else self.end - self._filling[self._current].end)

    @property
    def writer_pid(self) -> int | None:
        return self._link.process.pid if self._link.process is not None else None

    @property
    def writer_starts(self) -> int:
        return self._link.starts

    def stop(self) -> None:
        """Writes what waits and lets go of the lock: the worker's logs are complete after it."""
        deadline = time.monotonic() + _STOP_SECONDS
        self._announce()
        while (self.held or self._link.has_unsent) and time.monotonic() < deadline:
            time.sleep(0.02)
            self._announce()
        self._stopped = True
        self._link.close()
        if self._link.process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):  # it goes on without us, and ends by itself
                self._link.process.wait(max(0.1, deadline - time.monotonic()))
        self._lock.close()
        os.close(self._file)

    # For the logs

    def turn(self) -> None:
        """Goes on in another segment, or, if none is to be had, nowhere."""
        if not self.full:
            self._note(full=True)
        self._hear()
        index = self._segments.take()
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
        self._held_bytes += len(data)
        if not self.armed:
            self.arm()

    def closed(self, number: int) -> None:
        self._filling[self._current].closed.append(number)

    # Between the worker and its writer

    def _note(self, *, full: bool) -> None:
        filling = self._filling[self._current]
        filling.end, filling.full = self.end, full
        self._link.announce(self._current, self.fill, self.end, full)

    def _announce(self) -> None:
        if self._stopped:
            return
        self.armed = True  # what is put now is announced now
        self._hear()
        if self.full:
            self.turn()
        self._put_held()
        if not self.full and self._filling[self._current].end != self.end:
            self._note(full=False)
        self._look_after_memory()
        self._link.send()
        self.armed = False
        # Also while something is only not yet in files: so a writer that died over it is noticed.
        leaving = self._segments.leaving
        if self._link.has_unsent or self.held or self.full or self.waiting_bytes or leaving:
            self._arm_if_running()

    def _look_after_memory(self) -> None:
        """To touch or to give back a segment takes from half a millisecond to some: the writer does it."""
        if self._names:
            for index in self._segments.to_prepare():
                self._link.prepare(index)
        for index in self._segments.to_give_back():
            self._link.give_back(index)
        seconds = self._segments.seconds_to_look
        if seconds is not None and not self._looks_later:
            with contextlib.suppress(RuntimeError):  # without an event loop whoever comes next looks
                asyncio.get_running_loop().call_later(seconds, self._look_again)
                self._looks_later = True

    def _look_again(self) -> None:
        self._looks_later = False
        if not self.armed:
            self._announce()

    def _arm_if_running(self) -> None:
        if self.armed:
            return
        with contextlib.suppress(RuntimeError):
            asyncio.get_running_loop().call_later(_ANNOUNCE_SECONDS, self._announce)
            self.armed = True

    def _put_held(self) -> None:
        if self._putting_held:  # a turn in the middle of it: those that come later have to wait
            return
        self._putting_held = True
        while self.held and not self.full:
            first = self.held[0]
            if first.log.put_held(first.t_ns, first.kind, first.data):
                self.held.popleft()
                self._held_bytes -= len(first.data)
        self._putting_held = False

    def _hear(self) -> None:
        """What the writer reports."""
        for kind, first, second, third in self._link.reports():
            if kind == WRITTEN:
                self._written(first, second, third)
            elif kind == LOST:
                self.lost_records += first
                self.lost_bytes += third
            elif kind == GIVEN_BACK:
                self._segments.given_back(first)
            elif kind == ON_DISK:
                self.logs_on_disk, self.bytes_on_disk = first, third

    def _written(self, index: int, fill: int, end: int) -> None:
        filling = self._filling.get(index)
        if filling is None or filling.fill != fill:
            return
        filling.written = end
        if filling.full and end >= filling.end:
            for number in self._filling.pop(index).closed:
                del self._names[number]
            self._segments.free(index)

    def _orders(self) -> dict[str, Any]:
        """What a writer that begins now has to know."""
        return {
            "folder": str(self._folder),
            "segments": self._count,
            "memory": self._file,
            "names": self._names,
            "waiting": [[index, f.fill, f.end, f.full, f.written] for index, f in self._filling.items()],
            "leaving": list(self._segments.leaving),
        }
