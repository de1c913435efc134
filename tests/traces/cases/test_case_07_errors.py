"""Case 7. Errors, failures, rate limits and close codes are recorded, and what failed is marked so."""

from __future__ import annotations

import pytest
from tests.traces.calls import Call, outline, pcm, spans


def test_errors_failures_rate_limits_and_close_codes_are_recorded() -> None:
    call = Call().session().append(0, pcm(1000)).speech("item_u", 200, 600)
    failed = "conversation.item.input_audio_transcription.failed"
    call.server(650, failed, item_id="item_u", content_index=0, error={"type": "x", "message": "inaudible"})
    details = {"type": "failed", "error": {"type": "server_error", "code": "oops", "message": "it broke"}}
    call.created(700, "resp_1").done(800, "resp_1", "failed", status_details=details)
    call.client(850, "response.create").created(860, "resp_2")
    call.done(
        900, "resp_2", "incomplete", status_details={"type": "incomplete", "reason": "max_output_tokens"}
    )
    call.server(910, "rate_limits.updated", rate_limits=[{"name": "tokens", "remaining": 0}])
    call.server(
        920, "error", error={"type": "invalid_request_error", "code": "invalid_value", "message": "bad"}
    )
    trace = call.close(1000, 1011, "provider", "gone").trace()
    assert outline(trace) == [
        "session failed",
        "  turn 1 failed",
        "    user failed",
        "    response failed",
        "    response incomplete",
    ]
    assert spans(trace, "user")[0].error["message"] == "inaudible"
    first, second = spans(trace, "response")
    assert first.error["code"] == "oops"
    assert second.error["message"] == "max_output_tokens"
    assert trace.summary["status"] == "failed"
    assert trace.spans[0].error == {"type": "closed", "code": 1011, "message": "gone"}
    assert trace.metrics["errors"] == 4
    kinds = [event["type"] for event in trace.data["events"]]
    assert kinds == ["config", "transcription", "response", "response", "rate_limits", "error"]
    assert trace.data["close"] == {"code": 1011, "reason": "gone", "side": "provider"}


def test_a_turn_whose_words_are_not_known_can_go_well() -> None:
    call = Call().session().append(0, pcm(1000)).speech("item_u", 200, 600)
    failed = "conversation.item.input_audio_transcription.failed"
    call.server(650, failed, item_id="item_u", content_index=0, error={"type": "x", "message": "inaudible"})
    trace = call.created(700, "resp_1").done(800, "resp_1").close(1000).trace()
    assert outline(trace)[1:] == ["  turn 1 completed", "    user failed", "    response completed"]


@pytest.mark.parametrize(
    ("code", "side", "status"),
    [
        (1000, "client", "complete"),
        (1006, "client", "complete"),
        (1001, "provider", "complete"),
        (3000, "provider", "failed"),
        (1011, "gateway", "failed"),
        (1001, "gateway", "complete"),
    ],
)
def test_who_closed_and_how_decides_about_the_call(code: int, side: str, status: str) -> None:
    assert Call().session().close(100, code, side).trace().summary["status"] == status


def test_a_provider_that_was_not_reached() -> None:
    call = Call().gateway(50, "gateway.dial_failed", provider="openai", message="connection refused")
    refusal = {"type": "server_error", "code": "upstream_refused", "message": "no provider answered"}
    trace = call.gateway(60, "gateway.error", error=refusal).close(70, 1011, "gateway").trace()
    assert trace.summary["status"] == "failed"
    assert trace.spans[0].error["code"] == "upstream_refused"
    assert [error["source"] for error in trace.data["errors"]] == ["gateway.dial_failed", "gateway.error"]
