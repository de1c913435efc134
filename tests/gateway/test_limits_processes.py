"""Limits with whole worker processes: what two of them count together, and what a hundred stalled calls cost
the healthy ones beside them.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import sqlite3
import statistics
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from tests.gateway.limited import until, works
from tests.gateway.processes import call_of, made_by_command, refused
from tests.running import Voxgate, sleeping, two_workers, workers_of
from voxgate.testing.provider import ScriptedProvider, Upstreamed

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform != "linux", reason="finds the worker processes in /proc"),
]
STALLED = 100
HEALTHY = 20
QUIET_SECONDS = 3.0
"""A provider that could not send anything for so long is held up."""
MOST_HELD_BYTES = STALLED * (200 << 10)
SAMPLES = 20 * HEALTHY
MUCH_SLOWER, BUSY_SECONDS = 5, 0.025
"""So many times, and so much more, is more than a busy machine does to a median for a moment."""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def memory_of(pid: int) -> int:
    """Resident bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def leases_in(voxgate: Voxgate) -> int:
    with contextlib.closing(sqlite3.connect(voxgate.data_dir / "voxgate.db")) as database:
        count: int = database.execute("SELECT count(*) FROM leases").fetchone()[0]
        return count


async def test_two_workers_count_the_calls_of_a_key_and_of_a_credential_together(tmp_path: Path) -> None:
    async with ScriptedProvider() as provider:
        with two_workers(tmp_path, provider, "[limits]\ncalls_per_api_key = 1\n") as voxgate:
            first, second = workers_of(voxgate)
            once = await asyncio.to_thread(made_by_command, voxgate, "--max-concurrent", "1")
            for key in (once, voxgate.key):
                for here, there in ((first, second), (second, first)):
                    with sleeping(there):
                        call = await call_of(voxgate, key)
                        await works(call)
                    with sleeping(here):
                        assert await refused(voxgate, key) == ("too_many_calls", 4029)
                    await works(call)
                    await call.close()
                    await until(lambda: not leases_in(voxgate))  # before its worker is put to sleep
            assert len(provider.calls) == 4


# A hundred stalled calls beside healthy ones


class Load:
    """The provider's side of the load: it floods whoever asks for it and echoes everybody else."""

    def __init__(self) -> None:
        self.offered_bytes = 0
        self.flooded: list[Upstreamed] = []
        self.blocked = 0

    async def serve(self, call: Upstreamed) -> None:
        async for message in call:
            if message == "flood":
                # Otherwise the kernel itself takes megabytes, which are none of the gateway's.
                call.socket.transport.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_SNDBUF, 64 << 10
                )
                self.flooded.append(call)
                await self._flood(call)
                return
            await call.send(message)

    async def _flood(self, call: Upstreamed) -> None:
        message = "z" * 32_000
        with contextlib.suppress(ConnectionClosed):
            for _ in range(2_000):
                sending = asyncio.ensure_future(call.send(message))
                done, _ = await asyncio.wait([sending], timeout=QUIET_SECONDS)
                self.blocked += not done
                await sending
                self.offered_bytes += len(message)


