"""The event log: one JSON line for each message of a call. Wire records in, lines (and the same as events)
out; lines in, events out. A line is

    {"t": ns, "dir": "client" | "server" | "gateway", "msg": …}        the message's own JSON text
    {"t": ns, "dir": …, "raw": base64, "binary": true}                 a binary message; without it: no JSON
    {"t": ns, "dir": …, "raw": base64, "broken": true}                 bytes that are no WebSocket frames
    {"t": ns, "dir": …, "close": {"code": 1000, "reason": ""}}         a close frame

with the time in ns since the session began. The text of a message is kept as it was, except that line breaks
between its tokens become spaces and secrets of MCP servers are taken out.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

import orjson
import pybase64

from voxgate.realtime import frames
from voxgate.realtime.frames import FrameDecoder, Message
from voxgate.realtime.peek import lift_sound
from voxgate.realtime.redaction import REDACTED, REDACTED_MEMBERS, ArgumentDeltas, redact, without_keys
from voxgate.recording.masks import apply_mask
from voxgate.recording.wirelog import CLIENT, FACT, SERVER, WireRecord
from voxgate.traces.events import Event

Entry = tuple[bytes, Event]
"""A line with its line break, and what `read_events` would make of it."""

_SHORTEST_SECRET: Final = 8
_DIRECTIONS: Final = {CLIENT: "client", SERVER: "server", FACT: "gateway"}
_HEADS: Final = {direction: b',"dir":"%s",' % direction.encode() for direction in _DIRECTIONS.values()}
_SOUND_HEADS: Final = {
    direction: b'{"t":%%d,"dir":"%b","msg":' % direction.encode() for direction in _DIRECTIONS.values()
}
_MESSAGE_LINE: Final = re.compile(rb'\{"t":(\d{1,18}),"dir":"(client|server)","msg":')


class EventLogBuilder:
    """Follows one session's wire log. Never raises, whatever crossed the wire."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        """`secrets` are texts that must not get into it, such as the providers' keys."""
        self._secrets = [secret.encode() for secret in secrets if len(secret) >= _SHORTEST_SECRET]
        self._arguments = ArgumentDeltas()
        self._decoders = {kind: FrameDecoder(unmask=apply_mask) for kind in (CLIENT, SERVER)}

    def feed(self, record: WireRecord) -> list[bytes]:
        """The lines that this record completes."""
        return [line for line, _ in self.entries(record)]

    def entries(self, record: WireRecord) -> list[Entry]:
        t_ns, kind, data = record
        if kind == FACT:
            return [self._fact(record)]
        decoder = self._decoders.get(kind)
        if decoder is None:
            return []
        direction = _DIRECTIONS[kind]
        if (text := decoder.whole_text(data)) is not None:
            return [self._text(t_ns, direction, text)]
        found = (self._entry(t_ns, direction, message) for message in decoder.feed(data))
        return [entry for entry in found if entry is not None]

    def _entry(self, t_ns: int, direction: str, message: Message) -> Entry | None:
        opcode, payload, _ = message
        if opcode == frames.TEXT:
            return self._text(t_ns, direction, payload)
        if opcode in (frames.PING, frames.PONG):
            return None
        if self._secrets:
            payload = self._without_secrets(payload)
        if opcode == frames.CLOSE:
            closed = frames.decode_close(payload)
            close = {"code": closed.code, "reason": without_keys(closed.reason)}
            return _line(t_ns, direction, b"close", orjson.dumps(close)), Event(t_ns, direction, close=close)
        mark = b',"broken":true' if opcode == frames.BROKEN else b',"binary":true'
        return _raw_entry(t_ns, direction, payload, mark)

    def _text(self, t_ns: int, direction: str, text: bytes) -> Entry:
        if self._secrets:
            text = self._without_secrets(text)
        if (lifted := lift_sound(text)) is None:
            return _text_entry(t_ns, direction, text, self._arguments)
        # Nearly all messages: here the sound is decoded once, for all who need it.
        message, sound = lifted
        if not REDACTED_MEMBERS.isdisjoint(message) and redact(message) is not None:
            return _text_entry(t_ns, direction, text, self._arguments)
        line = b"".join((_SOUND_HEADS[direction] % t_ns, _on_one_line(text), b"}\n"))
        return line, Event(t_ns, direction, message, None, None, sound)

    def _without_secrets(self, payload: bytes) -> bytes:
        for secret in self._secrets:
            if secret in payload:
                payload = payload.replace(secret, REDACTED.encode())
        return payload

    def _fact(self, record: WireRecord) -> Entry:
        entry = _text_entry(record.t_ns, "gateway", record.data)
        msg = entry[1].msg
        if msg is not None and msg.get("type") == "gateway.lost":
            kind = CLIENT if msg.get("side") == "client" else SERVER
            skip, torn = int(msg.get("skip", 0)), bool(msg.get("torn"))
            self._decoders[kind] = FrameDecoder(skip=skip, torn=torn, unmask=apply_mask)
        return entry


def read_events(lines: Iterable[bytes]) -> Iterator[Event]:
    """The events of a log. Lines that are none, such as a half-written last one, are passed over."""
    for line in lines:
        event = read_event(line)
        if event is not None:
            yield event


def read_event(line: bytes) -> Event | None:
    """None for a line that is none."""
    return _read_sound(line) or _read_event(line)


def _text_entry(t_ns: int, direction: str, text: bytes, arguments: ArgumentDeltas | None = None) -> Entry:
    try:
        parsed: Any = orjson.loads(text)
    except orjson.JSONDecodeError:
        # A broken session.update may hold the same secrets as a whole one.
        return _raw_entry(t_ns, direction, REDACTED.encode() if b"authorization" in text else text)
    if not isinstance(parsed, dict):
        return _line(t_ns, direction, b"msg", _on_one_line(text)), Event(t_ns, direction)
    redacted = redact(parsed) or (arguments.redact(parsed) if arguments is not None else None)
    if redacted is not None:
        text, parsed = orjson.dumps(redacted), redacted
    return _line(t_ns, direction, b"msg", _on_one_line(text)), Event(t_ns, direction, msg=parsed)


def _on_one_line(text: bytes) -> bytes:
    """Inside strings JSON has no raw line breaks (RFC 8259 section 7), so these are between tokens."""
    if b"\n" not in text and b"\r" not in text:
        return text
    return text.replace(b"\r", b" ").replace(b"\n", b" ")


def _raw_entry(t_ns: int, direction: str, data: bytes, mark: bytes = b"") -> Entry:
    encoded = b'"' + pybase64.b64encode(data) + b'"' + mark
    return _line(t_ns, direction, b"raw", encoded), Event(t_ns, direction, raw=data)


def _line(t_ns: int, direction: str, key: bytes, value: bytes) -> bytes:
    return b'{"t":%d%s"%s":%s}\n' % (t_ns, _HEADS[direction], key, value)


def _read_sound(line: bytes) -> Event | None:
    """A line whose message has its sound lifted out; None for any other line."""
    begin = _MESSAGE_LINE.match(line)
    text = line.rstrip()[begin.end() :] if begin is not None else b""
    lifted = lift_sound(text[:-1]) if text.endswith(b"}") else None
    if begin is None or lifted is None:
        return None
    return Event(int(begin[1]), begin[2].decode(), lifted[0], sound=lifted[1])


def _read_event(line: bytes) -> Event | None:
    try:
        entry = orjson.loads(line)
        t_ns, direction = entry["t"], entry["dir"]
        if not isinstance(t_ns, int) or isinstance(t_ns, bool) or direction not in _DIRECTIONS.values():
            return None
        raw = pybase64.b64decode(entry["raw"], validate=True) if "raw" in entry else None
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, binascii.Error):
        return None
    msg, close = entry.get("msg"), entry.get("close")
    return Event(
        t_ns,
        direction,
        msg if isinstance(msg, dict) else None,
        raw,
        close if isinstance(close, dict) else None,
    )
