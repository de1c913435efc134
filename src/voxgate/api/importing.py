"""Importing event logs: an upload becomes a file, and a process of its own makes wire logs of it, which the
recorder takes up. The worker only passes bytes on.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Final

from anyio import to_thread
from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime, StringConstraints

from voxgate.api.access import Admin, Controlled, own_project
from voxgate.api.shapes import ImportAnswer
from voxgate.core.errors import BodyTooLarge, NotFound
from voxgate.recording.foreign.orders import Options, Orders, Unit, run_import

router = APIRouter(prefix="/api/sessions", tags=["sessions"])

LARGEST_BYTES: Final = 8 << 30
_PIECE_BYTES: Final = 1 << 20
Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {kind: {} for kind in ("application/x-ndjson", "application/json", "application/yaml")},
    }
}


@router.post("/import", response_model=ImportAnswer, openapi_extra=_BODY)
async def import_sessions(
    request: Request,
    key: Admin,
    control: Controlled,
    name: Annotated[Name, Query(description="Of the file, for messages.")] = "the file",
    project: Annotated[Name | None, Query(description="By default the log's own, else `default`.")] = None,
    model: Name | None = None,
    provider: Name | None = None,
    tag: Annotated[list[Name] | None, Query()] = None,
    started_at: Annotated[AwareDatetime | None, Query(description="If the log does not say.")] = None,
    time_unit: Annotated[Unit | None, Query(description="Of times that are bare numbers.")] = None,
    skip_bad_lines: bool = False,
    dry_run: bool = False,
) -> dict[str, Any]:
    """Make sessions of an event log. The body is the file as it is; the answer says what became of each call,
    and a call that is there already stays as it is. Traces come as the recorder makes them."""
    if control.imports is None:
        raise NotFound("This Voxgate takes no imports.")
    options = Options(
        name=name,
        project=own_project(key, project),
        model=model,
        provider=provider,
        tags=tag or [],
        started_at=started_at,
        time_unit=time_unit,
        skip_bad_lines=skip_bad_lines,
        dry_run=dry_run,
    )
    imports = control.imports
    file = await to_thread.run_sync(_upload_file, imports.upload_dir)
    path = Path(file.name)
    try:
        await _receive(request.stream(), file)
        orders = Orders(
            path=path,
            wire_dir=imports.wire_dir,
            database_url=imports.database_url,
            retention_days=control.kept.of(options.project or "default"),
            prices=dict(imports.prices),
            options=options,
        )
        items = await to_thread.run_sync(partial(run_import, orders), limiter=control.importing)
    finally:
        await to_thread.run_sync(partial(_remove, file, path))
    return {"items": items}


def _upload_file(folder: Path) -> BinaryIO:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return tempfile.NamedTemporaryFile(dir=folder, delete=False)  # type: ignore[return-value]


def _remove(file: BinaryIO, path: Path) -> None:
    file.close()
    path.unlink(missing_ok=True)


async def _receive(stream: AsyncIterator[bytes], file: BinaryIO) -> None:
    """In large pieces: each is a thread's work, as a disk may hang."""
    piece, size = bytearray(), 0
    async for data in stream:
        piece += data
        size += len(data)
        if size > LARGEST_BYTES:
            raise BodyTooLarge(f"The file is larger than {LARGEST_BYTES:,} bytes.")
        if len(piece) >= _PIECE_BYTES:
            await to_thread.run_sync(file.write, bytes(piece))
            piece.clear()
    await to_thread.run_sync(file.write, bytes(piece))
    await to_thread.run_sync(file.flush)
