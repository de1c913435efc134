"""The blobs of data sets: sound and event logs that cases refer to. The same bytes are one blob: its id is
made of them. Event logs are compressed where they are stored, and come out as they were.
"""

from __future__ import annotations

import hashlib
import re
import sys
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from anyio import to_thread
from fastapi import APIRouter, Request
from fastapi.responses import Response

from voxgate.api.access import Admin, Control, Controlled, Reader
from voxgate.api.dataset_shapes import StoredBlob
from voxgate.api.found import find_dataset
from voxgate.api.ranges import Content, Slice, ranged_response
from voxgate.api.steady import OpenBlob
from voxgate.audio.headers import HEAD_BYTES, duration_ms
from voxgate.core.errors import BlobsUnavailable, BodyTooLarge, InvalidRequest, NotFound

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

router = APIRouter(prefix="/api/datasets/{dataset_id}/blobs", tags=["datasets"])

EVENT_LOG: Final = "application/jsonl"
LARGEST_BYTES: Final = 2 << 30
_LOGS: Final = {EVENT_LOG, "application/x-ndjson", "application/x-jsonlines"}
_SOUND: Final = re.compile(r"audio/[a-z0-9][a-z0-9.+-]{0,60}")
_PIECE_BYTES: Final = 1 << 20
_LEVEL: Final = 3
_BODY: Final[dict[str, Any]] = {
    "requestBody": {"required": True, "content": {kind: {} for kind in ("audio/*", EVENT_LOG)}}
}
_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"audio/wav": {}, EVENT_LOG: {}}, "description": "The blob."},
    206: {"description": "The range that was asked for."},
}


class Incoming:
    """Bytes that become a blob of a data set, in a file of this machine until they are whole."""

    def __init__(self, content_type: str) -> None:
        self.content_type = EVENT_LOG if content_type in _LOGS else content_type
        if content_type not in _LOGS and not _SOUND.fullmatch(content_type):
            raise InvalidRequest(
                f"A blob is sound or an event log, not {content_type!r}: say which in the header"
                f" content-type, for example audio/wav or {EVENT_LOG}.",
                param="content-type",
            )
        self._hash = hashlib.sha256()
        self._head = b""
        self.size = 0
        self._file = tempfile.NamedTemporaryFile(prefix="voxgate-", delete=False)  # noqa: SIM115 - see close
        self._target: Any = self._file
        if self.content_type == EVENT_LOG:
            self._target = zstd.ZstdFile(self._file, "w", level=_LEVEL)

    def write(self, piece: bytes) -> None:
        self.size += len(piece)
        if self.size > LARGEST_BYTES:
            raise BodyTooLarge(f"A blob has at most {LARGEST_BYTES:,} bytes.")
        if len(self._head) < HEAD_BYTES:
            self._head += piece[: HEAD_BYTES - len(self._head)]
        self._hash.update(piece)
        self._target.write(piece)

    def store(self, control: Control, dataset_id: str) -> dict[str, Any]:
        """The blob's row. NotFound if the data set was deleted meanwhile: then nothing is left of it."""
        if self.size == 0:
            raise InvalidRequest("The blob is empty: the body is the sound or the event log itself.")
        blob_id = f"blob_{self._hash.hexdigest()[:40]}"
        row = {
            "id": blob_id,
            "content_type": self.content_type,
            "size_bytes": self.size,
            "duration_ms": self._duration_ms(),
        }
        if self._target is not self._file:
            self._target.close()
        self._file.flush()
        key = blob_key(dataset_id, blob_id)
        if control.blobs.size(key) is None:
            control.blobs.put_file(key, Path(self._file.name))
        if not control.store.add_dataset_blob(dataset_id, row):
            control.blobs.delete_prefix(key)
            raise NotFound(f"There is no data set {dataset_id!r}.", param="dataset_id")
        return row

    def _duration_ms(self) -> float | None:
        if self.content_type == EVENT_LOG:
            return None
        try:
            return duration_ms(self._head, self.size)
        except ValueError as error:
            raise InvalidRequest(str(error)) from error

    def close(self) -> None:
        self._file.close()
        Path(self._file.name).unlink(missing_ok=True)


class _Unpacked:
    """An event log as it came. It is closed when nobody has it any more."""

    def __init__(self, control: Control, key: str, size: int) -> None:
        stored = control.blobs.open(key)
        self._file = zstd.ZstdFile(stored)
        weakref.finalize(self, stored.close)
        self.size = size

    def read(self, start: int, end: int) -> bytes:
        try:
            self._file.seek(start)
            data = self._file.read(end - start)
        except (zstd.ZstdError, EOFError) as error:
            raise BlobsUnavailable(f"The event log is damaged: {error}.") from error
        if len(data) != end - start:
            raise BlobsUnavailable("The event log is damaged: it is shorter than it was.")
        return data


@contextmanager
def incoming(content_type: str) -> Iterator[Incoming]:
    made = Incoming(content_type)
    try:
        yield made
    finally:
        made.close()


def blob_key(dataset_id: str, blob_id: str) -> str:
    return f"datasets/{dataset_id}/{blob_id}"


@router.post("", status_code=201, response_model=StoredBlob, openapi_extra=_BODY)
async def add_blob(request: Request, dataset_id: str, key: Admin, control: Controlled) -> dict[str, Any]:
    """The body is the sound or the event log itself. What is there already is stored once."""
    await to_thread.run_sync(find_dataset, control, key, dataset_id)
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    blob = await to_thread.run_sync(Incoming, content_type)
    try:
        await _receive(request, blob)
        row = await to_thread.run_sync(blob.store, control, dataset_id)
    finally:
        await to_thread.run_sync(blob.close)
    return {"blob": row["id"], "content_type": row["content_type"], "duration_ms": row["duration_ms"]}


async def _receive(request: Request, blob: Incoming) -> None:
    """In large pieces: each is a thread's work, as a disk may hang."""
    piece = bytearray()
    async for data in request.stream():
        piece += data
        if len(piece) >= _PIECE_BYTES:
            await to_thread.run_sync(blob.write, bytes(piece))
            piece.clear()
    await to_thread.run_sync(blob.write, bytes(piece))


@router.head("/{blob}", include_in_schema=False)
@router.get("/{blob}", response_class=Response, responses=_ANSWERS)
def get_blob(
    request: Request,
    dataset_id: str,
    blob: str,
    key: Reader,
    control: Controlled,
) -> Response:
    """The sound or the event log as it was sent, whole or in ranges."""
    find_dataset(control, key, dataset_id)
    row = control.store.get_dataset_blob(dataset_id, blob)
    if row is None:
        raise NotFound(f"The data set {dataset_id} has no blob {blob!r}.", param="blob")
    content: Content
    if row["content_type"] == EVENT_LOG:
        content = _Unpacked(control, blob_key(dataset_id, blob), row["size_bytes"])
    else:
        stored = OpenBlob(control.blobs, blob_key(dataset_id, blob))
        content = Slice(stored.read, 0, stored.size)
    headers = {"x-content-type-options": "nosniff"}
    return ranged_response(
        request, content, media_type=row["content_type"], etag=f'"{blob}"', headers=headers
    )
