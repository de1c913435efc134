"""The log of a request: what the client sent and what it was answered, as messages of a wire log like those
of a call (docs/formats.md). So whatever reads, screens and redacts those reads these: a JSON body is one
message, an answer in server-sent events one for each event, and files and sound are binary messages.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Protocol

import orjson

from voxgate.gateway.requests.bodies import Wanted, files_of
from voxgate.gateway.requests.counting import Counting
from voxgate.realtime.frames import BINARY, TEXT, encode_frame
from voxgate.recording.spool import Log
from voxgate.recording.wirelog import CLIENT, SERVER

_PIECE_BYTES: Final = 256 << 10
"""A segment of the spool has to hold each."""
_LARGEST_EVENT: Final = 8 << 20
_DONE: Final = b"[DONE]"


def put(log: Log, kind: int, opcode: int, payload: bytes) -> None:
    frame = encode_frame(opcode, payload)
    for start in range(0, len(frame), _PIECE_BYTES):
        log.append(kind, frame[start : start + _PIECE_BYTES])


def put_request(log: Log, body: bytes, wanted: Wanted, content_type: str) -> None:
    if wanted.model_at is None and not content_type.startswith("multipart/"):
        put(log, CLIENT, TEXT, body)
        return
    files = list(files_of(body, content_type))
    shown = [
        {"name": each.name, "content_type": each.content_type, "bytes": len(each.data)} for each in files
    ]
    put(log, CLIENT, TEXT, orjson.dumps({**wanted.fields, "files": shown}))
    for each in files:
        put(log, CLIENT, BINARY, each.data)


class Reader(Protocol):
    """Takes an answer's bytes as they come, and gives the messages that they complete."""

    opcode: int

    def feed(self, data: bytes) -> Iterator[bytes]: ...

    def rest(self) -> Iterator[bytes]:
        """What is left at the end."""
        ...


class WholeReader:
    """One message: all of it."""

    opcode = TEXT

    def __init__(self, largest_bytes: int) -> None:
        self._pieces: list[bytes] = []
        self._left = largest_bytes

    def feed(self, data: bytes) -> Iterator[bytes]:
        self._left -= len(data)
        if self._left >= 0:
            self._pieces.append(data)
        return iter(())

    def rest(self) -> Iterator[bytes]:
        if self._pieces and self._left >= 0:
            yield b"".join(self._pieces)


class PieceReader:
    """Sound and other files: each piece as it comes."""

    opcode = BINARY

    def feed(self, data: bytes) -> Iterator[bytes]:
        yield data

    def rest(self) -> Iterator[bytes]:
        return iter(())


class EventReader:
    """Server-sent events (WHATWG HTML, 9.2): the data of each, but for OpenAI's `[DONE]`."""

    opcode = TEXT

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        buffer = self._buffer + data
        if b"\r" in buffer:
            held = buffer.endswith(b"\r")  # its line feed may still come
            buffer = buffer.replace(b"\r\n", b"\n").replace(b"\r", b"\r" if held else b"\n")
        *blocks, self._buffer = buffer.split(b"\n\n")
        if len(self._buffer) > _LARGEST_EVENT:
            self._buffer = b""
        for block in blocks:
            if (found := _data_of(block)) is not None:
                yield found

    def rest(self) -> Iterator[bytes]:
        if (found := _data_of(self._buffer)) is not None:
            yield found


def _data_of(block: bytes) -> bytes | None:
    if block.startswith(b"data: ") and b"\n" not in block:
        data = block[6:]
    else:
        lines = (line for line in block.split(b"\n") if line.startswith(b"data:"))
        data = b"\n".join(line[5:].removeprefix(b" ") for line in lines)
    return data if data and data != _DONE else None


class AnswerLog:
    """Follows an answer beside its way to the client: the log, and the count for those who keep a limit."""

    def __init__(self, log: Log, content_type: str, largest_bytes: int, counting: Counting | None) -> None:
        self._log = log
        self._reader = _reader(content_type, largest_bytes)
        self._counting = counting

    def feed(self, data: bytes) -> None:
        for message in self._reader.feed(data):
            self._take(message)

    def end(self) -> None:
        for message in self._reader.rest():
            self._take(message)

    def _take(self, message: bytes) -> None:
        put(self._log, SERVER, self._reader.opcode, message)
        if self._counting is not None:
            self._counting.take(self._reader.opcode, message)


def _reader(content_type: str, largest_bytes: int) -> Reader:
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "text/event-stream":
        return EventReader()
    is_text = kind.startswith("text/") or kind == "application/json" or kind.endswith("+json")
    return WholeReader(largest_bytes) if is_text else PieceReader()
