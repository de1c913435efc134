"""What holds for any log: building never raises, and how the events come does not change the trace."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from typing import Any

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.traces.calls import Call, outline, pcm, recording

from voxgate.recording.eventlog import read_events
from voxgate.traces import Event, TraceBuilder, build_trace

IDS = st.sampled_from(["a", "b", "resp_1", "resp_2", "item_1", "call_1", ""])
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 10**19), st.floats(), st.text(max_size=4), IDS, st.just("AAAA")
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(IDS, inner, max_size=3)),
    max_leaves=6,
)
PARTS = st.lists(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["input_text", "input_audio", "input_image", "output_audio"])},
        optional={"text": VALUES, "transcript": VALUES, "image_url": VALUES},
    ),
    max_size=2,
)
ITEM_TYPES = ["message", "function_call", "function_call_output", "mcp_call", "mcp_approval_request"]
ITEMS = st.fixed_dictionaries(
    {"type": st.sampled_from([*ITEM_TYPES, "mcp_approval_response", "odd"])},
    optional={
        "id": IDS,
        "role": st.sampled_from(["user", "assistant", "system"]),
        "content": st.one_of(PARTS, VALUES),
        "call_id": IDS,
        "name": VALUES,
        "arguments": VALUES,
        "output": VALUES,
        "error": VALUES,
        "approval_request_id": IDS,
        "approve": VALUES,
    },
)
FORMATS = st.sampled_from(
    [{"type": "audio/pcmu"}, {"type": "audio/pcm", "rate": 16_000}, "g711_alaw", {}, None, 7]
)
SESSIONS = st.fixed_dictionaries(
    {},
    optional={
        "audio": st.fixed_dictionaries(
            {"input": st.fixed_dictionaries({}, optional={"format": FORMATS, "turn_detection": VALUES})},
            optional={"output": st.fixed_dictionaries({}, optional={"format": FORMATS, "voice": VALUES})},
        ),
        "input_audio_format": FORMATS,
        "tools": VALUES,
        "model": VALUES,
        "id": VALUES,
        "instructions": VALUES,
    },
)
RESPONSES = st.fixed_dictionaries(
    {"id": IDS},
    optional={
        "status": st.sampled_from(["completed", "cancelled", "failed", "incomplete", "odd", 3]),
        "status_details": st.one_of(VALUES, st.just({"reason": "turn_detected"})),
        "output": st.lists(ITEMS, max_size=2),
        "usage": st.dictionaries(st.sampled_from(["input_tokens", "input_token_details", "seconds"]), VALUES),
        "conversation": st.sampled_from(["none", "auto"]),
        "metadata": VALUES,
    },
)
FIELDS = {
    "item_id": IDS,
    "response_id": IDS,
    "call_id": IDS,
    "item": ITEMS,
    "response": RESPONSES,
    "session": SESSIONS,
    "delta": SCALARS,
    "audio": st.sampled_from(["AAAA", "AAA=", "!", "", "AAAAAAAA"]),
    "transcript": VALUES,
    "text": VALUES,
    "audio_start_ms": SCALARS,
    "audio_end_ms": SCALARS,
    "content_index": SCALARS,
    "previous_item_id": st.one_of(IDS, st.just("root")),
    "error": st.one_of(VALUES, st.just({"code": "input_audio_buffer_commit_empty"})),
    "event_id": IDS,
    "usage": VALUES,
    "price": st.one_of(VALUES, st.just({"text_input": 4.0, "minute": 0.1})),
    "transcription": VALUES,
    "arguments": VALUES,
    "name": VALUES,
    "rate_limits": VALUES,
    "tags": VALUES,
    "code": SCALARS,
    "side": VALUES,
    "started_at": VALUES,
}


def known_types() -> list[str]:
    return sorted({name for _, name in TraceBuilder()._handlers})


TYPES = st.one_of(
    st.sampled_from(
        [*known_types(), "session.update", "input_audio_buffer.append", "conversation.item.truncate"]
    ),
    st.sampled_from(["response.cancel", "response.audio.delta", "conversation.item.truncated", "odd"]),
    VALUES,
)
MESSAGES = st.builds(
    lambda kind, fields: {"type": kind, **fields}, TYPES, st.fixed_dictionaries({}, optional=FIELDS)
)
DIRECTIONS = st.sampled_from(["client", "server", "server", "gateway"])
ANY_EVENT = st.one_of(
    st.builds(Event, st.integers(0, 10**12), DIRECTIONS, MESSAGES),
    st.builds(Event, st.integers(0, 10**12), DIRECTIONS, st.none(), st.binary(max_size=4)),
    st.builds(Event, st.integers(0, 10**12), DIRECTIONS, close=st.just({"code": 1000, "reason": ""})),
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(ANY_EVENT, max_size=25))
def test_no_events_whatever_stop_a_trace_from_being_built(events: list[Event]) -> None:
    builder = TraceBuilder("sess_1")
    for number, event in enumerate(events):
        builder.feed(event)
        if not number % 4:
            builder.snapshot()
    trace = build_trace(events, session_id="sess_1")
    ids = [span.id for span in trace.spans]
    assert len(ids) == len(set(ids))
    assert all(span.parent_id in ids for span in trace.spans[1:])
    assert builder.snapshot(live=False).to_json() == trace.to_json() or _has_nan(trace.to_json())


def _has_nan(value: Any) -> bool:
    """NaN is not equal to itself, so a trace that quotes one is not either."""
    return "NaN" in repr(value) or "nan" in repr(value)


def a_long_call() -> list[Event]:
    call = (
        Call()
        .gateway(5, "gateway.prices", price={"text_input": 4.0})
        .session()
        .append(0, pcm(6000))
        .speech("u1", 500, 1000)
        .transcript(1100, "u1", "first words")
    )
    call.created(1150, "r1").words(1200, "r1", "a1", "an answer").audio(1210, "r1", "a1", pcm(3000))
    call.speech("u2", 2000, 2500).cancelled(2010, "r1", "turn_detected")
    call.client(2020, "conversation.item.truncate", item_id="a1", audio_end_ms=800).created(2600, "r2")
    call.call_tool(2700, "r2", "call_1", "look", "{}").done(2800, "r2", usage={"input_tokens": 5})
    call.tool_result(2900, "call_1", "ok").client(2910, "response.create").created(3000, "r3")
    return call.audio(3100, "r3", "a3", pcm(700)).done(3200, "r3").close(4500).events


@settings(max_examples=40, deadline=None)
@given(st.sets(st.integers(0, 200)))
def test_looking_at_a_trace_while_it_grows_does_not_change_it(looks: set[int]) -> None:
    events = a_long_call()
    builder = TraceBuilder()
    for index, event in enumerate(events):
        builder.feed(event)
        if index in looks:
            builder.snapshot()
    assert builder.snapshot().to_json() == build_trace(events).to_json()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 120))
def test_a_log_that_was_cut_off_anywhere_gives_a_trace_of_what_is_there(length: int) -> None:
    events = a_long_call()[:length]
    trace = build_trace(events)
    assert trace.summary["status"] == ("interrupted" if len(events) < len(a_long_call()) else "complete")
    assert trace.spans[0].end_ms == max((event.t_ms for event in events), default=0)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_recordings_with_missing_and_shuffled_events_still_give_a_trace(
    shared: Path, data: st.DataObject
) -> None:
    name = data.draw(
        st.sampled_from(
            ["test_openai_ws__test_tool_call_round", "test_xai_ws__test_audio_in_server_vad_turn"]
        )
    )
    events = _events(shared, name)
    kept = data.draw(st.lists(st.sampled_from(events), max_size=40))
    build_trace(kept).to_json()


# What the protocol leaves open


LATE = [
    "transcription.completed",
    "rate_limits",
    "audio.delta",
    "transcript.delta",
    "append",
    "speech_stopped",
]


def _stream(event: Event) -> tuple[str, ...] | None:
    """Events of one stream keep their order; those of different streams may come either way round. None: what
    others may depend on."""
    msg = event.msg or {}
    kind = event.type
    if "input_audio_transcription" in kind:
        return ("transcription", str(msg.get("item_id")))
    if kind == "rate_limits.updated":
        return ("limits",)
    if kind in ("response.output_audio.delta", "response.output_audio_transcript.delta"):
        return (kind, str(msg.get("response_id")))
    return ("append",) if kind == "input_audio_buffer.append" else None


def _may_swap(first: Event, second: Event) -> bool:
    one, other = _stream(first), _stream(second)
    if one is not None and other is not None:
        return one != other
    late = ("transcription", "limits")  # whatever they are about, they may be later than anything
    return (one is not None and one[0] in late) or (other is not None and other[0] == "limits")


def _two_answers_at_once() -> list[Event]:
    call = Call().session().append(0, pcm(3000)).speech("u1", 500, 1000)
    call.client(1010, "response.create", response={"conversation": "none", "metadata": {"for": "notes"}})
    call.created(1100, "r1").created(1110, "r2", metadata={"for": "notes"}).transcript(
        1120, "u1", "first words"
    )
    for n in range(6):
        call.words(1200 + 10 * n, "r1", "a1", f"one{n} ").audio(1201 + 10 * n, "r1", "a1", pcm(100, start=n))
        call.words(1202 + 10 * n, "r2", "a2", f"two{n} ").audio(1203 + 10 * n, "r2", "a2", pcm(50, start=n))
        call.server(None, "rate_limits.updated", rate_limits=[])
    call.speech("u2", 2000, 2500).transcript(2600, "u2", "second words")
    return call.done(2700, "r2").done(2800, "r1").close(9000).events


def _said(events: list[Event]) -> Any:
    """What of a trace does not depend on the order."""
    trace = build_trace(events)
    by_id = {
        str((span.input or {}).get("response_id") or (span.input or {}).get("item_id")): span
        for span in trace.spans
    }
    return [
        outline(trace),
        {
            key: [
                (span.input or {}).get("transcript"),
                (span.output or {}).get("transcript"),
                span.metrics.get("audio_generated_ms"),
                sum(clip.end_byte - clip.start_byte for clip in span.attachments if clip.name != "heard"),
            ]
            for key, span in by_id.items()
            if span.type in ("user", "response")
        },
        trace.data["audio_ms"]["generated"],
        trace.summary["title"],
    ]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(LATE), st.integers(0, 60), st.integers(1, 60)), max_size=20))
def test_events_in_another_order_that_the_protocol_allows_say_the_same(
    delays: list[tuple[str, int, int]],
) -> None:
    events = _two_answers_at_once()
    times = [event.t_ns for event in events]
    for kind, nth, hops in delays:
        of_kind = [index for index, event in enumerate(events) if kind in event.type]
        first = of_kind[nth % len(of_kind)]
        for index in range(first, min(first + hops, len(events) - 1)):
            if not _may_swap(events[index], events[index + 1]):
                break
            events[index : index + 2] = events[index + 1], events[index]
    for event, t_ns in zip(events, times, strict=True):
        event.t_ns = t_ns
    assert _said(events) == _said(_two_answers_at_once())


def _lines(events: list[Event]) -> list[bytes]:
    return [orjson.dumps({"t": event.t_ns, "dir": event.dir, "msg": event.msg}) + b"\n" for event in events]


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_the_event_log_gives_the_trace_that_was_built_while_the_call_ran(data: st.DataObject) -> None:
    """Cut off anywhere, also in the middle of a line."""
    events = data.draw(st.sampled_from([a_long_call(), _two_answers_at_once()]))
    log = b"".join(_lines(events))
    log = log[: data.draw(st.integers(0, len(log)))]
    kept = list(read_events(log.splitlines(keepends=True)))
    assert len(kept) in (log.count(b"\n"), log.count(b"\n") + 1)
    builder = TraceBuilder()
    for event in events[: len(kept)]:
        builder.feed(event)
    assert build_trace(kept).to_json() == builder.snapshot(live=False).to_json()


_CACHE: dict[str, list[Event]] = {}


def _events(shared: Path, name: str) -> list[Event]:
    if name not in _CACHE:
        _CACHE[name] = recording(shared, name).events
    return _CACHE[name]


def test_a_trace_is_json() -> None:
    text = orjson.dumps(build_trace(a_long_call()).to_json())
    assert orjson.loads(text)["turns"] == 2


def test_a_trace_goes_without_the_garbage_collector() -> None:
    builder = TraceBuilder("sess_1")
    for event in a_long_call():
        builder.feed(event)
    builder.snapshot(live=False)
    parts = [weakref.ref(part) for part in (builder, builder.conversation, builder.responses, builder.layout)]
    gc.disable()
    try:
        del builder
        assert [part() for part in parts] == [None] * 4
    finally:
        gc.enable()
