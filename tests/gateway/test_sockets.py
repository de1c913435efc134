"""The transport of the relay when the other end is reset, on both event loops."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import time
from collections.abc import Awaitable, Callable

import pytest
import uvloop

from voxgate.gateway.sockets import SocketTransport

SENT = 300_000
"""More than is read at once, so that some of it is unread when the reset is noticed."""
PORTION = 64 << 10
SECONDS = 60


class Listener(asyncio.Protocol):
    def __init__(self) -> None:
        self.received = 0
        self.lost: list[Exception | None] = []
        self.stalled: list[bool] = []

    def pause_writing(self) -> None:
        self.stalled.append(True)

    def resume_writing(self) -> None:
        self.stalled.append(False)

    def data_received(self, data: bytes) -> None:
        self.received += len(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.append(exc)


async def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def reset_with_something_unread() -> tuple[SocketTransport, Listener]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        peer = socket.create_connection(server.getsockname())
        ours, _ = server.accept()
    ours.setblocking(False)
    peer.setblocking(False)
    listener = Listener()
    transport = SocketTransport(asyncio.get_running_loop(), ours)
    transport.set_protocol(listener)
    peer.send(bytes(SENT))
    await until(lambda: unread(ours) > PORTION)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()
    return transport, listener


def unread(sock: socket.socket) -> int:
    try:
        return len(sock.recv(SENT, socket.MSG_PEEK))
    except BlockingIOError:
        return 0


@pytest.fixture(params=[asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Callable[[Awaitable[None]], None]:
    return request.param  # type: ignore[no-any-return]


def test_a_reset_is_heard_when_much_was_unread(run: Callable[[Awaitable[None]], None]) -> None:
    async def scene() -> None:
        transport, listener = await reset_with_something_unread()
        transport.resume_reading()
        await until(lambda: listener.lost)
        assert listener.received > 0
        assert [type(error) for error in listener.lost] == [ConnectionResetError]

    run(scene())


def test_who_takes_over_a_connection_that_was_reset_hears_of_it(
    run: Callable[[Awaitable[None]], None],
) -> None:
    async def scene() -> None:
        transport, first = await reset_with_something_unread()
        transport.resume_reading()
        await until(lambda: first.received)
        if not first.lost:
            second = Listener()
            transport.set_protocol(second)
            transport.write(b"too late")
            await until(lambda: second.lost)
            assert not first.lost

    run(scene())


def test_a_peer_that_is_gone_is_not_stalled_though_nobody_reads_what_it_said(
    run: Callable[[Awaitable[None]], None],
) -> None:
    """As when the other side of the call is stalled too."""

    async def scene() -> None:
        one, peer = socket.socketpair()
        one.setblocking(False)
        transport = SocketTransport(asyncio.get_running_loop(), one)
        transport.set_protocol(listener := Listener())
        peer.send(b"the last words")
        while not listener.stalled:
            transport.write(bytes(PORTION))
        assert listener.stalled == [True]
        peer.close()
        await until(lambda: len(listener.stalled) == 2)
        assert listener.stalled == [True, False]
        assert transport.get_write_buffer_size() == 0
        assert not listener.lost, "it is read to its end first"
        transport.resume_reading()
        await until(lambda: listener.lost)
        assert listener.received == len(b"the last words")

    run(scene())


def test_a_number_that_was_a_broken_connections_serves_the_next(
    run: Callable[[Awaitable[None]], None],
) -> None:
    async def scene() -> None:
        transport, listener = await reset_with_something_unread()
        number = transport.sock.fileno()
        transport.resume_reading()
        await until(lambda: listener.received)
        transport.abort()
        await until(lambda: listener.lost)
        one, peer = socket.socketpair()
        ours = socket.socket(fileno=os.dup2(one.fileno(), number))
        one.close()
        ours.setblocking(False)
        again = Listener()
        following = SocketTransport(asyncio.get_running_loop(), ours)
        following.set_protocol(again)
        following.resume_reading()
        peer.send(b"hello")
        await until(lambda: again.received == 5)
        following.abort()
        peer.close()
        await until(lambda: again.lost)

    run(scene())


def test_a_listener_that_fails_takes_the_watch_from_no_other_connection() -> None:
    class Failing(Listener):
        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.received <= 2 * PORTION:
                raise RuntimeError("a message that nobody expected")

    async def scene() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        first, _ = await reset_with_something_unread()
        first.set_protocol(failing := Failing())
        first.resume_reading()
        await until(lambda: failing.lost)
        second, listener = await reset_with_something_unread()
        second.resume_reading()
        await until(lambda: listener.lost)

    uvloop.run(scene())
