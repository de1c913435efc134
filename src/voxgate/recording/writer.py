"""The writer: a process of its own beside each gateway worker that turns the worker's spool into wire logs,
one file for each call. `python -m voxgate.recording.writer`, started by `spool`, with its orders as JSON on
standard input.

    announcement: so far → entries by call → one write for each call → report: so far in files

Every entry says where in its file it belongs. So a writer that takes over from one that died may write some
entries again, to the same places. What the disk does not take waits in the spool and is tried again.
When the worker is gone, what it had not announced is written too; then the writer ends.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import mmap
import os
import select
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from voxgate.core.scheduling import take_short_slices
from voxgate.recording.layout import (
    ANNOUNCEMENT,
    CLOSE,
    ENTRY,
    GIVEN_BACK,
    LOST,
    ON_DISK,
    OPEN,
    REPORT,
    SEGMENT,
    WRITTEN,
)
from voxgate.recording.wirelog import FACT, MAGIC, RECORD, say_behind, wire_logs

_MOST_PIECES: Final = 1024
"""POSIX promises only 16 to one write; Linux and macOS take so many."""
_RETRY_SECONDS: Final = 0.25
_GIVE_UP_SECONDS: Final = 30.0
"""After so long a file that alone cannot be written is given up, and without a worker every file."""
_LISTEN_SECONDS: Final = 0.02
_WORD_SECONDS: Final = 0.1
_LOOK_SECONDS: Final = 5.0
"""How often it looks how much waits for the recorder."""
_BEHIND_SHARE: Final = 1 / 4
"""Of the memory: who has so much to write is behind, and lets the recorder know."""
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
"""Errors that pass when somebody makes room."""
_BODY: Final = ENTRY.size - RECORD.size
"""Where in an entry the file's own record begins."""

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _CallFile:
    """One call's file and what waits to be written to it: pieces that follow each other from `offset`."""

    path: Path
    descriptor: int = -1
    offset: int = 0
    pieces: list[memoryview] = field(default_factory=list)
    closed: bool = False
    failing_since: float | None = None
    error: int | None = None
    given_up: bool = False
    lost_records: int = 0
    lost_bytes: int = 0

    def add(self, offset: int, piece: memoryview) -> None:
        if self.given_up:
            self._lose(piece)
            return
        if not self.pieces:
            self.offset = offset
        self.pieces.append(piece)

    def give_up(self) -> None:
        self.given_up = True
        for piece in self.pieces:
            self._lose(piece)
        self.pieces.clear()

    def _lose(self, piece: memoryview) -> None:
        self.lost_records += 1
        self.lost_bytes += len(piece) - RECORD.size

    def write(self) -> None:
        """OSError when the disk does not take it: then everything still waits."""
        if self.descriptor < 0 and not self._open():
            self.pieces.clear()
            return
        offset = self.offset
        for start in range(0, len(self.pieces), _MOST_PIECES):
            offset += _write_all(self.descriptor, self.pieces[start : start + _MOST_PIECES], offset)
        self.pieces.clear()

    def _open(self) -> bool:
        """Only a call's first record makes the file. One that is not there any more was finished by the
        recorder, and what we have is written a second time."""
        begins = self.offset == len(MAGIC)
        try:
            descriptor = os.open(self.path, os.O_WRONLY | (os.O_CREAT if begins else 0), 0o600)
        except FileNotFoundError:
            if begins:
                raise
            return False
        try:
            if begins:
                _write_all(descriptor, [memoryview(MAGIC)], 0)
        except OSError:
            os.close(descriptor)
            raise
        self.descriptor = descriptor
        return True

    def close(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


def _write_all(descriptor: int, pieces: list[memoryview], offset: int) -> int:
    size = sum(map(len, pieces))
    written = os.pwritev(descriptor, pieces, offset)
    if written < size:  # rare: the rest as one piece
        rest = memoryview(b"".join(pieces))[written:]
        while rest:
            rest = rest[os.pwrite(descriptor, rest, offset + size - len(rest)) :]
    return size


@dataclass(slots=True)
class _Segment:
    """A segment in use: how far it was announced, what of it was taken, and what the worker knows to be in
    files."""

    index: int
    fill: int
    end: int = 0
    full: bool = False
    taken: int = 0
    told: int = 0

    @property
    def done(self) -> bool:
        return self.full and self.taken >= self.end


class Writer:
    def __init__(self, memory: mmap.mmap, folder: Path, names: dict[int, str]) -> None:
        self._mapping = memory
        self._memory = memoryview(memory)
        self._folder = folder
        self._files = {number: _CallFile(folder / name) for number, name in names.items()}
        self._segments: deque[_Segment] = deque()
        self._waiting: dict[int, _CallFile] = {}
        self._fill = 0
        """The latest use of a segment that is known."""
        self._refused = False
        """Whether the disk did not take something, the last time."""
        self._lost_records = 0
        self._lost_bytes = 0
        self._reports: list[bytes] = []
        """What the worker is to be told, beside how far everything is."""

    @property
    def unwritten(self) -> bool:
        return bool(self._waiting)

    @property
    def is_behind(self) -> bool:
        """Whether so much waits for want of time that calls may soon find no room."""
        waiting = sum(segment.end - segment.told for segment in self._segments)
        return waiting > len(self._memory) * _BEHIND_SHARE and not self._refused

    def announced(self, index: int, fill: int, end: int, full: bool, written: int = 0) -> None:
        for segment in self._segments:
            if segment.index == index and segment.fill == fill:
                segment.end, segment.full = end, full
                return
        self._segments.append(_Segment(index, fill, end, full, taken=written, told=written))
        self._fill = fill

    def give_back_memory(self, index: int) -> None:
        """The worker does not use this segment again before it hears of it."""
        if hasattr(mmap, "MADV_REMOVE"):  # Linux
            self._mapping.madvise(mmap.MADV_REMOVE, index * SEGMENT, SEGMENT)
        self._reports.append(REPORT.pack(GIVEN_BACK, index, 0, 0))

    def prepare(self, index: int) -> None:
        """Sees to it that the segment takes memory before the worker needs it. Reading does that and changes
        nothing, should the worker be there already."""
        bytes(self._memory[index * SEGMENT : (index + 1) * SEGMENT : mmap.PAGESIZE])

    def take(self) -> None:
        """Sorts what was announced by calls."""
        for segment in self._segments:
            while segment.taken < segment.end:
                self._take_entry(segment)

    def take_unannounced(self) -> None:
        """What a worker that is gone put into its last segments without telling."""
        if self._segments:
            self._take_rest(self._segments[-1])
        while (following := self._find(self._fill + 1)) is not None:
            self.announced(following, self._fill + 1, 0, full=False)
            self._take_rest(self._segments[-1])

    def _take_rest(self, segment: _Segment) -> None:
        while self._fill_at(segment.index, segment.taken) == segment.fill:
            self._take_entry(segment)

    def _find(self, fill: int) -> int | None:
        return next((i for i in range(len(self._memory) // SEGMENT) if self._fill_at(i, 0) == fill), None)

    def _fill_at(self, index: int, at: int) -> int | None:
        """Of which use of the segment the entry at this place is, if there can be one."""
        if at + ENTRY.size > SEGMENT:
            return None
        _, fill, _, _, _, size = ENTRY.unpack_from(self._memory, index * SEGMENT + at)
        return fill if at + ENTRY.size + size <= SEGMENT else None

    def _take_entry(self, segment: _Segment) -> None:
        start = segment.index * SEGMENT + segment.taken
        number, _, offset, _, kind, size = ENTRY.unpack_from(self._memory, start)
        end = start + ENTRY.size + size
        segment.taken += ENTRY.size + size
        if kind == OPEN:
            name = bytes(self._memory[start + ENTRY.size : end]).decode()
            self._files.setdefault(number, _CallFile(self._folder / name))
            return
        file = self._files.get(number)
        if file is None:
            return
        if kind <= FACT:
            file.add(offset, self._memory[start + _BODY : end])
        elif kind == CLOSE:
            file.closed = True
        self._waiting[number] = file

    def write(self, listen: Callable[[], None] = lambda: None) -> list[bytes]:
        """Writes what waits, and answers what the worker is to be told. With very many calls that takes a
        while: the writer then `listen`s in between."""
        written, refused, next_listening = 0, False, time.monotonic() + _LISTEN_SECONDS
        for number, file in list(self._waiting.items()):
            if (now := time.monotonic()) >= next_listening:
                listen()
                next_listening = now + _LISTEN_SECONDS
            try:
                file.write()
            except OSError as error:
                self._failed(file, error)
                refused = True
                continue
            written += 1
            self._done(number, file)
        self._refused = refused
        if written and self._waiting:  # one bad file must not fill the spool for all the others
            self._give_up(time.monotonic() - _GIVE_UP_SECONDS, _FULL)
        reports, self._reports = self._reports + self._losses(), []
        if not self._waiting:
            reports += self._progress()
        return reports

    def _done(self, number: int, file: _CallFile) -> None:
        del self._waiting[number]
        file.failing_since = None
        self._lost_records += file.lost_records
        self._lost_bytes += file.lost_bytes
        file.lost_records = file.lost_bytes = 0
        if file.closed:
            file.close()
            del self._files[number]

    @staticmethod
    def _failed(file: _CallFile, error: OSError) -> None:
        if file.failing_since is None:
            file.failing_since = time.monotonic()
            logger.warning("wire log %s cannot be written (tried again): %s", file.path.name, error)
        file.error = error.errno

    def give_up(self) -> None:
        """Nobody is left who could wait for the disk."""
        self._give_up(time.monotonic(), frozenset())

    def _give_up(self, failing_before: float, except_for: frozenset[int]) -> None:
        for number, file in list(self._waiting.items()):
            since = file.failing_since
            if since is not None and since <= failing_before and file.error not in except_for:
                logger.error("wire log %s is given up: %d pieces are lost", file.path.name, len(file.pieces))
                file.give_up()
                self._done(number, file)

    def _losses(self) -> list[bytes]:
        if not self._lost_records:
            return []
        report = REPORT.pack(LOST, self._lost_records, 0, self._lost_bytes)
        self._lost_records = self._lost_bytes = 0
        return [report]

    def _progress(self) -> list[bytes]:
        """Everything that was taken is in files."""
        reports = []
        for segment in self._segments:
            if segment.told < segment.taken:
                segment.told = segment.taken
                reports.append(REPORT.pack(WRITTEN, segment.index, segment.fill, segment.taken))
        while self._segments and self._segments[0].done:
            self._segments.popleft()
        return reports


def main() -> None:
    take_short_slices()
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s [writer] %(message)s", stream=sys.stderr
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # it ends when its worker has ended
    orders: dict[str, Any] = json.load(sys.stdin)
    memory = mmap.mmap(orders["memory"], orders["segments"] * SEGMENT)
    names = {int(number): name for number, name in orders["names"].items()}
    folder = Path(orders["folder"])
    writer = Writer(memory, folder, names)
    for index, fill, end, full, written in orders["waiting"]:
        writer.announced(index, fill, end, bool(full), written)
    for index in orders["leaving"]:
        writer.give_back_memory(index)
    with socket.socket(fileno=orders["socket"]) as sock:
        _serve(writer, sock, folder.parent)
    _finish(writer)


def _serve(writer: Writer, sock: socket.socket, wire_dir: Path) -> None:
    """Until the worker is gone."""
    sock.setblocking(False)
    writer.take()
    unsent = bytearray().join(writer.write())
    ear, next_look = _Ear(writer, sock, wire_dir), 0.0
    poll = select.poll()  # `select` takes no descriptor above 1023, as they are beside hundreds of calls
    poll.register(sock, select.POLLIN)
    while ear.alive:
        poll.poll((_RETRY_SECONDS if writer.unwritten or unsent else _LOOK_SECONDS) * 1000)
        ear.listen()
        writer.take()
        unsent += b"".join(writer.write(ear.listen))
        _tell(sock, unsent)
        if time.monotonic() >= next_look and not unsent:
            next_look = time.monotonic() + _LOOK_SECONDS
            unsent += _look(wire_dir)
            _tell(sock, unsent)


def _look(wire_dir: Path) -> bytes:
    """A report of what is in the folders of all workers."""
    try:
        sizes = [size for path in wire_logs(wire_dir) if (size := _size(path)) is not None]
    except OSError:  # a folder that is just being removed, or a disk that is away: the next look will tell
        return b""
    return REPORT.pack(ON_DISK, len(sizes), 0, sum(sizes))


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:  # the recorder has just finished it
        return None


class _Ear:
    """What the worker says, as it comes, and whether it still lives."""

    def __init__(self, writer: Writer, sock: socket.socket, wire_dir: Path) -> None:
        self.alive = True
        self._writer = writer
        self._socket = sock
        self._wire_dir = wire_dir
        self._next_word = 0.0
        self._heard = b""

    def listen(self) -> None:
        try:
            while data := self._socket.recv(65_536):
                self._heard += data
            self.alive = False
        except BlockingIOError:
            pass
        except OSError:
            self.alive = False
        whole = len(self._heard) // ANNOUNCEMENT.size * ANNOUNCEMENT.size
        heard, self._heard = self._heard[:whole], self._heard[whole:]
        for index, fill, end, full in ANNOUNCEMENT.iter_unpack(heard):
            self._take(index, fill, end, bool(full))
        if self._writer.is_behind and (now := time.monotonic()) >= self._next_word:
            self._next_word = now + _WORD_SECONDS
            say_behind(self._wire_dir)

    def _take(self, index: int, fill: int, end: int, full: bool) -> None:
        if fill:
            self._writer.announced(index, fill, end, full)
        elif full:
            self._writer.prepare(index)
        else:
            self._writer.give_back_memory(index)


def _tell(sock: socket.socket, unsent: bytearray) -> None:
    """As much as the worker takes now."""
    with contextlib.suppress(OSError):  # it is held up, or gone
        while unsent:
            del unsent[: sock.send(unsent)]


def _finish(writer: Writer) -> None:
    writer.take()
    writer.take_unannounced()
    began = time.monotonic()
    writer.write()
    while writer.unwritten:
        time.sleep(_RETRY_SECONDS)
        writer.write()
        if time.monotonic() - began > _GIVE_UP_SECONDS:
            writer.give_up()


if __name__ == "__main__":
    main()
