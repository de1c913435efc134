"""How a connection of the relay's ends: the client hears why, and nothing that it was sent is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

import orjson

from voxgate.core.errors import VoxgateError
from voxgate.core.ids import new_id
from voxgate.realtime.frames import TEXT, FrameFollower, encode_close, encode_frame

CLOSE_SECONDS: Final = 5.0
"""How long a peer may take to answer a close frame."""


ToldAs = Callable[[VoxgateError], dict[str, Any]]
"""The `error` event of an API that speaks WebSocket."""


def realtime_event(error: VoxgateError) -> dict[str, Any]:
    return error.event(new_id("event"))


class Farewell(asyncio.Protocol):
    """What is left of a client that was told to go: its bytes are dropped until it hangs up, because closing
    at once would reset the connection and lose the close frame that we just sent."""

    def __init__(
        self, transport: asyncio.Transport, unread: bytes = b"", follower: FrameFollower | None = None
    ) -> None:
        """`unread` begins a frame: what was received of a message that was too large. Else the `follower`
        knows where in the client's frames we are."""
        self._transport = transport
        if follower is None or follower.oversized:
            follower = FrameFollower(1 << 62)
            follower.feed(unread)
        follower.largest_message = 1 << 62
        self._follower = follower
        self._timer = asyncio.get_running_loop().call_later(CLOSE_SECONDS, transport.abort)
        transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        self._follower.feed(data)
        if self._follower.close is not None:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._timer.cancel()


def say_farewell(
    transport: asyncio.Transport,
    error: VoxgateError,
    unread: bytes = b"",
    follower: FrameFollower | None = None,
    *,
    in_message: bool = False,
    told_as: ToldAs = realtime_event,
) -> None:
    """The `error` event and the close frame, as the live service ends a call; `in_message`, between two
    fragments, the close frame only."""
    if transport.is_closing():
        flush_and_close(transport)
        return
    event = b"" if in_message else encode_frame(TEXT, orjson.dumps(told_as(error)))
    transport.write(event + encode_close(error.close_code, error.close_reason))
    transport.set_protocol(Farewell(transport, unread, follower))


def flush_and_close(transport: asyncio.Transport) -> None:
    """A peer that does not read what is still pending is cut off after a while."""
    transport.close()
    asyncio.get_running_loop().call_later(CLOSE_SECONDS, transport.abort)
