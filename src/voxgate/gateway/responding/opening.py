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
)

_CREATE: Final = "response.create"


class ClientLeft(Exception):
    """It closed the socket before it asked for anything."""


@dataclass(frozen=True, slots=True)
class First:
    model: str | None
    frames: bytes
    """It and what came behind it."""


class Waiting:
    """For the first message."""

    def __init__(self, largest_bytes: int, write: Callable[[bytes], None]) -> None:
        self._largest = largest_bytes
        self._write = write
        self._decoder = FrameDecoder()
        self._frames = bytearray()
        self._text: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def feed(self, data: bytes) -> None:
        self._frames += data
        if self._text.done():
            return
        for message in self._decoder.feed(data):
            self._take(message)
        if self._text.done():
            return
        if self._decoder.idle:  # nothing but control frames so far
            self._frames.clear()
        elif len(self._frames) > self._largest:
            self._fail(MessageTooLarge(f"The message is larger than {self._largest:,} bytes."))

    @property
    def held_bytes(self) -> int:
        return len(self._frames) if self._text.done() else 0

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
        return First(wanted.model, bytes(self._frames))

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
