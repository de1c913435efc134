"""What a session says that it is a part of, and what is made of it when that is written wrongly."""

from __future__ import annotations

from typing import Any

import pytest

from voxgate.traces import build_trace
from voxgate.traces.events import Event
from voxgate.traces.parents import Parent, TraceContext, parent_of, span_for, trace_context_of

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def request(*headers: tuple[str, str]) -> dict[str, Any]:
    return {"path": "/v1/chat/completions", "headers": [list(pair) for pair in headers]}


@pytest.mark.parametrize(
    ("given", "parent"),
    [
        ("sess_1", Parent("sess_1")),
        (" sess_1/call_a-b.c ", Parent("sess_1", "call_a-b.c")),
        ("sess_1/span_0123456789abcdef", Parent("sess_1", "span_0123456789abcdef")),
        ("", None),
        ("sess_1/", None),
        ("call_1", None),
        ("sess_1/two words", None),
        ("sess_" + "x" * 100, None),
    ],
)
def test_a_parent_is_a_session_and_perhaps_something_of_it(given: str, parent: Parent | None) -> None:
    assert parent_of(request(("x-voxgate-parent", given))) == parent


@pytest.mark.parametrize(
    ("given", "context"),
    [
        (f"00-{TRACE}-{SPAN}-01", TraceContext(TRACE, SPAN, 1)),
        (f"00-{TRACE}-{SPAN}-00", TraceContext(TRACE, SPAN, 0)),
        (f"cc-{TRACE}-{SPAN}-01-what-comes-later", TraceContext(TRACE, SPAN, 1)),
        (f"00-{TRACE}-{SPAN}-01-more", None),
        (f"ff-{TRACE}-{SPAN}-01", None),
        (f"00-{TRACE.upper()}-{SPAN}-01", None),
        (f"00-{'0' * 32}-{SPAN}-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (f"00-{TRACE}-{SPAN}", None),
    ],
)
def test_a_traceparent_counts_as_far_as_w3c_says(given: str, context: TraceContext | None) -> None:
    assert trace_context_of(request(("traceparent", given))) == context


def test_two_of_a_header_are_none() -> None:
    assert parent_of(request(("x-voxgate-parent", "sess_1"), ("x-voxgate-parent", "sess_2"))) is None
    parents = [("traceparent", f"00-{TRACE}-{SPAN}-0{flag}") for flag in (0, 1)]
    assert trace_context_of(request(*parents)) is None


def test_the_state_of_the_trace_goes_along() -> None:
    headers = [("traceparent", f"00-{TRACE}-{SPAN}-01"), ("tracestate", "a=1"), ("tracestate", "b=2")]
    context = trace_context_of(request(*headers))
    assert context is not None
    assert context.state == "a=1,b=2"


def opened(**more: Any) -> Event:
    fact = {"type": "gateway.opened", "session_id": "sess_2", "transport": "http", "endpoint": "embeddings"}
    return Event(0, "gateway", {**fact, **more})


def test_the_trace_keeps_both_and_marks_what_it_cannot_use() -> None:
    good = request(("x-voxgate-parent", "sess_1/call_1"), ("traceparent", f"00-{TRACE}-{SPAN}-01"))
    trace = build_trace([opened(request=good)], session_id="sess_2")
    assert trace.data["parent"] == {"session_id": "sess_1", "ref": "call_1"}
    assert trace.data["trace_context"] == {
        "trace_id": TRACE,
        "span_id": SPAN,
        "sampled": True,
        "state": None,
    }
    assert trace.data["events"] == []
    bad = build_trace([opened(request=request(("x-voxgate-parent", "that one"), ("traceparent", "x")))])
    assert (bad.data["parent"], bad.data["trace_context"]) == (None, None)
    assert [(one["type"], one["header"]) for one in bad.data["events"]] == [
        ("gateway.not_joined", "x-voxgate-parent"),
        ("gateway.not_joined", "traceparent"),
    ]


@pytest.mark.parametrize("odd", [None, "x", {}, [["x-voxgate-parent"]], [[1, 2]], [["traceparent", None]]])
def test_an_odd_log_has_no_parent(odd: Any) -> None:
    trace = build_trace([opened(request={"headers": odd})])
    assert (trace.data["parent"], trace.data["trace_context"]) == (None, None)


def test_a_child_is_under_the_tool_it_names_else_under_the_root() -> None:
    spans: list[dict[str, Any]] = [
        {"id": "span_root", "type": "session", "input": None},
        {"id": "span_user", "type": "user", "input": {"call_id": "call_1"}},
        {"id": "span_tool", "type": "tool", "input": {"call_id": "call_1"}},
    ]
    refs = ["call_1", "span_user", "call_2", None]
    found = [span_for(spans, ref) for ref in refs]
    assert [one and one["id"] for one in found] == ["span_tool", "span_user", "span_root", "span_root"]
    assert span_for([], "call_1") is None
