"""TLS on sockets of our own, to callers and to providers. The event loop's TLS moves every byte through
buffers in memory; here OpenSSL reads and writes the socket itself, straight into and out of the log's memory.

    accepted or dialled socket → handshake → a `SocketTransport` on a `TlsSocket`
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, TypeVar

from voxgate.gateway.sockets import SocketTransport, keep_alive, take_out

LARGEST_RECORD: Final = 1 << 14
"""Bytes of plain text in one record of TLS (RFC 8446, 5.1)."""
WAITS: Final = (ssl.SSLWantReadError, ssl.SSLWantWriteError)
_UNREAD: Final = 64 << 10
_P = TypeVar("_P", bound=asyncio.Protocol)


class TlsSocket:
    """A connection whose handshake is done, with the methods, results and errors of a `socket.socket` that
    does not block. `read` and `write` are OpenSSL's: one record at a time, and errors of their own.
    `_splice.c` calls them itself."""

    __slots__ = ("_connection", "pending", "read", "write")

    def __init__(self, connection: ssl.SSLSocket) -> None:
        self._connection = connection
        inner: Any = getattr(connection, "_sslobj", None) or connection  # which only adds what costs time
        self.read: Callable[[int, memoryview], int] = inner.read
        self.write: Callable[[bytes | bytearray | memoryview], int] = inner.write
        self.pending: Callable[[], int] = inner.pending
        """How many bytes of the last record were not asked for: no event will tell of them."""

    def fileno(self) -> int:
        return self._connection.fileno()

    def recv(self, size: int) -> bytes:
        try:
            return self._connection.recv(size)
        except WAITS:
            raise BlockingIOError from None

    def recv_into(self, room: memoryview) -> int:
        """More than one record where the first was full: then a message goes on in the next."""
        received = size = self._read_into(room)
        while size == LARGEST_RECORD and received < len(room):
            try:
                size = self._read_into(room[received:])
            except OSError:
                break  # the next read meets it again
            received += size
        return received

    def _read_into(self, room: memoryview) -> int:
        try:
            return self.read(len(room), room)
        except WAITS:
            raise BlockingIOError from None
        except ssl.SSLEOFError:  # no farewell, or a reset; the WebSocket's own says whether all was said
            return 0

    def send(self, data: bytes | bytearray | memoryview) -> int:
        """All or nothing. What was not sent has to be sent next: its beginning may be on its way."""
        try:
            return self.write(data)
        except WAITS:
            raise BlockingIOError from None

    def shutdown(self, how: int) -> None:
        """TLS says farewell, too; the peer's is not waited for. What comes from now on is not decrypted."""
        with suppress(OSError, ValueError):
            self._connection.unwrap()
        self._connection.shutdown(how)

    def close(self) -> None:
        """OpenSSL's memory, some 40 KB, is given back now: what knows of this socket is garbage that is
        seldom collected."""
        self.read = self.write = _closed
        self.pending = int
        self._connection.close()


def _closed(*_: Any) -> int:
    raise OSError(errno.EBADF, os.strerror(errno.EBADF))


async def accept_tls(
    make_protocol: Callable[[], asyncio.Protocol],
    sock: socket.socket,
    *,
    context: ssl.SSLContext,
    handshake_seconds: float,
) -> None:
    """Gives a protocol a connection that was accepted. OSError where the handshake fails or takes longer."""
    async with asyncio.timeout(handshake_seconds):
        transport = await _shake_hands(sock, context, server_side=True)
    _begin(transport, make_protocol())


async def connect_tls(
    make_protocol: Callable[[], _P], host: str, port: int, context: ssl.SSLContext
) -> tuple[asyncio.Transport, _P]:
    """As the event loop's `create_connection`. ssl.SSLError where the handshake fails."""
    dialled, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, host, port)
    transport = await _shake_hands(take_out(dialled), context, server_hostname=host)
    protocol = make_protocol()
    _begin(transport, protocol)
    return transport, protocol


def _begin(transport: SocketTransport, protocol: asyncio.Protocol) -> None:
    transport.set_protocol(protocol)
    protocol.connection_made(transport)
    transport.resume_reading()


async def _shake_hands(sock: socket.socket, context: ssl.SSLContext, **side: Any) -> SocketTransport:
    """The socket is closed where it fails, after the peer was told why."""
    connection = None
    try:
        keep_alive(sock)
        connection = context.wrap_socket(sock, do_handshake_on_connect=False, **side)
        while not await _goes_on(connection):
            pass
        return _transport(connection)
    except BaseException:
        _hang_up(connection or sock)
        raise


def _transport(connection: ssl.SSLSocket) -> SocketTransport:
    """OSError where the peer is gone already."""
    extra = {
        "socket": connection,
        "peername": connection.getpeername(),
        "sockname": connection.getsockname(),
        "sslcontext": connection.context,
        "ssl_object": connection,
    }
    return SocketTransport(asyncio.get_running_loop(), TlsSocket(connection), extra=extra)


async def _goes_on(connection: ssl.SSLSocket) -> bool:
    """One step of the handshake: whether it was the last."""
    loop = asyncio.get_running_loop()
    try:
        connection.do_handshake()
    except ssl.SSLWantReadError:
        await _event(connection.fileno(), loop.add_reader, loop.remove_reader)
        return False
    except ssl.SSLWantWriteError:
        await _event(connection.fileno(), loop.add_writer, loop.remove_writer)
        return False
    return True


async def _event(descriptor: int, add: Callable[..., Any], remove: Callable[[int], Any]) -> None:
    happened = asyncio.Event()
    add(descriptor, happened.set)
    try:
        await happened.wait()
    finally:
        remove(descriptor)


def _hang_up(sock: socket.socket) -> None:
    """With something unread the kernel would reset the connection, and TLS's alert be lost."""
    with suppress(OSError):
        sock.shutdown(socket.SHUT_WR)
        sock.recv(_UNREAD)
    sock.close()
