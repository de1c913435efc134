"""Legs of calls between pairs of sockets, compiled or in Python, and what each of them did."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest

from voxgate.gateway import leg as legs
from voxgate.gateway.glance import Glance
from voxgate.gateway.leg import Leg
from voxgate.gateway.sockets import SocketTransport
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
    notices: list[str] = field(default_factory=list)
    loop: Loop = field(default_factory=Loop)

    def __post_init__(self) -> None:
        self.far, near = self._pair()
        if self.near is not None:
            near = self.near
            near.setblocking(False)
        out, self.peer_far = self._pair()
        self.transport, self.peer = (self._transport(each) for each in (near, out))
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

    def _transport(self, sock: socket.socket) -> SocketTransport:
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
        try:
            return self.peer_far.recv(1 << 20)
        except BlockingIOError:
            return b""

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
        }


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
