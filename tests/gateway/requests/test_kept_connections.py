"""Connections to providers that are kept open, of which the provider closes one just when the next request
goes out on it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
from collections.abc import AsyncIterator

import pytest
from tests.gateway.conftest import ADMIN_KEY, RunningGateway, StartGateway
from tests.gateway.requests.failing import BODY, JSON, OK, _read_request
from tests.gateway.requests.test_passing_on import CHAT, KEY, ask

from voxgate.gateway.requests import pool

pytestmark = pytest.mark.anyio
ANSWER = OK + JSON + b"content-length: %d\r\n\r\n" % len(BODY) + BODY


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has much to do may take long to tell that a connection was closed."""
    monkeypatch.setattr(pool, "_RACE_SECONDS", 3600.0)


class Keeping:
    """`script` says for each connection what follows each of its requests: `answer`, `close`, `reset`, or
    `begin`, a part of an answer. A connection without one answers always."""

    def __init__(self, script: tuple[list[str], ...]) -> None:
        self._script = script
        self._connections = 0
        self.asked: list[int] = []
        """By which connection, in order."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        number = self._connections
        steps = iter(self._script[number - 1] if number <= len(self._script) else [])
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while await self._go_on(number, next(steps, "answer"), reader, writer):
                pass
        writer.close()

    async def _go_on(
        self, number: int, step: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        await _read_request(reader)
        self.asked.append(number)
        if step in ("answer", "begin"):
            writer.write(ANSWER if step == "answer" else ANSWER[:12])
            await writer.drain()
        if step == "reset":
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        return step == "answer"


@contextlib.asynccontextmanager
async def house(
    start_gateway: StartGateway, *script: list[str]
) -> AsyncIterator[tuple[RunningGateway, Keeping]]:
    provider = Keeping(script)
    server = await asyncio.start_server(provider.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    known = {"base_url": f"http://127.0.0.1:{port}/v1", "api_key": KEY, "rest_seconds": 0}
    routes = [{"model": "*", "providers": ["p"]}]
    try:
        async with start_gateway(providers={"p": {**known, "pass_through": True}}, routes=routes) as gateway:
            yield gateway, provider
    finally:
        server.close()


async def status(gateway: RunningGateway, path: str = "chat/completions") -> int:
    return (await ask(gateway, path, CHAT))[0]


@pytest.mark.parametrize("end", ["close", "reset"])
@pytest.mark.parametrize("path", ["chat/completions", "providers/p/files"])
async def test_what_reached_nobody_is_sent_again_on_a_connection_of_its_own(
    start_gateway: StartGateway, end: str, path: str
) -> None:
    async with house(start_gateway, ["answer", end]) as (gateway, provider):
        assert [await status(gateway, path) for _ in range(3)] == [200] * 3
    assert provider.asked == [1, 1, 2, 3]  # the second one's does not stay


async def test_it_is_so_for_methods_that_change_nothing_too(start_gateway: StartGateway) -> None:
    async with house(start_gateway, ["answer", "close"]) as (gateway, provider):
        url = f"http://127.0.0.1:{gateway.port}/v1/providers/p/files"
        found = list[int]()
        for _ in range(2):
            async with gateway.http.get(url, headers={"authorization": f"Bearer {ADMIN_KEY}"}) as answer:
                found.append(answer.status)
    assert (found, provider.asked) == ([200, 200], [1, 1, 2])


@pytest.mark.parametrize("end", ["close", "reset"])
async def test_a_new_connection_that_is_closed_is_a_failure(start_gateway: StartGateway, end: str) -> None:
    async with house(start_gateway, [end], [end]) as (gateway, provider):
        code, body, _ = await ask(gateway, "chat/completions", CHAT)
    assert (code, json.loads(body)["error"]["code"]) == (502, "upstream_refused")
    assert provider.asked == [1]


async def test_it_is_sent_again_once(start_gateway: StartGateway) -> None:
    async with house(start_gateway, ["answer", "close"], ["close"]) as (gateway, provider):
        assert [await status(gateway) for _ in range(2)] == [200, 502]
    assert provider.asked == [1, 1, 2]


async def test_what_was_answered_in_part_is_not_sent_again(start_gateway: StartGateway) -> None:
    async with house(start_gateway, ["answer", "begin"]) as (gateway, provider):
        assert [await status(gateway) for _ in range(2)] == [200, 502]
    assert provider.asked == [1, 1]


async def test_what_was_lost_late_may_have_been_worked_on_and_is_not_sent_again(
    start_gateway: StartGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "_RACE_SECONDS", 0.0)
    async with house(start_gateway, ["answer", "close"]) as (gateway, provider):
        assert [await status(gateway) for _ in range(2)] == [200, 502]
    assert provider.asked == [1, 1]
