"""Sessions: pages of them, one with its spans, its events, ending and deleting."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from itertools import chain
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from voxgate.api.access import Admin, Control, Controlled, Reader, own_project
from voxgate.api.answers import Conflict
from voxgate.api.joined import joined_of
from voxgate.api.shapes import (
    Deleted,
    Ending,
    Facets,
    FilterFields,
    Rebuilding,
    SessionPage,
    Trace,
    listed_shape,
    trace_shape,
)
from voxgate.api.steady import OpenBlob, Row, read_steadily
from voxgate.audio.vad import VadParameters
from voxgate.auth.keys import ApiKey
from voxgate.core.clock import iso_utc, now_utc, unix_ms
from voxgate.core.errors import NotFound, VoxgateError
from voxgate.core.ids import made_at_ms
from voxgate.realtime.peek import without_sound
from voxgate.recording.later import read_later
from voxgate.store import REBUILD, REBUILD_FAILED, REBUILT, filter_fields
from voxgate.store.fields import ALIASES
from voxgate.traces.metrics import is_current

router = APIRouter(prefix="/api/sessions", tags=["sessions"])

Wanted = Annotated[str | None, Query(description="status:failed duration>30s last:7d and so on")]
END_SIGNAL = "end_session"
CHUNK_BYTES = 256 * 1024
REBUILD_SECONDS = 50.0
"""Less than clients wait for an answer."""
JUST_BEGUN_SECONDS = 3.0
"""Much more than the recorder is behind, but on a machine that is full."""


def find_session(
    control: Control, key: ApiKey, session_id: str, *, with_spans: bool = False
) -> dict[str, Any]:
    """A session that the key may see; another project's is not found."""
    row = _stored(control, session_id, with_spans)
    if row is None or key.project not in (None, row["project"]):
        raise NotFound(f"There is no session {session_id!r}.", param="session_id")
    return _with_end(control, row)


def _stored(control: Control, session_id: str, with_spans: bool) -> dict[str, Any] | None:
    """A client knows its call's id before the recorder has stored the call: who asks for one that has just
    begun waits for that, so that it can be looked at and ended from its first moment on."""
    while (row := control.store.get_session(session_id, with_spans=with_spans)) is None:
        if not _has_just_begun(session_id):
            return None
        time.sleep(0.05)
    return row


def _has_just_begun(session_id: str) -> bool:
    made = made_at_ms(session_id)
    return made is not None and 0 <= unix_ms(now_utc()) - made < JUST_BEGUN_SECONDS * 1000


def _with_end(control: Control, row: dict[str, Any]) -> dict[str, Any]:
    """With the moment at which it is deleted: what its credential said, or the settings say, if sooner."""
    days = control.kept.of(row["project"])
    if days is None:
        return row
    default = datetime.fromisoformat(row["started_at"]) + timedelta(days=days)
    own = row["delete_after"]
    return {**row, "delete_after": min(own, iso_utc(default)) if own else iso_utc(default)}


def page_of_sessions(control: Control, key: ApiKey, project: str | None, **asked: Any) -> dict[str, Any]:
    rows, next_cursor = control.store.list_sessions(project=own_project(key, project or None), **asked)
    scores = control.store.mean_scores([row["id"] for row in rows])
    items = [listed_shape(_with_end(control, row)) | {"scores": scores.get(row["id"], {})} for row in rows]
    return {"items": items, "next_cursor": next_cursor}


@router.get("", response_model=SessionPage)
def list_sessions(
    key: Reader,
    control: Controlled,
    project: str | None = None,
    q: Wanted = None,
    sort: Annotated[str, Query(description="`started` or a field that is measured")] = "started",
    order: Annotated[str, Query(description="`desc` or `asc`; unknown values come last")] = "desc",
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: Annotated[str | None, Query(description="`next_cursor` of the page before")] = None,
) -> dict[str, Any]:
    """Newest first, or by another field."""
    asked = {"q": q, "sort": sort, "order": order, "limit": limit, "cursor": cursor or None}
    return page_of_sessions(control, key, project, **asked)


@router.get("/facets", response_model=Facets)
def get_facets(
    key: Reader, control: Controlled, project: str | None = None, q: Wanted = None
) -> dict[str, Any]:
    """Which projects, models, tags and so on occur in the newest sessions of a filter, and how often."""
    return control.store.session_facets(project=own_project(key, project or None), q=q)


@router.get("/fields", response_model=FilterFields)
def get_fields(_: Reader) -> dict[str, Any]:
    """What a filter can ask for."""
    return {"items": filter_fields(), "aliases": ALIASES}


@router.get("/{session_id}", response_model=Trace)
def get_session(
    session_id: str,
    key: Reader,
    control: Controlled,
    items: Annotated[bool, Query(description="Also the conversation's items.")] = False,
) -> dict[str, Any]:
    """A session with its spans in the order of their start."""
    row = find_session(control, key, session_id, with_spans=True)
    if row["status"] == "live":
        control.watches.look_at(row["id"])
    shown = {"items": row["data"].get("items") or []} if items else {}
    return trace_of(control, row) | shown


def trace_of(control: Control, row: dict[str, Any]) -> dict[str, Any]:
    """Of a row with its spans."""
    return trace_shape(row) | {"scores": control.store.scores_of(row["id"])} | joined_of(control, row)


@router.delete("/{session_id}", response_model=Deleted)
def delete_session(session_id: str, key: Admin, control: Controlled) -> dict[str, Any]:
    """Delete the session with everything recorded."""
    row = find_session(control, key, session_id)
    if row["status"] == "live":
        raise Conflict(f"The session {session_id} is live: end it before deleting it.")
    delete_all_of(control, row["id"])
    return {"id": row["id"]}


