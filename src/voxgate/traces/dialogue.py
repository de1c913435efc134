"""A socket of `responses`, told as a session: its events are nearly those of a Realtime session, so that
spans, usage, cost and tool calls of both kinds are made in one place.

    response.create              → the settings, what the client says and answers, the response is asked for
    response.created, .output_…  → the same, each with the response that it is of
    response.completed, .failed… → the response is done, with its usage
    error                        → what was asked for has failed
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from voxgate.traces.events import CLIENT, GATEWAY, SERVER, Event, Json, name_of, obj, objects, string
from voxgate.traces.usage import as_realtime

ENDS: Final = {f"response.{status}": status for status in ("completed", "incomplete", "failed", "cancelled")}
_OWN: Final = frozenset({"type", "input", "previous_response_id", "stream_id", "event_id", "generate"})
"""Of a `response.create`, what is of this response alone."""
_ALONE: Final = ""
"""The lane of a client that names none (`stream_id`): responses of one lane come one after the other."""


class Dialogue:
    """Begins behind the fact `gateway.opened` of a log whose endpoint is `responses`, over WebSocket."""

    def __init__(self) -> None:
        self._running: dict[str, str] = {}
        """By lane, the response that its events are of."""
        self._waiting: list[str] = []
        """The lanes of what was asked for and has not begun."""
        self._settings: Json | None = None
        self._numbered = 0

    def words(self, _: Event) -> None:
        """Each is told."""

    def translate(self, event: Event) -> Iterator[Event]:
        """What the builder is to be told in the place of this event, in order."""
        msg = event.msg
        if msg is None or event.dir == GATEWAY:
            yield event
        elif event.dir == CLIENT and event.type == "response.create":
            yield from self._asked(event, msg)
        elif event.dir == SERVER:
            yield from self._said(event, msg)

    # From the client

    def _asked(self, event: Event, body: Json) -> Iterator[Event]:
        settings = {name: value for name, value in body.items() if name not in _OWN}
        if settings != self._settings:
            self._settings = settings
            kind = "session.created" if not self._numbered else "session.updated"
            yield _told(event, SERVER, kind, session=settings)
        for item in _items(body.get("input")):
            self._numbered += 1
            named = {"id": f"input_{self._numbered}", **item}
            yield _told(event, CLIENT, "conversation.item.create", item=named)
        self._waiting.append(lane_of(body))
        yield _told(event, CLIENT, "response.create", response=settings)

    # From the provider

    def _said(self, event: Event, msg: Json) -> Iterator[Event]:
        kind, lane = event.type, lane_of(msg)
        if kind == "response.created":
            self._begun(lane, name_of(obj(msg, "response"), "id") or "")
            yield _told(event, SERVER, kind, response={"id": self._running[lane], "status": "in_progress"})
        elif kind in ENDS:
            yield self._ended(event, obj(msg, "response"), ENDS[kind], lane)
        elif kind == "error":
            yield from self._failed(event, msg, lane)
        elif lane in self._running:
            yield Event(event.t_ns, SERVER, {**msg, "response_id": self._running[lane]})

    def _begun(self, lane: str, response_id: str) -> None:
        if lane in self._waiting:
            self._waiting.remove(lane)
        self._running[lane] = response_id

    def _ended(self, event: Event, response: Json, status: str, lane: str) -> Event:
        self._running.pop(lane, None)
        told: Json = {"id": response.get("id"), "status": status, "output": objects(response, "output")}
        reason = string(obj(response, "incomplete_details"), "reason")
        details: Json = {"reason": reason} if reason else {}
        if error := obj(response, "error"):
            details["error"] = error
        if usage := obj(response, "usage"):
            told["usage"] = as_realtime(usage)
        return _told(event, SERVER, "response.done", response={**told, "status_details": details})

    def _failed(self, event: Event, msg: Json, lane: str) -> Iterator[Event]:
        """Of what runs in its lane, else of what waits longest: then it is a response that failed at once."""
        error = obj(msg, "error") or {key: msg.get(key) for key in ("code", "message", "param") if key in msg}
        response_id = self._running.pop(lane, None)
        if response_id is None and lane in self._waiting:
            self._numbered += 1
            response_id = f"refused_{self._numbered}"
            self._waiting.remove(lane)
            yield _told(event, SERVER, "response.created", response={"id": response_id})
        if response_id is None:
            yield _told(event, SERVER, "error", error=error)
            return
        done = {"id": response_id, "status": "failed", "status_details": {"error": error}}
        yield _told(event, SERVER, "response.done", response=done)


def _told(event: Event, direction: str, kind: str, **fields: Any) -> Event:
    return Event(event.t_ns, direction, {"type": kind, **fields})


def lane_of(msg: Json) -> str:
    return string(msg, "stream_id") or _ALONE


def _items(given: Any) -> Iterator[Json]:
    """As those of a Realtime conversation: a text alone is the user's."""
    if isinstance(given, str):
        yield {"type": "message", "role": "user", "content": [{"type": "input_text", "text": given}]}
    for item in objects({"input": given}, "input"):
        content = item.get("content")
        if isinstance(content, str):
            kind = "output_text" if item.get("role") == "assistant" else "input_text"
            yield {**item, "type": "message", "content": [{"type": kind, "text": content}]}
        else:
            yield item if "type" in item else {**item, "type": "message"}
