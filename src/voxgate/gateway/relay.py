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
from typing import Final

import orjson

from voxgate.auth.credentials import Grant
from voxgate.core.errors import MessageTooLarge, UpstreamLost, VoxgateError
from voxgate.gateway import farewell
from voxgate.gateway.farewell import Farewell, ToldAs, flush_and_close, realtime_event, say_farewell
from voxgate.gateway.leg import Leg
from voxgate.realtime.frames import TEXT, Close, encode_close, encode_frame
from voxgate.recording.spool import Log, Relayed
from voxgate.recording.wirelog import CLIENT, SERVER

_BOUNDARY_SECONDS: Final = 2.0
"""How long we wait for a message boundary to say why we end a call, before we end it without."""
_NO_CLOSE_FRAME: Final = 1006


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
            client.follow_held()
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
        self.client.follow_held()
        transport.set_protocol(Farewell(transport, follower=self.client.follower))
        return True
