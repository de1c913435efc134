"""A scripted provider: a real Realtime endpoint on loopback that does what a test tells it to, and keeps what
it was sent.

    async with ScriptedProvider(script) as provider:
        settings = {"providers": {"fake": {"base_url": provider.base_url}}, …}

A script is a coroutine that gets the connection; `echo` is the default.
"""

from __future__ import annotations

import http
from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import Self

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response


class Upstreamed:
    """One connection from the provider's side: its request, and every message that was read from it."""

    def __init__(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        self.socket = connection
        self.path = connection.request.path
        self.headers = [(name.lower(), value) for name, value in connection.request.headers.raw_items()]
        self.messages: list[str | bytes] = []

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)

    async def receive(self) -> str | bytes:
        message = await self.socket.recv()
        self.messages.append(message)
        return message

    async def send(self, message: str | bytes) -> None:
        await self.socket.send(message)

    async def __aiter__(self) -> AsyncIterator[str | bytes]:
        async for message in self.socket:
            self.messages.append(message)
            yield message


Script = Callable[[Upstreamed], Awaitable[None]]


async def echo(call: Upstreamed) -> None:
    """Sends every message back as it came."""
    async for message in call:
        await call.send(message)


class ScriptedProvider:
    def __init__(
        self, script: Script = echo, *, refuse_status: int | None = None, refuse_body: str = ""
    ) -> None:
        """With `refuse_status` every upgrade is answered with that HTTP status and body instead."""
        self._script = script
        self._refuse_status = refuse_status
        self._refuse_body = refuse_body
        self._server: Server | None = None
        self.calls: list[Upstreamed] = []

    @property
    def port(self) -> int:
        assert self._server is not None
        port: int = next(iter(self._server.sockets)).getsockname()[1]
        return port

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._handle, "127.0.0.1", 0, compression=None, max_size=None, process_request=self._maybe_refuse
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    def _maybe_refuse(self, connection: ServerConnection, request: Request) -> Response | None:
        if self._refuse_status is None:
            return None
        return connection.respond(http.HTTPStatus(self._refuse_status), self._refuse_body)

    async def _handle(self, connection: ServerConnection) -> None:
        call = Upstreamed(connection)
        self.calls.append(call)
        try:
            await self._script(call)
            await connection.wait_closed()
        except ConnectionClosed:
            pass  # the call is over; the test looks at what was received
