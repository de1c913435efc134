"""Requests that never become whole, and what is no HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.certificates import make_certificate
from tests.gateway.conftest import RunningGateway, StartGateway
from tests.gateway.limited import metric, until

pytestmark = pytest.mark.anyio
HASTY = {"handshake_seconds": 0.6}


@contextlib.asynccontextmanager
async def connection(
    gateway: RunningGateway,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def dribble(writer: asyncio.StreamWriter, text: bytes) -> None:
    with contextlib.suppress(ConnectionError):
        for byte in text:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.02)


async def answer_of(gateway: RunningGateway, start: bytes, slowly: bytes) -> tuple[int, Any]:
    """Status and JSON of the answer to a request of which a part comes a byte at a time."""
    async with connection(gateway) as (reader, writer):
        writer.write(start)
        slow = asyncio.create_task(dribble(writer, slowly))
        try:
            return await read_answer(reader)
        finally:
            slow.cancel()


async def read_answer(reader: asyncio.StreamReader) -> tuple[int, Any]:
    async with asyncio.timeout(60):
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        return int(head.split()[1]), json.loads(await reader.readexactly(int(length.split(b":")[1])))


async def ended(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(60):
        with contextlib.suppress(ConnectionError):
            return await reader.read()
    return b""


async def test_a_head_that_dribbles_is_answered_408(start_gateway: StartGateway) -> None:
    async with start_gateway(limits=HASTY) as gateway:
        status, body = await answer_of(gateway, b"GET /v1/realtime HTTP/1.1\r\n", b"x-slow: " + b"y" * 5000)
        assert status == 408
        assert body["error"]["code"] == "request_timeout"
        assert "0.6 seconds" in body["error"]["message"]
        assert await metric(gateway, "voxgate_calls_refused_total", "request_timeout") == 1


async def test_an_upload_may_take_longer_while_it_comes_on(start_gateway: StartGateway) -> None:
    """And one that does not is given up like any other."""
    line = b'{"t_ms": 1, "event": {"type": "response.create", "pad": "%s"}}\n' % (b"x" * 60_000)
    head = b"POST /api/sessions/import HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n"
    head += b"authorization: Bearer vg_test_admin_key_of_forty_characters_0000\r\n\r\n"
    async with start_gateway(limits={"handshake_seconds": 3}) as gateway:
        async with connection(gateway) as (reader, writer):
            writer.write(head % (len(line) * 14))
            for _ in range(14):
                writer.write(line)
                await asyncio.sleep(0.3)
            status, body = await read_answer(reader)
            assert status == 200, body
            assert body["items"][0]["events"] == 14
        async with connection(gateway) as (reader, writer):
            writer.write(head % (len(line) * 14) + line[:100])
            status, body = await read_answer(reader)
            assert (status, body["error"]["code"]) == (408, "request_timeout")


async def test_a_body_that_dribbles_is_answered_408(
    start_gateway: StartGateway, caplog: pytest.LogCaptureFixture
) -> None:
    head = b"POST /v1/credentials HTTP/1.1\r\nhost: x\r\ncontent-length: 5000\r\n"
    head += b"authorization: Bearer vg_test_admin_key_of_forty_characters_0000\r\n\r\n"
    async with start_gateway(limits=HASTY) as gateway:
        status, body = await answer_of(gateway, head, b"{" + b" " * 4999)
        assert (status, body["error"]["code"]) == (408, "request_timeout")
        await asyncio.sleep(0)
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_the_second_request_of_a_connection_has_its_own_time(start_gateway: StartGateway) -> None:
    request = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"
    async with start_gateway(limits=HASTY) as gateway:
        async with connection(gateway) as (reader, writer):
            for _ in range(3):
                writer.write(request)
                assert (await read_answer(reader))[0] == 200
                await asyncio.sleep(0.25)  # between two requests no time runs, and that of the first is over
            writer.write(request + request[:20])
            assert (await read_answer(reader))[0] == 200
            assert (await read_answer(reader))[0] == 408
            assert await ended(reader) == b""


async def test_a_connection_on_which_nothing_comes_is_closed_without_a_word(
    start_gateway: StartGateway,
) -> None:
    async with start_gateway(limits=HASTY) as gateway:
        async with connection(gateway) as (reader, _):
            assert await ended(reader) == b""


async def test_empty_lines_do_not_keep_a_connection(start_gateway: StartGateway) -> None:
    async with start_gateway(limits=HASTY) as gateway:
        status, _ = await answer_of(gateway, b"", b"\r\n" * 2000)
        assert status == 408


async def test_an_answer_that_takes_long_is_not_cut_off(start_gateway: StartGateway) -> None:
    async with start_gateway(limits=HASTY) as gateway:
        release = asyncio.Event()

        async def slow(scope: Any, receive: Any, send: Any) -> None:
            await release.wait()
            headers = [(b"content-length", b"2")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b"{}"})

        gateway.server.config.loaded_app = slow
        async with connection(gateway) as (reader, writer):
            writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            loop = asyncio.get_running_loop()
            loop.call_later(0.9, release.set)  # longer than the time for a request
            assert await read_answer(reader) == (200, {})


async def test_a_tls_handshake_that_does_not_go_on_is_given_up(
    start_gateway: StartGateway, tmp_path: Path
) -> None:
    certificate, key = make_certificate(tmp_path)
    async with start_gateway(limits=HASTY, tls_cert=certificate, tls_key=key) as gateway:
        async with connection(gateway) as (reader, writer):
            writer.write(b"\x16\x03\x01")  # the beginning of a ClientHello
            await ended(reader)


async def test_a_head_that_is_too_large_counts_and_the_bound_is_a_setting(
    start_gateway: StartGateway,
) -> None:
    async with start_gateway(limits={"largest_head_bytes": 2000}) as gateway:
        for size, status in ((1000, 200), (2000, 431)):
            async with connection(gateway) as (reader, writer):
                writer.write(b"GET /healthz HTTP/1.1\r\nhost: x\r\nx-large: " + b"y" * size + b"\r\n\r\n")
                answer = await read_answer(reader)
                assert answer[0] == status
        assert answer[1]["error"]["code"] == "head_too_large"
        assert await metric(gateway, "voxgate_calls_refused_total", "head_too_large") == 1


async def test_who_goes_on_with_a_head_that_is_too_large_still_hears_why(start_gateway: StartGateway) -> None:
    async with start_gateway() as gateway:
        async with connection(gateway) as (reader, writer):
            writer.write(b"GET /healthz HTTP/1.1\r\nhost: x\r\nx-large: " + b"y" * (8 << 20))
            await writer.drain()
            assert (await read_answer(reader))[0] == 431
            writer.write_eof()
            assert await ended(reader) == b""
        await until(lambda: not gateway.server.server_state.connections)


async def _write_on(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"y" * 100_000)
        await writer.drain()
        await asyncio.sleep(0.01)


async def test_who_never_ends_a_head_that_is_too_large_is_cut_off(
    start_gateway: StartGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voxgate.gateway.head._LINGER_SECONDS", 0.2)
    async with start_gateway() as gateway:
        async with connection(gateway) as (_, writer):
            writer.write(b"GET /healthz HTTP/1.1\r\nx-large: ")
            with pytest.raises(ConnectionError):
                await _write_on(writer)


async def test_what_is_no_http_is_answered_in_openais_shape(start_gateway: StartGateway) -> None:
    async with start_gateway() as gateway:
        async with connection(gateway) as (reader, writer):
            writer.write(b"\x16\x03\x01 hello\r\n\r\n")
            status, body = await read_answer(reader)
            assert (status, body["error"]["type"]) == (400, "invalid_request_error")
