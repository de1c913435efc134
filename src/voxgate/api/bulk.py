"""Many sessions at once: tags, deleting, and all that a filter finds as JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from voxgate.api.access import Admin, Control, Controlled, Reader, own_project
from voxgate.api.sessions import Wanted, delete_all_of, find_session
from voxgate.api.shapes import (
    DeletedSessions,
    DeleteRequest,
    TagsChanged,
    TagsRequest,
    Trace,
    trace_shape,
)
from voxgate.auth.keys import ApiKey
from voxgate.core.errors import InvalidRequest, NotFound

router = APIRouter(prefix="/api/sessions", tags=["sessions"])

MOST_IDS = 500
_PAGE = 100


@router.post("/tags", response_model=TagsChanged)
def change_tags(body: TagsRequest, key: Admin, control: Controlled) -> dict[str, Any]:
    """Add tags to sessions and take others away. It holds beside what the calls bring themselves."""
    both = set(body.add) & set(body.remove)
    if both:
        raise InvalidRequest(f"The tag {min(both)!r} cannot be added and removed at once.", param="remove")
    ids = [row["id"] for row in _found(control, key, body.ids)]
    return {"ids": control.store.edit_tags(ids, body.add, body.remove)}


@router.post("/delete", response_model=DeletedSessions)
def delete_sessions(body: DeleteRequest, key: Admin, control: Controlled) -> dict[str, Any]:
    """Delete sessions with everything recorded. Those that are not there, or still run, are passed over."""
    deleted, live = [], []
    for row in _found(control, key, body.ids):
        if row["status"] == "live":
            live.append(row["id"])
        else:
            delete_all_of(control, row["id"])
            deleted.append(row["id"])
    return {"ids": deleted, "live": live}


@router.get(
    "/export",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/x-ndjson": {}}, "description": "One trace on each line."}},
)
def export_sessions(
    key: Reader,
    control: Controlled,
    project: str | None = None,
    q: Wanted = None,
    id: Annotated[  # noqa: A002 - the parameter's public name
        list[str] | None, Query(max_length=MOST_IDS, description="These, instead of a filter.")
    ] = None,
) -> StreamingResponse:
    """All sessions that a filter finds, or these, each as `GET /api/sessions/{session_id}?items=true` gives
    it. Those that still run are left out."""
    ids = iter(id) if id else _ids(control, own_project(key, project or None), q)
    # The first line before the answer begins, so that a wrong filter is an error and no empty file.
    lines = _lines(control, key, ids)
    first = list(next_of(lines))
    headers = {"content-disposition": 'attachment; filename="sessions.jsonl"', "cache-control": "no-store"}
    return StreamingResponse(chain(first, lines), media_type="application/x-ndjson", headers=headers)


def next_of(lines: Iterator[bytes]) -> Iterator[bytes]:
    """The first of them, if there is one."""
    for line in lines:
        yield line
        return


def _ids(control: Control, project: str | None, q: str | None) -> Iterator[str]:
    cursor: str | None = None
    while True:
        rows, cursor = control.store.list_sessions(project=project, q=q, limit=_PAGE, cursor=cursor)
        yield from (row["id"] for row in rows)
        if cursor is None:
            return


def _lines(control: Control, key: ApiKey, ids: Iterator[str]) -> Iterator[bytes]:
    for session_id in ids:
        try:
            row = find_session(control, key, session_id, with_spans=True)
        except NotFound:  # deleted meanwhile
            continue
        if row["status"] != "live":
            shape = Trace.model_validate(trace_shape(row)).model_dump(mode="json")
            shape["items"] = row["data"].get("items") or []
            yield (
                json.dumps(shape, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
                + b"\n"
            )


def _found(control: Control, key: ApiKey, ids: list[str]) -> Iterator[dict[str, Any]]:
    """Those of the sessions that there are and that the key sees."""
    for session_id in dict.fromkeys(ids):
        try:
            yield find_session(control, key, session_id)
        except NotFound:
            continue
