"""HTTP Range over content that is partly computed: a header made on the fly before a slice of a blob.

RFC 9110, 14: one range of bytes; several at once, other units and broken ones are ignored, as allowed there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fastapi import Request
from fastapi.responses import Response, StreamingResponse
from starlette.background import BackgroundTask

from voxgate.api.answers import RangeNotSatisfiable, failure

CHUNK_BYTES = 256 * 1024
_RANGE = re.compile(r"bytes=\s*(?:([0-9]{1,18})-([0-9]{1,18})?|-([0-9]{1,18}))\s*", re.IGNORECASE)


class Content(Protocol):
    """Bytes of a known length that can be read from anywhere."""

    @property
    def size(self) -> int: ...

    def read(self, start: int, end: int) -> bytes:
        """The bytes `[start:end]`."""


@dataclass(frozen=True)
class Slice:
    """`head`, then the bytes `[start:end]` of what `read_range` reads, such as a blob or a track."""

    read_range: Callable[[int, int], bytes]
    start: int
    end: int
    head: bytes = b""

    @property
    def size(self) -> int:
        return len(self.head) + self.end - self.start

    def read(self, start: int, end: int) -> bytes:
        shift = self.start - len(self.head)
        first, last = max(start + shift, self.start), max(end + shift, self.start)
        body = self.read_range(first, last) if last > first else b""
        return self.head[start:end] + body


@dataclass(frozen=True)
class FileContent:
    """A local file."""

    path: Path

    @property
    def size(self) -> int:
        return self.path.stat().st_size

    def read(self, start: int, end: int) -> bytes:
        with self.path.open("rb") as file:
            file.seek(start)
            return file.read(end - start)


def parse_range(header: str | None, size: int) -> tuple[int, int] | None:
    """`[start, end)` of the one range asked for; None to send everything; RangeNotSatisfiable."""
    match = _RANGE.fullmatch(header or "")
    if match is None:
        return None
    first, last, suffix = match.groups()
    if suffix is not None:
        start, end = max(size - int(suffix), 0), size
    else:
        start, end = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < start:
            return None  # not a valid range, so it is as if it were not there
    if start >= end:
        raise RangeNotSatisfiable(f"The range {header!r} is outside of the {size} bytes.")
    return start, end


def ranged_response(
    request: Request,
    content: Content,
    *,
    media_type: str,
    etag: str | None = None,
    headers: Mapping[str, str] | None = None,
    background: BackgroundTask | None = None,
) -> Response:
    """The content, or the part that the request asks for. `etag` only where the bytes never change."""
    size = content.size
    all_headers = {"accept-ranges": "bytes", "cache-control": "private, no-cache", **(headers or {})}
    if etag is not None:
        all_headers["etag"] = etag
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers=all_headers, background=background)
    try:
        part = parse_range(_wanted_range(request, etag), size)
    except RangeNotSatisfiable as error:
        return failure(error, {"content-range": f"bytes */{size}", "accept-ranges": "bytes"})
    start, end = part or (0, size)
    all_headers["content-length"] = str(end - start)
    if part is not None:
        all_headers["content-range"] = f"bytes {start}-{end - 1}/{size}"
    body = iter(()) if request.method == "HEAD" else _chunks(content, start, end)
    status = 200 if part is None else 206
    return StreamingResponse(body, status, all_headers, media_type, background)


def _wanted_range(request: Request, etag: str | None) -> str | None:
    """The Range header where it counts: for GET (RFC 9110, 14.2), under If-Range only for the same bytes."""
    if request.method != "GET":
        return None
    condition = request.headers.get("if-range")
    if condition is not None and condition != etag:
        return None
    return request.headers.get("range")


def _chunks(content: Content, start: int, end: int) -> Iterator[bytes]:
    for first in range(start, end, CHUNK_BYTES):
        yield content.read(first, min(first + CHUNK_BYTES, end))
