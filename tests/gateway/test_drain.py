"""How a worker ends: what it still serves, whom it refuses, and for whom it waits. The processes around it
are in tests/cli/test_drain.py."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import time
from collections.abc import AsyncIterator, Callable

import pytest
from websockets.asyncio.client import connect

from tests.gateway.conftest import ADMIN_KEY, RunningGateway, StartGateway
from tests.gateway.wire import upgrade_head
from voxgate.gateway import farewell, relay, serving
from voxgate.realtime.frames import TEXT, encode_close, encode_frame
from voxgate.testing.provider import ScriptedProvider, Upstreamed

pytestmark = pytest.mark.anyio
AUTH = {"Authorization": f"Bearer {ADMIN_KEY}"}
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@contextlib.asynccontextmanager
async def connected(gateway: RunningGateway) -> AsyncIterator[Streams]:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


@contextlib.asynccontextmanager
async def begun_call(gateway: RunningGateway) -> AsyncIterator[Streams]:
    async with connected(gateway) as (reader, writer):
        writer.write(upgrade_head())
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        yield reader, writer


async def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


def end_of(gateway: RunningGateway) -> asyncio.Task[None]:
    """Done when the worker would let its process end."""
    return next(task for task in asyncio.all_tasks() if "Server._serve" in repr(task.get_coro()))


async def test_a_worker_that_retires_closes_its_port_and_serves_what_it_had_accepted(
    start_gateway: StartGateway,
) -> None:
    async with (
        ScriptedProvider() as provider,
        start_gateway(provider.base_url, drain_seconds=30) as gateway,
        connected(gateway) as (idle, asking),
        connected(gateway) as (late, calling),
    ):
        calls = gateway.worker.gateway.calls
        asking.write(b"GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n")
        assert b" 200 OK" in await idle.readuntil(b"\r\n\r\n")
        await until(lambda: len(gateway.server.server_state.connections) == 2)
        gateway.server.retire()
        await idle.read()  # ends: it has had its answer
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", gateway.port)
        calling.write(upgrade_head())
        assert (await late.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        await until(lambda: calls.draining)
        assert calls.running == 1
        calling.write(encode_close(1000, "", masked=True))
        assert (await late.read())[:1] == b"\x88"
        await end_of(gateway)


async def test_a_worker_that_stops_keeps_its_port_and_refuses_new_calls(start_gateway: StartGateway) -> None:
    async with ScriptedProvider() as provider, start_gateway(provider.base_url, drain_seconds=30) as gateway:
        async with connect(f"{gateway.url}?model=fake", additional_headers=AUTH) as call:
            gateway.server.handle_exit(signal.SIGTERM, None)
            assert await gateway.get("/readyz") == (503, {"status": "draining"})  # at once
            async with connect(f"{gateway.url}?model=fake", additional_headers=AUTH) as refused:
                assert '"code":"draining"' in str(await refused.recv())
                await refused.wait_closed()
            assert (refused.close_code, refused.close_reason) == (1001, "server_error.draining")
            await call.send("still here")
            assert await call.recv() == "still here"
            gateway.server.handle_exit(signal.SIGTERM, None)  # the second
            await call.recv()
            await call.wait_closed()
            assert call.close_code == 1001
        await end_of(gateway)


async def test_a_worker_does_not_end_before_a_client_has_read_why_it_was_closed(
    start_gateway: StartGateway,
) -> None:
    async with (
        ScriptedProvider() as provider,
        start_gateway(provider.base_url) as gateway,
        begun_call(gateway) as (reader, writer),
    ):
        gateway.server.should_exit = True
        end = end_of(gateway)
        received = b""
        while b"server_error.draining" not in received:
            received += await reader.read(1000)
        done, _ = await asyncio.wait([end], timeout=1)  # the network is slow, and so is the client
        assert not done
        writer.write(encode_close(1001, "", masked=True))
        assert await reader.read() == b""
        await end


async def test_a_second_signal_ends_the_waiting_for_clients_that_were_told(
    start_gateway: StartGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "_FAREWELL_SECONDS", 3600)
    monkeypatch.setattr(farewell, "CLOSE_SECONDS", 3600)
    async with (
        ScriptedProvider() as provider,
        start_gateway(provider.base_url) as gateway,
        begun_call(gateway) as (reader, _),
    ):
        end = end_of(gateway)
        gateway.server.handle_exit(signal.SIGTERM, None)
        received = b""
        while b"server_error.draining" not in received:
            received += await reader.read(1000)
        assert not end.done()
        gateway.server.handle_exit(signal.SIGTERM, None)
        await asyncio.wait_for(end, 30)  # at once; but the provider's pings end it, too, some time
        closed = json.loads((await gateway.facts())[-1])
        assert (closed["type"], closed["code"]) == ("gateway.closed", 1001)


async def test_a_second_signal_ends_a_call_in_the_middle_of_a_message_and_its_log_too(
    start_gateway: StartGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "_FAREWELL_SECONDS", 3600)
    monkeypatch.setattr(relay, "_BOUNDARY_SECONDS", 3600)
    frame = encode_frame(TEXT, b"z" * 40_000)

    async def begin_a_message(call: Upstreamed) -> None:
        call.socket.transport.write(frame[:20_000])
        await call.socket.wait_closed()

    async with (
        ScriptedProvider(begin_a_message) as provider,
        start_gateway(provider.base_url) as gateway,
        begun_call(gateway) as (reader, _),
    ):
        end = end_of(gateway)
        await reader.readexactly(20_000)
        gateway.server.handle_exit(signal.SIGTERM, None)
        await until(lambda: gateway.server._drain and gateway.server._drain.done())
        assert gateway.worker.gateway.calls.running == 1
        gateway.server.handle_exit(signal.SIGTERM, None)
        await end
        assert not gateway.worker.gateway.calls.running
        facts = [json.loads(fact) for fact in await gateway.facts()]
        assert [fact["type"] for fact in facts[-2:]] == ["gateway.error", "gateway.closed"]


async def test_a_client_that_never_answers_holds_up_nobody_for_long(start_gateway: StartGateway) -> None:
    async with (
        ScriptedProvider() as provider,
        start_gateway(provider.base_url) as gateway,
        begun_call(gateway),
    ):
        gateway.server.handle_exit(signal.SIGINT, None)
        await asyncio.wait_for(end_of(gateway), 60)
