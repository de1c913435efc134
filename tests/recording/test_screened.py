"""The log of a call whose sound or words are not to be recorded, on a log that keeps records in a list."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from voxgate.realtime.frames import BINARY, PING, TEXT, encode_close, encode_frame
from voxgate.realtime.screening import Screen
from voxgate.recording.eventlog import EventLogBuilder
from voxgate.recording.screened import ScreenedLog
from voxgate.recording.spool import CHUNK, Gap, Relayed
from voxgate.recording.wirelog import CLIENT, FACT, SERVER, WireRecord

APPEND = b'{"type":"input_audio_buffer.append","audio":"UExVTQ=="}'
SPOKEN = b'{"type":"response.output_text.delta","delta":"PLUM"}'


class KeptLog:
    """As `WireLog`, in memory; `full` while it has no room."""

    def __init__(self) -> None:
        self.gaps: dict[int, Gap] = {}
        self.full = False
        self.records: list[WireRecord] = []
        self.ended: tuple[int, str, str] | None = None

    @property
    def has_room(self) -> bool:
        return not self.full

    def buffer(self) -> memoryview:
        raise AssertionError("nothing may be received into it")

    def commit(self, kind: int, size: int) -> None:
        raise AssertionError("nothing may be received into it")

    def append(self, kind: int, data: bytes) -> None:
        if self.full:
            self.gaps.setdefault(kind, Gap()).records += 1
        else:
            self.records.append(WireRecord(0, kind, data))

    def fact(self, fact: dict[str, Any]) -> None:
        self.append(FACT, orjson.dumps(fact))

    def mend(self, kind: int, side: str, skip: int, torn: bool) -> None:
        gap = self.gaps.pop(kind)
        self.fact({"type": "gateway.lost", "side": side, "records": gap.records, "skip": skip, "torn": torn})

    def close(self, code: int, reason: str, side: str, relayed: Relayed | None = None) -> None:
        self.ended = code, reason, side


class Case:
    def __init__(self, *, audio: bool, text: bool) -> None:
        self.kept = KeptLog()
        self.log = ScreenedLog(self.kept, Screen(audio, text))

    def receive(self, kind: int, data: bytes) -> None:
        """As the relay does: into the log's room, and then it is told how much."""
        room = self.log.buffer()
        for at in range(0, len(data), CHUNK):
            piece = data[at : at + CHUNK]
            room[: len(piece)] = piece
            self.log.commit(kind, len(piece))

    def messages(self) -> list[tuple[str, Any]]:
        builder = EventLogBuilder()
        lines = [orjson.loads(line) for record in self.kept.records for line in builder.feed(record)]
        return [(line["dir"], line.get("msg") or line.get("close")) for line in lines]


def test_only_what_may_be_recorded_gets_there() -> None:
    case = Case(audio=False, text=True)
    case.receive(CLIENT, encode_frame(TEXT, APPEND, masked=True))
    case.receive(SERVER, encode_frame(TEXT, SPOKEN))
    assert case.messages() == [
        ("client", {"type": "input_audio_buffer.append", "audio": "[not recorded: 4 bytes]"}),
        ("server", orjson.loads(SPOKEN)),
    ]


@pytest.mark.parametrize("size", [1, 3, 7, 1 << 20])
def test_messages_are_found_in_pieces_of_any_size(size: int) -> None:
    case = Case(audio=True, text=False)
    stream = encode_frame(TEXT, APPEND, masked=True) + encode_frame(PING, b"PLUM", masked=True)
    stream += encode_frame(TEXT, SPOKEN, masked=True) * 3
    for at in range(0, len(stream), size):
        case.receive(CLIENT, stream[at : at + size])
    words = {"type": "response.output_text.delta"}
    assert [msg for _, msg in case.messages()] == [orjson.loads(APPEND), words, words, words]


def test_what_cannot_be_judged_is_not_recorded_and_that_is() -> None:
    case = Case(audio=False, text=True)
    case.receive(CLIENT, encode_frame(BINARY, b"PLUM", masked=True))
    case.log.append(SERVER, encode_frame(TEXT, b"PLUM, no JSON"))
    facts = [msg for _, msg in case.messages()]
    assert facts == [
        {"type": "gateway.not_recorded", "side": "client", "bytes": 4},
        {"type": "gateway.not_recorded", "side": "provider", "bytes": 13},
    ]


def test_bytes_that_are_no_frames_are_not_recorded() -> None:
    case = Case(audio=False, text=False)
    case.receive(SERVER, b"\xffPLUM" * 50)
    case.receive(SERVER, encode_frame(TEXT, SPOKEN))
    assert [msg["type"] for _, msg in case.messages()] == ["gateway.not_recorded"]


def test_a_gap_of_the_log_behind_is_told_once_there_is_room() -> None:
    case = Case(audio=False, text=True)
    case.kept.full = True
    case.receive(SERVER, encode_frame(TEXT, SPOKEN) * 2)
    assert case.log.has_room
    assert case.log.gaps == {}
    case.kept.full = False
    case.receive(SERVER, encode_frame(TEXT, SPOKEN))
    lost = {"type": "gateway.lost", "side": "provider", "records": 2, "skip": 0, "torn": False}
    assert case.messages() == [("gateway", lost), ("server", orjson.loads(SPOKEN))]


def test_the_end_of_a_call_says_no_words_either() -> None:
    case = Case(audio=True, text=False)
    case.receive(CLIENT, encode_close(1000, "my name is PLUM", masked=True))
    case.log.close(1000, "my name is PLUM", "client")
    assert case.messages() == [("client", {"code": 1000, "reason": ""})]
    assert case.kept.ended == (1000, "", "client")
    case.log.close(4003, "said by the gateway", "gateway")
    assert case.kept.ended == (4003, "said by the gateway", "gateway")


def test_an_answer_of_the_gateway_does_not_repeat_the_clients_words() -> None:
    case = Case(audio=True, text=False)
    answer = b'{"type":"error","error":{"code":"tool_not_allowed","message":"not PLUM"}}'
    case.log.fact({"type": "gateway.answered", "message": orjson.Fragment(answer)})
    (fact,) = [msg for _, msg in case.messages()]
    assert fact["message"] == {"type": "error", "error": {"code": "tool_not_allowed"}}
