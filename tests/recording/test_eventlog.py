"""From bytes on the wire to lines of the event log, and from lines to events."""

from __future__ import annotations

import base64
import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxgate.realtime.frames import BINARY, CLOSE, PING, PONG, TEXT, FrameFollower, encode_close, encode_frame
from voxgate.realtime.redaction import redact
from voxgate.recording.eventlog import EventLogBuilder, read_events
from voxgate.recording.wirelog import CLIENT, FACT, SERVER, WireRecord
from voxgate.traces import Event, TrackLayout


def one(record: WireRecord) -> bytes:
    (line,) = EventLogBuilder().feed(record)
    return line


def text(payload: str, *, masked: bool = False) -> bytes:
    return encode_frame(TEXT, payload.encode(), masked=masked)


def test_a_messages_text_stays_as_it_was() -> None:
    written = '{ "type":"x",  "n": 1.0, "big":12345678901234567890123, "s":"ä\\u00e4\\n" }'
    line = one(WireRecord(5, CLIENT, text(written, masked=True)))
    assert line == b'{"t":5,"dir":"client","msg":' + written.encode() + b"}\n"


def test_line_breaks_between_tokens_do_not_break_the_line() -> None:
    line = one(WireRecord(5, SERVER, text('{\r\n  "type": "x"\n}')))
    assert line.count(b"\n") == 1
    assert orjson.loads(line) == {"t": 5, "dir": "server", "msg": {"type": "x"}}


def test_frames_in_pieces_and_messages_in_fragments_become_one_line_each() -> None:
    builder = EventLogBuilder()
    stream = text('{"type":"a"}', masked=True) + text('{"type":"b"}', masked=True)
    lines = [
        line for n in range(len(stream)) for line in builder.feed(WireRecord(n, CLIENT, stream[n : n + 1]))
    ]
    assert [orjson.loads(line)["msg"]["type"] for line in lines] == ["a", "b"]
    assert orjson.loads(lines[1])["t"] == len(stream) - 1


def test_both_directions_have_their_own_stream() -> None:
    builder = EventLogBuilder()
    ours, theirs = text('{"type":"a"}', masked=True), text('{"type":"b"}')
    assert builder.feed(WireRecord(1, CLIENT, ours[:5])) == []
    assert len(builder.feed(WireRecord(2, SERVER, theirs))) == 1
    assert len(builder.feed(WireRecord(3, CLIENT, ours[5:]))) == 1


def test_what_is_no_json_stays_as_raw_bytes() -> None:
    for payload in (b"hello", b'{"a":NaN}', b"\xff\xfe", b""):
        entry = orjson.loads(one(WireRecord(1, SERVER, encode_frame(TEXT, payload))))
        assert base64.b64decode(entry["raw"]) == payload
        assert "binary" not in entry
    entry = orjson.loads(one(WireRecord(1, SERVER, encode_frame(BINARY, b'{"type":"x"}'))))
    assert entry == {
        "t": 1,
        "dir": "server",
        "raw": base64.b64encode(b'{"type":"x"}').decode(),
        "binary": True,
    }


def test_json_that_is_no_object_is_kept_and_is_no_message() -> None:
    builder = EventLogBuilder()
    ((line, event),) = builder.entries(WireRecord(1, CLIENT, text("[1, 2]")))
    assert line == b'{"t":1,"dir":"client","msg":[1, 2]}\n'
    assert event == Event(1, "client")


def test_bytes_that_are_no_frames_are_kept_once() -> None:
    builder = EventLogBuilder()
    (line,) = builder.feed(WireRecord(1, CLIENT, b"\x83\x00GET / HTTP"))
    assert orjson.loads(line)["broken"] is True
    assert builder.feed(WireRecord(2, CLIENT, text('{"type":"x"}'))) == []


