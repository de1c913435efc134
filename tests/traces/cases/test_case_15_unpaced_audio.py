"""Case 15. Audio that is appended faster than it sounds, or with stalls."""

from __future__ import annotations

from tests.traces.calls import Call, greeting, pcm, spans

from voxgate.traces import build_trace


def test_a_file_sent_at_once_lies_on_its_own_clock_and_gives_no_latency() -> None:
    call = (
        Call().session().append(1000, pcm(3000), every_ms=1).speech("item_u", 1100, 1200, audio=(500, 2500))
    )
    call.created(1300, "resp_1").audio(1400, "resp_1", "item_a", pcm(200)).done(1500, "resp_1")
    trace = call.close(2000).trace()
    (clip,) = spans(trace, "user")[0].attachments
    assert (clip.start_byte, clip.end_byte) == (500 * 48, 2500 * 48)
    response = spans(trace, "response")[0]
    assert response.metrics["v2v_heard"] is None
    assert response.metrics["ttfa_peer"] == 200
    assert trace.data["metric_reasons"]["v2v_p50"].startswith("needs speech")
    turn = spans(trace, "turn")[0]
    assert turn.start_ms <= spans(trace, "user")[0].start_ms <= response.start_ms


def test_the_same_log_gives_the_same_trace_again() -> None:
    events = greeting(Call().session()).done(2300, "resp_1").close(3000).events
    assert build_trace(events).to_json() == build_trace(events).to_json()


def test_a_stall_whose_backlog_comes_at_once_is_no_pause_of_the_speaker() -> None:
    """The line hung from 2000 to 3000 ms; the provider's clock is that of the sound."""
    call = Call().session().append(1000, pcm(1000)).append(3000, pcm(1000, start=24_000), every_ms=1)
    call.append(3100, pcm(1000, start=48_000)).speech("item_u", 1500, 4000, audio=(500, 2800))
    call.created(4100, "resp_1").audio(4200, "resp_1", "item_a", pcm(200)).done(4300, "resp_1")
    trace = call.close(5000).trace()
    user, response = spans(trace, "user")[0], spans(trace, "response")[0]
    assert trace.data["audio_ms"]["in"] == 3000
    assert user.attachments[0].duration_ms == 2300
    assert user.metrics["true_speech_end_ms"] == 1000 + 2800 - 200
    assert response.metrics["v2v_heard"] == 4200 - 3600


def test_a_pause_in_sending_is_a_pause_of_the_call() -> None:
    call = (
        Call()
        .session()
        .append(1000, pcm(500))
        .append(3000, pcm(500))
        .speech("item_u", 3100, 3600, audio=(600, 950))
    )
    user = spans(call.close(5000).trace(), "user")[0]
    assert user.start_ms == 3000 + 100
    assert user.metrics["true_speech_end_ms"] == 3000 + 950 - 200 - 500
