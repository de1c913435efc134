"""The wire log: what crossed the wire of one call, with times, in one append-only file.

A file is the magic and then records, little-endian: `time ns u64, kind u8, length u32, length bytes`. Kinds:
bytes from the client, bytes from the provider (both as relayed: WebSocket frames, the client's masked), and
facts of the gateway as JSON. Times are monotonic nanoseconds since the session began. The first record is the
fact `gateway.opened`, the last `gateway.closed`; a log without the last one was cut off by a crash.

`WireLogWriter` belongs to a gateway worker: `append` puts a record into memory and returns, a thread of its
own writes batches. `WireLogReader` belongs to the recorder and follows a file while it grows. One folder per
worker holds its logs and a lock file, which tells the recorder whether the worker still lives.
"""

from __future__ import annotations

import fcntl
import logging
import os
import struct
import threading
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from voxgate.core import clock

MAGIC: Final = b"VOXWIRE\x01"
"""The last byte is the version of the format."""
CLIENT: Final = 0
SERVER: Final = 1
FACT: Final = 2
SUFFIX: Final = ".vgw"
LOCK_NAME: Final = "alive.lock"

_RECORD: Final = struct.Struct("<QBI")
_FLUSH_SECONDS: Final = 0.08
"""What a killed worker may lose, and how often each call costs a write."""
_MOST_PIECES: Final = 1024
"""POSIX promises only 16 to a `writev`; Linux and macOS take so many."""
_READ_BYTES: Final = 4 << 20
_LARGEST_RECORD: Final = 1 << 30

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WireRecord:
    t_ns: int
    kind: int
    data: bytes


class WireLog:
    """One session's log, as the relay sees it."""

    __slots__ = (
        "_appended",
        "_closed",
        "_origin_ns",
        "_pending",
        "_taken",
        "lost_bytes",
        "lost_records",
        "path",
    )

    def __init__(self, path: Path) -> None:
        self.path = path
        self._origin_ns = clock.monotonic_ns()
        self._pending: deque[tuple[int, int, bytes]] = deque()
        self._closed = False
        self._appended = 0  # counted by the relay's thread only
        self._taken = 0  # counted by the writer's thread only
        self.lost_records = 0
        self.lost_bytes = 0

    def append(self, kind: int, data: bytes) -> None:
        """Never waits and never fails; the writer's thread takes it from here."""
        self._pending.append((clock.monotonic_ns() - self._origin_ns, kind, data))
        self._appended += len(data)

    @property
    def pending_bytes(self) -> int:
        return self._appended - self._taken

    def fact(self, fact: dict[str, Any]) -> None:
        self.append(FACT, orjson.dumps(fact))

    def close(self) -> None:
        self._closed = True

    @property
    def finished(self) -> bool:
        return self._closed and not self._pending

    def take(self) -> list[tuple[int, int, bytes]]:
        """All records that wait. Only the writer's thread calls it; `deque` makes that safe."""
        taken = []
        while self._pending:
            record = self._pending.popleft()
            self._taken += len(record[2])
            taken.append(record)
        return taken

    def give_back(self, records: list[tuple[int, int, bytes]]) -> None:
        self._pending.extendleft(reversed(records))
        self._taken -= sum(len(record[2]) for record in records)


