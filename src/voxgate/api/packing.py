"""Large JSON answers go packed to who takes them so: a trace of half an hour is 1.3 MB of text, and a tenth
of that packed. Streams, sound and small answers go as they are.
"""

from __future__ import annotations

import gzip
from functools import partial
from typing import Final

from anyio import to_thread
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SMALLEST_BYTES: Final = 16 * 1024
_LEVEL: Final = 1
"""The cheapest: the next ones cost more processor time than the line has to gain."""


class Packing:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and takes_gzip(Headers(scope=scope)):
            send = _Packer(send).send
        await self._app(scope, receive, send)


def takes_gzip(headers: Headers) -> bool:
    """Whether it is among what the client takes, and not with a weight of nothing."""
    for each in headers.get("accept-encoding", "").split(","):
        name, _, weight = each.partition(";")
        if name.strip().lower() == "gzip":
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


class _Packer:
    """Holds the head of a JSON answer back until its body says whether it is packed."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._head: Message | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_json(message):
            self._head = message
            return
        head, self._head = self._head, None
        if head is None:
            await self._send(message)
            return
        if not message.get("more_body") and len(message.get("body", b"")) >= SMALLEST_BYTES:
            message = await _packed(head, message)
        await self._send(head)
        await self._send(message)


def _is_json(head: Message) -> bool:
    headers = Headers(raw=head["headers"])
    return headers.get("content-type") == "application/json" and "content-encoding" not in headers


async def _packed(head: Message, message: Message) -> Message:
    body = await to_thread.run_sync(partial(gzip.compress, message["body"], _LEVEL, mtime=0))
    headers = MutableHeaders(raw=head["headers"])
    headers["content-encoding"] = "gzip"
    headers["content-length"] = str(len(body))
    headers.add_vary_header("accept-encoding")
    return {**message, "body": body}
