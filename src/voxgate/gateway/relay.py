"""The relay: after both handshakes a call is two transports, and what one reads the other writes.

Bytes go on first and are looked at second. A client's frames arrive masked and the provider expects masked
frames, so they pass unchanged; only their headers are followed, for the size limit, for the close codes and
so that a frame of our own is put in at a message boundary and nowhere else.

    open      both legs relay
    closing   a close frame has passed in one direction; the other side answers, or a timer ends the call
    finished  the fact `gateway.closed` is written, both transports are flushed and closed
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final

import orjson

from voxgate.auth.credentials import Grant
from voxgate.core.errors import MessageTooLarge, UpstreamLost, VoxgateError
from voxgate.gateway import farewell
from voxgate.gateway.farewell import Farewell, ToldAs, flush_and_close, realtime_event, say_farewell
from voxgate.gateway.glance import Glance
from voxgate.gateway.sockets import SocketTransport
from voxgate.gateway.splicing import compiled_splice
from voxgate.realtime.frames import (
    TEXT,
    Close,
    FrameFollower,
    encode_close,
    encode_frame,
)
from voxgate.recording.spool import Log, Relayed
from voxgate.recording.wirelog import CLIENT, SERVER

_BOUNDARY_SECONDS: Final = 2.0
"""How long we wait for a message boundary to say why we end a call, before we end it without."""
_NO_CLOSE_FRAME: Final = 1006
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
        self._read_by(self._from_memory_or_not(self.receive_judged))

    def relay(self) -> None:
        """The opposite."""
        self._take = self._glance = None
        self._read_by(self._from_memory_or_not(_splicer(self)))

    def _from_memory_or_not(self, reader: Callable[[], None]) -> Callable[[], None] | None:
        """Only between two sockets may what is sent lie in the log's memory: a TLS transport may keep it for
        later, when that holds something else."""
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
        if (data := self._received()) is not None:
            self.spliced(data)

    def _received(self) -> memoryview | None:
        """What the socket had, in the log's own memory; None where it had nothing, or has ended."""
        room = self._log.buffer()
        try:
            size = self._receive(room)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError as error:
            self.transport.fail(error)
            return None
        if size:
            return room[:size]
        self.transport.end_of_file()
        return None

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
        """The way of a call that is mediated: into the log's own memory too, in which what goes on at a
        glance stays."""
        if (data := self._received()) is None:
            return
        if self._log.gaps or self.follower.oversized:
            self.take_in(bytes(data))
        else:
            self._judge(data)

    def _judge(self, data: memoryview) -> None:
        """What is in the log's memory; what is left of it moves out, because that is the log's again."""
        seen = self._glance.pass_sound(data) if self._glance else 0
        rest = bytes(data[seen:])
        if seen:
            self._log.commit(self._kind, seen)
            self._go_on(seen, rest)
        else:
            self._look_at(rest)

    def data_received(self, data: bytes) -> None:
        """What came in memory of its own: where one side is TLS, or before the two sides were joined."""
        self._take_in(data)

    def take_in(self, data: bytes) -> None:
        """`_splice.c` does this, too, and comes back here with what is out of the ordinary."""
        if self.follower.oversized:
            return
        if self._log.gaps:
            self._mend(memoryview(b""))
        self._look_at(data)

    def _look_at(self, data: bytes) -> None:
        """The end of a message that has begun is taken; behind it may be some that pass at a glance."""
        if self._glance and 0 < (missing := self._glance.missing_bytes) < len(data):
            self._go_on(0, data[:missing])
            data = data[missing:]
            if self.follower.oversized:
                return
        seen = self._glance.pass_sound(data) if self._glance else 0
        if seen:
            self._log.append(self._kind, data[:seen])
        self._go_on(seen, data[seen:])

    def _go_on(self, seen: int, data: bytes) -> None:
        """Behind what passed at a glance."""
        follower = self.follower
        self.received_bytes += seen + len(data)
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


def _splicer(leg: Leg) -> Callable[[], None]:
    reader: Callable[[], None] = leg.splice if _compiled is None else _compiled.reader(leg)
    return reader


