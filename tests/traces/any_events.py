"""Strategies for event streams of which nothing may be assumed, and two calls that make sense."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from tests.traces.calls import Call, pcm

from voxgate.traces import Event, TraceBuilder

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


def two_answers_at_once() -> list[Event]:
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


def has_nan(value: Any) -> bool:
    """NaN is not equal to itself, so a trace that quotes one is not either."""
    return "NaN" in repr(value) or "nan" in repr(value)


def a_call_with_everything() -> list[Event]:
    """Turns that have ended, of which more may be said: an answer that was cut, tools of both kinds."""
    call = (
        Call()
        .session()
        .append(0, pcm(9000), chunk=48_000, every_ms=1000)
        .speech("u1", 500, 1000)
        .created(1150, "r1")
    )
    call.words(1200, "r1", "a1", "an answer").audio(1210, "r1", "a1", pcm(3000)).done(1300, "r1")
    call.speech("u2", 3000, 3500).created(3600, "r2").call_tool(3700, "r2", "call_1", "look", "{}")
    mcp = {"id": "mcp_1", "type": "mcp_call", "name": "search", "arguments": "{}", "server_label": "shop"}
    asked = {"id": "mcpr_1", "type": "mcp_approval_request", "name": "search", "arguments": "{}"}
    for item in (mcp, asked):
        call.server(3800, "response.output_item.added", response_id="r2", item=item)
    call.done(3900, "r2").user_text(4000, "typed", id="u3").client(4010, "response.create")
    call.created(4100, "r3").words(4200, "r3", "a3", "more").audio(4210, "r3", "a3", pcm(500)).done(
        4300, "r3"
    )
    return call.append(12_000, pcm(300)).speech("u4", 12_050, 12_200, audio=(9050, 9200)).events


KNOWN = st.sampled_from(
    ["u1", "u2", "u3", "u4", "a1", "a3", "r1", "r2", "r3", "call_1", "item_call_1", "mcp_1", "mcpr_1"]
)
LATE_ITEMS = st.builds(
    lambda item_id, kind, role, fields: {"id": item_id, "type": kind, "role": role, **fields},
    KNOWN,
    st.sampled_from([*ITEM_TYPES, "mcp_approval_response"]),
    st.sampled_from(["user", "assistant"]),
    st.fixed_dictionaries(
        {},
        optional={
            "call_id": KNOWN,
            "approval_request_id": KNOWN,
            "approve": st.booleans(),
            "output": st.sampled_from(["late", '{"error": 1}']),
            "error": st.just({"message": "late"}),
            "name": st.just("other"),
            "arguments": st.just("{1"),
            "content": st.just([{"type": "input_text", "text": "late"}, {"type": "input_audio"}]),
        },
    ),
)
LATE_FIELDS = st.fixed_dictionaries(
    {"item_id": KNOWN, "response_id": KNOWN, "item": LATE_ITEMS},
    optional={
        "call_id": KNOWN,
        "delta": st.sampled_from(["late", "AAAA", "AAAAAAAAAAAAAAAA"]),
        "audio": st.just("AAAA" * 1600),
        "transcript": st.just("late words"),
        "text": st.just("late text"),
        "arguments": st.just('{"late": 1}'),
        "audio_start_ms": st.sampled_from([600, 9300, 9400]),
        "audio_end_ms": st.sampled_from([900, 9350, 20_000]),
        "usage": st.just({"input_tokens": 7}),
        "price": st.just({"text_input": 4.0}),
        "error": st.one_of(
            st.just({"code": "input_audio_buffer_commit_empty"}),
            st.builds(lambda one: {"code": "odd", "event_id": one}, KNOWN),
        ),
        "event_id": KNOWN,
        "response": st.builds(
            lambda one, status: {"id": one, "status": status, "usage": {"input_tokens": 9}},
            KNOWN,
            st.sampled_from(["completed", "cancelled", "failed"]),
        ),
        "session": st.just({"audio": {"input": {"transcription": {"model": "late"}}}}),
    },
)
LATE_EVENT = st.builds(
    lambda t_ms, direction, kind, fields: Event(t_ms * 1_000_000, direction, {"type": kind, **fields}),
    st.integers(12_300, 13_000),
    st.sampled_from(["client", "server"]),
    st.sampled_from(
        [
            *(name for name in known_types() if not name.startswith("gateway.closed")),
            "input_audio_buffer.append",
            "conversation.item.truncate",
            "conversation.item.truncated",
            "response.cancel",
        ]
    ),
    LATE_FIELDS,
)
"""About what is in `a_call_with_everything`, long after it."""
