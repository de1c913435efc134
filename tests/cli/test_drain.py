"""How `voxgate serve` stops while calls are running: real processes, a real provider, calls that talk on."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from websockets.asyncio.client import connect

from tests.cli.paced import begin_calls, start_with
from tests.running import Voxgate, start_voxgate
from voxgate.core.settings import Settings
from voxgate.recording.reading import read_lines
from voxgate.recording.wirelog import wire_logs
from voxgate.store import FolderBlobs, Store
from voxgate.testing.provider import ScriptedProvider, Upstreamed

pytestmark = pytest.mark.anyio

LONG_SECONDS = 600.0
"""A drain that no test waits for."""


@pytest.fixture
async def provider() -> AsyncIterator[ScriptedProvider]:
    async with ScriptedProvider() as running:
        yield running


def sessions(folder: Path) -> dict[str, dict[str, Any]]:
    """What the recorder has left in the store, by id."""
    with Store(Settings(data_dir=folder).database_url) as store:
        rows, _ = store.list_sessions(limit=100)
        return {row["id"]: store.get_session(row["id"]) or {} for row in rows}


def recorded_messages(folder: Path, session_id: str, direction: str) -> int:
    blobs = FolderBlobs(Settings(data_dir=folder).blobs_dir)
    lines = [json.loads(line) for line in read_lines(blobs, f"sessions/{session_id}")]
    return sum(line["dir"] == direction and "msg" in line for line in lines)


async def until_draining(gateway: Voxgate) -> None:
    deadline = time.monotonic() + 60
    async with aiohttp.ClientSession() as http:
        while True:
            async with http.get(f"{gateway.url}/readyz", headers={"connection": "close"}) as answer:
                if answer.status == 503:
                    assert await answer.json() == {"status": "draining"}
                    return
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)


async def refusal(gateway: Voxgate) -> tuple[str, int | None, str | None]:
    """The error's code, the close code and the reason that a new call gets."""
    async with connect(f"{gateway.ws_url}?model=echo", additional_headers=gateway.auth) as socket:
        event = json.loads(await socket.recv())
        await socket.wait_closed()
        return event["error"]["code"], socket.close_code, socket.close_reason


async def ended(gateway: Voxgate, seconds: float = 90) -> int:
    return await asyncio.to_thread(gateway.process.wait, seconds)


async def finish_what_is_left(folder: Path) -> None:
    """A recorder that had no time for all of it, as on a busy machine, leaves it to the next start."""
    while left := [path.stem for path in wire_logs(folder / "wire")]:
        again = await asyncio.to_thread(start_voxgate, folder, local=False)
        for session_id in left:
            await again.finished_session(session_id)
        assert await asyncio.to_thread(again.stop) == 0


async def test_a_stop_lets_calls_end_and_closes_the_rest_with_a_reason(
    tmp_path: Path, provider: ScriptedProvider
) -> None:
    gateway = await start_with(provider, tmp_path, "--drain-seconds", "8")
    calls, tasks = await begin_calls(gateway, 20)
    gateway.process.send_signal(signal.SIGTERM)
    await until_draining(gateway)
    assert await refusal(gateway) == ("draining", 1001, "server_error.draining")
    before = [call.received for call in calls]
    while not all(call.received > count + 5 for call, count in zip(calls, before, strict=True)):
        await asyncio.sleep(0.01)  # they go on
    for call in calls[:10]:
        call.enough.set()
    await asyncio.gather(*tasks)
    assert await ended(gateway) == 0
    assert all(call.whole for call in calls[:10])
    assert {(call.code, call.reason) for call in calls[10:]} == {(1001, "server_error.draining")}
    await finish_what_is_left(tmp_path)
    rows = sessions(tmp_path)
    assert {rows[call.session_id]["status"] for call in calls} == {"complete"}
    assert [rows[call.session_id]["data"]["close"]["code"] for call in calls] == [1000] * 10 + [1001] * 10
    assert wire_logs(tmp_path / "wire") == []
    for call in calls:
        assert recorded_messages(tmp_path, call.session_id, "client") >= call.received
        assert recorded_messages(tmp_path, call.session_id, "server") >= call.received


