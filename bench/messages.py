"""The messages of the load, without I/O: a `Source` makes the frames of one direction of one call, a `Sink`
compares what arrives at the far end with what was sent: every byte, and the order.

A frame that arrives as it was sent is compared byte for byte in place. A relay that masks anew or writes the
JSON again is allowed to: then the message is decoded, and its fields must be those that were sent.
"""

from __future__ import annotations

import hashlib
import time
from array import array
from base64 import b64encode
from collections import deque
from copy import copy
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from voxgate.realtime.frames import PING, TEXT, FrameDecoder, encode_frame

UP: Final = b'{"type":"input_audio_buffer.append","event_id":"%s","audio":"%s"}'
DOWN: Final = (
    b'{"type":"response.output_audio.delta","event_id":"%s","response_id":"resp_bench",'
    b'"item_id":"item_bench","output_index":0,"content_index":0,"delta":"%s"}'
)
_BETA: Final = b"response.output_audio.delta", b"response.audio.delta"
_STAMP: Final = b"%08d-%019d"  # the message's number in its call and the moment of its sending in ns
STAMP_BYTES: Final = 28


@dataclass
class Counts:
    """What one direction of all calls did."""

    sent: int = 0
    received: int = 0
    wrong: int = 0
    latencies_ns: array[int] = field(default_factory=lambda: array("q"))


class Text:
    """The messages of a direction of a call: all alike but for their stamps. `size` is about that of one."""

    def __init__(self, template: bytes, size: int, seed: int) -> None:
        sound = _sound(max(64, size - len(template)), seed)
        whole = template % (b"\0" * STAMP_BYTES, sound)
        self.before, self.after = whole.split(b"\0" * STAMP_BYTES)
        self.fields: dict[str, Any] = orjson.loads(self.before + b"x" + self.after)
        del self.fields["event_id"]
        self.on_the_way: deque[tuple[bytes, int]] = deque()
        """Stamps of what was sent and has not arrived, with their moments."""

    def in_beta(self) -> Text:
        """The same messages as a client of the beta is to receive them."""
        other = copy(self)
        other.before = self.before.replace(*_BETA)
        other.fields = {**self.fields, "type": orjson.loads(other.before + b'"}')["type"]}
        return other

    def head(self, *, masked: bool) -> bytes:
        """A client's frames have the mask 0: legal, and free of charge for the load generator."""
        empty = bytes(len(self.before) + STAMP_BYTES + len(self.after))
        head = encode_frame(TEXT, empty)[: -len(empty)]
        return bytes((head[0], head[1] | 0x80)) + head[2:] + bytes(4) if masked else head


def _sound(size: int, seed: int) -> bytes:
    """Base64 text of `size` bytes that no relay can know beforehand."""
    return b64encode(hashlib.shake_128(str(seed).encode()).digest(size * 3 // 4 // 3 * 3))


class Source:
    """Makes the frames of one direction of one call, `burst` at a time, in one buffer that it uses again."""

    def __init__(self, text: Text, *, masked: bool, burst: int, counts: Counts) -> None:
        head = text.head(masked=masked)
        frame = head + text.before + bytes(STAMP_BYTES) + text.after
        self._frames = bytearray(frame * burst)
        self._stamps = range(len(head) + len(text.before), len(self._frames), len(frame))
        self._on_the_way = text.on_the_way
        self._counts = counts
        self._next = 0

    def frames(self) -> bytearray:
        now, number = time.perf_counter_ns(), self._next
        for at in self._stamps:
            stamp = _STAMP % (number, now)
            self._frames[at : at + STAMP_BYTES] = stamp
            self._on_the_way.append((stamp, now))
            number += 1
        self._counts.sent += number - self._next
        self._next = number
        return self._frames


class Sink:
    """Checks what arrives of one direction of one call. `pings` are the relay's own, to be answered."""

    def __init__(self, text: Text, *, masked: bool, counts: Counts) -> None:
        self._text = text
        self._on_the_way = text.on_the_way
        self._head = text.head(masked=masked)
        self._before = self._head + text.before
        self._after = text.after
        self._stamp_at = len(self._before)
        self._after_at = self._stamp_at + STAMP_BYTES
        self._frame_bytes = self._after_at + len(text.after)
        self._counts = counts
        self._partial = b""
        self._decoder: FrameDecoder | None = None
        self.pings: list[bytes] = []

    def feed(self, data: bytes | bytearray, size: int) -> int:
        """Takes the first `size` bytes; answers how many messages they completed."""
        now = time.perf_counter_ns()
        if self._decoder is not None:
            return self._decode(bytes(data[:size]), now)
        if self._partial:
            data = self._partial + data[:size]
            size = len(data)
        at = done = 0
        while size - at >= self._frame_bytes:
            if not self._arrived_as_sent(data, at, now):
                return done + self._decode(bytes(data[at:size]), now)
            at += self._frame_bytes
            done += 1
        if at == size:
            self._partial = b""
            return done
        rest = self._partial = bytes(data[at:size])
        if not self._head.startswith(rest[: len(self._head)]):
            return done + self._decode(rest, now)
        return done

    def _arrived_as_sent(self, data: bytes | bytearray, at: int, now: int) -> bool:
        if not self._on_the_way:
            return False
        stamp, sent_at = self._on_the_way[0]
        if (
            data.startswith(self._before, at)
            and data.startswith(stamp, at + self._stamp_at)
            and data.startswith(self._after, at + self._after_at)
        ):
            self._on_the_way.popleft()
            self._counts.received += 1
            self._counts.latencies_ns.append(now - sent_at)
            return True
        return False

    def _decode(self, data: bytes, now: int) -> int:
        """From the first frame on that differs: the relay frames, masks or writes anew, or alters."""
        self._decoder = self._decoder or FrameDecoder()
        done = 0
        for message in self._decoder.feed(data):
            if message.opcode == PING:
                self.pings.append(message.payload)
            elif message.opcode == TEXT:
                done += 1
                self._judge(message.payload, now)
        return done

    def _judge(self, payload: bytes, now: int) -> None:
        counts, way = self._counts, self._on_the_way
        counts.received += 1
        stamp = self._stamp_of(payload)
        if way and way[0][0] == stamp:
            counts.latencies_ns.append(now - way.popleft()[1])
            return
        counts.wrong += 1
        if any(one == stamp for one, _ in way):  # those before it are missing
            while way.popleft()[0] != stamp:
                pass
        elif way and not stamp:  # altered; one that came twice takes no other's place
            way.popleft()

    def _stamp_of(self, payload: bytes) -> bytes:
        """Nothing unless all else is what was sent, be it in other JSON."""
        before, after = self._text.before, self._text.after
        if payload.startswith(before) and payload.endswith(after):
            return payload[len(before) : -len(after)]
        try:
            fields = orjson.loads(payload)
            stamp = fields.pop("event_id")
        except (ValueError, AttributeError, KeyError):
            return b""
        return stamp.encode() if fields == self._text.fields and isinstance(stamp, str) else b""