async def open_stalled(voxgate: Voxgate, key: str) -> socket.socket:
    """A client that opens a call and asks for a flood, and then never reads."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 << 10)
    sock.setblocking(False)
    host, port = voxgate.url.removeprefix("http://").split(":")
    loop = asyncio.get_running_loop()
    await loop.sock_connect(sock, (host, int(port)))
    head = (
        f"GET /v1/realtime?model=fake HTTP/1.1\r\nhost: {host}:{port}\r\nconnection: upgrade\r\n"
        f"upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: {'A' * 22}==\r\n"
        f"authorization: Bearer {key}\r\n\r\n"
    )
    await loop.sock_sendall(sock, head.encode())
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        answer += await loop.sock_recv(sock, 1)
    assert answer.startswith(b"HTTP/1.1 101 ")
    await loop.sock_sendall(sock, b"\x81\x85\0\0\0\0flood")
    return sock


class Healthy:
    """Calls that go on all the while: every message comes back, in order."""

    def __init__(self, voxgate: Voxgate, key: str) -> None:
        self._voxgate, self._key = voxgate, key
        self._delays: list[float] = []
        """Of all messages that came back."""
        self._over = asyncio.Event()

    async def _talk(self) -> None:
        async with call_of(self._voxgate, self._key) as call:
            number = 0
            while not self._over.is_set():
                sent_at = time.monotonic()
                await call.send(str(number))
                assert await call.recv() == str(number)
                self._delays.append(time.monotonic() - sent_at)
                number += 1
                await asyncio.sleep(0.05)

    async def delay(self) -> float:
        """The median of the next messages."""
        start = len(self._delays) + HEALTHY  # some are on the way
        await until(lambda: len(self._delays) >= start + SAMPLES)
        return statistics.median(self._delays[start:])

    @contextlib.asynccontextmanager
    async def all_the_while(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            for _ in range(HEALTHY):
                group.create_task(self._talk())
            await until(lambda: len(self._delays) > HEALTHY)
            try:
                yield
            finally:
                self._over.set()


async def counted_as_ended(voxgate: Voxgate, code: str, calls: int) -> None:
    """One worker knows what the other counted a second later."""
    line = f'voxgate_calls_ended_total{{code="{code}"}} {calls}'
    async with asyncio.timeout(60):
        while line not in (await voxgate.request("GET", "/metrics")).decode().splitlines():
            await asyncio.sleep(0.1)


@contextlib.contextmanager
def resets_expected() -> Iterator[None]:
    """What asyncio says when it ends its half of a connection that the other side has just cut off."""
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if getattr(context.get("exception"), "errno", None) != errno.ENOTCONN:
            (before or asyncio.AbstractEventLoop.default_exception_handler)(loop, context)

    loop.set_exception_handler(handle)
    try:
        yield
    finally:
        loop.set_exception_handler(before)


class Growth:
    """Of the workers' memory since it was made."""

    def __init__(self, voxgate: Voxgate) -> None:
        self._before = {pid: memory_of(pid) for pid in workers_of(voxgate)}

    @property
    def held_bytes(self) -> int:
        return sum(memory_of(pid) - before for pid, before in self._before.items())


@contextlib.asynccontextmanager
async def stalled(voxgate: Voxgate, key: str) -> AsyncIterator[None]:
    async with contextlib.AsyncExitStack() as open_sockets:
        for _ in range(STALLED):
            open_sockets.enter_context(await open_stalled(voxgate, key))
        yield


async def test_a_hundred_stalled_calls_cost_the_healthy_ones_no_time_and_little_memory(
    tmp_path: Path,
) -> None:
    load = Load()
    async with ScriptedProvider(load.serve) as provider:
        with (
            resets_expected(),
            two_workers(tmp_path, provider, "[limits]\nstall_seconds = 3600\n") as voxgate,
        ):
            key = (await voxgate.mint())["key"]
            healthy = Healthy(voxgate, key)
            async with healthy.all_the_while():
                alone = [await healthy.delay()]
                growth = Growth(voxgate)
                async with stalled(voxgate, key):
                    await until(lambda: load.blocked == STALLED)
                    beside = await healthy.delay()
                    assert growth.held_bytes < MOST_HELD_BYTES
                    assert not any(call.socket.close_code for call in load.flooded)
                    assert load.offered_bytes > STALLED * (1 << 20)
                await until(lambda: all(call.socket.close_code for call in load.flooded))
                alone.append(await healthy.delay())
            assert beside < max(alone) * MUCH_SLOWER + BUSY_SECONDS, (beside, alone)


async def test_a_hundred_stalled_calls_end_with_a_reason_and_the_healthy_ones_go_on(tmp_path: Path) -> None:
    load = Load()
    async with ScriptedProvider(load.serve) as provider:
        with resets_expected(), two_workers(tmp_path, provider, "[limits]\nstall_seconds = 1\n") as voxgate:
            key = (await voxgate.mint())["key"]
            healthy, growth = Healthy(voxgate, key), Growth(voxgate)
            async with healthy.all_the_while(), stalled(voxgate, key):
                await until(lambda: len(load.flooded) == STALLED)
                await until(lambda: all(call.socket.close_code for call in load.flooded))
                assert {(call.socket.close_code, call.socket.close_reason) for call in load.flooded} == {
                    (4008, "invalid_request_error.client_stalled")
                }
                assert growth.held_bytes < MOST_HELD_BYTES
                await counted_as_ended(voxgate, "client_stalled", STALLED)
                await healthy.delay()
