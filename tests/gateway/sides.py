"""Legs of calls between pairs of sockets, plain or with TLS, compiled or in Python: what each of them did."""

from __future__ import annotations

import asyncio
import functools
import socket
import ssl
import struct
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.certificates import make_certificate
from voxgate.gateway import leg as legs
from voxgate.gateway.glance import Glance
from voxgate.gateway.leg import Leg
from voxgate.gateway.sockets import SocketTransport
from voxgate.gateway.tls import LARGEST_RECORD, TlsSocket
from voxgate.realtime.frames import CLOSE, FrameFollower, encode_frame
from voxgate.recording.layout import ENTRY, SEGMENT
from voxgate.recording.spool import CHUNK, Spool, WireLog
from voxgate.recording.wirelog import CLIENT

LARGEST = 40_000
"""The largest message that passes, in bytes."""
T_NS = slice(16, 24)


class Loop:
    """An event loop that is asked for readers and writers, and calls none."""

    def __init__(self) -> None:
        self.soon: list[Any] = []

    def call_soon(self, *what: Any) -> None:
        self.soon.append(what)

    def add_reader(self, *_: Any) -> None: ...
    def remove_reader(self, *_: Any) -> None: ...
    def add_writer(self, *_: Any) -> None: ...
    def remove_writer(self, *_: Any) -> None: ...
    def call_later(self, *_: Any) -> None: ...


def bare_spool() -> Spool:
    """The memory of a spool, without a writer."""
    spool = Spool.__new__(Spool)
    spool.view, spool.end, spool.fill = memoryview(bytearray(SEGMENT)), 0, 7
    spool.full, spool.armed = False, True
    return spool


@dataclass
class Side:
    """One leg between two pairs of sockets: what it is sent, and what it sent on."""

    compiled: bool
    sockets: ExitStack
    near: socket.socket | None = None
    tls: bool = False
    notices: list[str] = field(default_factory=list)
    loop: Loop = field(default_factory=Loop)

    def __post_init__(self) -> None:
        self.far, near = self._pair()
        if self.near is not None:
            near = self.near
            near.setblocking(False)
        out, self.peer_far = self._pair()
        ends = near, out
        if self.tls:
            (self.far, near_tls), (self.peer_far, out_tls) = (
                handshake(self.far, near),
                handshake(self.peer_far, out),
            )
            self.sockets.enter_context(self.far)
            self.sockets.enter_context(self.peer_far)
            ends = TlsSocket(near_tls), TlsSocket(out_tls)
        self.transport, self.peer = map(self._transport, ends)
        self.spool = bare_spool()
        self.log = WireLog(self.spool, 3, "session")
        self.log._origin_ns = 0
        self.leg = Leg(self.transport, CLIENT, LARGEST, self.log, self._noticed, self._lost)
        self.transport.set_protocol(self.leg)
        self.peer.set_protocol(asyncio.Protocol())
        self.leg.join(self.peer)
        self.transport._reading = True
        self.read = legs._compiled.reader(self.leg) if self.compiled else self.leg.splice
        self.take_in = legs._compiled.taker(self.leg) if self.compiled else self.leg.take_in

    def mediate(self, take: Callable[[bytes], None], glance: Glance) -> None:
        self.leg.mediate(take, glance)
        compiled = legs._compiled
        self.read = compiled.judging_reader(self.leg) if self.compiled else self.leg.receive_judged

    def _pair(self) -> tuple[socket.socket, socket.socket]:
        pair = socket.socketpair()
        for each in pair:
            each.setblocking(False)
            self.sockets.enter_context(each)
        return pair

    def send(self, data: bytes) -> None:
        """To the leg, which reads it."""
        if not self.tls:
            self.far.send(data)
        for at in range(0, len(data) if self.tls else 0, LARGEST_RECORD):
            self.far.send(data[at : at + LARGEST_RECORD])
        self.read()
        while self.transport.tls and self.transport.is_reading() and self.transport.tls.pending():
            self.read()

    def _transport(self, sock: socket.socket | TlsSocket) -> SocketTransport:
        transport = SocketTransport.__new__(SocketTransport)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("voxgate.gateway.sockets.reset_watch", lambda _: _Resets())
            transport.__init__(self.loop, sock, 1 << 30)  # type: ignore[misc,arg-type]
        return transport

    def _noticed(self, leg: Leg) -> None:
        self.notices.append("notice")

    def _lost(self, _: Leg, error: Exception | None) -> None:
        self.notices.append(f"lost {error!r}")

    def taken(self) -> bytes:
        taken = b""
        try:
            while more := self.peer_far.recv(1 << 20):
                taken += more
        except (BlockingIOError, ssl.SSLWantReadError):
            pass
        return taken

    def state(self) -> dict[str, Any]:
        """Everything that a later read or the log's writer goes by, but the time."""
        follower = {name: getattr(self.leg.follower, name) for name in FrameFollower.__slots__}
        entries, at = [], 0
        while at < self.spool.end:
            head = bytearray(self.spool.view[at : at + ENTRY.size])
            head[T_NS] = bytes(8)
            size = ENTRY.unpack_from(self.spool.view, at)[-1]
            entries.append((bytes(head), bytes(self.spool.view[at + ENTRY.size : at + ENTRY.size + size])))
            at += ENTRY.size + size
        return {
            **follower,
            "entries": entries,
            "offset": self.log._offset,
            "received": self.leg.received_bytes,
            "refused": bytes(self.leg.refused),
            "pending": self.peer.get_write_buffer_size(),
            "notices": self.notices,
            "reading": self.transport.is_reading(),
            "soon": [each[0].__name__ for each in self.loop.soon],
        }


@functools.cache
def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A client's and a server's."""
    with tempfile.TemporaryDirectory() as folder:
        certificate, key = make_certificate(Path(folder))
        server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        server.load_cert_chain(certificate, key)
        return ssl.create_default_context(cafile=str(certificate)), server


def handshake(client: socket.socket, server: socket.socket) -> tuple[ssl.SSLSocket, ssl.SSLSocket]:
    """Both ends of a pair of sockets that do not block, when it is done."""
    trusting, showing = contexts()
    ends = (
        trusting.wrap_socket(client, server_hostname="127.0.0.1", do_handshake_on_connect=False),
        showing.wrap_socket(server, server_side=True, do_handshake_on_connect=False),
    )
    waiting = list(ends)
    while waiting:
        for end in list(waiting):
            with suppress(ssl.SSLWantReadError):
                end.do_handshake()
                waiting.remove(end)
    return ends


class _Resets:
    def watch(self, *_: Any) -> None: ...
    def forget(self, *_: Any) -> None: ...


def frame(opcode: int, size: int, masked: bool, final: bool) -> bytes:
    payload = struct.pack("!H", 1000) + b"x" * (size - 2) if opcode == CLOSE and size >= 2 else b"t" * size
    whole = encode_frame(opcode, payload, masked=masked)
    return whole if final else bytes([whole[0] & 0x7F]) + whole[1:]


def pieces(stream: bytes, sizes: list[int]) -> Iterator[bytes]:
    """Of these sizes; what is left over in pieces of what is read at once."""
    at = 0
    for size in [*sizes, *[CHUNK] * (len(stream) // CHUNK + 1)]:
        if at < len(stream):
            yield stream[at : at + size]
        at += size
