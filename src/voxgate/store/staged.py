"""Blobs of an object store that cannot append: what grows is kept in a folder of this machine, and goes up as
a whole when it is complete.

    append, put → folder, where this machine's readers see it at once → `sync`: up, in the background → bucket
    put_file                                                                                       → bucket

What is up stays in the folder for a while, since whatever comes after the call reads it again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO, Final

from voxgate.core.errors import NotFound, StoreUnavailable
from voxgate.store.blobs import FolderBlobs
from voxgate.store.s3 import S3Blobs

_THREADS: Final = 4
_LONGEST_PAUSE: Final = 15.0
_KEPT_SECONDS: Final = 600.0
"""How long what is up stays in the folder too."""

logger = logging.getLogger(__name__)


class StagedBlobs:
    """Safe to use from many threads and processes of this machine. One process, the recorder, writes by
    `append` and `put`, and says `sync` when a blob is complete."""

    def __init__(self, local: FolderBlobs, remote: S3Blobs) -> None:
        self.local = local
        self.remote = remote
        self._pool = ThreadPoolExecutor(_THREADS, "upload")
        self._uploads: dict[str, Future[None]] = {}
        self._pauses: dict[str, tuple[float, float]] = {}
        """Of uploads that failed: the pause, and when they are tried again."""
        self._to_clear: set[str] = set()
        self._clearing = threading.Lock()
        self._kept: dict[str, float] = {}
        """What is up and in the folder too, and since when."""
        self._adopted = False

    def __reduce__(self) -> tuple[Any, ...]:
        return StagedBlobs, (self.local, self.remote)

    def check(self) -> None:
        self.remote.check()

    def append(self, key: str, data: bytes) -> None:
        self._kept.pop(key, None)
        self.local.append(key, data)

    def put(self, key: str, data: bytes) -> None:
        self._kept.pop(key, None)
        self.local.put(key, data)

    def put_file(self, key: str, source: Path) -> None:
        if self.local.size(key) is not None:  # this machine would read, and send up again, what is replaced
            self._kept.pop(key, None)
            self.local.put_file(key, source)
        self._clear_before(key)
        self.remote.put_file(key, source)

    def take_file(self, key: str, source: Path) -> None:
        self.put_file(key, source)

    def open(self, key: str) -> BinaryIO:
        try:
            return self.local.open(key)
        except NotFound:
            return self.remote.open(key)

    def size(self, key: str) -> int | None:
        size = self.local.size(key)
        return size if size is not None else self.remote.size(key)

    def read_range(self, key: str, start: int, end: int) -> bytes:
        try:
            return self.local.read_range(key, start, end)
        except NotFound:
            return self.remote.read_range(key, start, end)

    def delete_prefix(self, prefix: str) -> int:
        there = set(self.list(prefix))
        self.remote.delete_prefix(prefix)
        self.local.delete_prefix(prefix)
        return len(there)

    def clear(self, prefix: str) -> None:
        self.local.delete_prefix(prefix)
        with self._clearing:
            self._to_clear.add(prefix)

    def list(self, prefix: str = "") -> Sequence[str]:
        return sorted({*self.local.list(prefix), *self.remote.list(prefix)})

    def folders(self, prefix: str) -> Sequence[str]:
        return sorted({*self.local.folders(prefix), *self.remote.folders(prefix)})

    def unsynced(self, prefix: str) -> Sequence[str]:
        return [key for key in self.local.list(prefix) if key not in self._kept]

    def sync(self, key: str) -> bool:
        """Never waits: False while the blob is on its way, and while the object store is away."""
        upload = self._uploads.get(key)
        if upload is None:
            return self._begin(key)
        if not upload.done():
            return False
        del self._uploads[key]
        try:
            upload.result()
        except (StoreUnavailable, OSError) as error:
            pause = min(2 * self._pauses.get(key, (0.25, 0.0))[0], _LONGEST_PAUSE)
            self._pauses[key] = pause, time.monotonic() + pause
            logger.warning("%s is not stored yet (again in %g s): %s", key, pause, error)
            return False
        self._pauses.pop(key, None)
        self._kept[key] = time.monotonic()
        return True

    def sync_all(self, keys: Sequence[str]) -> Sequence[str]:
        return [key for key in keys if not self.sync(key)]

    def tidy(self) -> None:
        """Takes out of the folder what has been up for long enough."""
        if not self._adopted:
            self._adopted = True
            self.adopt()
        before = time.monotonic() - _KEPT_SECONDS
        for key in [key for key, since in list(self._kept.items()) if since < before]:
            del self._kept[key]
            self.local.delete_prefix(key)

    def adopt(self) -> None:
        """What an earlier process left in the folder and that is up goes; in the background, and only where
        the bucket has as much."""
        self._pool.submit(self._remove_left)

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)

    def _begin(self, key: str) -> bool:
        if self.local.size(key) is None:
            if self.remote.size(key) is None:
                raise NotFound(f"There is no blob {key}.")
            return True
        if time.monotonic() >= self._pauses.get(key, (0.0, 0.0))[1]:
            self._uploads[key] = self._pool.submit(self._upload, key)
        return False

    def _upload(self, key: str) -> None:
        self._clear_before(key)
        self.remote.put_file(key, self.local.path(key))

    def _clear_before(self, key: str) -> None:
        """What an earlier attempt has put up must be gone before anything new is."""
        with self._clearing:
            for prefix in [prefix for prefix in self._to_clear if key.startswith(prefix)]:
                self.remote.delete_prefix(prefix)
                self._to_clear.discard(prefix)

    def _remove_left(self) -> None:
        try:
            for key in self.local.list():
                size, since = self.local.size(key), self.local.changed_at(key)
                old = since is not None and time.time() - since > _KEPT_SECONDS
                if old and size is not None and self.remote.size(key) == size:
                    self.local.delete_prefix(key)
        except (StoreUnavailable, OSError) as error:
            logger.warning("what was left of uploads is looked through at the next start: %s", error)
