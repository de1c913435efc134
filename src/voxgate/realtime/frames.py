"""WebSocket frames as bytes (RFC 6455 section 5). `FrameFollower` walks along a stream that is passed on
unchanged and knows where messages begin, how large they are and how the stream was closed; `FrameDecoder`
turns the same bytes into messages, later, from the wire log. Neither does I/O and neither raises.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

CONTINUATION: Final = 0x0
TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA
BROKEN: Final = -1
"""Opcode of the message that a `FrameDecoder` gives once for bytes that are no WebSocket frames."""

_LONGEST_HEADER: Final = 14
_LONGEST_CONTROL: Final = 125  # RFC 6455 section 5.5
_NO_STATUS: Final = 1005


@dataclass(frozen=True, slots=True)
class Message:
    opcode: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Close:
    """What a close frame said. `code` 1005 means that it carried none (RFC 6455 section 7.1.5)."""

    code: int
    reason: str


@dataclass(slots=True)
class _Header:
    final: bool
    opcode: int
    length: int
    mask: bytes
    size: int


def _parse_header(buffer: bytes | bytearray, at: int = 0) -> _Header | None:
    """The frame header at `at`, or None while it is incomplete (RFC 6455 section 5.2)."""
    available = len(buffer) - at
    if available < 2:
        return None
    first, second = buffer[at], buffer[at + 1]
    length, size = second & 0x7F, 2
    if length == 126:
        size = 4
    elif length == 127:
        size = 10
    masked = second & 0x80
    total = size + 4 if masked else size
    if available < total:
        return None
    if size > 2:
        length = int.from_bytes(buffer[at + 2 : at + size], "big")
    mask = bytes(buffer[at + size : at + total]) if masked else b""
    return _Header(bool(first & 0x80), first & 0x0F, length, mask, total)


def apply_mask(payload: bytes, mask: bytes) -> bytes:
    """XOR with the repeated mask (RFC 6455 section 5.3), through one big integer."""
    if not mask or not payload:
        return payload
    size = len(payload)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "little") ^ int.from_bytes(key, "little")).to_bytes(size, "little")


def encode_frame(opcode: int, payload: bytes, *, masked: bool = False) -> bytes:
    """One final frame; `masked` for frames that go to a server."""
    size = len(payload)
    flag = 0x80 if masked else 0
    if size < 126:
        head = bytes((0x80 | opcode, flag | size))
    elif size < 1 << 16:
        head = bytes((0x80 | opcode, flag | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((0x80 | opcode, flag | 127)) + size.to_bytes(8, "big")
    if not masked:
        return head + payload
    mask = os.urandom(4)
    return head + mask + apply_mask(payload, mask)


def encode_close(code: int, reason: str, *, masked: bool = False) -> bytes:
    """A close frame; the reason is cut to the 123 bytes that fit (RFC 6455 section 5.5)."""
    text = reason.encode()[:123].decode(errors="ignore").encode()
    return encode_frame(CLOSE, code.to_bytes(2, "big") + text, masked=masked)


def decode_close(payload: bytes) -> Close:
    if len(payload) < 2:
        return Close(_NO_STATUS, "")
    return Close(int.from_bytes(payload[:2], "big"), payload[2:].decode(errors="replace"))


class FrameFollower:
    """Follows the frame headers of one direction of a call whose bytes go on unchanged.

    `feed` answers how many of the bytes may go on: all of them, or those before a frame that would make a
    message larger than `largest_message` bytes (`oversized` is then true and nothing more should be fed).
    `close` is set once a close frame has passed whole. `messages` counts finished data messages.
    """

    __slots__ = (
        "_close_mask",
        "_close_payload",
        "_fragmented",
        "_message_size",
        "_partial",
        "_remaining",
        "_torn",
        "close",
        "largest_message",
        "messages",
        "oversized",
    )

    def __init__(self, largest_message: int) -> None:
        self.largest_message = largest_message
        self._remaining = 0
        self._partial = b""
        self._fragmented = False
        self._message_size = 0
        self._close_payload: bytearray | None = None
        self._close_mask = b""
        self.close: Close | None = None
        self.oversized = False
        self._torn = False
        self.messages = 0

    @property
    def at_boundary(self) -> bool:
        """Whether a message of our own may be put into the stream here."""
        return not (self._remaining or self._partial or self._fragmented or self._torn)

    def feed(self, data: bytes) -> int:
        size = len(data)
        if self._remaining >= size and self._close_payload is None:
            self._remaining -= size  # the common case: the middle of a large frame
            return size
        return self._walk(data, size)

    def _walk(self, data: bytes, size: int) -> int:
        held = len(self._partial)
        if held:
            data, self._partial = self._partial + data, b""
        at, end = 0, size + held
        while True:
            at += self._take_payload(data, at, end)
            if at >= end:
                return size
            header = _parse_header(data, at)
            if header is None:
                self._partial = data[at : at + _LONGEST_HEADER]
                return size
            if not self._begin(header):
                self._torn = held > at  # its first bytes have gone on already
                return max(0, at - held)
            at += header.size
            if self._close_payload is not None and not header.length:
                self._finish_close()

    def _take_payload(self, data: bytes, at: int, end: int) -> int:
        taken = min(self._remaining, end - at)
        self._remaining -= taken
        if self._close_payload is not None:
            self._close_payload += data[at : at + taken]
            if not self._remaining:
                self._finish_close()
        return taken

    def _begin(self, header: _Header) -> bool:
        if header.opcode < CLOSE:
            self._message_size = header.length + (self._message_size if self._fragmented else 0)
            if self._message_size > self.largest_message:
                self.oversized = True
                return False
            self._fragmented = not header.final
            self.messages += header.final
        elif header.length > _LONGEST_CONTROL:
            self.oversized = True
            return False
        elif header.opcode == CLOSE:
            self._close_payload, self._close_mask = bytearray(), header.mask
        self._remaining = header.length
        return True

    def _finish_close(self) -> None:
        payload = apply_mask(bytes(self._close_payload or b""), self._close_mask)
        self.close = self.close or decode_close(payload)
        self._close_payload = None


class FrameDecoder:
    """Decodes one direction's bytes, in any pieces, into messages: unmasked, fragments joined."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._needed = 2
        self._fragments: list[bytes] = []
        self._opcode = CONTINUATION
        self._broken = False

    def feed(self, data: bytes) -> list[Message]:
        """The messages that these bytes complete. Bytes that are no frames give one `BROKEN` message with
        what was there, and nothing after it."""
        if self._broken:
            return []
        self._buffer += data
        if len(self._buffer) < self._needed:
            return []
        return self._drain()

    def _drain(self) -> list[Message]:
        messages: list[Message] = []
        buffer, at = self._buffer, 0
        while (header := _parse_header(buffer, at)) is not None:
            if not self._acceptable(header):
                self._broken = True
                messages.append(Message(BROKEN, bytes(buffer[at:])))
                at = len(buffer)
                break
            end = at + header.size + header.length
            if end > len(buffer):
                self._needed = end - at
                break
            payload = apply_mask(bytes(buffer[at + header.size : end]), header.mask)
            at = end
            self._needed = 2
            if (message := self._join(header, payload)) is not None:
                messages.append(message)
        del buffer[:at]
        return messages

    def _acceptable(self, header: _Header) -> bool:
        """Opcodes, fragmentation and control frames as RFC 6455 sections 5.2, 5.4 and 5.5 allow them."""
        if header.opcode in (CLOSE, PING, PONG):
            return header.final and header.length <= _LONGEST_CONTROL
        if header.opcode == CONTINUATION:
            return bool(self._opcode)
        return header.opcode in (TEXT, BINARY) and not self._opcode

    def _join(self, header: _Header, payload: bytes) -> Message | None:
        if header.opcode >= CLOSE:
            return Message(header.opcode, payload)
        if header.final and header.opcode:
            return Message(header.opcode, payload)
        self._opcode = header.opcode or self._opcode
        self._fragments.append(payload)
        if not header.final:
            return None
        message = Message(self._opcode, b"".join(self._fragments))
        self._fragments, self._opcode = [], CONTINUATION
        return message
