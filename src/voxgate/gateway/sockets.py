"""A TCP transport for the relay: it writes at once, without a queue and a second turn of the event loop, and
keeps no buffer while nothing is pending. After both handshakes a call's sockets are taken out of the event
loop's own transports into this one. Where TLS is spoken (see `tls`) it is there from the beginning.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from voxgate.gateway.resets import reset_watch

if TYPE_CHECKING:
    from voxgate.gateway.tls import TlsSocket

_CHUNK: Final = 64 << 10
_LINGER_SECONDS: Final = 2.0
_MOST_PORTIONS: Final = 256
"""Of a broken connection, before others are served: more than the kernel holds of one."""


class SocketTransport(asyncio.Transport):
    """Reads when told to `resume_reading`; closes after what is pending has been written. When that is more
    than `held_bytes`, the other side is asked to pause."""

    __slots__ = (
        "_closing",
        "_ended",
        "_fd",
        "_held_bytes",
        "_loop",
        "_lost",
        "_mute",
        "_paused_peer",
        "_pending",
        "_pending_bytes",
        "_protocol",
        "_read_some",
        "_reading",
        "_resets",
        "_send",
        "_timer",
        "clear",
        "sock",
        "tls",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket | TlsSocket,
        held_bytes: int = 64 << 10,
        extra: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(extra)
        self._loop = loop
        self.sock = sock
        self.tls: TlsSocket | None = None if isinstance(sock, socket.socket) else sock
        self._fd = sock.fileno()
        self._held_bytes = held_bytes
        self._send = sock.send
        self._resets = reset_watch(loop)
        self._protocol: Any = asyncio.Protocol()
        self._read_some = self._read
        self.clear = True
        """Whether what is sent goes out at once: nothing is pending, and the peer still hears us."""
        self._pending: deque[memoryview] = deque()
        self._pending_bytes = 0
        self._reading = False
        self._closing = False
        self._ended = False
        """Whether the peer has ended its half."""
        self._timer: asyncio.TimerHandle | None = None
        self._mute = False
        """Whether nothing can be written any more: closing, or the peer hears nothing."""
        self._lost = False
        self._paused_peer = False

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Its `reader`, if it has one, reads the socket instead of us: no byte is moved twice then."""
        self._protocol = protocol
        self._read_some = getattr(protocol, "reader", None) or self._read
        if self._reading:
            self._loop.remove_reader(self._fd)  # uvloop's may be dead: see `resets`
            self._loop.add_reader(self._fd, self._read_some)

    def get_protocol(self) -> asyncio.BaseProtocol:
        protocol: asyncio.BaseProtocol = self._protocol
        return protocol

    def is_closing(self) -> bool:
        return self._closing

    def is_reading(self) -> bool:
        return self._reading

    def get_write_buffer_size(self) -> int:
        return self._pending_bytes

    def hold(self, held_bytes: int) -> None:
        """From now on the other side is asked to pause when more than so much is pending."""
        self._held_bytes = held_bytes

    def can_write_eof(self) -> bool:
        return False

    def pause_reading(self) -> None:
        if self._reading:
            self._reading = False
            self._loop.remove_reader(self._fd)
            self._resets.forget(self._fd)

    def resume_reading(self) -> None:
        if not self._reading and not self._closing:
            self._reading = True
            self._loop.add_reader(self._fd, self._read_some)
            self._resets.watch(self._fd, self._read_out)
            self.expect_rest()

    def expect_rest(self) -> None:
        """Call it after a read that may not have taken all of a record of TLS."""
        if self.tls is not None and self.tls.pending():
            self._loop.call_soon(self._read_rest)

    def _read_rest(self) -> None:
        if self._reading:
            self._read_some()

    def _read_out(self) -> None:
        """The connection is broken: what is left to read ends with the reason."""
        for _ in range(_MOST_PORTIONS):
            if not self._reading:
                return
            self._read_some()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._mute or not data:
            return
        sent = 0
        if not self._pending:
            try:
                sent = self._send(data)
            except (BlockingIOError, InterruptedError):
                pass
            except OSError:
                self._stop_writing()
                return
            if sent == len(data):
                return
            self._loop.add_writer(self._fd, self._write)
            self.clear = False
        rest = bytes(data[sent:])  # a copy: the caller's memory is its own again
        self._pending.append(memoryview(rest))
        self._pending_bytes += len(rest)
        if self._pending_bytes > self._held_bytes and not self._paused_peer:
            self._paused_peer = True
            self._protocol.pause_writing()

    def close(self) -> None:
        """Ends reading now, and the connection when everything pending is written and the peer has had time
        to take it: closing while something of the peer's is unread would reset the connection and lose it."""
        if self._closing:
            return
        self.pause_reading()
        self._closing = self._mute = True
        self.clear = False
        if not self._pending:
            self._loop.call_soon(self._linger)

    def _linger(self) -> None:
        if self._lost:
            return
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._finish(None)
            return
        if self._ended:
            self._finish(None)
            return
        self._loop.add_reader(self._fd, self._discard)
        self._timer = self._loop.call_later(_LINGER_SECONDS, self._finish, None)

    def _discard(self) -> None:
        try:
            more = self.sock.recv(_CHUNK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:  # reset, timed out, no way to the host: over in any case
            more = b""
        if not more:
            self._finish(None)

    def abort(self) -> None:
        self.fail(None)

    def _read(self) -> None:
        try:
            data = self.sock.recv(_CHUNK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self.fail(error)
            return
        if data:
            self._protocol.data_received(data)
        else:
            self.end_of_file()

    def end_of_file(self) -> None:
        self._ended = True
        self.pause_reading()
        self._protocol.eof_received()
        self.close()

    def _stop_writing(self) -> None:
        """The peer hears nothing any more. What it said before may still be in our receive buffer, such as
        why it hung up: it is read on until its end, which ends the connection."""
        self._mute, self.clear = True, False
        if self._pending:
            self._loop.remove_writer(self._fd)
            self._pending.clear()
            self._pending_bytes = 0
        if self._closing:
            self._loop.call_soon(self._finish, None)
        elif self._paused_peer:  # nothing waits any more: it is not stalled but gone
            self._paused_peer = False
            self._protocol.resume_writing()

    def _write(self) -> None:
        while self._pending:
            first = self._pending[0]
            try:
                sent = self._send(first)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                self._stop_writing()
                return
            self._pending_bytes -= sent
            if sent < len(first):
                self._pending[0] = first[sent:]
                return
            self._pending.popleft()
        self._loop.remove_writer(self._fd)
        self.clear = not self._mute
        if self._closing:
            self._linger()
        elif self._paused_peer:
            self._paused_peer = False
            self._protocol.resume_writing()

    def fail(self, error: OSError | None) -> None:
        """The connection is broken, or given up: what is pending goes nowhere."""
        if self._lost:
            return
        self.pause_reading()
        if self._pending:
            self._loop.remove_writer(self._fd)
            self._pending.clear()
            self._pending_bytes = 0
        self._closing = self._mute = True
        self.clear = False
        self._loop.call_soon(self._finish, error)

    def _finish(self, error: OSError | None) -> None:
        if self._lost:
            return
        self._lost = True
        if self._timer is not None:
            self._timer.cancel()
        self._loop.remove_reader(self._fd)  # whether we know of one or not: the number will be another's
        self._loop.remove_writer(self._fd)
        self.sock.close()
        self._protocol.connection_lost(error)


def take_over(transport: asyncio.Transport, held_bytes: int) -> asyncio.Transport:
    """The same connection on a `SocketTransport`, unless something is pending on it: then the transport
    itself. In either case it asks for a pause when more than `held_bytes` are pending."""
    if isinstance(transport, SocketTransport):
        transport.hold(held_bytes)
        return transport
    if transport.get_write_buffer_size():
        transport.set_write_buffer_limits(held_bytes)
        return transport
    sock = take_out(transport)
    keep_alive(sock)
    return SocketTransport(asyncio.get_running_loop(), sock, held_bytes)


def take_out(transport: asyncio.Transport) -> socket.socket:
    """The connection of an event loop's transport, which is done with it."""
    original = transport.get_extra_info("socket")
    sock = socket.socket(original.family, socket.SOCK_STREAM, fileno=os.dup(original.fileno()))
    sock.setblocking(False)
    transport.set_protocol(asyncio.Protocol())
    transport.abort()  # closes the original descriptor only
    return sock


def keep_alive(sock: socket.socket) -> None:
    """A peer whose host or network is gone is noticed within about a minute; and nothing waits for more."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, option):  # not on every platform
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
