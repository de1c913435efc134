"""Calls of any kind as event logs with their tracks, as the recorder makes them."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from tests.traces.calls import OPENED

from voxgate.jobs.tracks import TrackWriter
from voxgate.realtime.frames import BINARY, TEXT, encode_close, encode_frame
from voxgate.recording.eventlog import EventLogBuilder
from voxgate.recording.wirelog import CLIENT, FACT, SERVER, WireRecord
from voxgate.store import FolderBlobs
from voxgate.traces import TraceBuilder

FORMATS: list[Any] = [
    {"type": "audio/pcm", "rate": 24_000},
    {"type": "audio/pcm", "rate": 16_000},
    {"type": "audio/pcmu"},
    {"type": "audio/pcma"},
]
PREFIX = "sessions/sess_1"


class RecordedCall:
    """Takes what crosses the wire, and keeps the event log and the tracks of it."""

    def __init__(self, folder: Path, **opened: Any) -> None:
        self.blobs = FolderBlobs(folder)
        self.lines: list[bytes] = []
        self._log = EventLogBuilder()
        self._builder = TraceBuilder("sess_1")
        self._writer = TrackWriter(self.blobs, PREFIX, self._builder.layout)
        self._t_ns = 0
        self.fact({**OPENED, **opened})

    def fact(self, fact: dict[str, Any]) -> None:
        self.record(FACT, json.dumps(fact).encode())

    def record(self, kind: int, data: bytes) -> None:
        self._t_ns += 20_000_000
        for line, event in self._log.entries(WireRecord(self._t_ns, kind, data)):
            self.lines.append(line)
            self._writer.write(self._builder.feed(event))

    def text(self, kind: int, text: bytes) -> None:
        self.record(kind, encode_frame(TEXT, text, masked=kind == CLIENT))

    def finish(self) -> TraceBuilder:
        self._writer.finish()
        self.blobs.put(f"{PREFIX}/events.jsonl", b"".join(self.lines))
        return self._builder

    @property
    def rates(self) -> dict[str, int]:
        layout = self._builder.layout
        return {track: layout.rate(track) for track in layout.present}


Step = tuple[int, bytes, str]
"""Direction, data, and what kind of message: text or something else."""


def message(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def _sound_texts(encoded: bytes, name: bytes, before: bytes) -> list[bytes]:
    """The same sound in ways that clients write it: all but the first are odd."""
    plain = before + b'"' + name + b'":"%b"}'
    spaced = before.replace(b":", b" : ") + b'"' + name + b'" : "%b" }'
    return [
        plain % encoded,
        spaced % encoded,
        b"\n" + plain % encoded,
        plain % encoded.rstrip(b"="),
        plain % encoded.replace(b"/", b"\\/"),
        plain % encoded.replace(b"+", b"-").replace(b"/", b"_"),
        plain % (encoded[: len(encoded) // 8 * 4] + b"\\n" + encoded[len(encoded) // 8 * 4 :]),
        plain % encoded[:-1] + b" ",
        plain % encoded[:-4],
    ]


@st.composite
def _sound(draw: st.DrawFn) -> Step:
    kind = draw(st.sampled_from([CLIENT, SERVER]))
    data = draw(
        st.one_of(
            st.binary(max_size=40),
            st.integers(0, 700).map(lambda size: bytes((7 * n) % 256 for n in range(size))),
            st.lists(st.sampled_from([0x7F, 0xFF, 0x55, 0xD5, 0x00]), max_size=40).map(bytes),
        )
    )
    before, name = {
        CLIENT: (b'{"type":"input_audio_buffer.append",', b"audio"),
        SERVER: (b'{"type":"response.output_audio.delta","item_id":"i","response_id":"r",', b"delta"),
    }[kind]
    texts = _sound_texts(base64.b64encode(data), name, before)
    text = texts[0] if draw(st.integers(0, 2)) else draw(st.sampled_from(texts))
    return kind, text, "text"


def _formats(given: tuple[str, Any, Any]) -> Step:
    kind, first, second = given
    audio = {"input": {"format": first}, "output": {"format": second}}
    if kind == "response":
        return SERVER, message(type="response.created", response={"id": "r", "audio": audio}), "text"
    if kind == "session.update":
        return CLIENT, message(type=kind, session={"audio": audio}), "text"
    return SERVER, message(type=kind, session={"audio": audio}), "text"


_CHANGES = st.tuples(
    st.sampled_from(["session.updated", "session.update", "response"]),
    st.sampled_from(FORMATS),
    st.sampled_from(FORMATS),
).map(_formats)
_OTHER: st.SearchStrategy[Step] = st.one_of(
    st.tuples(st.sampled_from([CLIENT, SERVER]), st.binary(max_size=50), st.sampled_from(["text", "binary"])),
    st.just((SERVER, message(type="error", error={"message": "ä\u2028"}), "text")),
    st.just((CLIENT, b"", "close")),
    st.just((SERVER, b'{"t":1,"dir":"client","msg":{"audio":"QUJD"}}', "text")),
    st.just((CLIENT, b'{"type":"input_audio_buffer.append","audio":"[not recorded: 960 bytes]"}', "text")),
)
STEPS = st.lists(st.one_of(_sound(), _sound(), _sound(), _CHANGES, _OTHER), max_size=25)


def recorded(folder: Path, steps: Iterable[Step], **opened: Any) -> RecordedCall:
    call = RecordedCall(folder, **opened)
    for kind, data, what in steps:
        if what == "text":
            call.text(kind, data)
        elif what == "binary":
            call.record(kind, encode_frame(BINARY, data, masked=kind == CLIENT))
        else:
            call.record(kind, encode_close(1000, "done", masked=kind == CLIENT))
    call.finish()
    return call
