"""Recorded calls of a running Voxgate: what a filter finds, and what there is of each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from voxgate.client.http import Client
from voxgate.client.paging import items


class Sessions:
    def __init__(self, client: Client) -> None:
        self._client = client

    def found(self, q: str | None = None, project: str | None = None) -> Iterator[dict[str, Any]]:
        """Newest first, as lists show them."""
        return items(self._client, "/api/sessions", {"q": q, "project": project})

    def trace(self, session_id: str) -> dict[str, Any]:
        """With `metrics`, `spans` and `scores`."""
        found: dict[str, Any] = self._client.call("GET", _path(session_id))
        return found

    def events(self, session_id: str) -> Iterator[bytes]:
        """The event log, in pieces."""
        return self._client.stream(f"{_path(session_id)}/events")

    def audio(self, session_id: str, track: str = "mix", format: str = "wav") -> Iterator[bytes]:  # noqa: A002 - as in the API
        """A track, in pieces."""
        return self._client.stream(f"{_path(session_id)}/audio", {"track": track, "format": format})


def _path(session_id: str) -> str:
    return f"/api/sessions/{quote(session_id, safe='')}"
