"""Server-sent events: a trace as it grows, and the list of the newest sessions as it changes.

The recorder is another process, so both are polled from the store; a counter tells whether to read the whole.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

import anyio
import orjson
from anyio import to_thread
from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse

from voxgate.api.access import Control, Controlled, Reader
from voxgate.api.sessions import find_session, page_of_sessions, trace_of
from voxgate.api.shapes import ListedSession, SessionPage, Trace, change_shape
from voxgate.auth.keys import ApiKey
from voxgate.core.clock import monotonic_ns
from voxgate.core.errors import NotFound, StoreUnavailable, Unauthenticated

router = APIRouter(prefix="/api", tags=["live"])

POLL_SECONDS = 0.25
CHANGE_POLL_SECONDS = 0.1
LIST_POLL_SECONDS = 1.0
HEARTBEAT_SECONDS = 15.0
_STREAM: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {}}, "description": "Server-sent events."}
}
_NEVER = -1
# Proxies such as nginx must not hold events back.
_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}


@router.get("/sessions/{session_id}/stream", response_class=StreamingResponse, responses=_STREAM)
async def stream_session(
    request: Request,
    session_id: str,
    key: Reader,
    control: Controlled,
    changes: Annotated[bool, Query(description="Send `change` instead of the whole where possible.")] = False,
) -> StreamingResponse:
    """`trace` with what `GET /api/sessions/{id}` gives, at once and after each change; `end` with the final
    status when it is no longer live. With `changes=true` most changes come as `change`, which has only what
    is new."""
    await to_thread.run_sync(find_session, control, key, session_id)
    following = _Following(control, key, session_id, changes=changes)
    events = _with_heartbeats(request, control, key, following)
    return StreamingResponse(events, media_type="text/event-stream", headers=_HEADERS)


@router.get("/stream/sessions", response_class=StreamingResponse, responses=_STREAM)
async def stream_sessions(
    request: Request,
    key: Reader,
    control: Controlled,
    project: str | None = None,
    q: str | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    changes: Annotated[bool, Query(description="Send `change` where the sessions are the same.")] = False,
) -> StreamingResponse:
    """`sessions` with the newest, at once and whenever one of them changed, at most once a second. With
    `changes=true` a `change` with the fields that are others comes instead, as long as they are the same
    sessions."""
    watching = _Watching(control, key, project, q, limit, changes=changes)
    # The first page before the answer begins, so that a wrong filter is a 400 and not a broken stream.
    await to_thread.run_sync(watching.read)
    return StreamingResponse(
        _with_heartbeats(request, control, key, watching), media_type="text/event-stream", headers=_HEADERS
    )


class _Following:
    """One session: the events since the last look."""

    def __init__(self, control: Control, key: ApiKey, session_id: str, *, changes: bool) -> None:
        self.poll_seconds = CHANGE_POLL_SECONDS if changes else POLL_SECONDS
        self._control = control
        self._key = key
        self._id = session_id
        self._by_changes = changes
        self._revision = _NEVER
        self.ended = False

    def look(self) -> list[bytes]:
        self._control.watches.look_at(self._id)
        if self._by_changes:
            revision, changes = self._control.store.session_changes(self._id, self._revision)
            if revision is not None and changes is not None:
                return self._changes(changes)
        elif self._control.store.session_revision(self._id) == self._revision:
            return []
        return self._whole()

    def _changes(self, changes: list[dict[str, Any]]) -> list[bytes]:
        events: list[bytes] = []
        for change in changes:
            self._revision += 1
            data = orjson.dumps(change_shape(self._id, change)).decode()
            events.append(_event("change", data, self._revision))
        return events

    def _whole(self) -> list[bytes]:
        try:
            row = find_session(self._control, self._key, self._id, with_spans=True)
        except NotFound:  # deleted meanwhile
            return [self._end(None)]
        self._revision = row["revision"]
        trace = _event(
            "trace", Trace.model_validate(trace_of(self._control, row)).model_dump_json(), row["revision"]
        )
        return [trace] if row["status"] == "live" else [trace, self._end(row["status"])]

    def _end(self, status: str | None) -> bytes:
        self.ended = True
        return _event("end", json.dumps({"id": self._id, "status": status}))


class _Watching:
    """The newest sessions: their page whenever it is another one."""

    poll_seconds = LIST_POLL_SECONDS
    ended = False

    def __init__(
        self,
        control: Control,
        key: ApiKey,
        project: str | None,
        q: str | None,
        limit: int,
        *,
        changes: bool,
    ) -> None:
        self._control = control
        self._key = key
        self._project = project
        self._asked = {"q": q, "limit": limit}
        self._by_changes = changes
        self._last: SessionPage | None = None

    def read(self) -> SessionPage:
        page = page_of_sessions(self._control, self._key, self._project, **self._asked)
        return SessionPage.model_validate(page)

    def look(self) -> list[bytes]:
        before, page = self._last, self.read()
        if page == before:
            return []
        self._last = page
        if before is not None and self._by_changes and _names(page) == _names(before):
            items = [_changed(*each) for each in zip(before.items, page.items, strict=True)]
            data = orjson.dumps({"items": [item for item in items if item]}).decode()
            return [_event("change", data)]
        return [_event("sessions", page.model_dump_json())]


def _names(page: SessionPage) -> list[str | None]:
    return [*(item.id for item in page.items), page.next_cursor]


def _changed(before: ListedSession, now: ListedSession) -> dict[str, Any] | None:
    if before == now:
        return None
    old, new = before.model_dump(mode="json"), now.model_dump(mode="json")
    return {"id": now.id} | {name: value for name, value in new.items() if old[name] != value}


async def _with_heartbeats(
    request: Request, control: Control, key: ApiKey, source: _Following | _Watching
) -> AsyncIterator[bytes]:
    """Until nobody reads it, the source has ended, or the key is good no more."""

    def look() -> list[bytes]:
        control.keys.by_secret(key.secret)
        return source.look()

    sent_ns = monotonic_ns()
    while not await request.is_disconnected():
        looked_ns = monotonic_ns()
        try:
            events = await to_thread.run_sync(look)
        except Unauthenticated:
            return
        except StoreUnavailable:  # a browser would not ask again: the stream stays and waits
            events = []
        took_seconds = (monotonic_ns() - looked_ns) / 1e9
        for event in events:
            yield event
            sent_ns = monotonic_ns()
        if source.ended:
            return
        if monotonic_ns() - sent_ns >= HEARTBEAT_SECONDS * 1e9:
            yield b": still here\n\n"
            sent_ns = monotonic_ns()
        # The trace of a long call takes time to read: then less often, so that a watcher costs little.
        await anyio.sleep(max(source.poll_seconds, 4 * took_seconds))


def _event(name: str, data: str, revision: int | None = None) -> bytes:
    """JSON has no line breaks of its own, so one `data:` line is enough."""
    mark = "" if revision is None else f"id: {revision}\n"
    return f"event: {name}\n{mark}data: {data}\n\n".encode()
