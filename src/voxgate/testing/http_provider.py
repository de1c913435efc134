"""A provider that answers requests on loopback as a test tells it to, and keeps what it was sent.

    async with HttpProvider(answer) as provider:
        settings = {"providers": {"fake": {"base_url": provider.base_url}}, …}

An answer is a coroutine that gets the request and returns a response of aiohttp, or writes one itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from aiohttp import web


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it came: bytes and header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    request: web.Request = field(repr=False)


Answering = Callable[[Received], Awaitable[web.StreamResponse]]


async def say_hello(received: Received) -> web.StreamResponse:
    """A chat completion of one word."""
    usage = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
    choice = {"index": 0, "message": {"role": "assistant", "content": "Hello."}, "finish_reason": "stop"}
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "m",
        "choices": [choice],
        "usage": usage,
    }
    return web.json_response(body)


class HttpProvider:
    def __init__(self, answer: Answering = say_hello) -> None:
        self.answer = answer
        self.received: list[Received] = []
        self._runner = web.AppRunner(
            self._app(), access_log=None, shutdown_timeout=0.1, handler_cancellation=True
        )

    @property
    def base_url(self) -> str:
        port = self._runner.addresses[0][1]
        return f"http://127.0.0.1:{port}/v1"

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    def _app(self) -> web.Application:
        app = web.Application(client_max_size=1 << 30)
        app.router.add_route("*", "/{path:.*}", self._take)
        return app

    async def _take(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        received = Received(request.method, request.path_qs, headers, await request.read(), request)
        self.received.append(received)
        return await self.answer(received)
