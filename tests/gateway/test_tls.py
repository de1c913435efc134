"""TLS on sockets of our own, on both event loops, against Python's own TLS at the other end."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import random
import socket
import ssl
import struct
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
import uvloop

from tests.gateway.sides import contexts
from tests.gateway.test_sockets import Listener, until
from voxgate.gateway.sockets import SocketTransport
from voxgate.gateway.tls import LARGEST_RECORD, accept_tls, connect_tls

HOST = "127.0.0.1"
SECONDS = 60
MUCH = random.Random(7).randbytes(3_000_000)
Run = Callable[[Awaitable[None]], None]


@pytest.fixture(params=[asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    return request.param  # type: ignore[no-any-return]


class Hearing(Listener):
    """Keeps what it hears, and what it was given to say it with."""

    transport: SocketTransport

    def __init__(self) -> None:
        super().__init__()
        self.heard = bytearray()
        self.ended = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, SocketTransport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.heard += data

    def eof_received(self) -> None:
        self.ended += 1


@dataclass
class Ends:
    """A connection: ours, and a peer that blocks."""

    ours: Hearing
    peer: ssl.SSLSocket

    async def peer_reads(self, size: int) -> bytes:
        """Until it has so much, or there is no more."""
        return await asyncio.to_thread(_read, self.peer, size)


def _read(peer: socket.socket, size: int) -> bytes:
    read = bytearray()
    while len(read) < size and (more := peer.recv(size - len(read))):
        read += more
    return bytes(read)


@asynccontextmanager
async def connected(version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> AsyncIterator[Ends]:
    """The peer is a client."""
    trusting, serving = ssl.create_default_context(), contexts()[1]
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    trusting.maximum_version = version
    with socket.create_server((HOST, 0)) as server:
        client = socket.create_connection(server.getsockname(), timeout=SECONDS)
        accepted, _ = server.accept()
    accepted.setblocking(False)
    ours = Hearing()
    accepting = asyncio.create_task(
        accept_tls(lambda: ours, accepted, context=serving, handshake_seconds=SECONDS)
    )
    peer = await asyncio.to_thread(trusting.wrap_socket, client, suppress_ragged_eofs=False)
    try:
        await accepting
        yield Ends(ours, peer)
        ours.transport.abort()
        await until(lambda: ours.lost)
    finally:
        peer.close()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_all_that_is_said_is_heard_at_both_ends(run: Run, version: ssl.TLSVersion) -> None:
    async def scene() -> None:
        async with connected(version) as ends:
            said = asyncio.to_thread(ends.peer.sendall, MUCH)
            heard = asyncio.create_task(ends.peer_reads(len(MUCH)))
            for at in range(0, len(MUCH), 70_001):
                ends.ours.transport.write(MUCH[at : at + 70_001])
            await said
            assert await heard == MUCH
            await until(lambda: len(ends.ours.heard) == len(MUCH))
            assert ends.ours.heard == MUCH
            assert ends.ours.transport.get_extra_info("peername") == ends.peer.getsockname()

    run(scene())


def test_who_does_not_read_is_waited_for_and_then_has_everything_in_order(run: Run) -> None:
    async def scene() -> None:
        async with connected() as ends:
            transport, sent = ends.ours.transport, 0
            while not ends.ours.stalled:
                transport.write(MUCH[:100_003])
                sent += 1
            for size in (1, LARGEST_RECORD, LARGEST_RECORD + 1):
                transport.write(MUCH[:size])
            assert transport.get_write_buffer_size() > 0
            tail = sum((1, LARGEST_RECORD, LARGEST_RECORD + 1))
            heard = await ends.peer_reads(sent * 100_003 + tail)
            assert heard[: sent * 100_003] == MUCH[:100_003] * sent
            assert heard[sent * 100_003 :] == MUCH[:1] + MUCH[:LARGEST_RECORD] + MUCH[: LARGEST_RECORD + 1]
            await until(lambda: ends.ours.stalled == [True, False])
            assert transport.get_write_buffer_size() == 0

    run(scene())


class InSmallRooms(Hearing):
    """Reads the socket itself, never a whole record, and pauses after each read."""

    def reader(self) -> None:
        room = memoryview(bytearray(1_000))
        try:
            size = self.transport.sock.recv_into(room)
        except BlockingIOError:
            return
        self.heard += room[:size]
        self.transport.expect_rest()
        self.transport.pause_reading()
        asyncio.get_running_loop().call_soon(self.transport.resume_reading)


def test_what_was_decrypted_and_not_taken_is_read_on_though_nothing_more_comes(run: Run) -> None:
    async def scene() -> None:
        async with connected() as ends:
            small = InSmallRooms()
            small.transport = ends.ours.transport
            ends.ours.transport.set_protocol(small)
            ends.peer.sendall(MUCH[:LARGEST_RECORD])
            await until(lambda: len(small.heard) == LARGEST_RECORD)
            assert small.heard == MUCH[:LARGEST_RECORD]
            ends.ours.transport.set_protocol(ends.ours)

    run(scene())


def test_a_message_of_several_records_is_one_read(run: Run) -> None:
    async def scene() -> None:
        async with connected() as ends:
            transport = ends.ours.transport
            transport.pause_reading()
            assert transport.tls is not None
            ends.peer.sendall(MUCH[:40_000])
            room, received = memoryview(bytearray(64 << 10)), 0
            while not received:
                with contextlib.suppress(BlockingIOError):
                    received = transport.tls.recv_into(room)
                await asyncio.sleep(0)
            assert bytes(room[:received]) == MUCH[:received]
            assert received == 40_000

    run(scene())


def test_a_connection_that_we_close_says_farewell_behind_all_that_was_said(run: Run) -> None:
    async def scene() -> None:
        async with connected() as ends:
            ends.ours.transport.write(MUCH)
            ends.ours.transport.close()
            assert await ends.peer_reads(len(MUCH) + 1) == MUCH, "and the end raises no error"
            ends.peer.close()
            await until(lambda: ends.ours.lost)
            assert ends.ours.lost == [None]

    run(scene())


@pytest.mark.parametrize("farewell", [True, False])
def test_a_peer_that_ends_has_ended_with_or_without_a_farewell(run: Run, farewell: bool) -> None:
    async def scene() -> None:
        async with connected() as ends:
            ends.ours.transport.write(b".")
            assert (
                await ends.peer_reads(1) == b"."
            )  # and what TLS said by itself: unread, it would be a reset
            ends.peer.sendall(b"the last words")
            if farewell:
                raw = await asyncio.to_thread(_say_farewell, ends.peer)
                await until(lambda: ends.ours.lost)
                raw.close()
            else:
                ends.peer.close()
                await until(lambda: ends.ours.lost)
            assert ends.ours.heard == b"the last words"
            assert (ends.ours.ended, ends.ours.lost) == (1, [None])

    run(scene())


def test_a_reset_ends_the_connection_as_no_farewell_does(run: Run) -> None:
    """Python's `ssl` does not tell the one from the other."""

    async def scene() -> None:
        async with connected() as ends:
            ends.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            ends.peer.close()
            await until(lambda: ends.ours.lost)
            assert (ends.ours.ended, ends.ours.lost) == (1, [None])

    run(scene())