class Call:
    """One relayed call: two legs, a log (or none), and how it ends."""

    def __init__(
        self,
        session_id: str,
        grant: Grant,
        client: asyncio.Transport,
        upstream: asyncio.Transport,
        largest_message: int,
        log: Log,
        on_finished: Callable[[Call], None],
        told_as: ToldAs = realtime_event,
    ) -> None:
        self.session_id = session_id
        self._told_as = told_as
        self.grant = grant
        self.started = time.monotonic()
        self.log = log
        self._on_finished = on_finished
        self._finished = False
        self._close: tuple[Close, str] | None = None
        self._ending: VoxgateError | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._answers: list[bytes] = []
        self.client = Leg(client, CLIENT, largest_message, log, self._notice, self._lost)
        self.upstream = Leg(upstream, SERVER, largest_message, log, self._notice, self._lost)
        self.client.join(upstream)
        self.upstream.join(client)

    def start(self, *, from_client: bytes, from_provider: bytes) -> None:
        """Joins the transports. The bytes are what each side sent before it was joined."""
        self.client.transport.set_protocol(self.client)
        self.upstream.transport.set_protocol(self.upstream)
        # First, because what was early may be enough to ask for a pause.
        self.upstream.transport.resume_reading()
        self.client.transport.resume_reading()
        if from_provider:
            self.upstream.data_received(from_provider)
        if from_client and not self._finished:
            self.client.data_received(from_client)

    @property
    def credential_id(self) -> str:
        return self.grant.id

    @property
    def is_over(self) -> bool:
        return self._finished

    @property
    def nothing_passes(self) -> bool:
        """Whether both directions are between two messages."""
        return self.upstream.at_boundary and self.client.at_boundary

    def answer(self, text: bytes) -> None:
        """Puts a message of our own into what the client receives, at the next message boundary."""
        self.note_answer(text)
        self._answers.append(encode_frame(TEXT, text))
        self.upstream.watched = True
        self._give_answers()

    def note_answer(self, text: bytes) -> None:
        """In the log: what the gateway answered in the provider's stead."""
        self.log.fact({"type": "gateway.answered", "message": orjson.Fragment(text)})

    def _give_answers(self) -> None:
        if self._answers and self.upstream.at_boundary and self.upstream.follower.close is None:
            self.client.transport.write(b"".join(self._answers))
            self._answers.clear()
            self.upstream.watched = self._ending is not None

    def end(self, error: VoxgateError) -> None:
        """Ends the call for a reason of ours, at the next message boundary of what the client receives."""
        if self._finished or self._ending is not None:
            return
        self._ending = error
        if self.upstream.at_boundary or self._close is not None:
            self._tell_and_finish()
            return
        self.client.transport.pause_reading()
        self.upstream.watched = True
        self._start_timer(_BOUNDARY_SECONDS)

    def _notice(self, leg: Leg) -> None:
        if self._finished:
            return
        if self._ending is not None:
            if leg is self.upstream and leg.at_boundary:
                self._tell_and_finish()
        elif leg.follower.oversized:
            self._refuse_size(leg)
        elif leg.follower.close is not None:
            self._closing(leg, leg.follower.close)
        else:
            self._give_answers()

    def _refuse_size(self, leg: Leg) -> None:
        limit = f"{leg.follower.largest_message:,} bytes"
        sender = "The message" if leg is self.client else "The provider's message"
        error = MessageTooLarge(f"{sender} is larger than this gateway's largest message, {limit}.")
        leg.transport.pause_reading()
        if leg is self.upstream:
            self._ending = error
            self._tell_and_finish()
        else:
            self.end(error)

    def _closing(self, leg: Leg, close: Close) -> None:
        side = "client" if leg is self.client else "provider"
        other = self.upstream if leg is self.client else self.client
        if self._close is None:
            self._close = (close, side)
            self._start_timer(farewell.CLOSE_SECONDS)
        if other.follower.close is not None:
            self._finish()

    def _lost(self, leg: Leg, exc: Exception | None) -> None:
        if self._finished:
            return
        if self._close is None and leg is self.upstream:
            self._close = (Close(_NO_CLOSE_FRAME, str(exc or "the connection was lost")), "provider")
            self._ending = self._ending or UpstreamLost("The provider ended the connection unexpectedly.")
            self._tell_and_finish()
            return
        if self._close is None:
            self._close = (Close(_NO_CLOSE_FRAME, "the client vanished"), "client")
            if self.client.at_boundary:
                self.upstream.transport.write(encode_close(1001, "client disconnected", masked=True))
        self._finish()

    def _tell_and_finish(self) -> None:
        """Says the reason to the client where its stream is at a boundary, and ends both legs."""
        error = self._ending
        assert error is not None
        if self._close is None:
            self._close = (Close(error.close_code, error.close_reason), "gateway")
        self.log.fact({"type": "gateway.error", **error.body(), "close_code": error.close_code})
        if self.client.at_boundary and not self.upstream.transport.is_closing():
            self.upstream.transport.write(encode_close(error.close_code, error.close_reason, masked=True))
        if self.upstream.between_frames and self.upstream.follower.close is None:
            client = self.client
            say_farewell(
                client.transport,
                error,
                client.refused,
                client.follower,
                in_message=not self.upstream.at_boundary,
                told_as=self._told_as,
            )
            self._finish(client_stays=True)
        else:
            self._finish()

    def _start_timer(self, seconds: float) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._time_is_up)

    def give_up(self) -> None:
        """Ends it now, wherever both directions are; the reason that it was given is told where it can be."""
        self._time_is_up()

    def _time_is_up(self) -> None:
        if self._ending is not None:
            self._tell_and_finish()
        self._finish()

    def _finish(self, *, client_stays: bool = False) -> None:
        if self._finished:
            return
        self._finished = True
        if self._timer is not None:
            self._timer.cancel()
        flush_and_close(self.upstream.transport)
        if self.upstream.follower.close is not None and self.client.follower.close is None:
            client_stays = client_stays or self._let_client_answer()
        if not client_stays:
            flush_and_close(self.client.transport)
        close, side = self._close or (Close(_NO_CLOSE_FRAME, ""), "gateway")
        relayed: Relayed = {"in": self.client.received_bytes, "out": self.upstream.received_bytes}
        self.log.close(close.code, close.reason, side, relayed)
        self._on_finished(self)

    def _let_client_answer(self) -> bool:
        """The provider closed and hung up at once; the client still has to read that."""
        transport = self.client.transport
        if transport.is_closing():
            return False
        transport.set_protocol(Farewell(transport, follower=self.client.follower))
        return True