def delete_all_of(control: Control, session_id: str) -> None:
    """The row after the blobs: if one cannot be deleted, the session stays in sight and can be tried again.
    Then what somebody was just adding, such as a track in another format."""
    control.blobs.delete_prefix(f"sessions/{session_id}/")
    control.store.delete_session(session_id)
    control.blobs.delete_prefix(f"sessions/{session_id}/")


@router.post("/{session_id}/end", status_code=202, response_model=Ending)
def end_session(session_id: str, key: Admin, control: Controlled) -> dict[str, Any]:
    """Ask the worker that has the call to end it."""
    row = find_session(control, key, session_id)
    if row["status"] != "live":
        raise Conflict(f"The session {session_id} is not live; it is {row['status']}.")
    control.store.add_signal(END_SIGNAL, row["id"])
    return {"id": row["id"]}


@router.post("/{session_id}/rebuild", response_model=Rebuilding)
def rebuild_session(
    session_id: str,
    key: Admin,
    control: Controlled,
    outdated: Annotated[
        bool, Query(description="Only if its metrics were measured by other formulas or parameters.")
    ] = False,
) -> dict[str, Any]:
    """Have the recorder build the trace again from the stored event log and sound, and wait for that."""
    row = find_session(control, key, session_id)
    if row["status"] == "live":
        raise Conflict(f"The session {session_id} is live: its trace is being built.")
    if outdated and is_current(row["data"].get("metric_versions") or {}, VadParameters().to_json()):
        return {"id": row["id"], "status": "current"}
    before = control.store.last_signal_id()
    control.store.add_signal(REBUILD, row["id"])
    deadline = time.monotonic() + REBUILD_SECONDS
    while time.monotonic() < deadline:
        answers = {kind for _, kind, target in control.store.signals_after(before) if target == row["id"]}
        if REBUILD_FAILED in answers:
            raise VoxgateError(f"The trace of {session_id} could not be built; the recorder's log says why.")
        if REBUILT in answers:
            return {"id": row["id"], "status": "rebuilt"}
        time.sleep(0.1)
    return {"id": row["id"], "status": "rebuilding"}


@router.get(
    "/{session_id}/events",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/x-ndjson": {}}, "description": "One event on each line."}},
)
def get_events(
    session_id: str,
    key: Reader,
    control: Controlled,
    start: Annotated[int, Query(ge=0, description="A byte of the log where a line begins.")] = 0,
    audio: Annotated[bool, Query(description="False: its size in the place of long audio.")] = True,
) -> StreamingResponse:
    """The event log as far as it is written. While the session is live, the header `x-voxgate-next-start` is
    the `start` that brings what comes after this answer."""
    found = partial(find_events, control, start=start, sound=audio or start > 0)
    lines, headers = read_steadily(control, partial(find_session, control, key, session_id), found)
    return StreamingResponse(
        lines if audio else _without_sound(lines), media_type="application/x-ndjson", headers=headers
    )


def find_events(
    control: Control, row: Row, *, start: int, sound: bool
) -> tuple[Iterator[bytes], dict[str, str]]:
    """The log from a byte on, and the headers that belong to it."""
    folder, live = f"sessions/{row['id']}", row["status"] == "live"
    try:
        log = OpenBlob(control.blobs, f"{folder}/events.jsonl")
    except NotFound:
        if live:
            return iter(()), {"x-voxgate-next-start": str(start)}
    else:
        end = _whole_lines(log, start) if live else log.size
        headers = {"x-voxgate-next-start": str(max(start, end))} if live else {}
        later = b"" if live else read_later(control.blobs, folder)[max(start - end, 0) :]
        return _lines(control, row["id"], log, start, end, later), headers
    if control.blobs.size(f"{folder}/events.zst") is None:
        raise NotFound(f"The session {row['id']} has no event log.")
    # The first piece before the answer begins, so that a damaged log is an error and no empty answer.
    first = control.archive.read_events(row["id"], start, CHUNK_BYTES, sound=sound)
    return chain((first,), _restored(control, row["id"], start + len(first), sound=sound)), {}


def _whole_lines(log: OpenBlob, start: int) -> int:
    """Where the last line ends that is not still being written; `start` if none does."""
    end = log.size
    while end > start:
        first = max(start, end - CHUNK_BYTES)
        chunk = log.read(first, end)
        if b"\n" in chunk:
            return first + chunk.rfind(b"\n") + 1
        end = first
    return start


def _lines(
    control: Control, session_id: str, log: OpenBlob, start: int, end: int, later: bytes
) -> Iterator[bytes]:
    """The raw log in chunks, and what came after the call."""
    for at in range(start, end, CHUNK_BYTES):
        try:
            yield log.read(at, min(at + CHUNK_BYTES, end))
        except NotFound:  # the log was put away meanwhile
            yield from _restored(control, session_id, at)
            return
    if later:
        yield later


def _restored(control: Control, session_id: str, start: int, *, sound: bool = True) -> Iterator[bytes]:
    """A log that was put away, from a byte of it on."""
    while chunk := control.archive.read_events(session_id, start, CHUNK_BYTES, sound=sound):
        yield chunk
        start += len(chunk)


def _without_sound(chunks: Iterator[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        text = rest + chunk
        end = text.rfind(b"\n") + 1
        rest = text[end:]
        yield without_sound(text[:end])
    yield without_sound(rest)
