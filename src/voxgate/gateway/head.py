"""The gateway's HTTP protocol: uvicorn's, with a bound on a request's head, and without losing what a client
sends right behind its upgrade request.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, cast

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from voxgate.core.errors import RequestError

_LARGEST_HEAD: Final = 64 << 10
_END: Final = b"\r\n\r\n"


class HeadLimiter(HttpToolsProtocol):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head = bytearray()
        self._finished = bytearray()
        self._in_head = True

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            self._head += data
            end = self._head.find(_END)
            if (len(self._head) if end < 0 else end) > _LARGEST_HEAD:
                self._refuse()
                return
        super().data_received(data)

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_head = True
        self._finished, self._head = self._head, bytearray()
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        """An upgrade request has no body: what follows its head is already the client's first frames."""
        _, _, early = bytes(self._finished or self._head).partition(_END)
        super().handle_websocket_upgrade()
        if early:
            cast("asyncio.Protocol", self.transport.get_protocol()).data_received(early)

    def _refuse(self) -> None:
        error = RequestError(f"The request's head is larger than {_LARGEST_HEAD:,} bytes.")
        body = orjson.dumps(error.body())
        self.transport.write(
            b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: application/json\r\n"
            b"connection: close\r\ncontent-length: " + str(len(body)).encode() + _END + body
        )
        self.transport.close()
