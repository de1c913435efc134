"""What a gateway, a key and a call may take, and what both sides see when it is too much."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from tests.certificates import make_certificate
from tests.gateway.conftest import ADMIN_KEY, RunningGateway, StartGateway
from tests.gateway.limited import call_of, end_of, metric, only_call, until, works
from voxgate.gateway import farewell, limits, relay
from voxgate.testing.provider import ScriptedProvider, Upstreamed

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def swift(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_SWEEP_SECONDS", 0.02)
    monkeypatch.setattr(relay, "_BOUNDARY_SECONDS", 0.5)
    monkeypatch.setattr(farewell, "CLOSE_SECONDS", 1.5)


@pytest.fixture
def by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sweeps happen only when a test makes one, at the time that it says."""
    monkeypatch.setattr(limits, "_SWEEP_SECONDS", 3600)


async def flood(call: Upstreamed) -> None:
    """Answers the first message with more than all buffers on the way take."""
    await call.receive()
    for _ in range(400):
        await call.send("z" * 100_000)


# What one call may take


async def test_a_call_that_takes_too_long_ends_as_the_live_service_ends_it(
    start_gateway: StartGateway,
) -> None:
    async with (
        ScriptedProvider() as provider,
        start_gateway(provider.base_url, limits={"max_session_seconds": 3600}) as gateway,
        call_of(gateway) as socket,
    ):
        await works(socket)
        (await only_call(gateway)).started -= 3600
        error, code, reason = await end_of(socket)
        text = "Your session hit the maximum duration of 60 minutes."
        assert error == {
            "type": "invalid_request_error",
            "code": "session_expired",
            "message": text,
            "param": None,
            "event_id": None,
        }
        assert (code, reason) == (1001, text)
        await provider.calls[0].socket.wait_closed()
        assert (provider.calls[0].socket.close_code, provider.calls[0].socket.close_reason) == (1001, text)
        assert await metric(gateway, "voxgate_calls_ended_total", "session_expired") == 1
        facts = [json.loads(fact) for fact in await gateway.facts()]
        assert [fact["type"] for fact in facts[-2:]] == ["gateway.error", "gateway.closed"]
        assert (facts[-1]["code"], facts[-1]["side"]) == (1001, "gateway")


async def test_that_shape_is_the_recorded_one(shared: Any) -> None:
    lines = (shared / "fixtures/realtime/real-error-frames.jsonl").read_text().splitlines()
    [live] = [each for each in map(json.loads, lines) if "session_expired" in json.dumps(each)]
    error = limits.SessionExpired("Your session hit the maximum duration of 60 minutes.")
    assert error.event("event_1")["error"] == live["frame"]["error"]
    assert [error.close_code, error.close_reason] == live["close"]


async def test_a_credentials_own_duration_ends_its_calls_and_no_others(start_gateway: StartGateway) -> None:
    async with (
        ScriptedProvider() as provider,
        start_gateway(provider.base_url, limits={"max_session_seconds": 3600}) as gateway,
    ):
        key = await gateway.mint(max_session_seconds=1)
        async with call_of(gateway) as other, call_of(gateway, key) as socket:
            error, code, _ = await end_of(socket)
            assert error["message"] == "Your session hit the maximum duration of 1 second."
            assert code == 1001
            await works(other)


@pytest.mark.usefixtures("by_hand")
async def test_a_call_in_which_nobody_speaks_ends_and_one_message_keeps_it(
    start_gateway: StartGateway,
) -> None:
    async with (
        ScriptedProvider() as provider,
        start_gateway(provider.base_url, limits={"idle_seconds": 60}) as gateway,
        call_of(gateway) as socket,
    ):
        call = await only_call(gateway)
        sweep, start = gateway.worker.gateway.limits.sweep, call.started
        await sweep(start + 59)
        await works(socket)
        await sweep(start + 61)
        await (await socket.ping())  # no message
        await sweep(start + 120)
        await works(socket)
        await sweep(start + 122)
        await sweep(start + 181)
        await works(socket)
        await sweep(start + 183)
        await sweep(start + 244)
        error, code, reason = await end_of(socket)
        assert (error["code"], code, reason) == ("session_idle", 4008, "invalid_request_error.session_idle")
        assert "1 minute" in error["message"]


@pytest.mark.usefixtures("by_hand")
@pytest.mark.parametrize("by_client", [True, False])
@pytest.mark.parametrize("kind", ["messages", "bytes"])
async def test_too_much_per_second_ends_a_call_and_bursts_do_not(
    start_gateway: StartGateway, by_client: bool, kind: str
) -> None:
    limit = 10 if kind == "messages" else 10 * 106
    name = f"{'client' if by_client else 'provider'}_{kind}_per_second"

    async def answer(call: Upstreamed) -> None:
        async for message in call:
            if message == "all":
                for _ in range(80):
                    await call.send("x" * (100 if by_client else 104))
            if message == "enough":
                await call.send("enough")

    async def burst(socket: ClientConnection) -> None:
        """80 messages of 106 bytes with their frames, from the side that is limited."""
        if by_client:
            for _ in range(80):
                await socket.send("x" * 100)
            await socket.send("enough")
        else:
            await socket.send("all")
            await socket.send("enough")
        while await socket.recv() != "enough":
            pass

    async with (
        ScriptedProvider(answer) as provider,
        start_gateway(provider.base_url, limits={name: limit}) as gateway,
        call_of(gateway) as socket,
    ):
        sweep, start = gateway.worker.gateway.limits.sweep, (await only_call(gateway)).started
        for seconds in (1, 11, 21):  # 81 messages in 10 s each time
            await burst(socket)
            await sweep(start + seconds)
        await burst(socket)
        await sweep(start + 22)  # 81 more a second later
        error, code, reason = await end_of(socket)
        assert (error["code"], code) == ("rate_limit_exceeded", 4029)
        assert reason == "rate_limit_error.rate_limit_exceeded"
        side = "The client" if by_client else "The provider"
        assert error["message"].startswith(f"{side} sends more {kind}")
        assert await metric(gateway, "voxgate_calls_ended_total", "rate_limit_exceeded") == 1


