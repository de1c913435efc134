"""One end of a call in the load: a socket that a `Load` polls. Handshakes are done with a blocking socket,
one call after the other; then the socket belongs to the poll and bytes go to the `Sink` without a copy.
"""

from __future__ import annotations

import select
import socket
import ssl
from collections import deque
from collections.abc import Callable
from typing import Final

from bench.messages import Sink, Source
from voxgate.realtime.frames import PONG, TEXT, FrameDecoder, encode_frame
from voxgate.realtime.handshake import accept_key, new_key

_HEAD_END: Final = b"\r\n\r\n"
_SHAKE_SECONDS: Final = 30.0
_NOT_NOW: Final = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
_BUFFER: Final = bytearray(256 << 10)
"""What was read last; shared by all connections, because each looks at it at once."""


class Connection:
    """Sends what a `Source` makes and gives a `Sink` what comes. `on_messages` is told how many came."""

    def __init__(self, sock: socket.socket, early: bytes = b"") -> None:
        self.sock = sock
        self.lost = False
        self.source: Source
        self.sink: Sink
        self.on_messages: Callable[[Connection, int], None] | None = None
        self._early = early
        self._poll: select.epoll | None = None
        self._pending: deque[bytes] = deque()
        self._masked = False
        self._encrypted = isinstance(sock, ssl.SSLSocket)

    def join(self, poll: select.epoll, source: Source, sink: Sink, *, masked: bool) -> None:
        """From here on the poll says when there is something to read."""
        self.source, self.sink, self._masked, self._poll = source, sink, masked, poll
        self.sock.setblocking(False)
        poll.register(self.sock.fileno(), select.EPOLLIN)
        if self._early:
            self.sink.feed(self._early, len(self._early))

    def speak(self) -> None:
        self.write(self.source.frames())

    def write(self, data: bytes | bytearray) -> None:
        if self._pending:
            self._pending.append(bytes(data))
            return
        sent = self._send(data)
        if sent < len(data):
            self._pending.append(bytes(memoryview(data)[sent:]))
            self._watch(select.EPOLLIN | select.EPOLLOUT)

    def on_event(self, event: int) -> None:
        if event != select.EPOLLIN:
            self._flush()
        if event != select.EPOLLOUT:
            self._read()

    def _send(self, data: bytes | bytearray) -> int:
        try:
            return self.sock.send(data)
        except _NOT_NOW:
            return 0
        except OSError:
            self._give_up()
            return len(data)

    def _flush(self) -> None:
        while self._pending:
            first = self._pending[0]
            sent = self._send(first)
            if sent < len(first):
                self._pending[0] = first[sent:]
                return
            self._pending.popleft()
        self._watch(select.EPOLLIN)

    def _watch(self, events: int) -> None:
        if self._poll is not None and not self.lost:
            self._poll.modify(self.sock.fileno(), events)

    def _read(self) -> None:
        while True:
            try:
                size = self.sock.recv_into(_BUFFER)
            except _NOT_NOW:
                return
            except OSError:
                size = 0
            if not size:
                self._give_up()
                return
            done = self.sink.feed(_BUFFER, size)
            if self.sink.pings:
                self._answer_pings()
            if done and self.on_messages is not None:
                self.on_messages(self, done)
            if not self._encrypted or self.lost:
                return
            # Of TLS a whole record may wait where the poll cannot see it.

    def _answer_pings(self) -> None:
        while self.sink.pings:
            self.write(encode_frame(PONG, self.sink.pings.pop(), masked=self._masked))

    def _give_up(self) -> None:
        if not self.lost:
            self.lost = True
            self._pending.clear()
            if self._poll is not None:
                self._poll.unregister(self.sock.fileno())

    def close(self) -> None:
        """At once, without a close frame: the call is over for both sides."""
        self._give_up()
        self.sock.close()


def dial(port: int, path: str, key: str, tls: ssl.SSLContext | None, *, beta: bool = False) -> socket.socket:
    """A caller that has sent its request and not yet read the answer."""
    sock = _prepared(socket.create_connection(("127.0.0.1", port), _SHAKE_SECONDS))
    if tls is not None:
        sock = tls.wrap_socket(sock, server_hostname="127.0.0.1")
    request = (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {new_key()}\r\nAuthorization: Bearer {key}\r\n"
    )
    request += "OpenAI-Beta: realtime=v1\r\n\r\n" if beta else "\r\n"
    sock.sendall(request.encode())
    return sock


def hear_answer(sock: socket.socket, greetings: int) -> Connection:
    """The caller's connection, after the 101 and the provider's first messages."""
    head, rest = _read_head(sock)
    if b" 101 " not in head.split(b"\r\n")[0]:
        raise ConnectionError(f"the relay refused the call: {head[:200]!r} {rest[:300]!r}")
    decoder, heard = FrameDecoder(), 0
    while True:
        for message in decoder.feed(rest):
            heard += message.opcode == TEXT
        if heard >= greetings:
            return Connection(sock)
        rest = sock.recv(1 << 16)
        if not rest:
            raise ConnectionError("the relay ended the call before its first message")


def answer(listener: socket.socket, tls: ssl.SSLContext | None, greetings: list[bytes]) -> Connection:
    """The provider's side of the next call: accepts it, answers 101 and says its first messages."""
    while True:
        sock = _prepared(listener.accept()[0])
        if tls is not None:
            sock = tls.wrap_socket(sock, server_side=True)
        head, rest = _read_head(sock)
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in head.decode().split("\r\n"))
        }
        if "sec-websocket-key" in headers:
            break
        sock.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        sock.close()
    accept = accept_key(headers["sec-websocket-key"]).encode()
    sock.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: "
        + accept
        + _HEAD_END
        + b"".join(encode_frame(TEXT, one) for one in greetings)
    )
    return Connection(sock, rest)


def _prepared(sock: socket.socket) -> socket.socket:
    sock.settimeout(_SHAKE_SECONDS)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def _read_head(sock: socket.socket) -> tuple[bytes, bytes]:
    data = b""
    while _HEAD_END not in data:
        more = sock.recv(1 << 16)
        if not more:
            raise ConnectionError(f"closed during the handshake, after {data[:200]!r}")
        data += more
    head, _, rest = data.partition(_HEAD_END)
    return head, rest
