"""Case 10. Parallel calls, results that come late or never, MCP calls and approvals."""

from __future__ import annotations

from tests.traces.calls import Call, outline, spans


def test_parallel_calls_late_results_and_none() -> None:
    call = (
        Call()
        .session()
        .user_text(50, "weather?", id="u")
        .client(60, "response.create")
        .created(100, "resp_1")
    )
    call.call_tool(120, "resp_1", "call_1", "get_weather", '{"city":"Oslo"}')
    call.call_tool(130, "resp_1", "call_2", "get_weather", '{"city":"Rome"}')
    call.call_tool(140, "resp_1", "call_3", "get_time", "not json").done(150, "resp_1")
    call.tool_result(400, "call_2", '{"deg": 30}').client(410, "response.create").created(450, "resp_2")
    call.done(500, "resp_2").tool_result(600, "call_1", "cold").client(610, "response.create")
    trace = call.created(650, "resp_3").done(700, "resp_3").close(800).trace()
    assert outline(trace)[1:] == [
        "  turn 1 unfinished",
        "    user completed",
        "    response completed",
        "      get_weather completed",
        "      get_weather completed",
        "      get_time unfinished",
        "    response completed",
        "    response completed",
    ]
    oslo, rome, time = spans(trace, "tool")
    assert (oslo.start_ms, oslo.end_ms, oslo.output) == (125, 600, {"result": "cold"})
    assert (rome.output, rome.metrics["tool_wait"]) == ({"result": {"deg": 30}}, 265)
    assert (time.end_ms, time.output, time.input["arguments"]) == (None, None, "not json")
    assert [span.input["trigger"] for span in spans(trace, "response")] == ["client", "tool", "tool"]


def test_mcp_calls_and_approvals() -> None:
    call = (
        Call().session().user_text(50, "find it", id="u").client(60, "response.create").created(100, "resp_1")
    )
    approval = {"id": "mcpr_1", "type": "mcp_approval_request", "name": "search", "arguments": "{}"}
    call.server(
        120, "response.output_item.done", response_id="resp_1", item={**approval, "server_label": "docs"}
    )
    call.done(130, "resp_1")
    granted = {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": True}
    call.client(200, "conversation.item.create", item=granted).client(210, "response.create")
    item = {"id": "mcp_1", "type": "mcp_call", "name": "search", "server_label": "docs", "arguments": ""}
    call.created(220, "resp_2").server(230, "response.output_item.added", response_id="resp_2", item=item)
    names = {"response_id": "resp_2", "item_id": "mcp_1"}
    call.server(240, "response.mcp_call_arguments.done", arguments='{"q":"x"}', **names)
    call.server(250, "response.mcp_call.in_progress", item_id="mcp_1")
    call.server(290, "response.mcp_call.completed", item_id="mcp_1")
    done = {**item, "arguments": '{"q":"x"}', "output": "found", "error": None}
    call.server(300, "response.output_item.done", response_id="resp_2", item=done)
    trace = call.done(310, "resp_2").close(400).trace()
    asked, ran = spans(trace, "tool")
    assert (asked.input["approval"], asked.input["server_label"], asked.status) == (
        "approved",
        "docs",
        "completed",
    )
    assert (ran.input["ran_in"], ran.input["arguments"], ran.output) == (
        "mcp",
        {"q": "x"},
        {"result": "found"},
    )
    assert (ran.start_ms, ran.end_ms) == (240, 290)
