"""Listening in: the sound of a running call as it comes, about a second behind."""

from __future__ import annotations

from collections.abc import AsyncIterator
from secrets import token_hex
from typing import Any, Final

import anyio
from anyio import to_thread
from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from voxgate.api.access import Control, Controlled, Reader
from voxgate.api.answers import Conflict
from voxgate.api.sessions import find_session
from voxgate.api.steady import check_readable
from voxgate.auth.keys import ApiKey
from voxgate.core.errors import NotFound, StoreUnavailable, Unauthenticated, VoxgateError

router = APIRouter(prefix="/api/sessions/{session_id}", tags=["live"])

PIECE_SECONDS: Final = 0.2
LOOK_SECONDS: Final = 1.0
"""How often it is looked whether the call still runs, and whether the key is still good."""
_MEDIA_TYPE: Final = "audio/pcm;rate=24000;channels=2"
_SOUND: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {_MEDIA_TYPE: {}}, "description": "16-bit little-endian samples, as they come."}
}


@router.get("/listen", response_class=StreamingResponse, responses=_SOUND)
async def listen_in(request: Request, session_id: str, key: Reader, control: Controlled) -> StreamingResponse:
    """The running call from now on until it ends: left the user, right the assistant as heard. The header
    `x-voxgate-start-ms` says where on the call's clock it begins."""
    row = await to_thread.run_sync(find_session, control, key, session_id)
    if row["status"] != "live":
        raise Conflict(
            f"The session {session_id} is not live; its sound is at /api/sessions/{session_id}/audio."
        )
    if (row["data"].get("recorded") or {}).get("audio") is False:
        raise NotFound(f"The sound of the session {session_id} is not recorded.")
    check_readable(row)
    ear = _Ear(control, key, row["id"])
    start_ms, _ = await to_thread.run_sync(ear.hear)
    headers = {
        "cache-control": "no-store",
        "x-accel-buffering": "no",
        "x-voxgate-start-ms": f"{start_ms:.0f}",
    }
    return StreamingResponse(_pieces(request, ear), media_type=_MEDIA_TYPE, headers=headers)


class _Ear:
    def __init__(self, control: Control, key: ApiKey, session_id: str) -> None:
        self._control = control
        self._key = key
        self._session_id = session_id
        self._name = token_hex(8)

    def hear(self) -> tuple[float, bytes]:
        return self._control.archive.listen(self._session_id, self._name)

    def may_go_on(self) -> bool:
        try:
            self._control.keys.by_secret(self._key.secret)
            row = self._control.store.get_session(self._session_id, with_spans=False)
        except Unauthenticated:
            return False
        except StoreUnavailable:  # that is no reason to stop listening
            return True
        return row is not None and row["status"] == "live"


async def _pieces(request: Request, ear: _Ear) -> AsyncIterator[bytes]:
    """Until nobody listens, the call is over, or the key is good no more."""
    looked = anyio.current_time()
    while not await request.is_disconnected():
        try:
            _, sound = await to_thread.run_sync(ear.hear)
        except VoxgateError:  # it was put away, or its log cannot be read: there is no more to hear
            return
        if sound:
            yield sound
        if anyio.current_time() - looked >= LOOK_SECONDS:
            looked = anyio.current_time()
            if not await to_thread.run_sync(ear.may_go_on):
                return
        await anyio.sleep(PIECE_SECONDS)
