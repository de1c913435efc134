"""Recorded calls of a running Voxgate, waited for until the recorder has finished them."""

from __future__ import annotations

import asyncio
import time
from http import HTTPStatus
from typing import Any, Final

from voxgate.client.http import ApiError, Client
from voxgate.evals.protocols import TaskError
from voxgate.evals.session import Session
from voxgate.evals.sources import ApiSource

LONGEST_SECONDS: Final = 180.0
"""A recorder behind with its work, or started again, takes a while; a call that goes on for longer hangs."""
_FIRST_SECONDS: Final = 0.05
_PAUSE_SECONDS: Final = 1.0


class ApiSessions:
    """`unknown_seconds`: how long a session that is not there is waited for. Calls that were made just now
    may take as long as any to appear."""

    def __init__(
        self,
        client: Client,
        longest_seconds: float = LONGEST_SECONDS,
        unknown_seconds: float = LONGEST_SECONDS,
    ) -> None:
        self._client = client
        self._source = ApiSource(client)
        self._longest_seconds = longest_seconds
        self._unknown_seconds = unknown_seconds

    async def finished(self, session_id: str) -> Session:
        """TaskError if it does not end, is not there, or Voxgate does not answer."""
        began, pause = time.monotonic(), _FIRST_SECONDS
        while True:
            trace = await asyncio.to_thread(self._trace, session_id)
            if trace is not None and trace["status"] != "live":
                return Session(trace, self._source)
            longest = self._unknown_seconds if trace is None else self._longest_seconds
            if time.monotonic() - began > longest:
                what = "is not recorded" if trace is None else "has not ended"
                raise TaskError(f"The session {session_id} {what} after {longest:g} s.")
            await asyncio.sleep(pause)
            pause = min(_PAUSE_SECONDS, pause * 1.5)

    def _trace(self, session_id: str) -> Any:
        try:
            return self._client.call("GET", f"/api/sessions/{session_id}")
        except ApiError as error:
            if error.http_status == HTTPStatus.NOT_FOUND:
                return None
            raise TaskError(error.message) from error
