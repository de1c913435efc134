"""Many sessions at once: tags, deleting, and all that a filter finds as JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from voxgate.api.access import Admin, Control, Controlled, Reader, own_project
from voxgate.api.sessions import Wanted, delete_all_of, find_session
from voxgate.api.shapes import (
    DeletedSessions,
    DeleteRequest,
    ExportFormat,
    SessionCount,
    Several,
    TagsChanged,
    TagsRequest,
    Trace,
    trace_shape,
)
from voxgate.auth.keys import ApiKey
from voxgate.core.errors import InvalidRequest, NotFound
from voxgate.export.tables import csv_lines

router = APIRouter(prefix="/api/sessions", tags=["sessions"])

MOST_IDS = 500
_PAGE = 100


@router.get("/count", response_model=SessionCount)
def count_sessions(
    key: Reader, control: Controlled, project: str | None = None, q: Wanted = None
) -> dict[str, Any]:
    """How many sessions a filter finds."""
    sessions, live = control.store.count_sessions(project=own_project(key, project or None), q=q)
    return {"sessions": sessions, "live": live}


@router.post("/tags", response_model=TagsChanged)
def change_tags(body: TagsRequest, key: Admin, control: Controlled) -> dict[str, Any]:
    """Add tags to sessions and take others away. It holds beside what the calls bring themselves."""
    both = set(body.add) & set(body.remove)
    if both:
        raise InvalidRequest(f"The tag {min(both)!r} cannot be added and removed at once.", param="remove")
    rows, next_cursor = _chosen(control, key, body, MOST_IDS)
    ids = [row["id"] for row in rows]
    return {"ids": control.store.edit_tags(ids, body.add, body.remove), "next_cursor": next_cursor}


@router.post("/delete", response_model=DeletedSessions)
def delete_sessions(body: DeleteRequest, key: Admin, control: Controlled) -> dict[str, Any]:
    """Delete sessions with everything recorded. Those that are not there, or still run, are passed over."""
    rows, next_cursor = _chosen(control, key, body, _PAGE)
    deleted, live = [], []
    for row in rows:
        if row["status"] == "live":
            live.append(row["id"])
        else:
            delete_all_of(control, row["id"])
            deleted.append(row["id"])
    return {"ids": deleted, "live": live, "next_cursor": next_cursor}


def _chosen(
    control: Control, key: ApiKey, body: Several, most: int
) -> tuple[Iterable[dict[str, Any]], str | None]:
    """What a request is about, and the cursor of the rest: of a filter a page at a time, so that whoever asks
    sees how far it is."""
    if body.ids is not None:
        if body.q is not None or body.project is not None or body.cursor is not None:
            raise InvalidRequest("Either `ids` or a filter (`q`, `project`), not both.", param="ids")
        return _found(control, key, body.ids), None
    if body.q is None:
        # All sessions of all projects are deleted by `"q": ""`, never by a body that says nothing.
        raise InvalidRequest("Say which sessions: `ids`, or a filter as `q`.", param="ids")
    project = own_project(key, body.project or None)
    return control.store.list_sessions(project=project, q=body.q, limit=most, cursor=body.cursor)


@router.get(
    "/export",
    response_class=StreamingResponse,
    responses={
        200: {
            "content": {"application/x-ndjson": {}, "text/csv": {}},
            "description": "One trace on each line, or one row for each session.",
        }
    },
)
def export_sessions(
    key: Reader,
    control: Controlled,
    project: str | None = None,
    q: Wanted = None,
    id: Annotated[  # noqa: A002 - the parameter's public name
        list[str] | None, Query(max_length=MOST_IDS, description="These, instead of a filter.")
    ] = None,
    format: Annotated[ExportFormat, Query(description="`csv`: without spans.")] = "jsonl",  # noqa: A002
) -> StreamingResponse:
    """All sessions that a filter finds, or these, each as `GET /api/sessions/{session_id}?items=true` gives
    it. Those that still run are left out."""
    ids = iter(id) if id else _ids(control, own_project(key, project or None), q)
    traces = _traces(control, key, ids)
    # The first one before the answer begins, so that a wrong filter is an error and no empty file.
    whole = chain(list(next_of(traces)), traces)
    lines = csv_lines(whole) if format == "csv" else map(_line, whole)
    disposition = f'attachment; filename="sessions.{format}"'
    headers = {"content-disposition": disposition, "cache-control": "no-store"}
    media_type = "text/csv" if format == "csv" else "application/x-ndjson"
    return StreamingResponse(lines, media_type=media_type, headers=headers)


def next_of(traces: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The first of them, if there is one."""
    for trace in traces:
        yield trace
        return


def _ids(control: Control, project: str | None, q: str | None) -> Iterator[str]:
    cursor: str | None = None
    while True:
        rows, cursor = control.store.list_sessions(project=project, q=q, limit=_PAGE, cursor=cursor)
        yield from (row["id"] for row in rows)
        if cursor is None:
            return


def _line(trace: dict[str, Any]) -> bytes:
    return json.dumps(trace, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n"


def _traces(control: Control, key: ApiKey, ids: Iterator[str]) -> Iterator[dict[str, Any]]:
    for session_id in ids:
        try:
            row = find_session(control, key, session_id, with_spans=True)
        except NotFound:  # deleted meanwhile
            continue
        if row["status"] != "live":
            shape = Trace.model_validate(trace_shape(row)).model_dump(mode="json")
            shape["items"] = row["data"].get("items") or []
            yield shape


def _found(control: Control, key: ApiKey, ids: list[str]) -> Iterator[dict[str, Any]]:
    """Those of the sessions that there are and that the key sees."""
    for session_id in dict.fromkeys(ids):
        try:
            yield find_session(control, key, session_id)
        except NotFound:
            continue
