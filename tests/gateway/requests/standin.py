"""A provider that answers what is `documented`, for what the official SDKs ask. What it is to do else is in
the model's name:

    fails-429   refuses with that status
    tries-429   refuses the first time, with `Retry-After`, and answers the second
    cuts        breaks the stream off
    endless     streams until the client hangs up
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from typing import Any

from aiohttp import web
from tests.gateway.requests.documented import SOUND, events, response_events, whole

from voxgate.testing.http_provider import Received

_BOUNDARY = re.compile(r"boundary=\"?([^\";]+)")
_ASKING = ("content-type", "accept", "openai-beta", "anthropic-version", "anthropic-beta")
"""Headers that say how to answer."""


class StandIn:
    def __init__(self) -> None:
        self.hung_up = Counter[str]()
        """By path: clients that left an endless stream."""
        self.told: list[bytes] = []
        """What clients sent on sockets."""
        self._refused = set[str]()

    async def __call__(self, received: Received) -> web.StreamResponse:
        path = received.path.partition("?")[0].removeprefix("/v1/")
        if received.headers.get("upgrade", "").lower() == "websocket":
            return await self._converse(received)
        body = _fields(received)
        model = str(body.get("model"))
        kind, _, status = model.partition("-")
        if kind == "fails" or (kind == "tries" and self._first_time(received)):
            return _failure(path, int(status))
        told = events(path, body)
        is_streamed = body.get("stream") in (True, "true") or body.get("stream_format") == "sse"
        if is_streamed and told:
            named = path in ("responses", "messages")
            return await self._stream(received, path, told, named=named, model=model)
        if path == "audio/speech":
            return web.Response(body=SOUND, content_type="audio/mpeg", headers={"x-request-id": "req_9"})
        headers = {"x-request-id": "req_9", "request-id": "req_9"}
        return web.json_response(whole(path, body), headers=headers)

    def _first_time(self, received: Received) -> bool:
        """Of this very request."""
        asked = f"{received.path} {received.body!r}"
        self._refused ^= {asked}
        return asked in self._refused

    async def _converse(self, received: Received) -> web.StreamResponse:
        """`responses` on a WebSocket."""
        socket = web.WebSocketResponse()
        await socket.prepare(received.request)
        number = 0
        async for message in socket:
            self.told.append(str(message.data).encode())
            body = json.loads(message.data)
            before = body.get("previous_response_id")
            if before is not None and before != f"resp_{number}":
                await socket.send_json(_not_found(before))
                continue
            number += 1
            for event in response_events(body, number):
                await socket.send_json(event)
        return socket

    async def _stream(
        self, received: Received, path: str, told: list[Any], *, named: bool, model: str
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream", "x-request-id": "req_9"})
        response.enable_chunked_encoding()
        await response.prepare(received.request)
        for number, event in enumerate(told):
            if model == "cuts" and number == 2:
                assert received.request.transport is not None
                received.request.transport.abort()
                return response
            await response.write(_line(event, named=named))
            await asyncio.sleep(0)
            if model == "endless" and number == min(3, len(told) - 1):  # Anthropic's third is a ping
                await self._repeat(response, path, _line(event, named=named))
        if not named:
            await response.write(b"data: [DONE]\n\n")
        return response

    async def _repeat(self, response: web.StreamResponse, path: str, line: bytes) -> None:
        try:
            while True:
                await response.write(line)
                await asyncio.sleep(0.02)
        except (ConnectionError, asyncio.CancelledError):
            self.hung_up[path] += 1
            raise


def _not_found(response_id: str) -> dict[str, Any]:
    said = {"type": "invalid_request_error", "code": "previous_response_not_found"}
    said |= {"message": f"Previous response with id '{response_id}' not found."}
    return {"type": "error", "status": 400, "error": {**said, "param": "previous_response_id"}}


def asked(received: Received) -> Any:
    """What an SDK sent, but for what differs from one time to the next."""
    found = _BOUNDARY.search(received.headers.get("content-type", ""))
    boundary = found[1] if found else "-"
    headers = {name: received.headers[name] for name in _ASKING if name in received.headers}
    kind = headers.get("content-type", "").replace(boundary, "BOUNDARY")
    body = received.body.replace(boundary.encode(), b"BOUNDARY") if found else received.body
    return received.method, received.path, {**headers, "content-type": kind}, body


def _line(event: Any, *, named: bool) -> bytes:
    head = f"event: {event['type']}\n" if named else ""
    return f"{head}data: {json.dumps(event)}\n\n".encode()


def _fields(received: Received) -> dict[str, Any]:
    if "json" in received.headers.get("content-type", ""):
        fields: dict[str, Any] = json.loads(received.body)
        return fields
    pairs = re.findall(rb'name="(\w+)"\r\n(?:[^\r\n]+\r\n)*\r\n([^\r\n]*)\r\n', received.body)
    return {name.decode(): value.decode("latin-1") for name, value in pairs}


def _failure(path: str, status: int) -> web.Response:
    said: dict[str, Any] = {"message": f"refused with {status}", "type": "some_error"}
    body = (
        {"type": "error", "error": said}
        if path.startswith("messages")
        else {"error": {**said, "code": "c", "param": None}}
    )
    return web.json_response(body, status=status, headers={"retry-after-ms": "5", "x-request-id": "req_9"})
