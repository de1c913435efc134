"""The gateway's HTTP protocol: uvicorn's, with bounds on a request's head and on the time in which a request
must be whole, and without losing what a client sends right behind its upgrade request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final, cast

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from voxgate.core.errors import HeadTooLarge, InvalidRequest, RequestError, RequestTimeout
from voxgate.core.settings import LimitSettings
from voxgate.gateway.requests.endpoints import ENDPOINTS, PASS_THROUGH

_END: Final = b"\r\n\r\n"
_LINGER_SECONDS: Final = 2.0
"""How long a client that was refused may go on with its request before it is cut off."""
_UPLOADS: Final = frozenset({"/api/sessions/import"})
_LEAST_BYTES_PER_SECOND: Final = 16 << 10
"""The body of an upload may take as long as it is large, if it comes on as fast as this."""
_LEAST_BYTES: Final = 1024
"""So much of the body of a request to a model has to come in each `body_idle_seconds`: a single byte now and
then does not hold a connection."""


class _Refused(asyncio.Protocol):
    """What is left of a client whose request was answered before it was whole: the rest is dropped, because
    closing at once would reset the connection and lose the answer."""

    def __init__(self, transport: asyncio.Transport) -> None:
        transport.set_protocol(self)
        transport.write_eof()
        self._transport = transport
        self._timer = asyncio.get_running_loop().call_later(_LINGER_SECONDS, transport.abort)
        transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._timer.cancel()


class HeadLimiter(HttpToolsProtocol):
    """A timer runs while a request comes in: for its head and then for its body. Between two requests it does
    not: how long a connection is kept for the next one is uvicorn's `timeout_keep_alive`."""

    def __init__(
        self, limits: LimitSettings, count_refusal: Callable[[RequestError], None], **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self._limits = limits
        self._count_refusal = count_refusal
        self._head = bytearray()
        self._finished = bytearray()
        self._in_head = True
        self._begun = False
        """Whether the parser has seen the beginning of a head that is not yet complete."""
        self._timer: asyncio.TimerHandle | None = None
        self._came = 0
        """Bytes of the body since the timer was started."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(cast("asyncio.Transport", transport))  # uvloop's are not of that class
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            if self._timer is None:
                self._start_timer()
            if not self._head_fits(data):
                self._refuse(HeadTooLarge(f"The request's head is larger than {self._largest_head:,} bytes."))
                return
        super().data_received(data)

    def on_message_begin(self) -> None:
        self._begun = True
        if self._timer is None:  # right behind another request, in one piece with its end
            self._start_timer()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = self._begun = False
        self._stop_timer()
        super().on_headers_complete()  # after it the path is known
        self._start_timer()

    def on_body(self, body: bytes) -> None:
        self._came += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_head = True
        self._stop_timer()
        self._finished, self._head = self._head, bytearray()
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        """An upgrade request has no body: what follows its head is already the client's first frames."""
        self._stop_timer()
        _, _, early = bytes(self._finished or self._head).partition(_END)
        super().handle_websocket_upgrade()
        if early:
            cast("asyncio.Protocol", self.transport.get_protocol()).data_received(early)

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP: uvicorn would answer with plain text."""
        self._refuse(InvalidRequest(msg))

    @property
    def _largest_head(self) -> int:
        return self._limits.largest_head_bytes

    def _head_fits(self, data: bytes) -> bool:
        searched = max(0, len(self._head) - len(_END))
        self._head += data
        end = self._head.find(_END, searched)
        return (len(self._head) if end < 0 else end) <= self._largest_head

    def _start_timer(self) -> None:
        self._came = 0
        self._timer = self.loop.call_later(self._patience_seconds, self._time_is_up)

    @property
    def _patience_seconds(self) -> float:
        return self._limits.body_idle_seconds if self._is_for_model else self._limits.handshake_seconds

    @property
    def _is_for_model(self) -> bool:
        """Whether what comes now is the body of a request to a model: sound or pictures, on a slow line. How
        long all of it may take is for who reads it to say."""
        path: str = "" if self._in_head else self.scope.get("path", "")  # none at an upgrade
        return path in ENDPOINTS or path.startswith(PASS_THROUGH)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _time_is_up(self) -> None:
        if self.flow.read_paused or self._comes_on():  # it waits for us, or has much to bring
            self._start_timer()
        elif self._may_answer():
            self._refuse(RequestTimeout(self._too_slow()))
        else:
            self.transport.close()

    def _comes_on(self) -> bool:
        if self._is_for_model:
            return self._came >= _LEAST_BYTES
        enough = self._came >= _LEAST_BYTES_PER_SECOND * self._limits.handshake_seconds
        return enough and not self._in_head and self.scope["path"] in _UPLOADS

    def _too_slow(self) -> str:
        seconds = f"{self._patience_seconds:g} seconds"
        if self._is_for_model:
            return f"The request's body is not complete, and in {seconds} hardly anything of it came."
        return f"The request's {'head' if self._in_head else 'body'} was not complete within {seconds}."

    def _may_answer(self) -> bool:
        """Not to a connection that only was opened, and not into the middle of another answer."""
        if self._in_head:
            return (self._begun or bool(self._head)) and (self.cycle is None or self.cycle.response_complete)
        return self.cycle is None or not self.cycle.response_started

    def _refuse(self, error: RequestError) -> None:
        self._count_refusal(error)
        body = orjson.dumps(error.body())
        self.transport.write(
            f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}\r\ncontent-type: application/json\r\n"
            f"connection: close\r\ncontent-length: {len(body)}\r\n\r\n".encode()
            + body
        )
        if self.transport.can_write_eof():
            self.connection_lost(error)  # for us: uvicorn closes what is lost without an error
            _Refused(self.transport)
        else:  # TLS has its own farewell
            self.transport.close()
