"""Case 5. An interruption cuts what was heard at its millisecond; what was generated stays."""

from __future__ import annotations

from tests.traces.calls import Call, greeting, pcm, spans


def test_truncate_cuts_the_heard_sound_at_its_millisecond() -> None:
    call = greeting(Call().session(), audio_ms=4000).done(2300, "resp_1")
    call.server(3000, "input_audio_buffer.speech_started", item_id="item_2", audio_start_ms=1100)
    call.client(3010, "conversation.item.truncate", item_id="item_a", content_index=0, audio_end_ms=750)
    trace = call.close(4000).trace()
    response = spans(trace, "response")[0]
    assert response.metrics["audio_generated_ms"] == 4000
    assert response.metrics["audio_heard_ms"] == 750
    assert response.metrics["truncated_at_ms"] == 750
    assert response.metrics["heard_estimated"] is False
    assert response.output["interrupted"] is True
    assert response.output["heard_transcript"] == "one two"  # 750 of 4000 ms
    assert response.output["transcript"].endswith("ten")
    generated, heard = response.attachments
    assert (generated.end_byte, heard.name, heard.end_byte) == (4000 * 48, "heard", 750 * 48)
    assert trace.summary["interruptions"] == 1
    assert spans(trace, "user")[1].metrics["barge_in"] is True
    assert trace.data["audio_ms"]["heard"] == 750


def test_turn_detected_alone_is_cut_at_speech_started_and_marked_as_estimated() -> None:
    call = greeting(Call().session(), audio_ms=4000)
    call.server(3000, "input_audio_buffer.speech_started", item_id="item_2", audio_start_ms=1100)
    call.cancelled(3050, "resp_1", "turn_detected").audio(3060, "resp_1", "item_a", pcm(100))
    response = spans(call.close(4000).trace(), "response")[0]
    assert response.status == "cancelled"
    assert response.output["reason"] == "turn_detected"
    assert response.metrics["audio_heard_ms"] == 800  # it played from 2200 to 3000
    assert response.metrics["audio_generated_ms"] == 4100
    assert response.metrics["heard_estimated"] is True


def test_a_cancel_of_the_client_cuts_at_its_time_and_truncate_knows_better() -> None:
    call = greeting(Call().session(), audio_ms=4000).client(2900, "response.cancel")
    call.cancelled(2950, "resp_1", "client_cancelled")
    estimated = spans(call.trace(), "response")[0]
    assert (estimated.metrics["audio_heard_ms"], estimated.metrics["heard_estimated"]) == (700, True)
    call.client(2960, "conversation.item.truncate", item_id="item_a", content_index=0, audio_end_ms=650)
    exact = spans(call.trace(), "response")[0]
    assert (exact.metrics["audio_heard_ms"], exact.metrics["heard_estimated"]) == (650, False)


def test_a_cleared_output_buffer_cuts_exactly() -> None:
    call = greeting(Call().session(), audio_ms=4000).done(2300, "resp_1")
    call.server(2700, "output_audio_buffer.cleared", response_id="resp_1")
    response = spans(call.close(4000).trace(), "response")[0]
    assert (response.metrics["audio_heard_ms"], response.metrics["heard_estimated"]) == (500, False)
    assert response.output["interrupted"] is True


def test_the_next_answer_does_not_wait_for_sound_that_was_cut() -> None:
    call = greeting(Call().session(), audio_ms=20_000).done(2300, "resp_1")
    call.client(3000, "conversation.item.truncate", item_id="item_a", content_index=0, audio_end_ms=700)
    call.created(3100, "resp_2").audio(3200, "resp_2", "item_b", pcm(100)).done(3300, "resp_2")
    second = spans(call.close(4000).trace(), "response")[1]
    assert second.output["play_start_ms"] == 3200
    assert second.metrics["audio_heard_ms"] == 100


def test_a_truncate_after_all_was_heard_is_no_interruption() -> None:
    call = greeting(Call().session(), audio_ms=500).done(2300, "resp_1")
    call.client(3000, "conversation.item.truncate", item_id="item_a", content_index=0, audio_end_ms=500)
    trace = call.close(4000).trace()
    assert trace.summary["interruptions"] == 0
    assert spans(trace, "response")[0].metrics["truncated_at_ms"] is None


def test_a_barge_in_over_two_items_leaves_the_first_whole_and_the_second_cut() -> None:
    call = Call().session().client(20, "response.create").created(100, "resp_1")
    call.audio(200, "resp_1", "item_a", pcm(1000)).audio(210, "resp_1", "item_b", pcm(1000)).done(
        300, "resp_1"
    )
    call.client(1600, "conversation.item.truncate", item_id="item_b", content_index=0, audio_end_ms=400)
    response = spans(call.close(4000).trace(), "response")[0]
    assert (response.metrics["audio_generated_ms"], response.metrics["audio_heard_ms"]) == (2000, 1400)
    assert [(clip.name, clip.start_byte, clip.end_byte) for clip in response.attachments] == [
        ("assistant", 0, 48_000),
        ("assistant", 48_000, 96_000),
        ("heard", 48_000, 48_000 + 400 * 48),
    ]


def test_a_cancel_that_came_too_late_cuts_no_answer_after_it() -> None:
    call = Call().session().created(100, "r1").audio(200, "r1", "a1", pcm(500)).done(300, "r1")
    call.client(400, "response.cancel")
    call.created(2000, "r2").audio(2100, "r2", "a2", pcm(3000)).cancelled(3100, "r2", "content_filter")
    _, second = spans(call.close(9000).trace(), "response")
    assert second.metrics["audio_heard_ms"] == 1000
    assert second.metrics["heard_estimated"] is True