# A side that does not read


@pytest.mark.parametrize(("tls", "scopes"), [(False, None), (True, None), (False, {"allowed_tools": []})])
async def test_a_client_that_does_not_read_is_given_up(
    start_gateway: StartGateway, tmp_path: Path, tls: bool, scopes: dict[str, Any] | None
) -> None:
    settings: dict[str, Any] = {"limits": {"stall_seconds": 0.5}}
    options: dict[str, Any] = {"max_queue": 1, "max_size": None, "close_timeout": 0.1}
    if tls:
        settings["tls_cert"], settings["tls_key"] = make_certificate(tmp_path)
        options["ssl"] = ssl.create_default_context(cafile=settings["tls_cert"])
    async with (
        ScriptedProvider(flood) as provider,
        start_gateway(provider.base_url, **settings) as gateway,
        call_of(gateway, await key_of(gateway, scopes), **options) as socket,
    ):
        await socket.send('{"type":"response.create"}')
        call = await only_call(gateway)
        await until(call.client.transport.get_write_buffer_size)
        await until(lambda: not gateway.worker.gateway.calls.running)
        await provider.calls[0].socket.wait_closed()
        assert provider.calls[0].socket.close_code == 4008
        assert provider.calls[0].socket.close_reason == "invalid_request_error.client_stalled"
        await until(lambda: not is_held(call.client.transport))
        facts = [json.loads(fact) for fact in await gateway.facts()]
        assert [fact["type"] for fact in facts[-2:]] == ["gateway.error", "gateway.closed"]
        assert facts[-2]["error"]["code"] == "client_stalled"
        assert (facts[-1]["code"], facts[-1]["side"]) == (4008, "gateway")
        assert await metric(gateway, "voxgate_calls_ended_total", "client_stalled") == 1


async def test_a_provider_that_does_not_read_is_given_up_and_the_client_is_told(
    start_gateway: StartGateway,
) -> None:
    over = asyncio.Event()

    async def deaf(call: Upstreamed) -> None:
        call.socket.transport.pause_reading()
        await over.wait()
        call.socket.transport.abort()

    async with (
        ScriptedProvider(deaf) as provider,
        start_gateway(provider.base_url, limits={"stall_seconds": 0.5}) as gateway,
        contextlib.AsyncExitStack() as finally_,
        call_of(gateway, close_timeout=0.1) as socket,
    ):
        finally_.callback(over.set)
        call = await only_call(gateway)
        sending = asyncio.create_task(send_until_closed(socket))
        error, code, reason = await end_of(socket)
        assert (error["code"], code, reason) == ("upstream_stalled", 1011, "server_error.upstream_stalled")
        await sending
        await until(lambda: not is_held(call.upstream.transport))
        assert not gateway.worker.gateway.calls.running
        facts = [json.loads(fact) for fact in await gateway.facts()]
        assert facts[-2]["error"]["code"] == "upstream_stalled"
        assert facts[-1]["type"] == "gateway.closed"


async def key_of(gateway: RunningGateway, scopes: dict[str, Any] | None) -> str:
    """With scopes that of a credential whose calls are relayed message by message."""
    return ADMIN_KEY if scopes is None else await gateway.mint(logging={"project_name": "x"}, **scopes)


def is_held(transport: asyncio.Transport) -> bool:
    """Whether anything waits for a peer, or its connection is still open."""
    return bool(transport.get_write_buffer_size()) or is_open(transport)


def is_open(transport: asyncio.Transport) -> bool:
    sock = getattr(transport, "_sock", None) or transport.get_extra_info("socket")
    return sock is not None and sock.fileno() >= 0


async def send_until_closed(socket: ClientConnection) -> None:
    with contextlib.suppress(ConnectionClosed):
        while True:
            await socket.send("x" * 100_000)


async def test_a_client_that_reads_slowly_is_not_given_up(start_gateway: StartGateway) -> None:
    async with (
        ScriptedProvider(flood) as provider,
        start_gateway(provider.base_url, limits={"stall_seconds": 1}) as gateway,
        call_of(gateway, max_queue=1, max_size=None, close_timeout=0.1) as socket,
    ):
        await socket.send("go")
        call = await only_call(gateway)
        paused = 0
        for _ in range(400):
            paused += call.client.stalled_since is not None
            await asyncio.sleep(0.003)
            assert len(await socket.recv()) == 100_000
        assert paused
