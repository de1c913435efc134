"""What holds for any log: building never raises, and how the events come does not change the trace."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from typing import Any

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.traces.any_events import ANY_EVENT, a_long_call, has_nan, two_answers_at_once
from tests.traces.calls import outline, recording

from voxgate.recording.eventlog import read_events
from voxgate.traces import Event, TraceBuilder, build_trace


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
    assert builder.snapshot(live=False).to_json() == trace.to_json() or has_nan(trace.to_json())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.one_of(ANY_EVENT, st.sampled_from(a_long_call())), max_size=40), st.sets(st.integers(0, 40))
)
def test_a_trace_that_grew_is_the_one_that_is_put_together_at_once(
    events: list[Event], looks: set[int]
) -> None:
    assert_grows_as_a_whole(events, looks)


@settings(max_examples=60, deadline=None)
@given(st.sets(st.integers(0, 200)))
def test_looking_at_a_trace_while_it_grows_does_not_change_it(looks: set[int]) -> None:
    events = a_long_call()
    assert_grows_as_a_whole(events, looks)
    assert_grows_as_a_whole(events[:-1], looks)


def assert_grows_as_a_whole(events: list[Event], looks: set[int]) -> None:
    """Looked at after some of the events, and after the last."""
    builder, grown = TraceBuilder("sess_1"), {}
    for index, event in enumerate(events):
        builder.feed(event)
        if index in looks or index == len(events) - 1:
            grown = builder.snapshot().to_json()
            again = TraceBuilder("sess_1")
            for one in events[: index + 1]:
                again.feed(one)
            whole = again.snapshot().to_json()
            assert grown == whole or has_nan(whole)


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
    events = two_answers_at_once()
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
    assert _said(events) == _said(two_answers_at_once())


def _lines(events: list[Event]) -> list[bytes]:
    return [orjson.dumps({"t": event.t_ns, "dir": event.dir, "msg": event.msg}) + b"\n" for event in events]


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_the_event_log_gives_the_trace_that_was_built_while_the_call_ran(data: st.DataObject) -> None:
    """Cut off anywhere, also in the middle of a line."""
    events = data.draw(st.sampled_from([a_long_call(), two_answers_at_once()]))
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
