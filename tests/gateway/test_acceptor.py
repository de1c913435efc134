"""Which worker gets a new connection: with whole worker processes; and one alone without descriptors."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import re
import socket
import sys
from collections.abc import AsyncIterator

import pytest
from websockets.asyncio.client import ClientConnection

from tests.gateway.limited import works
from tests.gateway.processes import call_of
from tests.running import Voxgate, sleeping, two_workers, workers_of
from voxgate.gateway.acceptor import Acceptor
from voxgate.gateway.metrics import Metrics
from voxgate.gateway.scoreboard import Place, Scoreboard
from voxgate.testing.provider import ScriptedProvider

pytestmark = pytest.mark.anyio
CALLS = 20
ATTEMPTS, MOST = 8, CALLS * 0.65
"""A worker waits only some milliseconds for the other, which may not run for longer on a busy machine."""


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def voxgate(anyio_backend: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Voxgate]:
    async with ScriptedProvider() as provider:
        with two_workers(tmp_path_factory.mktemp("voxgate"), provider) as running:
            yield running


async def calls_by_worker(voxgate: Voxgate) -> list[int]:
    text = (await voxgate.request("GET", "/metrics")).decode()
    return [int(count) for count in re.findall(r"^voxgate_calls_running\{.*?\} (\d+)$", text, re.MULTILINE)]


@contextlib.asynccontextmanager
async def many(voxgate: Voxgate, *, at_once: bool = True) -> AsyncIterator[list[ClientConnection]]:
    calls: list[ClientConnection] = []
    try:
        if at_once:
            calls += await asyncio.gather(*(call_of(voxgate, voxgate.key) for _ in range(CALLS)))
        else:
            calls += [await call_of(voxgate, voxgate.key) for _ in range(CALLS)]
        yield calls
    finally:
        for call in calls:
            await call.close()


async def known_shares(voxgate: Voxgate, calls: int) -> list[int]:
    """Once the worker that is asked knows of all; the other's numbers are a second old."""
    while sum(shares := await calls_by_worker(voxgate)) != calls:
        await asyncio.sleep(0.05)
    return shares


async def shares_after_a_sleep(voxgate: Voxgate, sleeper: int, *, at_once: bool) -> list[int]:
    """Of calls of which half began while one worker slept."""
    with sleeping(sleeper):
        half = many(voxgate)
        await half.__aenter__()
    try:
        async with many(voxgate, at_once=at_once):
            return await known_shares(voxgate, 2 * CALLS)
    finally:
        await half.__aexit__(None, None, None)


@pytest.mark.skipif(sys.platform != "linux", reason="finds the worker processes in /proc")
@pytest.mark.parametrize("at_once", [False, True], ids=["one after the other", "all at once"])
async def test_a_worker_that_has_more_leaves_new_calls_to_the_other(voxgate: Voxgate, at_once: bool) -> None:
    await known_shares(voxgate, 0)
    for sleeper in workers_of(voxgate):
        seen: list[list[int]] = []
        while len(seen) < ATTEMPTS and not any(min(shares) >= MOST for shares in seen):
            seen.append(await shares_after_a_sleep(voxgate, sleeper, at_once=at_once))
            await known_shares(voxgate, 0)
        assert min(seen[-1]) >= MOST, seen


@pytest.mark.skipif(sys.platform != "linux", reason="finds the worker processes in /proc")
async def test_a_worker_that_has_more_takes_what_one_that_hangs_does_not(voxgate: Voxgate) -> None:
    with sleeping(workers_of(voxgate)[0]):
        async with many(voxgate) as calls:
            for call in calls:
                await works(call)


class Echo(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(b"here")
        transport.close()


class Exhausted(socket.socket):
    """As when no descriptor is left: once."""

    refusals = 1

    def accept(self) -> tuple[socket.socket, object]:
        if self.refusals:
            self.refusals -= 1
            raise OSError(errno.EMFILE, "Too many open files")
        return super().accept()


async def test_without_descriptors_a_connection_waits_and_is_then_taken() -> None:
    listener = Exhausted()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    port = listener.getsockname()[1]
    place = Place(Scoreboard(), 1, Metrics())
    connect = asyncio.get_running_loop().connect_accepted_socket
    acceptor = Acceptor(listener, Echo, place=place, load=lambda: 0, connect=connect)
    acceptor.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    assert await reader.read() == b"here"
    assert not listener.refusals
    writer.close()
    acceptor.close()
    await acceptor.wait_closed()


class Counting(asyncio.Protocol):
    """One side's connections."""

    def __init__(self, taken: list[asyncio.BaseTransport]) -> None:
        self._taken = taken

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._taken.append(transport)


@pytest.mark.parametrize("first", [0, 1])
async def test_of_two_that_listen_the_one_with_more_calls_leaves_one_to_the_other(first: int) -> None:
    """In one process, so that it is not the machine that says which of them runs."""
    board, listener = Scoreboard(), socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    taken: tuple[list[asyncio.BaseTransport], ...] = ([], [])
    acceptors = [
        Acceptor(
            listener if number else listener.dup(),
            functools.partial(Counting, taken[number]),
            place=Place(board, number + 1, Metrics()),
            load=functools.partial(lambda number: CALLS * (1 - number) + len(taken[number]), number),
            connect=asyncio.get_running_loop().connect_accepted_socket,
        )
        for number in range(2)
    ]
    for acceptor in acceptors[:: 1 - 2 * first]:  # the kernel asks one of them first, each time
        acceptor.start()
    clients = []
    for number in range(CALLS):
        clients.append(await asyncio.open_connection("127.0.0.1", port))
        while len(taken[0]) + len(taken[1]) <= number:
            await asyncio.sleep(0.01)
    assert len(taken[1]) >= MOST
    for _, writer in clients:
        writer.transport.abort()
    for transport in (*taken[0], *taken[1]):
        transport.abort()  # type: ignore[attr-defined]
    for acceptor in acceptors:
        acceptor.close()
        await acceptor.wait_closed()


async def test_who_takes_no_connections_is_nobodys_rival() -> None:
    board = Scoreboard()
    one, two = Place(board, 1, Metrics()), Place(board, 2, Metrics())
    assert one.fewest_load_of_others() is None
    two.tell_load(0)
    assert one.fewest_load_of_others() == 0
    two.tell_load(7)
    assert one.fewest_load_of_others() == 7
    two.tell_load(None)
    assert one.fewest_load_of_others() is None
    two.tell_load(3)
    board.set_living(2, False)
    assert Place(board, 1, Metrics()).fewest_load_of_others() is None, "it was killed"
    Place(board, 2, Metrics())
    assert Place(board, 1, Metrics()).fewest_load_of_others() is None, "the next there does not listen yet"
