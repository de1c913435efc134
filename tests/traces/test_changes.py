"""What is told of a trace that grows, step by step, comes to the trace itself."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.traces.any_events import (
    ANY_EVENT,
    LATE_EVENT,
    a_call_with_everything,
    a_long_call,
    has_nan,
    two_answers_at_once,
)
from tests.traces.calls import Call, pcm

from voxgate.traces import Event, Trace, TraceBuilder
from voxgate.traces.changes import Told, applied, span_json


def stored(trace: Trace) -> Any:
    """As the store gives it: with the spans in the order of their start."""
    spans = [span_json(span) for span in trace.spans]
    spans.sort(key=lambda one: (one["start_ms"] is None, one["start_ms"] or 0, one["position"]))
    return as_json({**trace.row(), "spans": spans})


def as_json(value: Any) -> Any:
    return orjson.loads(orjson.dumps(value, option=orjson.OPT_PASSTHROUGH_SUBCLASS))


def follow(events: list[Event], looks: set[int]) -> tuple[Any, Any, list[Any]]:
    """What somebody has who was told the whole and then every change; the trace itself; and the changes."""
    builder = TraceBuilder("sess_1")
    told, copy, changes = None, {}, []
    for index, event in enumerate(events):
        builder.feed(event)
        if index not in looks and index != len(events) - 1:
            continue
        trace = builder.snapshot()
        new = told.changes(trace) if told is not None else None
        if new is None:
            told, copy = Told(trace), stored(trace)
        else:
            changes.append(as_json(new))
            copy = applied(copy, [changes[-1]])
    return copy, stored(builder.snapshot()), changes


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.one_of(ANY_EVENT, st.sampled_from(a_long_call())), max_size=40), st.sets(st.integers(0, 40))
)
def test_whatever_happens_the_changes_come_to_the_trace(events: list[Event], looks: set[int]) -> None:
    if not events:
        return
    copy, trace, _ = follow(events, looks)
    assert copy == trace or has_nan(trace)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(LATE_EVENT, min_size=1, max_size=6))
def test_whatever_is_said_late_the_changes_come_to_the_trace(late: list[Event]) -> None:
    call = a_call_with_everything()
    events = [*call, *late]
    copy, _, _ = follow(events, set(range(len(call) - 1, len(events))))
    fresh = TraceBuilder("sess_1")
    for event in events:
        fresh.feed(event)
    assert copy == stored(fresh.snapshot())


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([a_long_call(), two_answers_at_once()]), st.sets(st.integers(0, 60)))
def test_the_changes_of_a_call_come_to_its_trace(events: list[Event], looks: set[int]) -> None:
    copy, trace, _ = follow(events, looks)
    assert copy == trace


def test_changes_may_be_applied_one_by_one_or_all_at_once() -> None:
    builder, events = TraceBuilder("sess_1"), a_long_call()
    for event in events[:8]:
        builder.feed(event)
    told, first = Told(builder.snapshot()), stored(builder.snapshot())
    changes = []
    for event in events[8:-1]:
        builder.feed(event)
        changes.append(as_json(told.changes(builder.snapshot())))
    assert applied(first, changes) == stored(builder.snapshot())


def long_call(turns: int) -> Call:
    call = Call().session()
    for n in range(turns):
        at = 6000 * n
        call.append(at, pcm(1000)).speech(f"u{n}", at + 100, at + 900).transcript(
            at + 950, f"u{n}", "some words"
        )
        call.created(at + 1000, f"r{n}").words(at + 1100, f"r{n}", f"a{n}", "an answer")
        call.audio(at + 1200, f"r{n}", f"a{n}", pcm(500)).done(at + 1300, f"r{n}", usage={"input_tokens": 5})
    return call


def test_of_a_long_call_only_what_is_new_is_told() -> None:
    call = long_call(30)
    last = 6000 * 29 + 2000
    call.words(last, "r29", "a29", " and more").transcript(last + 10, "u3", "late words")
    *before, words, transcript = call.events
    builder = TraceBuilder("sess_1")
    for event in before:
        builder.feed(event)
    told = Told(builder.snapshot())
    builder.feed(words)
    change = told.changes(builder.snapshot())
    types = {span.id: span.type for span in builder.snapshot().spans}
    assert change is not None
    assert sorted(types[span["id"]] for span in change["spans"]) == ["response", "turn"]
    assert {key for span in change["spans"] for key in span} == {"id", "output"}
    builder.feed(transcript)
    change = told.changes(builder.snapshot())
    assert change is not None
    assert [span["input"]["text"] for span in change["spans"] if types[span["id"]] == "turn"] == [
        "late words"
    ]


def test_parts_of_which_nothing_was_said_are_not_made_again() -> None:
    call = long_call(30)
    builder = TraceBuilder("sess_1")
    for event in call.events[:-1]:
        builder.feed(event)
    before = {span.id: span for span in builder.snapshot().spans}
    builder.feed(call.events[-1])
    after = builder.snapshot().spans
    others = [span for span in after if before.get(span.id) is not span]
    assert sorted(span.type for span in others) == ["response", "session", "turn"]


def test_what_is_no_more_is_told() -> None:
    """An input that the provider refused."""
    call = Call().session().append(0, pcm(300)).client(400, "input_audio_buffer.commit", event_id="event_1")
    call.server(500, "error", error={"code": "input_audio_buffer_commit_empty", "event_id": "event_1"})
    *before, refusal = call.events
    builder = TraceBuilder("sess_1")
    for event in before:
        builder.feed(event)
    trace = builder.snapshot()
    told, first = Told(trace), stored(trace)
    builder.feed(refusal)
    change = told.changes(builder.snapshot())
    assert change is not None
    assert sorted(change["gone"]) == sorted(span.id for span in trace.spans[1:])
    assert change["added"].keys() == {"events", "errors"}
    assert applied(first, [change]) == stored(builder.snapshot())


def test_what_a_call_is_cannot_be_told_as_a_change() -> None:
    builder = TraceBuilder("sess_1")
    told = Told(builder.snapshot())
    builder.feed(Event(0, "gateway", {"type": "gateway.opened", "project": "shop"}))
    assert told.changes(builder.snapshot()) is None
