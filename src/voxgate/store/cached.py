"""Sealed answers that are kept for a while, beside the other blobs: in the folder or in the bucket, so that
all workers, and all machines that share it, find them. Losing one costs a request, so no disk is waited for.
The name says when it may go:

    cache/<seconds that it is good for>/<two letters>/<name>
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from voxgate.core.settings import Settings
from voxgate.store.blobs import FolderBlobs
from voxgate.store.opening import open_blobs

if TYPE_CHECKING:
    from voxgate.store.s3 import S3Blobs

PREFIX: Final = "cache"
_MOST_ATTEMPTS: Final = 4
_LEFT_SECONDS: Final = 600.0
"""What a writer that died has left half written is no longer being written."""


@dataclass(frozen=True, slots=True)
class Cached:
    """One answer, as its outside shows it."""

    key: str
    size_bytes: int
    since: float
    """In unix seconds."""
    ttl_seconds: float


class Cache(Protocol):
    """Safe to use from many threads and processes. OSError or StoreUnavailable when the store is away."""

    def get(self, name: str, ttl_seconds: int, largest_bytes: int) -> bytes | None:
        """None if there is none, or one that is larger."""

    def put(self, name: str, ttl_seconds: int, sealed: bytes) -> None: ...

    def all(self) -> Iterator[Cached]:
        """In no order; what comes or goes meanwhile may be among them."""

    def delete(self, keys: Iterable[str]) -> None: ...


def open_cache(settings: Settings) -> Cache:
    """Reads and writes nothing yet."""
    blobs = open_blobs(settings)
    return CacheFolder(blobs.root) if isinstance(blobs, FolderBlobs) else CacheBucket(blobs.remote)


def _key(name: str, ttl_seconds: int) -> str:
    return f"{PREFIX}/{ttl_seconds}/{name[:2]}/{name}"


class CacheFolder:
    def __init__(self, root: Path) -> None:
        self._root = root

    def get(self, name: str, ttl_seconds: int, largest_bytes: int) -> bytes | None:
        try:
            with (self._root / _key(name, ttl_seconds)).open("rb") as file:
                found = file.read(largest_bytes + 1)
        except (FileNotFoundError, NotADirectoryError):
            return None
        return found if len(found) <= largest_bytes else None

    def put(self, name: str, ttl_seconds: int, sealed: bytes) -> None:
        """Without `fsync`: what a power cut leaves of it does not open."""
        path = self._root / _key(name, ttl_seconds)
        temporary = path.with_name(f".{secrets.token_hex(12)}")
        try:
            _write(temporary, sealed)
            temporary.replace(path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise

    def all(self) -> Iterator[Cached]:
        for ttl in _folders(self._root / PREFIX):
            if not ttl.name.isdigit():
                continue
            for shard in _folders(ttl.path):
                for entry in _entries(shard.path):
                    if (found := self._kept(entry, int(ttl.name))) is not None:
                        yield found
                _remove_if_empty(shard.path)
            _remove_if_empty(ttl.path)

    def _kept(self, entry: os.DirEntry[str], ttl_seconds: float) -> Cached | None:
        try:
            facts = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            return None
        left = entry.name.startswith(".")  # of a writer; it is renamed in no time
        key = Path(entry.path).relative_to(self._root).as_posix()
        return Cached(key, facts.st_size, facts.st_mtime, _LEFT_SECONDS if left else ttl_seconds)

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            (self._root / key).unlink(missing_ok=True)


def _write(path: Path, data: bytes) -> None:
    """Its folder may not be there yet, and may be taken away as long as it is empty."""
    for _ in range(_MOST_ATTEMPTS):
        with contextlib.suppress(FileNotFoundError):
            path.write_bytes(data)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _remove_if_empty(folder: str) -> None:
    with contextlib.suppress(OSError):
        Path(folder).rmdir()


def _entries(folder: str | Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return list(found)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _folders(folder: str | Path) -> list[os.DirEntry[str]]:
    return [entry for entry in _entries(folder) if entry.is_dir(follow_symlinks=False)]


class CacheBucket:
    def __init__(self, bucket: S3Blobs) -> None:
        self._bucket = bucket

    def get(self, name: str, ttl_seconds: int, largest_bytes: int) -> bytes | None:
        return self._bucket.get(_key(name, ttl_seconds), largest_bytes)

    def put(self, name: str, ttl_seconds: int, sealed: bytes) -> None:
        self._bucket.put(_key(name, ttl_seconds), sealed)

    def all(self) -> Iterator[Cached]:
        for page in self._bucket.pages(PREFIX):
            for key, size_bytes, since in page:
                ttl = key.split("/")[1]
                if ttl.isdigit():
                    yield Cached(key, size_bytes, since, float(ttl))

    def delete(self, keys: Iterable[str]) -> None:
        self._bucket.delete(list(keys))
