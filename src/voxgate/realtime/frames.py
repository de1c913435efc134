"""WebSocket frames as bytes (RFC 6455 section 5). `FrameFollower` walks along a stream that is passed on
unchanged and knows where messages begin, how large they are and how the stream was closed; `FrameDecoder`
turns the same bytes into messages, later, from the wire log. Neither does I/O and neither raises.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

CONTINUATION: Final = 0x0
TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA
BROKEN: Final = -1
"""Opcode of the message that a `FrameDecoder` gives once for bytes that are no WebSocket frames."""

_SHORTEST_HEADER: Final = 2
_LONGEST_HEADER: Final = 14
_WHOLE_TEXT: Final = 0x80 | TEXT
_LONGEST_CONTROL: Final = 125  # RFC 6455 section 5.5
_NO_STATUS: Final = 1005


class Message(NamedTuple):
    opcode: int
    payload: bytes
    frame: bytes = b""
    """As it came, header and mask included, where it was one frame and the decoder keeps them."""


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


def _parse_header(buffer: bytes | bytearray | memoryview, at: int = 0) -> _Header | None:
    """The frame header at `at`, or None while it is incomplete (RFC 6455 section 5.2)."""
    available = len(buffer) - at
    if available < _SHORTEST_HEADER:
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


def frame_size(data: bytes | bytearray) -> int | None:
    """Of the frame that begins so, with its header; None while that is not whole."""
    header = _parse_header(data)
    return None if header is None else header.size + header.length


def apply_mask(payload: bytes, mask: bytes) -> bytes:
    """XOR with the repeated mask (RFC 6455 section 5.3), through one big integer."""
    if not mask or not payload:
        return payload
    size = len(payload)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "little") ^ int.from_bytes(key, "little")).to_bytes(size, "little")


def encode_frame(
    opcode: int,
    payload: bytes,
    *,
    masked: bool = False,
    mask_with: Callable[[bytes, bytes], bytes] = apply_mask,
) -> bytes:
    """One final frame; `masked` for frames that go to a server. `mask_with` may be a faster `apply_mask`."""
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
    return head + mask + mask_with(payload, mask)


def encode_close(code: int, reason: str, *, masked: bool = False) -> bytes:
    """A close frame; the reason is cut to the 123 bytes that fit (RFC 6455 section 5.5)."""
    text = reason.encode()[:123].decode(errors="ignore").encode()
    return encode_frame(CLOSE, code.to_bytes(2, "big") + text, masked=masked)


def decode_close(payload: bytes) -> Close:
    if len(payload) < 2:
        return Close(_NO_STATUS, "")
    return Close(int.from_bytes(payload[:2], "big"), payload[2:].decode(errors="replace"))


def find_text(buffer: bytes | bytearray | memoryview, at: int) -> tuple[bytes, int, int] | None:
    """The mask (empty if there is none), and where the payload begins and ends, of a whole text message of
    less than 64 KiB in one frame that begins at `at`; None for anything else. Nearly every frame is one."""
    size = len(buffer)
    if at >= size - _LONGEST_HEADER or buffer[at] != _WHOLE_TEXT:
        return None
    second = buffer[at + 1]
    length, begin = second & 0x7F, at + 2
    if length == 126:
        length, begin = buffer[at + 2] << 8 | buffer[at + 3], at + 4
    elif length == 127:
        return None
    mask = b""
    if second & 0x80:
        mask = bytes(buffer[begin : begin + 4])
        begin += 4
    end = begin + length
    return (mask, begin, end) if end <= size else None


def begins_text(buffer: bytes | memoryview, largest_message: int, largest_frame: int) -> bool:
    """Whether this is the beginning of what `find_text` finds, with its header, and no more, and the sizes in
    bytes of message and frame are not larger."""
    size = len(buffer)
    if size <= _LONGEST_HEADER or buffer[0] != _WHOLE_TEXT:
        return False
    second = buffer[1]
    length, begin = second & 0x7F, 2
    if length == 126:
        length, begin = buffer[2] << 8 | buffer[3], 4
    elif length == 127:
        return False
    end = begin + length + (4 if second & 0x80 else 0)
    return size < end <= largest_frame and length <= largest_message


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
        "_plain",
        "_remaining",
        "_torn",
        "close",
        "ended",
        "largest_message",
        "messages",
        "oversized",
    )

    def __init__(self, largest_message: int) -> None:
        self.largest_message = largest_message
        self._plain = True
        """Whether nothing is held of a header, a close frame or a fragmented message."""
        self._remaining = 0
        self._partial = b""
        self._fragmented = False
        self._message_size = 0
        self._close_payload: bytearray | None = None
        self._close_mask = b""
        self.close: Close | None = None
        self.oversized = False
        self.ended = False
        """Whether a close frame has passed, or a message was too large."""
        self._torn = False
        self.messages = 0

    @property
    def at_boundary(self) -> bool:
        """Whether a message of our own may be put into the stream here."""
        return self.between_frames and not self._fragmented

    @property
    def between_frames(self) -> bool:
        """Whether a control frame may be put in here, if perhaps in the middle of a fragmented message."""
        return not (self._remaining or self._partial or self._torn)

    @property
    def position(self) -> tuple[int, bytes, bool]:
        """How many bytes of a frame's payload are still to come, what came of a header, and whether a
        message is open: with these a `FrameDecoder` can go on here."""
        return self._remaining, self._partial, self._fragmented

    def feed(self, data: bytes | memoryview) -> int:
        size, at = len(data), 0
        if self._plain:
            at = self._remaining
            while at < size - _LONGEST_HEADER:
                # Nearly every frame is a whole text message.
                if data[at] != _WHOLE_TEXT:
                    break
                second = data[at + 1]
                length, end = second & 0x7F, at + 2
                if length == 126:
                    length, end = data[at + 2] << 8 | data[at + 3], at + 4
                elif length == 127:
                    break
                if length > self.largest_message:
                    break
                self.messages += 1
                at = end + length + 4 if second & 0x80 else end + length
            if at >= size:
                self._remaining = at - size
                return size
            self._remaining = 0
        return self._walk(data, size, at)

    def _walk(self, data: bytes | memoryview, size: int, at: int) -> int:
        held = len(self._partial)
        if held:
            data, self._partial = self._partial + data, b""
        end = size + held
        while True:
            at += self._take_payload(data, at, end)
            if at >= end:
                self._plain = not self._fragmented and self._close_payload is None
                return size
            header = _parse_header(data, at)
            if header is None:
                self._partial = bytes(data[at : at + _LONGEST_HEADER])
                self._plain = False
                return size
            if not self._begin(header):
                self._torn = held > at  # its first bytes have gone on already
                return max(0, at - held)
            at += header.size
            if self._close_payload is not None and not header.length:
                self._finish_close()

    def _take_payload(self, data: bytes | memoryview, at: int, end: int) -> int:
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
                self.oversized = self.ended = True
                return False
            self._fragmented = not header.final
            self.messages += header.final
        elif header.length > _LONGEST_CONTROL:
            self.oversized = self.ended = True
            return False
        elif header.opcode == CLOSE:
            self._close_payload, self._close_mask = bytearray(), header.mask
        self._remaining = header.length
        return True

    def _finish_close(self) -> None:
        payload = apply_mask(bytes(self._close_payload or b""), self._close_mask)
        self.close = self.close or decode_close(payload)
        self._close_payload = None
        self.ended = True


class FrameDecoder:
    """Decodes one direction's bytes, in any pieces, into messages: unmasked, fragments joined.

    Where bytes are missing it goes on behind them: after `skip` bytes of a frame's payload, and if the gap
    is in a fragmented message (`torn`) after the rest of that. `unmask` may be a faster `apply_mask`;
    `keep_frames` is for who passes messages on as they came.
    """

    __slots__ = (
        "_broken",
        "_buffer",
        "_fragments",
        "_keep_frames",
        "_needed",
        "_opcode",
        "_skip",
        "_torn",
        "_unmask",
    )

    def __init__(
        self,
        *,
        skip: int = 0,
        torn: bool = False,
        unmask: Callable[[bytes, bytes], bytes] = apply_mask,
        keep_frames: bool = False,
    ) -> None:
        self._skip = skip
        self._torn = torn
        self._unmask = unmask
        self._keep_frames = keep_frames
        self._buffer = bytearray()
        self._needed = _SHORTEST_HEADER
        self._fragments = bytearray()
        """Of a message that is not whole yet, in one piece: many small ones would take far more."""
        self._opcode = CONTINUATION
        self._broken = False

    @property
    def idle(self) -> bool:
        """Whether nothing of a message is held."""
        return not self._buffer and not self._opcode

    @property
    def missing_bytes(self) -> int:
        """Of the frame that is held in part; 0 if that is not known."""
        return max(0, self._needed - len(self._buffer)) if self._needed > _SHORTEST_HEADER else 0

    def feed(self, data: bytes) -> list[Message]:
        """The messages that these bytes complete. Bytes that are no frames give one `BROKEN` message with
        what was there, and nothing after it."""
        if self._broken:
            return []
        if self._skip:
            skipped = min(self._skip, len(data))
            self._skip -= skipped
            data = data[skipped:]
        if (text := self.whole_text(data)) is not None:
            return [Message(TEXT, text, data if self._keep_frames else b"")]
        messages: list[Message] = []
        if not self._buffer:
            if (at := self._drain(data, messages)) < len(data):
                self._buffer += memoryview(data)[at:]
            return messages
        self._buffer += data
        if len(self._buffer) >= self._needed:
            del self._buffer[: self._drain(self._buffer, messages)]
        return messages

    def whole_text(self, data: bytes) -> bytes | None:
        """The text, where one frame and nothing else came: what a client says mostly does. None otherwise:
        then nothing has been taken."""
        if self._opcode or self._buffer or self._skip or self._broken:
            return None
        frame = find_text(data, 0)
        if frame is None or frame[2] != len(data):
            return None
        self._torn = False
        mask, begin, _ = frame
        return self._unmask(data[begin:], mask) if mask else data[begin:]

    def _drain(self, buffer: bytes | bytearray, messages: list[Message]) -> int:
        """Takes the whole frames; where the rest begins."""
        at = 0
        while True:
            at = self._take_plain(buffer, at, messages)
            if at == len(buffer):
                self._needed = _SHORTEST_HEADER
                return at
            header = _parse_header(buffer, at)
            if header is None:
                self._needed = _SHORTEST_HEADER
                return at
            if not self._acceptable(header):
                self._broken = True
                messages.append(Message(BROKEN, bytes(buffer[at:])))
                return len(buffer)
            end = at + header.size + header.length
            if end > len(buffer):
                self._needed = end - at
                return at
            payload = bytes(buffer[at + header.size : end])
            if header.mask:
                payload = self._unmask(payload, header.mask)
            at = end
            if (message := self._join(header, payload)) is not None:
                messages.append(message)

    def _take_plain(self, buffer: bytes | bytearray, at: int, messages: list[Message]) -> int:
        """Nearly every frame is a whole text message of less than 64 KiB: those that come first, cheaply."""
        if self._opcode:
            return at
        while (frame := find_text(buffer, at)) is not None:
            mask, begin, end = frame
            payload = bytes(buffer[begin:end])
            if mask:
                payload = self._unmask(payload, mask)
            messages.append(Message(TEXT, payload, bytes(buffer[at:end]) if self._keep_frames else b""))
            self._torn = False
            at = end
        return at

    def _acceptable(self, header: _Header) -> bool:
        """Opcodes, fragmentation and control frames as RFC 6455 sections 5.2, 5.4 and 5.5 allow them."""
        if header.opcode in (CLOSE, PING, PONG):
            return header.final and header.length <= _LONGEST_CONTROL
        if header.opcode == CONTINUATION:
            return bool(self._opcode) or self._torn
        return header.opcode in (TEXT, BINARY) and not self._opcode

    def _join(self, header: _Header, payload: bytes) -> Message | None:
        if header.opcode >= CLOSE:
            return Message(header.opcode, payload)
        if self._torn and not header.opcode:
            self._torn = not header.final
            return None
        self._torn = False
        if header.final and header.opcode:
            return Message(header.opcode, payload)
        self._opcode = header.opcode or self._opcode
        self._fragments += payload
        if not header.final:
            return None
        message = Message(self._opcode, bytes(self._fragments))
        self._fragments, self._opcode = bytearray(), CONTINUATION
        return message
