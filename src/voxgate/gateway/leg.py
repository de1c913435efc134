"""One side of a relayed call: what it reads goes on to the other side and into the log, unseen or through
what stands between. Nearly every read of a call is compiled too, where there is a compiler (`_splice.c`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final

from voxgate.gateway.glance import Glance
from voxgate.gateway.sockets import SocketTransport
from voxgate.gateway.splicing import compiled_splice
from voxgate.realtime.frames import FrameFollower
from voxgate.recording.spool import Log
from voxgate.recording.wirelog import CLIENT, SERVER

_SIDES: Final = {CLIENT: "client", SERVER: "provider"}


class Leg(asyncio.Protocol):
    """One side of a call. What it reads goes to the log and to the other leg's transport."""

    __slots__ = (
        "_glance",
        "_kind",
        "_log",
        "_on_lost",
        "_on_notice",
        "_receive",
        "_send",
        "_take",
        "_take_in",
        "follower",
        "peer",
        "reader",
        "received_bytes",
        "refused",
        "stalled_since",
        "transport",
        "watched",
    )

    peer: Any
    _send: Callable[[memoryview], int]
    _receive: Callable[[memoryview], int]

    def __init__(
        self,
        transport: asyncio.Transport,
        kind: int,
        largest_message: int,
        log: Log,
        on_notice: Callable[[Leg], None],
        on_lost: Callable[[Leg, Exception | None], None],
    ) -> None:
        self.transport: Any = transport
        self.follower = FrameFollower(largest_message)
        self.refused = b""
        """The beginning of a message that was too large."""
        self.watched = False
        """Whether the call wants a notice after every chunk, because it waits for a boundary."""
        self.received_bytes = 0
        self.stalled_since: float | None = None
        """Since when (monotonic seconds) this side has not taken what waits for it."""
        self.reader: Callable[[], None] | None = None
        """What reads the transport's socket instead of the transport: `splice`, where nothing is to be done
        to the bytes."""
        self._kind = kind
        self._log = log
        self._take: Callable[[bytes], None] | None = None
        self._take_in: Callable[[bytes], None] = self.take_in if _compiled is None else _compiled.taker(self)
        self._glance: Glance | None = None
        self._on_notice = on_notice
        self._on_lost = on_lost

    def join(self, peer: asyncio.Transport) -> None:
        """From now on what is received goes to `peer`."""
        self.peer = peer
        self._read_by(self._from_memory_or_not(_splicer(self)))

    def mediate(self, take: Callable[[bytes], None], glance: Glance | None = None) -> None:
        """From now on `take` is given what is received, and nothing goes on by itself but what passes at a
        `glance`. It lets only whole messages go on."""
        self._take, self._glance = take, glance
        self._read_by(self._from_memory_or_not(_judging(self)))

    def relay(self) -> None:
        """The opposite."""
        self._take = self._glance = None
        self._read_by(self._from_memory_or_not(_splicer(self)))

    def _from_memory_or_not(self, reader: Callable[[], None]) -> Callable[[], None] | None:
        """Only between two of our own transports may what is sent lie in the log's memory: the event loop's
        may keep it for later, when that holds something else."""
        if not (isinstance(self.transport, SocketTransport) and isinstance(self.peer, SocketTransport)):
            return None
        self._receive, self._send = self.transport.sock.recv_into, self.peer.sock.send
        return reader

    def _read_by(self, reader: Callable[[], None] | None) -> None:
        self.reader = reader
        if self.transport.get_protocol() is self:
            self.transport.set_protocol(self)  # it has looked up what reads

    @property
    def splices(self) -> bool:
        """Whether its bytes go from socket to socket unseen."""
        return self._take is None and self.reader is not None

    @property
    def at_boundary(self) -> bool:
        """Whether what this side sent on ends with a whole message."""
        return self._take is not None or self.follower.at_boundary

    @property
    def between_frames(self) -> bool:
        """Whether a control frame may follow what this side sent on."""
        return self._take is not None or self.follower.between_frames

    def splice(self) -> None:
        """The way of nearly every byte: from the socket into the log's own memory, and from there to the
        other socket. Where `_splice.c` was built it does this instead, and comes back here, or to `spliced`,
        with what is out of the ordinary."""
        room = self._log.buffer()
        if size := self._receive_into(room):
            self.spliced(room[:size])

    def _receive_into(self, room: memoryview) -> int:
        """How much the socket had; 0 where it had nothing, or has ended."""
        try:
            size = self._receive(room)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError as error:
            self.transport.fail(error)
            return 0
        if not size:
            self.transport.end_of_file()
        return size

    def spliced(self, data: memoryview) -> None:
        """The rest of `splice`, for what was received into the log's memory."""
        log, follower, size = self._log, self.follower, len(data)
        if follower.oversized:
            return
        if log.gaps:
            data = self._mend(data)
        self.received_bytes += size
        passed = follower.feed(data)
        if passed != size:
            self.refused = bytes(data[passed:])
            data, size = data[:passed], passed
        peer, sent = self.peer, 0
        if peer.clear:
            try:
                sent = self._send(data)
            except OSError:
                pass  # `write` meets it again
        if sent != size:
            peer.write(data[sent:])
        log.commit(self._kind, size)
        if self.watched or follower.ended:
            self._on_notice(self)

    def receive_judged(self) -> None:
        """The way of a call that is mediated: into the log's own memory too, behind the beginning of a
        message that was held, so that what goes on at a glance stays there. `_splice.c` does this, too, and
        comes back here, or to `received` or `look_at`, with what is out of the ordinary."""
        room, glance = self._log.buffer(), self._glance
        held = len(glance.held) if glance else 0
        if glance and held:
            room[:held] = glance.held
        if size := self._receive_into(room[held:]):
            self.transport.expect_rest()
            if glance:
                glance.held = b""
            self.received_bytes += size
            self.received(room[: held + size])

    def received(self, data: memoryview) -> None:
        """What is in the log's memory; what is left of it moves out, because that is the log's again."""
        if self.follower.oversized:
            return
        if self._log.gaps:
            rest = bytes(data)
            self._mend(memoryview(b""))
            self.look_at(rest)
            return
        if self._in_message(len(data)):
            self.look_at(bytes(data))
            return
        seen = self._glance.pass_sound(data) if self._glance else 0
        rest = bytes(data[seen:])
        if seen:
            self._log.commit(self._kind, seen)
        self._keep_or_go_on(rest)

    def data_received(self, data: bytes) -> None:
        """What came in memory of its own: before the two sides were joined, or where one of them stayed on a
        transport of the event loop."""
        self._take_in(data)

    def take_in(self, data: bytes) -> None:
        """`_splice.c` does this, too, and comes back here with what is out of the ordinary."""
        if self.follower.oversized:
            return
        self.received_bytes += len(data)
        if self._log.gaps:
            self._mend(memoryview(b""))
        self.look_at(self._glance.take_held() + data if self._glance else data)

    def look_at(self, data: bytes) -> None:
        """What does not lie in the log's memory. The end of a message that has begun is taken; behind it may
        be some that pass at a glance, and the beginning of another."""
        if missing := self._in_message(len(data)):
            self._go_on(data[:missing])
            data = data[missing:]
            if self.follower.oversized:
                return
        if self._glance and (seen := self._glance.pass_sound(data)):
            self._log.append(self._kind, data[:seen])
            data = data[seen:]
        self._keep_or_go_on(data)

    def _in_message(self, size: int) -> int:
        """How many of so many bytes end a message that has been taken in part; 0 if nothing is behind it."""
        missing = self._glance.missing_bytes if self._glance else 0
        return missing if missing < size else 0

    def _keep_or_go_on(self, data: bytes) -> None:
        if self._glance and self._glance.keeps(data):
            self._glance.held, data = data, b""
        self._go_on(data)

    def follow_held(self) -> None:
        """Of what follows, nothing will pass: from here on the follower alone says where we are."""
        if self._glance:
            self.follower.feed(self._glance.take_held())

    def _go_on(self, data: bytes) -> None:
        """What does not pass at a glance."""
        follower = self.follower
        passed = follower.feed(data) if data else 0
        if passed != len(data):
            self.refused = data[passed:]
            data = data[:passed]
        if data:
            (self._take or self.pass_on)(data)
        if self.watched or follower.ended:
            self._on_notice(self)

    def pass_on(self, data: bytes) -> None:
        """To the other side and to the log."""
        self.peer.write(data)
        self._log.append(self._kind, data)

    def record(self, frames: bytes) -> None:
        """In the log: whole frames that a mediation lets go on. Its stages say something in this side's name
        also when this side said nothing, so here, too, it comes to light what is missing before."""
        if self._log.gaps:
            self._mend(memoryview(b""))
        self._log.append(self._kind, frames)

    def _mend(self, data: memoryview) -> memoryview:
        """Once there is room again: says where the log goes on, which moves its `room`."""
        log = self._log
        if self._kind not in log.gaps or not log.has_room:
            return data
        moved = bytes(data)
        skip, header, torn = self.follower.position if self._take is None else (0, b"", False)
        log.mend(self._kind, _SIDES[self._kind], skip, torn)
        if header:
            log.append(self._kind, header)
        if not moved:
            return data
        room = log.buffer()[: len(moved)]
        room[:] = moved
        return room

    def eof_received(self) -> None:
        """A peer that ended its half speaks no more WebSocket: the call is over, whatever still waits."""
        self._on_lost(self, None)

    def pause_writing(self) -> None:
        self.stalled_since = time.monotonic()
        self.peer.pause_reading()

    def resume_writing(self) -> None:
        self.stalled_since = None
        self.peer.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._on_lost(self, exc)


_compiled: Any = compiled_splice(Leg)


def is_compiled() -> bool:
    return _compiled is not None


def _judging(leg: Leg) -> Callable[[], None]:
    reader: Callable[[], None] = leg.receive_judged if _compiled is None else _compiled.judging_reader(leg)
    return reader


def _splicer(leg: Leg) -> Callable[[], None]:
    reader: Callable[[], None] = leg.splice if _compiled is None else _compiled.reader(leg)
    return reader