def _say_farewell(peer: ssl.SSLSocket) -> socket.socket:
    return peer.unwrap()


def test_what_is_no_tls_ends_the_connection_with_the_reason(run: Run) -> None:
    async def scene() -> None:
        async with connected() as ends:
            raw = socket.socket(fileno=ends.peer.detach())
            raw.sendall(b"this was never encrypted")
            await until(lambda: ends.ours.lost)
            raw.close()
            assert isinstance(ends.ours.lost[0], ssl.SSLError)

    run(scene())


async def accepting(hello: bytes, seconds: float = SECONDS) -> tuple[BaseException, bytes]:
    """How a handshake that begins so fails, and what its client hears of it."""
    with socket.create_server((HOST, 0)) as server:
        client = socket.create_connection(server.getsockname(), timeout=SECONDS)
        accepted, _ = server.accept()
    accepted.setblocking(False)
    with client:
        client.sendall(hello)
        with pytest.raises((ssl.SSLError, TimeoutError)) as failure:
            await accept_tls(Hearing, accepted, context=contexts()[1], handshake_seconds=seconds)
        return failure.value, await asyncio.to_thread(_read, client, 1 << 16)


def test_who_begins_badly_hears_an_alert_though_there_was_more_to_read(run: Run) -> None:
    async def scene() -> None:
        record = b"\x16\x03\x01\x00\x04" + b"\x01\x00\x00\x00"  # a ClientHello of no bytes
        error, heard = await accepting(record + bytes(20_000))
        assert isinstance(error, ssl.SSLError)
        assert heard[:1] == b"\x15"  # RFC 8446, 5.1: alert

    run(scene())


def test_a_handshake_that_does_not_go_on_ends(run: Run) -> None:
    async def scene() -> None:
        error, heard = await accepting(b"\x16\x03\x01", seconds=0.1)
        assert isinstance(error, TimeoutError)
        assert heard == b""

    run(scene())


def test_a_closed_connection_keeps_nothing_of_openssl_though_its_transport_is_kept(run: Run) -> None:
    async def scene() -> None:
        async with connected() as ends:
            inner = ends.ours.transport.get_extra_info("ssl_object")._sslobj
            assert sys.getrefcount(inner) > 2
        assert sys.getrefcount(inner) == 2, "ours, and what asks"
        tls = ends.ours.transport.tls
        assert tls is not None
        assert tls.pending() == 0
        with pytest.raises(OSError, match="Bad file descriptor"):
            tls.send(b"too late")

    run(scene())


def test_of_a_peer_that_is_gone_behind_its_handshake_no_socket_stays(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    shaken: list[ssl.SSLSocket] = []

    def gone(connection: ssl.SSLSocket) -> None:
        shaken.append(connection)
        raise OSError(errno.ENOTCONN, "Transport endpoint is not connected")

    async def scene() -> None:
        monkeypatch.setattr(ssl.SSLSocket, "getsockname", gone)
        with pytest.raises(OSError, match="not connected"):
            async with connected():
                raise AssertionError("it is not")
        assert [each.fileno() for each in shaken] == [-1]

    run(scene())


def test_a_server_is_dialled_and_known_by_its_certificate(run: Run) -> None:
    async def scene() -> None:
        async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"hello " + await reader.readexactly(4))
            writer.close()

        server = await asyncio.start_server(greet, "0.0.0.0", 0, ssl=contexts()[1])
        port = server.sockets[0].getsockname()[1]
        transport, hearing = await connect_tls(Hearing, HOST, port, contexts()[0])
        transport.write(b"me: ")
        await until(lambda: hearing.lost)
        assert hearing.heard == b"hello me: "
        with pytest.raises(ssl.SSLCertVerificationError):
            await connect_tls(Hearing, HOST, port, ssl.create_default_context())
        with pytest.raises(ssl.SSLCertVerificationError):
            await connect_tls(Hearing, "127.0.0.2", port, contexts()[0])
        server.close()

    run(scene())
