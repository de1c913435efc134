"""Bodies that take their time: what comes on is waited for, what does not is given up."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.gateway.conftest import ADMIN_KEY, StartGateway
from tests.gateway.requests.test_passing_on import KEY
from tests.gateway.test_head import connection, read_answer

from voxgate.testing.http_provider import HttpProvider, say_hello

pytestmark = pytest.mark.anyio
PATH = "/v1/audio/transcriptions"
PARTS = (
    b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n'
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n'
    b"Content-Type: audio/wav\r\n\r\n"
)
END = b"\r\n--b--\r\n"


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@contextlib.asynccontextmanager
async def uploading(
    start_gateway: StartGateway, sound_bytes: int, **limits: float
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter, HttpProvider]]:
    """A request whose head and first parts are there; the sound is still to come."""
    head = f"POST {PATH} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {ADMIN_KEY}\r\n"
    head += "content-type: multipart/form-data; boundary=b\r\n"
    head += f"content-length: {len(PARTS) + sound_bytes + len(END)}\r\n\r\n"
    async with HttpProvider(say_hello) as provider:
        known: dict[str, Any] = {"p0": {"base_url": provider.base_url, "api_key": KEY}}
        routes = [{"model": "*", "providers": ["p0"]}]
        async with start_gateway(providers=known, routes=routes, limits=limits) as gateway:
            async with connection(gateway) as (reader, writer):
                writer.write(head.encode() + PARTS)
                yield reader, writer, provider


async def test_a_body_that_comes_on_may_take_longer_than_a_handshake(start_gateway: StartGateway) -> None:
    """The pieces come much faster than the time without any, and all of them take longer than a handshake."""
    pieces = [bytes([number]) * 20_000 for number in range(8)]
    limits = {"handshake_seconds": 0.5, "body_idle_seconds": 30.0}
    async with uploading(start_gateway, 8 * 20_000, **limits) as (reader, writer, provider):
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(0.1)
        writer.write(END)
        status, answer = await read_answer(reader)
        assert status == 200, answer
        assert provider.received[0].body == PARTS + b"".join(pieces) + END


async def test_a_body_that_stops_is_given_up(start_gateway: StartGateway) -> None:
    async with uploading(start_gateway, 100_000, body_idle_seconds=0.5) as (reader, writer, provider):
        writer.write(b"s" * 50_000)
        status, body = await read_answer(reader)
        assert (status, body["error"]["code"]) == (408, "request_timeout")
        assert "0.5 seconds" in body["error"]["message"]
        assert not provider.received


async def test_a_byte_now_and_then_does_not_hold_a_connection(start_gateway: StartGateway) -> None:
    async def dribble() -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                writer.write(b"s")
                await writer.drain()
                await asyncio.sleep(0.02)

    async with uploading(start_gateway, 1_000_000, body_idle_seconds=0.5) as (reader, writer, _):
        slow = asyncio.create_task(dribble())
        assert (await read_answer(reader))[0] == 408
        slow.cancel()


async def test_all_of_a_body_has_its_time_too(start_gateway: StartGateway) -> None:
    async def come_on() -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                writer.write(b"s" * 5000)
                await writer.drain()
                await asyncio.sleep(0.02)

    async with uploading(start_gateway, 30_000_000, body_seconds=0.5) as (reader, writer, _):
        steady = asyncio.create_task(come_on())
        status, body = await read_answer(reader)
        steady.cancel()
        assert (status, body["error"]["code"]) == (408, "request_timeout")
        assert "not whole after 0.5 s" in body["error"]["message"]
