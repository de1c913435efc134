"""Wire logs on their way to the store that machines share, every few seconds, so that another machine can
finish a call whose machine is gone.

    <session>.vgw on this machine → wire/<machine>/<session>/<offset> in the store → deleted when finished
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, Protocol

from voxgate.recording.wirelog import SUFFIX, wire_logs

ROOT: Final = "wire"
TAKEN: Final = "taken-"
"""A folder of wire logs that came from another machine."""
_THREADS: Final = 4
_MOST_BYTES: Final = 4 << 20
"""Of one segment."""

logger = logging.getLogger(__name__)


class SharedBlobs(Protocol):
    """What a store for several machines does at once, not only when told to `sync`."""

    def put(self, key: str, data: bytes) -> None: ...
    def size(self, key: str) -> int | None: ...
    def read_range(self, key: str, start: int, end: int) -> bytes: ...
    def delete_prefix(self, prefix: str) -> int: ...
    def folders(self, prefix: str) -> Sequence[str]: ...
    def list(self, prefix: str = "") -> Sequence[str]: ...


class Shipper:
    def __init__(self, blobs: SharedBlobs, wire_dir: Path, machine_id: str) -> None:
        self._blobs = blobs
        self._wire_dir = wire_dir
        self._prefix = f"{ROOT}/{machine_id}"
        self._shipped: dict[str, int] = {}
        """How much of each session's log is in the store."""
        self._pool = ThreadPoolExecutor(_THREADS, "shipping")

    @property
    def sessions(self) -> Iterable[str]:
        """Those that have something in the store."""
        return self._shipped

    def step(self) -> None:
        """Ships what is new, and deletes what is not needed any more. What does not work is done the next
        time."""
        logs = {path.stem: path for path in wire_logs(self._wire_dir) if not is_taken(path)}
        for work in [self._pool.submit(self._ship, *each) for each in logs.items()]:
            work.result()
        for session_id in [each for each in self._shipped if each not in logs]:
            self._blobs.delete_prefix(f"{self._prefix}/{session_id}/")
            del self._shipped[session_id]

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)

    def _ship(self, session_id: str, path: Path) -> None:
        try:
            with path.open("rb") as log:
                log.seek(self._shipped.get(session_id, 0))
                while data := log.read(_MOST_BYTES):
                    offset = log.tell() - len(data)
                    self._shipped.setdefault(session_id, 0)  # what may be there is deleted one day
                    self._blobs.put(f"{self._prefix}/{session_id}/{offset:016d}", data)
                    self._shipped[session_id] = offset + len(data)
        except FileNotFoundError:
            return  # it is finished


def is_taken(path: Path) -> bool:
    return path.parent.name.startswith(TAKEN)


class Takeover:
    """Finishes what machines left that are gone: brings their logs here, where the recorder finds them."""

    def __init__(self, blobs: SharedBlobs, wire_dir: Path) -> None:
        self._blobs = blobs
        self._wire_dir = wire_dir

    def begin(self) -> None:
        """What an earlier recorder has brought here are copies: what is not finished is brought again."""
        for folder in self._wire_dir.glob(f"{TAKEN}*"):
            _remove(folder)

    def sessions(self, machine_id: str) -> Sequence[str]:
        return self._blobs.folders(f"{ROOT}/{machine_id}")

    def bring(self, machine_id: str, session_id: str) -> None:
        """As far as it was shipped, if it is not here."""
        folder = self._wire_dir / f"{TAKEN}{machine_id}"
        path = folder / f"{session_id}{SUFFIX}"
        if path.exists():
            return
        folder.mkdir(exist_ok=True)
        part, end = path.with_suffix(".part"), 0
        with part.open("wb") as target:
            for key in self._blobs.list(f"{ROOT}/{machine_id}/{session_id}/"):
                offset = int(key.rpartition("/")[2])
                if offset > end:  # nothing can be read behind a gap
                    logger.error("a part of the wire log of session %s is missing", session_id)
                    break
                target.seek(offset)
                target.write(self._blobs.read_range(key, 0, self._blobs.size(key) or 0))
                end = max(end, target.tell())
        part.replace(path)

    def forget(self, machine_id: str, session_id: str) -> None:
        """It is finished."""
        self._blobs.delete_prefix(f"{ROOT}/{machine_id}/{session_id}/")

    def leave(self, machine_id: str) -> None:
        """It lives again, and has more of its calls than we."""
        _remove(self._wire_dir / f"{TAKEN}{machine_id}")


def _remove(folder: Path) -> None:
    for path in folder.glob("*"):
        path.unlink(missing_ok=True)
