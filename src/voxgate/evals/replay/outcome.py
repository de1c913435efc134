"""The recorded replay, once it has a trace, and the turn of it that answers a case."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from voxgate.client.http import ApiError, Client
from voxgate.evals.model import Json
from voxgate.evals.protocols import TaskError

_LEAST_SECONDS: Final = 300.0
_FIRST_PAUSE_SECONDS: Final = 0.05
_LONGEST_PAUSE_SECONDS: Final = 2.0


async def trace_of(client: Client, session_id: str, seconds: float) -> Mapping[str, Any]:
    """The trace of a call that has ended, as soon as it is whole. TaskError if it is not in that time, nor
    in what a recorder with much to do may need; another call would wait behind this one."""
    seconds = max(seconds, _LEAST_SECONDS)
    deadline, pause = time.monotonic() + seconds, _FIRST_PAUSE_SECONDS
    while True:
        trace = await asyncio.to_thread(_look, client, session_id)
        if trace is not None and trace["status"] != "live":
            return trace
        if time.monotonic() > deadline:
            said = f"The trace of {session_id} is not there after {seconds:g} s: does the recorder run?"
            raise TaskError(said, retryable=False)
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE_SECONDS)


def _look(client: Client, session_id: str) -> Mapping[str, Any] | None:
    try:
        found: Mapping[str, Any] = client.call("GET", f"/api/sessions/{session_id}")
    except ApiError as error:
        if error.http_status == HTTPStatus.NOT_FOUND:
            return None
        final = error.http_status is not None and error.http_status < HTTPStatus.INTERNAL_SERVER_ERROR
        raise TaskError(error.message, retryable=not final) from error
    return found


def turn_span(trace: Mapping[str, Any], item_id: str | None) -> str | None:
    """The turn that the user's item opened; without it, the last turn."""
    spans: list[Json] = list(trace.get("spans") or ())
    for span in spans:
        if item_id and span["type"] == "user" and (span.get("input") or {}).get("item_id") == item_id:
            return str(span["parent_id"])
    turns = [span for span in spans if span["type"] == "turn"]
    return str(turns[-1]["id"]) if turns else None
