"""The first message of a client, which says what model it wants: before it nobody can be dialled. What comes
is kept for the provider as it came; pings are answered here until there is one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from voxgate.core.errors import InvalidEvent, MessageTooLarge
from voxgate.gateway.requests.bodies import check_unambiguous, read_json
from voxgate.realtime.frames import (
    BROKEN,
    CLOSE,
    PING,
    PONG,
    TEXT,
    FrameDecoder,
    Message,
    encode_close,
    encode_frame,
    frame_size,
)

_CREATE: Final = "response.create"
_CONTROL: Final = 0x08
"""A bit of a frame's first byte (RFC 6455, 5.5)."""


class ClientLeft(Exception):
    """It closed the socket before it asked for anything."""


@dataclass(frozen=True, slots=True)
class First:
    model: str | None
    text: bytes
    frames: bytes
    """The message as it came."""


class Waiting:
    """For the first message, and for another one where the first was refused."""

    def __init__(self, largest_bytes: int, write: Callable[[bytes], None]) -> None:
        self._largest = largest_bytes
        self._write = write
        self._decoder = FrameDecoder()
        self._frames = bytearray()
        """Of the message that has begun."""
        self._missing_bytes = 0
        """Of the frame that has begun."""
        self._is_control = False
        self.rest = bytearray()
        """What came behind the message."""
        self._text: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def feed(self, data: bytes) -> None:
        self.rest += data
        self._look()

    @property
    def held_bytes(self) -> int:
        """For the provider; of a message that is still coming nothing may be held up."""
        return len(self.rest) if self._text.done() else 0

    async def first(self, *, strictly: bool) -> First:
        """`strictly`: a message that names two models is refused. ClientLeft, InvalidEvent, InvalidRequest,
        MessageTooLarge."""
        text = await self._text
        wanted = read_json(text)
        kind = wanted.fields.get("type")
        if kind != _CREATE:
            raise InvalidEvent(f"The first message on this socket must be a {_CREATE}.", param="type")
        if strictly:
            check_unambiguous(text, wanted)
        return First(wanted.model, text, bytes(self._frames))

    def again(self) -> None:
        """The message that came was answered here: the next one is the first."""
        self._frames.clear()
        self._text = asyncio.get_running_loop().create_future()
        self._look()

    def _look(self) -> None:
        """Frame by frame, so that what comes behind the message stays as it is."""
        while not self._text.done() and self.rest:
            if not self._missing_bytes:
                size = frame_size(self.rest)
                if size is None:
                    break
                self._missing_bytes, self._is_control = size, bool(self.rest[0] & _CONTROL)
            piece = bytes(self.rest[: self._missing_bytes])
            del self.rest[: len(piece)]
            self._missing_bytes -= len(piece)
            if not self._is_control:
                self._frames += piece
            for message in self._decoder.feed(piece):
                self._take(message)
        if not self._text.done() and len(self._frames) > self._largest:
            self._fail(MessageTooLarge(f"The message is larger than {self._largest:,} bytes."))

    def _take(self, message: Message) -> None:
        if self._text.done():
            return
        if message.opcode == TEXT:
            self._text.set_result(message.payload)
        elif message.opcode == PING:
            self._write(encode_frame(PONG, message.payload))
        elif message.opcode == CLOSE:
            self._write(encode_close(1000, ""))
            self._fail(ClientLeft())
        elif message.opcode == BROKEN:
            self._fail(InvalidEvent("What the client sent is no WebSocket message."))
        elif message.opcode != PONG:
            self._fail(InvalidEvent("This socket takes text messages only."))

    def _fail(self, error: Exception) -> None:
        if not self._text.done():
            self._text.set_exception(error)
