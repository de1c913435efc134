"""The wire log: what crossed the wire of one call, with times, in one append-only file.

A file is the magic and then records, little-endian: `time ns u64, kind u8, length u32, length bytes`. Kinds:
bytes from the client, bytes from the provider (both as relayed: WebSocket frames, the client's masked), and
facts of the gateway as JSON. Times are monotonic nanoseconds since the session began. The first record is the
fact `gateway.opened`, the last `gateway.closed`; a log without the last one was cut off by a crash.

A gateway worker puts records into its `spool`, whose `writer`, a process of its own, makes the files.
`WireLogReader` belongs to the recorder and follows a file while it grows. One folder per worker holds its
logs and a lock file, which tells the recorder whether anyone still writes them.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import time
from pathlib import Path
from typing import Final, NamedTuple

import orjson

MAGIC: Final = b"VOXWIRE\x01"
"""The last byte is the version of the format."""
CLIENT: Final = 0
SERVER: Final = 1
FACT: Final = 2
SUFFIX: Final = ".vgw"
LOCK_NAME: Final = "alive.lock"
_BEHIND_NAME: Final = "writers-behind"
_BEHIND_SECONDS: Final = 0.5
"""So long it counts that a writer said it."""
RECORD: Final = struct.Struct("<QBI")
"""What stands before a record's bytes: time in ns, kind, length."""

_NEW_SECONDS: Final = 60.0
"""A folder that changed so lately may be one that a worker is just about to use."""
_READ_BYTES: Final = 4 << 20
_LARGEST_RECORD: Final = 1 << 30


class WireRecord(NamedTuple):
    t_ns: int
    kind: int
    data: bytes


class WireLogReader:
    """Reads a log's complete records as they come; a half-written last record waits for its rest."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._name = str(path)
        self.closed = False
        self.offset = 0
        """How far it is read."""

    def read(self, most_bytes: int = _READ_BYTES) -> list[WireRecord]:
        """The next records, about so many bytes at most (one larger record comes whole); empty when none is
        new. ValueError when the file is no wire log of a known version."""
        descriptor = os.open(self._name, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if not self.offset and not self._begin(descriptor):
                return []
            buffer = os.pread(descriptor, most_bytes, self.offset)
            needed = self._first_record_size(buffer)
            while needed > len(buffer):
                rest = os.pread(descriptor, needed - len(buffer), self.offset + len(buffer))
                if not rest:
                    break
                buffer += rest
        finally:
            os.close(descriptor)
        return self._parse(buffer)

    def _begin(self, descriptor: int) -> bool:
        magic = os.pread(descriptor, len(MAGIC), 0)
        if magic != MAGIC:
            if MAGIC.startswith(magic):
                return False
            raise ValueError(f"{self.path.name} is not a wire log of version {MAGIC[-1]}")
        self.offset = len(MAGIC)
        return True

    @staticmethod
    def _first_record_size(buffer: bytes) -> int:
        if len(buffer) < RECORD.size:
            return 0
        length: int = RECORD.unpack_from(buffer)[2]
        return RECORD.size + length

    def _parse(self, buffer: bytes) -> list[WireRecord]:
        records: list[WireRecord] = []
        unpack, head, size, at = RECORD.unpack_from, RECORD.size, len(buffer), 0
        while (start := at + head) <= size:
            t_ns, kind, length = unpack(buffer, at)
            if kind > FACT or length > _LARGEST_RECORD:
                raise ValueError(f"{self.path.name} is damaged at byte {self.offset + at}")
            end = start + length
            if end > size:
                break
            data = buffer[start:end]
            records.append(WireRecord(t_ns, kind, data))
            at = end
            if kind == FACT and _closes(data):
                self.closed = True
        self.offset += at
        return records


def _closes(fact: bytes) -> bool:
    if b"gateway.closed" not in fact:
        return False
    with contextlib.suppress(orjson.JSONDecodeError):
        found = orjson.loads(fact)
        return isinstance(found, dict) and found.get("type") == "gateway.closed"
    return False


def wire_logs(wire_dir: Path) -> list[Path]:
    """All logs that the recorder has not finished yet, oldest first (session ids ascend with time)."""
    return [wire_dir / worker / name for name, worker in log_names(wire_dir)]


def log_names(wire_dir: Path) -> list[tuple[str, str]]:
    """The same, as names of files and of the folders that they are in: after a backlog there are many."""
    return sorted(
        (name, worker)
        for worker in _names(str(wire_dir))
        for name in _names(f"{wire_dir}/{worker}")
        if name.endswith(SUFFIX)
    )


def _names(folder: str) -> list[str]:
    """What is in it; nothing if it is gone, or a file."""
    try:
        return os.listdir(folder)  # noqa: PTH208 - many times a second, with hundreds of files
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []


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


def say_behind(wire_dir: Path) -> None:
    """A writer has much that is not in files yet. To be said again while that is so."""
    with contextlib.suppress(OSError):  # a disk that is full or away
        (wire_dir / _BEHIND_NAME).touch()


def writers_are_behind(wire_dir: Path) -> bool:
    """Whether one has said so just now."""
    try:
        said = os.stat(f"{wire_dir}/{_BEHIND_NAME}").st_mtime  # noqa: PTH116 - many times a second
    except OSError:
        return False
    return abs(time.time() - said) < _BEHIND_SECONDS


def remove_left_folders(wire_dir: Path) -> None:
    """Those of workers that are gone, once the recorder has finished all their logs."""
    for folder in wire_dir.glob("*/"):
        with contextlib.suppress(OSError):  # a worker has it, or it is not empty
            if time.time() - folder.stat().st_mtime > _NEW_SECONDS:
                _remove_left_folder(folder)


def _remove_left_folder(folder: Path) -> None:
    lock_path = folder / LOCK_NAME
    if any(path != lock_path for path in folder.iterdir()):
        return
    if lock_path.exists():
        with lock_path.open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            lock_path.unlink()
    folder.rmdir()
