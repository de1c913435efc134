"""Case 9. A response without usage, without output or without an end is still a span, with what is known."""

from __future__ import annotations

from tests.traces.calls import Call, greeting, live_trace, spans


def test_a_response_that_never_ends_is_a_span_with_what_is_known() -> None:
    call = greeting(Call().session())
    live = live_trace(call)
    assert spans(live, "response")[0].status == "in_progress"
    assert spans(live, "response")[0].end_ms is None
    assert live.summary["status"] == "live"
    response = spans(call.close(2500).trace(), "response")[0]
    assert (response.status, response.end_ms, response.usage) == ("unfinished", 2200, None)
    assert response.output["transcript"].startswith("one two")
    assert response.metrics["generation_ms"] is None


def test_output_whose_response_began_before_the_log_did() -> None:
    trace = Call().words(100, "resp_x", "item_x", "and so on").close(200).trace()
    response = spans(trace, "response")[0]
    assert (response.output["transcript"], response.input["trigger"]) == ("and so on", "provider")


def test_a_response_without_usage_and_output_ends_all_the_same() -> None:
    call = Call().session().client(50, "response.create").created(100, "resp_1")
    trace = (
        call.server(200, "response.done", response={"id": "resp_1", "status": "completed", "output": None})
        .close(300)
        .trace()
    )
    (response,) = spans(trace, "response")
    assert (response.status, response.end_ms, response.usage, response.cost_usd) == (
        "completed",
        200,
        None,
        None,
    )
    assert (response.output["transcript"], response.output["item_ids"]) == (None, [])
    assert trace.metrics["tokens_in"] is None
    assert response.metrics["audio_generated_ms"] is None


def test_an_end_without_a_beginning_is_a_span_as_well() -> None:
    (response,) = spans(
        Call().session().done(200, "resp_1", usage={"output_tokens": 3}).close(300).trace(), "response"
    )
    assert (response.status, response.end_ms, response.usage["output_tokens"]) == ("completed", 200, 3)
    assert response.metrics["generation_ms"] is None
