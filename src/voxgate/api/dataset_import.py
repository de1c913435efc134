"""Many cases at once: an upload of JSON lines becomes a file, is read through, and is saved as one version.
Its size does not matter for the memory.
"""

from __future__ import annotations

import itertools
import json
import tempfile
from collections.abc import Iterator
from typing import IO, Any, Final

from anyio import to_thread
from fastapi import APIRouter, Request
from pydantic import ValidationError

from voxgate.api.access import Admin, Control, Controlled
from voxgate.api.answers import invalid_field
from voxgate.api.dataset_shapes import CasesImported, StoredBody
from voxgate.api.datasets import case_row, check_blobs, saved_answer
from voxgate.api.found import find_dataset
from voxgate.core.errors import BodyTooLarge, InvalidRequest
from voxgate.store.columns import to_json

router = APIRouter(prefix="/api/datasets/{dataset_id}", tags=["datasets"])

LARGEST_BYTES: Final = 2 << 30
_LONGEST_LINE: Final = 16 << 20
_PIECE_BYTES: Final = 1 << 20
_AT_ONCE: Final = 200
_BODY: Final[dict[str, Any]] = {
    "requestBody": {"required": True, "content": {"application/x-ndjson": {}, "application/jsonl": {}}}
}


@router.post("/import", response_model=CasesImported, openapi_extra=_BODY)
async def import_cases(request: Request, dataset_id: str, key: Admin, control: Controlled) -> dict[str, Any]:
    """The body is cases, one on each line. All or none is saved, one new version."""
    await to_thread.run_sync(find_dataset, control, key, dataset_id)
    with tempfile.TemporaryFile(prefix="voxgate-") as came, tempfile.TemporaryFile(prefix="voxgate-") as rows:
        await _receive(request, came)
        await to_thread.run_sync(_read, control, dataset_id, came, rows)
        return await to_thread.run_sync(_save, control, dataset_id, rows, key.name)


async def _receive(request: Request, file: IO[bytes]) -> None:
    """In large pieces: each is a thread's work, as a disk may hang."""
    piece, size = bytearray(), 0
    async for data in request.stream():
        piece += data
        size += len(data)
        if size > LARGEST_BYTES:
            raise BodyTooLarge(f"The cases are more than {LARGEST_BYTES:,} bytes.")
        if len(piece) >= _PIECE_BYTES:
            await to_thread.run_sync(file.write, bytes(piece))
            piece.clear()
    await to_thread.run_sync(file.write, bytes(piece))


def _read(control: Control, dataset_id: str, came: IO[bytes], rows: IO[bytes]) -> None:
    """Checks every line, and writes down what is to be saved; nothing is saved as long as one is wrong."""
    came.seek(0)
    lines = (
        line for line in enumerate(iter(lambda: came.readline(_LONGEST_LINE), b""), 1) if line[1].strip()
    )
    count = 0
    while some := list(itertools.islice(lines, _AT_ONCE)):
        cases = [_case(number, line) for number, line in some]
        try:
            check_blobs(control, dataset_id, cases)
        except InvalidRequest as error:
            at = int((error.param or "cases.0").split(".")[1])
            raise _wrong(some[at][0], error) from error
        rows.writelines(to_json(case).encode() + b"\n" for case in cases)
        count += len(cases)
    if not count:
        raise InvalidRequest("The body has no cases: it is one JSON object on each line.")


def _case(number: int, line: bytes) -> dict[str, Any]:
    try:
        return case_row(StoredBody.model_validate_json(line))
    except ValidationError as error:
        raise _wrong(number, invalid_field(error.errors()[0])) from error


def _wrong(number: int, error: InvalidRequest) -> InvalidRequest:
    return InvalidRequest(f"Line {number}: {error.message}", param=error.param)


def _save(control: Control, dataset_id: str, rows: IO[bytes], name: str) -> dict[str, Any]:
    rows.seek(0)
    cases: Iterator[dict[str, Any]] = map(json.loads, rows)
    answer = saved_answer(control.store.save_cases(dataset_id, cases, name), dataset_id)
    return {"version": answer["version"], "cases": len(answer["ids"])}
