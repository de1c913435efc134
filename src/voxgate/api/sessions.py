"""Sessions: pages of them, one with its spans, its events, ending and deleting."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from voxgate.api.access import Admin, Control, Controlled, Reader, own_project
from voxgate.api.answers import Conflict
from voxgate.api.shapes import Deleted, Ending, SessionPage, Trace, session_shape, trace_shape
from voxgate.auth.keys import ApiKey
from voxgate.core.clock import iso_utc
from voxgate.core.errors import NotFound
from voxgate.store import Blobs

router = APIRouter(prefix="/api/sessions", tags=["sessions"])

END_SIGNAL = "end_session"
CHUNK_BYTES = 256 * 1024


def find_session(
    control: Control, key: ApiKey, session_id: str, *, with_spans: bool = False
) -> dict[str, Any]:
    """A session that the key may see; another project's is not found."""
    row = control.store.get_session(session_id, with_spans=with_spans)
    if row is None or key.project not in (None, row["project"]):
        raise NotFound(f"There is no session {session_id!r}.", param="session_id")
    return _with_end(control, row)


def _with_end(control: Control, row: dict[str, Any]) -> dict[str, Any]:
    """With the moment at which it is deleted: what its credential said, or the settings say, if sooner."""
    if control.retention_days is None:
        return row
    default = datetime.fromisoformat(row["started_at"]) + timedelta(days=control.retention_days)
    own = row["delete_after"]
    return {**row, "delete_after": min(own, iso_utc(default)) if own else iso_utc(default)}


def page_of_sessions(
    control: Control, key: ApiKey, project: str | None, q: str | None, limit: int, cursor: str | None
) -> dict[str, Any]:
    rows, next_cursor = control.store.list_sessions(
        project=own_project(key, project or None), q=q, limit=limit, cursor=cursor or None
    )
    items = [session_shape(_with_end(control, row)) for row in rows]
    return {"items": items, "next_cursor": next_cursor}


@router.get("", response_model=SessionPage)
def list_sessions(
    key: Reader,
    control: Controlled,
    project: str | None = None,
    q: Annotated[str | None, Query(description="status:failed model:gpt-* last:7d and so on")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: Annotated[str | None, Query(description="`next_cursor` of the page before")] = None,
) -> dict[str, Any]:
    """Newest first."""
    return page_of_sessions(control, key, project, q, limit, cursor)


@router.get("/{session_id}", response_model=Trace)
def get_session(session_id: str, key: Reader, control: Controlled) -> dict[str, Any]:
    """A session with its spans in the order of their start."""
    return trace_shape(find_session(control, key, session_id, with_spans=True))


@router.delete("/{session_id}", response_model=Deleted)
def delete_session(session_id: str, key: Admin, control: Controlled) -> dict[str, Any]:
    """Delete the session with everything recorded."""
    row = find_session(control, key, session_id)
    if row["status"] == "live":
        raise Conflict(f"The session {session_id} is live: end it before deleting it.")
    # The row last: if a blob cannot be deleted, the session stays in sight and can be tried again.
    control.blobs.delete_prefix(f"sessions/{row['id']}/")
    control.store.delete_session(row["id"])
    return {"id": row["id"]}


@router.post("/{session_id}/end", status_code=202, response_model=Ending)
def end_session(session_id: str, key: Admin, control: Controlled) -> dict[str, Any]:
    """Ask the worker that has the call to end it."""
    row = find_session(control, key, session_id)
    if row["status"] != "live":
        raise Conflict(f"The session {session_id} is not live; it is {row['status']}.")
    control.store.add_signal(END_SIGNAL, row["id"])
    return {"id": row["id"]}


@router.get(
    "/{session_id}/events",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/x-ndjson": {}}, "description": "One event on each line."}},
)
def get_events(session_id: str, key: Reader, control: Controlled) -> StreamingResponse:
    """The event log as far as it is written."""
    row = find_session(control, key, session_id)
    blob, live = f"sessions/{row['id']}/events.jsonl", row["status"] == "live"
    size = control.blobs.size(blob)
    if size is None and not live:
        raise NotFound(f"The session {session_id} has no event log.")
    lines = _lines(control.blobs, blob, size or 0, whole_only=live)
    return StreamingResponse(lines, media_type="application/x-ndjson")


def _lines(blobs: Blobs, key: str, size: int, *, whole_only: bool) -> Iterator[bytes]:
    """The blob in chunks; with `whole_only` a last line that is still being written is left out."""
    rest = b""
    for start in range(0, size, CHUNK_BYTES):
        chunk = rest + blobs.read_range(key, start, min(start + CHUNK_BYTES, size))
        cut = chunk.rfind(b"\n") + 1 if whole_only else len(chunk)
        rest = chunk[cut:]
        if cut:
            yield chunk[:cut]
