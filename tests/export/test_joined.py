"""A request that works for a call is in the call's trace, wherever it is sent: under the tool's span."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span

from tests.export.calls import TRACEPARENT, row_of, tool_call
from tests.export.collector import spans_of
from voxgate.export import braintrust
from voxgate.export.otlp import OtlpEncoder, conventions
from voxgate.export.view import SessionView
from voxgate.traces import build_trace
from voxgate.traces.events import Event

Row = dict[str, Any]


def request_row(session_id: str, *headers: tuple[str, str], project: str = "default") -> Row:
    opened = {
        "type": "gateway.opened", "session_id": session_id, "transport": "http", "project": project,
        "endpoint": "chat/completions", "model": "m", "started_at": "2026-11-22T10:00:01.000Z",
        "request": {"path": "/v1/chat/completions", "headers": [list(pair) for pair in headers]},
    }  # fmt: skip
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi."}]}
    closed = {"type": "gateway.closed", "code": 1000, "reason": "", "side": "provider"}
    events = [Event(0, "gateway", opened), Event(1, "client", body), Event(9_000_000, "gateway", closed)]
    return row_of(build_trace(events, session_id=session_id))


CALL = row_of(tool_call(session_id="sess_call", project="default").trace())
[TOOL] = [span for span in CALL["spans"] if span["type"] == "tool"]


def find(*rows: Row) -> Any:
    return {row["id"]: row for row in rows}.get


def encoded(row: Row, *others: Row) -> list[Span]:
    encoder = OtlpEncoder(conventions(["gen_ai"], content=True, kinds={}))
    sent = encoder.encode(row, find(*others)).SerializeToString()
    return spans_of(ResourceSpans.FromString(sent))


def test_its_spans_are_in_the_calls_trace_under_the_tool() -> None:
    call, child = (
        encoded(CALL),
        encoded(request_row("sess_a", ("x-voxgate-parent", "sess_call/call_1")), CALL),
    )
    [tool] = [one for one in call if one.name == "execute_tool get_weather"]
    assert {one.trace_id for one in child} == {call[0].trace_id}
    assert child[0].parent_span_id == tool.span_id
    assert [one.parent_span_id for one in child[1:2]] == [child[0].span_id]


def test_a_child_of_a_child_is_in_the_same_trace() -> None:
    middle = request_row("sess_b", ("x-voxgate-parent", "sess_call"))
    last = encoded(request_row("sess_c", ("x-voxgate-parent", "sess_b")), middle, CALL)
    assert last[0].trace_id == encoded(CALL)[0].trace_id
    assert last[0].parent_span_id == encoded(middle, CALL)[0].span_id


@pytest.mark.parametrize("project", ["default", "stranger"])
def test_one_of_another_project_or_none_is_a_trace_of_its_own(project: str) -> None:
    row = request_row("sess_a", ("x-voxgate-parent", "sess_call/call_1"), project=project)
    known = () if project == "default" else (CALL,)
    child = encoded(row, *known)
    assert child[0].parent_span_id == b""
    assert child[0].trace_id != encoded(CALL)[0].trace_id
    assert braintrust.rows(SessionView(row, find=find(*known)))[0]["span_parents"] == []


def test_the_callers_own_span_is_the_parent_and_the_tool_is_linked() -> None:
    headers = [("x-voxgate-parent", "sess_call/call_1"), ("traceparent", TRACEPARENT), ("tracestate", "a=1")]
    root = encoded(request_row("sess_a", *headers), CALL)[0]
    _, trace_id, span_id, _ = TRACEPARENT.split("-")
    assert (root.trace_id.hex(), root.parent_span_id.hex(), root.trace_state) == (trace_id, span_id, "a=1")
    assert [f"span_{link.span_id.hex()}" for link in root.links] == [TOOL["id"]]


def test_sessions_that_say_that_they_work_for_each_other_have_an_end() -> None:
    one = request_row("sess_a", ("x-voxgate-parent", "sess_b"))
    other = request_row("sess_b", ("x-voxgate-parent", "sess_a"))
    assert len(encoded(one, one, other)[0].trace_id) == 16


def test_in_braintrust_it_is_a_row_under_the_tools_row() -> None:
    row = request_row("sess_a", ("x-voxgate-parent", "sess_call/call_1"))
    root, *others = braintrust.rows(SessionView(row, find=find(CALL)))
    assert root["span_parents"] == [TOOL["id"]]
    assert {one["root_span_id"] for one in (root, *others)} == {CALL["spans"][0]["id"]}
    assert others[0]["span_parents"] == [root["id"]]