async def test_a_second_signal_ends_calls_at_once_and_loses_nothing_recorded(
    tmp_path: Path, provider: ScriptedProvider
) -> None:
    gateway = await start_with(provider, tmp_path, "--drain-seconds", str(LONG_SECONDS), "--workers", "2")
    calls, tasks = await begin_calls(gateway, 8)
    gateway.process.send_signal(signal.SIGTERM)
    await until_draining(gateway)
    gateway.process.send_signal(signal.SIGINT)
    await asyncio.gather(*tasks)
    assert await ended(gateway) == 0
    assert {(call.code, call.reason) for call in calls} == {(1001, "server_error.draining")}
    # Finishes what there was no time for.
    again = await asyncio.to_thread(start_voxgate, tmp_path, local=False)
    for call in calls:
        trace = await again.finished_session(call.session_id)
        assert (trace["status"], trace["close"]["code"]) == ("complete", 1001)
        assert recorded_messages(tmp_path, call.session_id, "server") >= call.received
    assert await asyncio.to_thread(again.stop) == 0


async def test_after_a_parent_that_was_killed_the_port_is_free_at_once_and_calls_go_on(
    tmp_path: Path, provider: ScriptedProvider
) -> None:
    gateway = await start_with(provider, tmp_path, "--drain-seconds", str(LONG_SECONDS))
    [call], [task] = await begin_calls(gateway, 1)
    gateway.process.kill()
    _, port = gateway.url.rsplit(":", 1)
    again = await asyncio.to_thread(start_voxgate, tmp_path, "--port", port, local=False)
    count = call.received
    while call.received < count + 3:
        await asyncio.sleep(0.01)
    call.enough.set()
    assert (await task).whole
    assert (await again.finished_session(call.session_id))["close"]["code"] == 1000
    assert await asyncio.to_thread(again.stop) == 0


async def test_a_client_and_a_provider_that_hang_do_not_hold_up_the_stop(tmp_path: Path) -> None:
    async def flood(call: Upstreamed) -> None:
        """Sends without end and never reads, not even a close frame."""
        while True:
            await call.send("x" * 100_000)

    async with ScriptedProvider(flood) as provider:
        gateway = await start_with(provider, tmp_path, "--drain-seconds", "0.3")
        request = (
            f"GET /v1/realtime?model=echo HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {gateway.key}\r\n"
        )
        upgrade = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n"
        _, port = gateway.url.rsplit(":", 1)
        reader, writer = await asyncio.open_connection("127.0.0.1", int(port), limit=2**10)
        writer.write(f"{request}{upgrade}sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        _, idle_writer = await asyncio.open_connection("127.0.0.1", int(port))
        idle_writer.write(b"GET /healthz HT")
        gateway.process.send_signal(signal.SIGTERM)
        assert await ended(gateway) == 0
        await finish_what_is_left(tmp_path)
        [row] = sessions(tmp_path).values()
        assert (row["status"], row["data"]["close"]["code"]) == ("complete", 1001)
        assert not any("killed" in line for line in gateway.output)
        for each in (writer, idle_writer):
            each.transport.abort()


async def test_a_call_that_is_being_opened_at_the_stop_is_refused_with_the_reason(tmp_path: Path) -> None:
    silent = await asyncio.start_server(lambda reader, writer: reader.read(), "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    (tmp_path / "voxgate.toml").write_text(
        f'[providers.echo]\nbase_url = "http://127.0.0.1:{port}/v1"\nconnect_timeout_seconds = 100\n'
        '[[routes]]\nmodel = "echo*"\nproviders = ["echo"]\n'
    )
    flags = ("--drain-seconds", str(LONG_SECONDS))
    gateway = await asyncio.to_thread(start_voxgate, tmp_path, *flags, local=False)
    opening = asyncio.create_task(refusal(gateway))
    while not sessions(tmp_path):  # its log has begun, so it is being dialled
        await asyncio.sleep(0.05)
    gateway.process.send_signal(signal.SIGTERM)
    assert await opening == ("draining", 1001, "server_error.draining")
    assert await ended(gateway) == 0
    await finish_what_is_left(tmp_path)
    [row] = sessions(tmp_path).values()
    assert row["data"]["close"] == {"code": 1001, "reason": "server_error.draining", "side": "gateway"}
    silent.close()
