"""Blobs in a bucket of S3 or of anything that speaks its protocol. Loaded only where the settings name one.

Only the client's blocking functions are used: its asynchronous ones do not end well with short processes.
"""

from __future__ import annotations

import io
import os
import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from voxgate.core.errors import BlobsUnavailable, NotFound, SettingsError
from voxgate.store.blobs import check_key

_BUFFER_BYTES: Final = 1 << 20
"""What a reader that goes through a blob asks for at once."""
_DEFAULT_REGION: Final = "us-east-1"
_CLIENT: Final = {"connect_timeout": "3s", "timeout": "60s"}
_RETRIES: Final = {
    "max_retries": 4,
    "retry_timeout": timedelta(seconds=4),
    "backoff": {"init_backoff": timedelta(seconds=0.1), "max_backoff": timedelta(seconds=1), "base": 2},
}
"""Of a request that fails or is answered by 5xx or 429. Then the caller hears of it."""
_WRONG: Final = re.compile("status code: (3|4(?!08|29))")
"""Answers that trying again does not change."""
_REST_SECONDS: Final = 3.0
"""Who asks so soon after that hears the same at once: one thread that waits is enough."""


@dataclass(slots=True)
class S3Blobs:
    """Safe to use from many threads; sent to another process it connects anew. The keys come from the
    environment, as every client of S3 reads them, or from the machine's role."""

    bucket: str
    prefix: str = ""
    endpoint: str | None = None
    region: str | None = None
    _client: S3Store | None = field(default=None, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _away: tuple[float, str] = (0.0, "")
    """Until when nobody asks again, and why."""

    def __reduce__(self) -> tuple[Any, ...]:
        return S3Blobs, (self.bucket, self.prefix, self.endpoint, self.region)

    @property
    def name(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    def check(self) -> None:
        """SettingsError when the bucket or the keys are wrong; BlobsUnavailable when it does not answer."""
        try:
            obstore.list_with_delimiter(self._store)
        except BaseError as error:
            text = _first_line(error)
            if _WRONG.search(text):
                raise SettingsError(
                    f"The bucket of blobs_url, {self.name}, cannot be used: {text}"
                ) from error
            raise self._unavailable(error) from error

    def put(self, key: str, data: bytes) -> None:
        with self._reaching():
            obstore.put(self._store, check_key(key), data)

    def put_file(self, key: str, source: Path) -> None:
        """In parts if it is large."""
        with self._reaching():
            obstore.put(self._store, check_key(key), source)

    def open(self, key: str) -> BinaryIO:
        size = self.size(key)
        if size is None:
            raise NotFound(f"There is no blob {key}.")
        reader = io.BufferedReader(_Reader(self, key, size), _BUFFER_BYTES)
        return cast("BinaryIO", reader)

    def size(self, key: str) -> int | None:
        with self._reaching():
            try:
                return int(obstore.head(self._store, check_key(key))["size"])
            except FileNotFoundError:
                return None

    def read_range(self, key: str, start: int, end: int) -> bytes:
        with self._reaching():
            if start < end:
                try:
                    return bytes(obstore.get_range(self._store, check_key(key), start=start, end=end))
                except FileNotFoundError as error:
                    raise NotFound(f"There is no blob {key}.") from error
                except BaseError as error:
                    if "status code: 416" not in _first_line(error):  # it begins behind the end
                        raise
            if self.size(key) is None:
                raise NotFound(f"There is no blob {key}.")
            return b""

    def get(self, key: str, largest_bytes: int) -> bytes | None:
        """A whole blob in one request; None if there is none, or a larger one."""
        with self._reaching():
            try:
                found = obstore.get(self._store, check_key(key))
                return bytes(found.bytes()) if found.meta["size"] <= largest_bytes else None
            except FileNotFoundError:
                return None

    def delete(self, keys: Sequence[str]) -> None:
        with self._reaching():
            obstore.delete(self._store, list(keys))

    def pages(self, prefix: str) -> Iterator[list[tuple[str, int, float]]]:
        """Key, size in bytes and when it was written, in unix seconds, of all under a folder."""
        with self._reaching():
            for page in obstore.list(self._store, f"{prefix.rstrip('/')}/"):
                yield [
                    (entry["path"], int(entry["size"]), entry["last_modified"].timestamp()) for entry in page
                ]

    def delete_prefix(self, prefix: str) -> int:
        keys = self.list(prefix)
        check_key(prefix.rstrip("/"))
        if keys:
            with self._reaching():
                obstore.delete(self._store, list(keys))
        return len(keys)

    def list(self, prefix: str = "") -> Sequence[str]:
        name = prefix.rstrip("/")
        alone = [name] if name and not prefix.endswith("/") and self.size(name) is not None else []
        with self._reaching():
            if name:
                check_key(name)
            pages = obstore.list(self._store, name or None)
            return sorted([*alone, *(entry["path"] for page in pages for entry in page)])

    def folders(self, prefix: str) -> Sequence[str]:
        """The names right under the prefix under which there are blobs."""
        with self._reaching():
            found = obstore.list_with_delimiter(self._store, prefix.rstrip("/"))
            return sorted(path.rpartition("/")[2] for path in found["common_prefixes"])

    @property
    def _store(self) -> S3Store:
        with self._lock:
            if self._client is None:
                self._client = self._connect()
            return self._client

    def _connect(self) -> S3Store:
        options: dict[str, Any] = {"region": self.region or _region(), "retry_config": _RETRIES}
        if self.endpoint:
            options["endpoint"] = self.endpoint
        plain = (self.endpoint or "").startswith("http:")
        client_options = {**_CLIENT, "allow_http": plain}
        try:
            return S3Store(
                self.bucket,
                prefix=self.prefix or None,
                client_options=cast("Any", client_options),
                virtual_hosted_style_request=False,
                **options,
            )
        except (BaseError, ValueError) as error:
            raise SettingsError(f"{self.name} cannot be used for blobs: {_first_line(error)}") from error

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        until, reason = self._away
        if time.monotonic() < until:
            raise BlobsUnavailable(reason)
        try:
            yield
        except BaseError as error:
            raise self._unavailable(error) from error

    def _unavailable(self, error: Exception) -> BlobsUnavailable:
        reason = f"The object store is not available now ({_first_line(error)})."
        self._away = time.monotonic() + _REST_SECONDS, reason
        return BlobsUnavailable(reason)


class _Reader(io.RawIOBase):
    """One blob from anywhere to anywhere; a request for each `readinto`."""

    def __init__(self, blobs: S3Blobs, key: str, size: int) -> None:
        self._blobs = blobs
        self._key = key
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(base + offset, 0)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any, /) -> int:
        view = memoryview(buffer).cast("B")
        data = self._blobs.read_range(self._key, self._at, min(self._at + len(view), self._size))
        view[: len(data)] = data
        self._at += len(data)
        return len(data)


def _region() -> str:
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or _DEFAULT_REGION


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].strip()
