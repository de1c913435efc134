"""Case 13. A killed process leaves a trace up to the last message that was relayed."""

from __future__ import annotations

from tests.traces.calls import Call, greeting, outline, spans


def test_a_log_without_an_end_is_an_interrupted_session() -> None:
    trace = greeting(Call().session()).trace()
    assert trace.summary["status"] == "interrupted"
    assert trace.summary["duration_ms"] == 2200
    assert trace.summary["ended_at"] == "2026-11-22T10:00:02.200Z"
    assert trace.spans[0].end_ms == 2200


def test_what_was_under_way_when_the_process_was_killed_is_unfinished_and_keeps_what_there_was() -> None:
    call = greeting(Call().session()).call_tool(2210, "resp_1", "call_1", "look", "{}")
    trace = call.server(
        2300, "input_audio_buffer.speech_started", item_id="item_2", audio_start_ms=1200
    ).trace()
    assert outline(trace) == [
        "session interrupted",
        "  turn 1 unfinished",
        "    user completed",
        "    response unfinished",
        "      look unfinished",
        "  turn 2 unfinished",
        "    user unfinished",
    ]
    assert trace.data["close"] is None
    assert spans(trace, "response")[0].output["transcript"].startswith("one two")