class WireLogWriter:
    """Writes the logs of one gateway worker, in batches, from a thread of its own.

    `most_pending_bytes` bounds what one session may hold in memory while the disk does not take it; beyond
    it the oldest records are counted as lost (`gateway.lost`) and the call goes on.
    """

    def __init__(self, wire_dir: Path, worker_id: str, *, most_pending_bytes: int = 64 << 20) -> None:
        self._folder = wire_dir / worker_id
        self._folder.mkdir(parents=True, exist_ok=True)
        self._lock = (self._folder / LOCK_NAME).open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._most_pending = most_pending_bytes
        self._logs: dict[Path, WireLog] = {}
        self._files: dict[Path, _File] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="wire-log-writer", daemon=True)
        self._thread.start()

    def open(self, session_id: str) -> WireLog:
        log = WireLog(self._folder / f"{session_id}{SUFFIX}")
        self._logs[log.path] = log
        return log

    def stop(self) -> None:
        """Writes what waits and lets go of the lock: the worker's logs are complete after it."""
        self._stop.set()
        self._thread.join()
        for file in self._files.values():
            file.close()
        self._files.clear()
        self._lock.close()

    def _run(self) -> None:
        while not self._stop.wait(_FLUSH_SECONDS):
            self._flush()
        self._flush()

    def _flush(self) -> None:
        for log in list(self._logs.values()):
            records = log.take()
            if records:
                self._write(log, records)
            if log.finished:
                self._forget(log)

    def _write(self, log: WireLog, records: list[tuple[int, int, bytes]]) -> None:
        pieces: list[bytes] = []
        for t_ns, kind, data in records:
            pieces += (_RECORD.pack(t_ns, kind, len(data)), data)
        try:
            file = self._files.get(log.path)
            if file is None:
                file = self._files[log.path] = _File(log.path)
            file.append(pieces)
        except OSError as error:
            self._keep_or_lose(log, records, error)

    def _keep_or_lose(self, log: WireLog, records: list[tuple[int, int, bytes]], error: OSError) -> None:
        """The disk did not take it: wait with it in memory up to the bound, then lose the middle, never
        the facts, and say so in the log."""
        logger.warning("wire log %s could not be written: %s", log.path.name, error)
        log.give_back(records)
        if log.pending_bytes <= self._most_pending:
            return
        kept = [record for record in log.take() if record[1] == FACT]
        lost = [record for record in records if record[1] != FACT]
        log.lost_records += len(lost)
        log.lost_bytes += sum(len(record[2]) for record in lost)
        log.give_back(kept)
        log.fact({"type": "gateway.lost", "records": log.lost_records, "bytes": log.lost_bytes})

    def _forget(self, log: WireLog) -> None:
        del self._logs[log.path]
        if file := self._files.pop(log.path, None):
            file.close()


class _File:
    """An append-only file that holds whole records or, after an error, none of the last ones: a torn record
    would hide those that follow."""

    __slots__ = ("_descriptor", "_size")

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._size = 0

    def append(self, pieces: list[bytes]) -> None:
        pieces = pieces if self._size else [MAGIC, *pieces]
        written = 0
        try:
            for start in range(0, len(pieces), _MOST_PIECES):
                written += self._write(pieces[start : start + _MOST_PIECES])
        except OSError:
            os.ftruncate(self._descriptor, self._size)
            raise
        self._size += written

    def _write(self, pieces: list[bytes]) -> int:
        size = sum(map(len, pieces))
        written = os.writev(self._descriptor, pieces)
        if written < size:  # rare: the rest as one piece
            rest = memoryview(b"".join(pieces))[written:]
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        return size

    def close(self) -> None:
        os.close(self._descriptor)


class WireLogReader:
    """Reads a log's complete records as they come; a half-written last record waits for its rest."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.closed = False
        self._offset = 0

    def read(self) -> list[WireRecord]:
        """The next records, about 4 MiB at most (one larger record comes whole); empty when none is new.
        ValueError when the file is no wire log of a known version."""
        with self.path.open("rb") as file:
            if not self._offset:
                magic = file.read(len(MAGIC))
                if magic != MAGIC:
                    if MAGIC.startswith(magic):
                        return []
                    raise ValueError(f"{self.path.name} is not a wire log of version {MAGIC[-1]}")
                self._offset = len(MAGIC)
            file.seek(self._offset)
            buffer = file.read(_READ_BYTES)
            needed = self._first_record_size(buffer)
            if needed > len(buffer):
                buffer += file.read(needed - len(buffer))
        return self._parse(buffer)

    @staticmethod
    def _first_record_size(buffer: bytes) -> int:
        if len(buffer) < _RECORD.size:
            return 0
        length: int = _RECORD.unpack_from(buffer)[2]
        return _RECORD.size + length

    def _parse(self, buffer: bytes) -> list[WireRecord]:
        records: list[WireRecord] = []
        at = 0
        while at + _RECORD.size <= len(buffer):
            t_ns, kind, length = _RECORD.unpack_from(buffer, at)
            if kind > FACT or length > _LARGEST_RECORD:
                raise ValueError(f"{self.path.name} is damaged at byte {self._offset + at}")
            end = at + _RECORD.size + length
            if end > len(buffer):
                break
            data = buffer[at + _RECORD.size : end]
            records.append(WireRecord(t_ns, kind, data))
            at = end
            if kind == FACT and orjson.loads(data).get("type") == "gateway.closed":
                self.closed = True
        self._offset += at
        return records


def wire_logs(wire_dir: Path) -> list[Path]:
    """All logs that the recorder has not finished yet, oldest first (session ids ascend with time)."""
    return sorted(wire_dir.glob(f"*/*{SUFFIX}"), key=lambda path: path.name)


def writer_is_alive(path: Path) -> bool:
    """Whether the worker that writes this log still runs: the kernel lets go of its lock when it dies."""
    try:
        with (path.parent / LOCK_NAME).open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False
