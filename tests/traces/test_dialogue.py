"""A socket of `responses` is a trace with a response for each that was asked for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.gateway.requests.documented import response_events

from voxgate.traces import Trace, build_trace
from voxgate.traces.events import Event

TOOLS = [{"type": "function", "name": "find", "parameters": {"type": "object"}}]
OUTPUT = {"type": "function_call_output", "call_id": "call_1", "output": "A1 is here."}
PRICE = {"text_input": 2.0, "text_output": 8.0}
Body = dict[str, Any]


def create(**more: Any) -> Body:
    return {"type": "response.create", "model": "gpt-5", "store": False, "input": "Where is A1?", **more}


def trace(*said: tuple[str, Body], closed: bool = True) -> Trace:
    opened = {"type": "gateway.opened", "session_id": "sess_1", "transport": "ws", "endpoint": "responses"}
    facts = [
        {**opened, "model": "gpt-5", "project": "p"},
        {"type": "gateway.dialled", "provider": "openai", "ms": 1.0},
        {"type": "gateway.prices", "model": "gpt-5", "price": PRICE},
    ]
    told = [("gateway", fact) for fact in facts] + list(said)
    if closed:
        told.append(("gateway", {"type": "gateway.closed", "code": 1000, "reason": "", "side": "client"}))
    return build_trace([Event(n * 1_000_000, who, body) for n, (who, body) in enumerate(told)])


def server(events: list[Body], **more: Any) -> list[tuple[str, Body]]:
    return [("server", {**event, **more}) for event in events]


def of_type(found: Trace, kind: str) -> list[Any]:
    return [span for span in found.spans if span.type == kind]


def test_a_tool_call_and_its_answer_are_one_turn_with_two_responses() -> None:
    found = trace(
        ("client", create(tools=TOOLS)),
        *server(response_events({"tools": TOOLS}, 1)),
        ("client", create(tools=TOOLS, input=[OUTPUT], previous_response_id="resp_1")),
        *server(response_events({}, 2)),
        ("client", create(tools=TOOLS, input="Thanks.", previous_response_id="resp_2")),
        *server(response_events({}, 3)),
    )
    assert [turn.status for turn in of_type(found, "turn")] == ["completed", "completed"]
    first, second, third = of_type(found, "response")
    assert (second.output["text"], third.output["text"]) == ("Hello.", "Hello.")
    assert first.parent_id == second.parent_id != third.parent_id
    assert [each.usage["total_tokens"] for each in (first, second, third)] == [18, 18, 18]
    assert first.cost_usd == pytest.approx((11 * 2 + 7 * 8) / 1e6)
    [tool] = of_type(found, "tool")
    assert (tool.name, tool.output) == ("find", {"result": "A1 is here."})
    assert [span.input["text"] for span in of_type(found, "user")] == ["Where is A1?", "Thanks."]
    assert found.summary["status"] == "complete"


def test_lanes_do_not_mix() -> None:
    one = response_events({}, 1)
    told = json.dumps(response_events({}, 2))
    two = json.loads(told.replace("Hel", "Bye ").replace("lo.", "now.").replace("msg_1", "msg_2"))
    mixed = [
        part
        for left, right in zip(one, two, strict=True)
        for part in (("server", {**left, "stream_id": "a"}), ("server", {**right, "stream_id": "b"}))
    ]
    found = trace(("client", create(stream_id="a")), ("client", create(stream_id="b")), *mixed)
    assert [span.output["text"] for span in of_type(found, "response")] == ["Hello.", "Bye now."]


def test_what_was_refused_is_a_response_that_failed() -> None:
    error = {"type": "invalid_request_error", "code": "previous_response_not_found", "message": "not found"}
    found = trace(("client", create()), ("server", {"type": "error", "status": 400, "error": error}))
    [response] = of_type(found, "response")
    assert (response.status, response.error["code"]) == ("failed", "previous_response_not_found")


def test_what_a_provider_cut_off_did_not_end() -> None:
    found = trace(("client", create()), *server(response_events({}, 1)[:5]))
    [response] = of_type(found, "response")
    assert response.output["text"] == "Hel"
    assert response.status != "completed"


def test_strange_messages_are_passed_over() -> None:
    odd: list[Any] = [None, 1, "x", [], {}, {"id": 1}]
    events = [("client", create(input=one)) for one in odd]
    kinds = ("response.created", "response.completed", "error", "response.output_text.delta")
    events += [("server", {"type": kind, "response": one, "delta": one}) for kind in kinds for one in odd]
    assert trace(*events).summary["status"] == "complete"
