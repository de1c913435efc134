"""Sessions of a running Voxgate, over its API."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import Any

import orjson

from voxgate.client.http import ApiError, Client
from voxgate.evals.model import Json
from voxgate.evals.session import Session
from voxgate.evals.sound import Track


class ApiSource:
    def __init__(self, client: Client) -> None:
        self._client = client

    def audio(self, session_id: str, track: Track) -> Iterator[bytes]:
        """ApiError where it cannot be had for any other reason than that there is none."""
        try:
            yield from self._client.stream(f"/api/sessions/{session_id}/audio", {"track": track})
        except ApiError as error:
            if error.http_status != HTTPStatus.NOT_FOUND:
                raise

    def events(self, session_id: str) -> Iterator[Json]:
        yield from map(orjson.loads, lines_of(self._client.stream(f"/api/sessions/{session_id}/events")))


def lines_of(chunks: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (line for line in whole if line)
    if rest:
        yield rest


def api_session(client: Client, session_id: str) -> Session:
    """ApiError if there is none."""
    trace: Any = client.call("GET", f"/api/sessions/{session_id}")
    return Session(trace, ApiSource(client))
