"""Case 3. A clip of server VAD holds the speech, no more and no less."""

from __future__ import annotations

from tests.traces.calls import Call, live_trace, pcm, spans


def test_the_clip_lies_between_the_marks_and_true_end_leaves_out_the_silence() -> None:
    call = Call().session().append(1000, pcm(3000)).speech("item_u", 1700, 3200, audio=(500, 2100))
    call.created(3300, "resp_1").audio(3500, "resp_1", "item_a", pcm(500)).done(3600, "resp_1")
    trace = call.close(5000).trace()
    user, response = spans(trace, "user")[0], spans(trace, "response")[0]
    (clip,) = user.attachments
    assert (clip.start_byte, clip.end_byte, clip.duration_ms) == (500 * 48, 2100 * 48, 1600)
    assert user.metrics["true_speech_end_ms"] == 1000 + 2100 - 200
    assert response.metrics["endpointing_delay"] == 3200 - 2900
    assert response.metrics["v2v_heard"] == 3500 - 2900
    parts = ("endpointing_delay", "commit_to_response", "model_ttfa", "playback_queue")
    assert sum(response.metrics[part] for part in parts) == response.metrics["v2v_heard"]
    assert trace.metrics["v2v_p50"] == 600
    assert "v2v_p50" not in trace.data["metric_reasons"]


def test_speech_that_began_before_the_provider_said_so_is_in_the_clip_from_its_beginning() -> None:
    """The provider notices it 400 ms late, and its mark lies before: every chunk since then belongs to it."""
    call = Call().session().append(0, pcm(3000, start=0))
    call.server(1500, "input_audio_buffer.speech_started", item_id="item_u", audio_start_ms=812)
    live = spans(live_trace(call), "user")[0].attachments[0]
    assert (live.start_byte, live.end_byte) == (812 * 48, 3000 * 48)
    call.server(2600, "input_audio_buffer.speech_stopped", item_id="item_u", audio_end_ms=2476)
    (clip,) = spans(call.committed(2601, "item_u").close(3000).trace(), "user")[0].attachments
    assert (clip.start_byte, clip.end_byte) == (812 * 48, 2476 * 48)
    assert clip.track == "user"
