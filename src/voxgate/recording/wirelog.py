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
import struct
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

MAGIC: Final = b"VOXWIRE\x01"
"""The last byte is the version of the format."""
CLIENT: Final = 0
SERVER: Final = 1
FACT: Final = 2
SUFFIX: Final = ".vgw"
LOCK_NAME: Final = "alive.lock"
RECORD: Final = struct.Struct("<QBI")
"""What stands before a record's bytes: time in ns, kind, length."""

_NEW_SECONDS: Final = 60.0
"""A folder that changed so lately may be one that a worker is just about to use."""
_READ_BYTES: Final = 4 << 20
_LARGEST_RECORD: Final = 1 << 30


@dataclass(frozen=True, slots=True)
class WireRecord:
    t_ns: int
    kind: int
    data: bytes


class WireLogReader:
    """Reads a log's complete records as they come; a half-written last record waits for its rest."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.closed = False
        self.offset = 0
        """How far it is read."""

    def read(self) -> list[WireRecord]:
        """The next records, about 4 MiB at most (one larger record comes whole); empty when none is new.
        ValueError when the file is no wire log of a known version."""
        with self.path.open("rb") as file:
            if not self.offset:
                magic = file.read(len(MAGIC))
                if magic != MAGIC:
                    if MAGIC.startswith(magic):
                        return []
                    raise ValueError(f"{self.path.name} is not a wire log of version {MAGIC[-1]}")
                self.offset = len(MAGIC)
            file.seek(self.offset)
            buffer = file.read(_READ_BYTES)
            needed = self._first_record_size(buffer)
            if needed > len(buffer):
                buffer += file.read(needed - len(buffer))
        return self._parse(buffer)

    @staticmethod
    def _first_record_size(buffer: bytes) -> int:
        if len(buffer) < RECORD.size:
            return 0
        length: int = RECORD.unpack_from(buffer)[2]
        return RECORD.size + length

    def _parse(self, buffer: bytes) -> list[WireRecord]:
        records: list[WireRecord] = []
        at = 0
        while at + RECORD.size <= len(buffer):
            t_ns, kind, length = RECORD.unpack_from(buffer, at)
            if kind > FACT or length > _LARGEST_RECORD:
                raise ValueError(f"{self.path.name} is damaged at byte {self.offset + at}")
            end = at + RECORD.size + length
            if end > len(buffer):
                break
            data = buffer[at + RECORD.size : end]
            records.append(WireRecord(t_ns, kind, data))
            at = end
            if kind == FACT and orjson.loads(data).get("type") == "gateway.closed":
                self.closed = True
        self.offset += at
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