@pytest.mark.parametrize("cut", range(1, 30))
def test_after_a_loss_the_next_message_is_found_again(cut: int) -> None:
    """Whatever place of a message the gap begins and ends at."""
    builder = EventLogBuilder()
    lost, following = text('{"type":"the lost one"}'), text('{"type":"next"}')
    follower = FrameFollower(1 << 20)
    follower.feed(lost[:cut])
    builder.feed(WireRecord(1, SERVER, lost[: cut // 2]))
    skip, header, torn = follower.position
    fact = {"type": "gateway.lost", "side": "provider", "records": 1, "bytes": 1, "skip": skip, "torn": torn}
    builder.feed(WireRecord(2, FACT, orjson.dumps(fact)))
    lines = builder.feed(WireRecord(3, SERVER, header + lost[cut:] + following))
    assert orjson.loads(lines[-1])["msg"] == {"type": "next"}
    assert len(lines) == (2 if cut < 2 else 1)


def test_the_rest_of_a_fragmented_message_is_not_taken_for_another() -> None:
    builder = EventLogBuilder()
    builder.feed(WireRecord(1, CLIENT, b'\x01\x82\0\0\0\0{"' + b"\x00\x81"))
    builder.feed(WireRecord(2, FACT, b'{"type":"gateway.lost","side":"client","skip":3,"torn":true}'))
    rest = b"..." + b"\x00\x81\0\0\0\0x" + b"\x80\x81\0\0\0\0}"
    (line,) = builder.feed(WireRecord(3, CLIENT, rest + text('{"type":"next"}')))
    assert orjson.loads(line)["msg"] == {"type": "next"}


def test_pings_are_left_out_and_closes_are_told() -> None:
    builder = EventLogBuilder()
    assert builder.feed(WireRecord(1, SERVER, encode_frame(PING, b"abcd") + encode_frame(PONG, b""))) == []
    (line,) = builder.feed(WireRecord(2, SERVER, encode_close(3000, "invalid_request_error")))
    close = {"code": 3000, "reason": "invalid_request_error"}
    assert orjson.loads(line) == {"t": 2, "dir": "server", "close": close}
    assert orjson.loads(one(WireRecord(3, CLIENT, encode_frame(CLOSE, b""))))["close"]["code"] == 1005


MCP = {"type": "mcp", "server_label": "docs", "authorization": "Bearer hush", "headers": {"x-key": "hush"}}


@pytest.mark.parametrize(("kind", "holder"), [("session.update", "session"), ("response.create", "response")])
def test_secrets_of_mcp_servers_do_not_enter_the_log(kind: str, holder: str) -> None:
    function = {"type": "function", "name": "f", "headers": "no secret"}
    message = {"type": kind, holder: {"tools": [MCP, function], "instructions": "be kind"}}
    ((line, event),) = EventLogBuilder().entries(WireRecord(1, CLIENT, text(json.dumps(message))))
    assert b"hush" not in line
    tools = orjson.loads(line)["msg"][holder]["tools"]
    redacted = {"type": "mcp", "server_label": "docs", "authorization": "[redacted]", "headers": "[redacted]"}
    assert tools == [redacted, function]
    assert event.msg == orjson.loads(line)["msg"]


def test_secrets_in_a_broken_message_do_not_enter_it_either() -> None:
    line = one(WireRecord(1, CLIENT, text(json.dumps({"session": {"tools": [MCP]}})[:-1])))
    assert b"hush" not in base64.b64decode(orjson.loads(line)["raw"])


def test_messages_without_secrets_are_not_copied() -> None:
    assert redact({"type": "session.update", "session": {"tools": [{"type": "mcp"}, None, 3]}}) is None
    assert redact({"type": "x", "session": None, "response": {"tools": "mcp"}}) is None


@given(st.lists(st.tuples(st.sampled_from([CLIENT, SERVER, FACT]), st.binary(max_size=60)), max_size=20))
def test_no_bytes_stop_the_log_and_its_lines_read_back_as_the_same_events(
    records: list[tuple[int, bytes]],
) -> None:
    builder = EventLogBuilder()
    entries = [
        e for n, (kind, data) in enumerate(records) for e in builder.entries(WireRecord(n, kind, data))
    ]
    assert list(read_events(line for line, _ in entries)) == [event for _, event in entries]


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3)),
    max_leaves=8,
)


@given(st.lists(st.dictionaries(st.text(), JSON, max_size=4), max_size=5), st.booleans())
def test_any_messages_read_back_as_they_were(messages: list[dict], pretty: bool) -> None:
    builder, indent = EventLogBuilder(), 2 if pretty else None
    frames = [text(json.dumps(one, indent=indent, ensure_ascii=pretty), masked=True) for one in messages]
    lines = [line for frame in frames for line in builder.feed(WireRecord(1, CLIENT, frame))]
    assert [event.msg for event in read_events(lines)] == messages


def test_lines_that_are_none_are_passed_over() -> None:
    whole = b'{"t":1,"dir":"client","msg":{"type":"x"}}\n'
    odd = [
        b"",
        b"{",
        b"[]",
        b'{"t":"1","dir":"client"}',
        b'{"t":1,"dir":"up"}',
        b'{"t":1,"dir":"client","raw":"%"}',
    ]
    assert list(read_events([*odd, whole, whole[:20]])) == [Event(1, "client", {"type": "x"})]


@pytest.mark.parametrize("direction", [CLIENT, SERVER])
def test_sound_is_the_same_live_read_back_and_written_by_others(direction: int) -> None:
    kind, member = (
        ("input_audio_buffer.append", "audio"),
        ("response.output_audio.delta", "delta"),
    )[direction]
    messages = [{"type": kind, member: base64.b64encode(bytes(size)).decode()} for size in (3, 4_800, 70_000)]
    frames = b"".join(text(json.dumps(one), masked=direction == CLIENT) for one in messages)
    entries = EventLogBuilder().entries(WireRecord(1, direction, frames))
    live = [event for _, event in entries]
    assert [event.sound for event in live] == [bytes(3), bytes(4_800), bytes(70_000)]
    assert list(read_events(line for line, _ in entries)) == live
    by_others = [json.dumps({"t": 1, "dir": ("client", "server")[direction], "msg": one}) for one in messages]
    other = list(read_events(line.encode() for line in by_others))
    assert [event.msg for event in other] == messages
    first, second = TrackLayout(), TrackLayout()
    assert [first.feed(event) for event in live] == [second.feed(event) for event in other]


def test_a_message_with_sound_and_secrets_keeps_only_the_sound() -> None:
    message = {"type": "input_audio_buffer.append", "audio": "QUJD", "session": {"tools": [MCP]}}
    ((line, event),) = EventLogBuilder().entries(WireRecord(1, CLIENT, text(json.dumps(message))))
    assert b"hush" not in line
    assert "hush" not in str(event)
    assert orjson.loads(line)["msg"]["audio"] == "QUJD"
