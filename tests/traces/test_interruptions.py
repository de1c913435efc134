"""What counts as an interruption, and how often."""

from __future__ import annotations

from tests.traces.calls import Call, pcm, spans, voices


def answered(audio_ms: float = 4000) -> Call:
    """Said from 1000 on, answered from 2200 on."""
    call = Call().session().append(500, pcm(1400)).speech("u1", 1000, 2000, audio=(0, 1000))
    return call.created(2100, "r1").audio(2200, "r1", "a1", pcm(audio_ms))


def started(call: Call, t_ms: float, item_id: str) -> Call:
    return call.server(t_ms, "input_audio_buffer.speech_started", item_id=item_id, audio_start_ms=1450)


def test_one_barge_in_that_cuts_two_answers_is_one_interruption() -> None:
    call = answered().done(2300, "r1").client(2400, "response.create").created(2500, "r2")
    call.audio(2600, "r2", "a2", pcm(2000))
    started(call, 3000, "u2").cancelled(3050, "r2", "turn_detected")
    call.client(3060, "conversation.item.truncate", item_id="a1", content_index=0, audio_end_ms=750)
    trace = call.close(9000).trace()
    assert [span.output["interrupted"] for span in spans(trace, "response")] == [True, True]
    assert (trace.summary["interruptions"], trace.metrics["interruptions"]) == (1, 1)


def test_one_click_of_a_client_that_cuts_two_answers_is_one_interruption() -> None:
    call = answered().done(2300, "r1").client(2400, "response.create").created(2500, "r2")
    call.audio(2600, "r2", "a2", pcm(2000)).client(3000, "response.cancel")
    call.client(3001, "conversation.item.truncate", item_id="a1", content_index=0, audio_end_ms=750)
    call.cancelled(3100, "r2", "client_cancelled")
    assert call.close(9000).trace().summary["interruptions"] == 1


def test_two_barge_ins_are_two_interruptions() -> None:
    call = started(answered(), 3000, "u2").cancelled(3050, "r1", "turn_detected")
    call.server(3300, "input_audio_buffer.speech_stopped", item_id="u2", audio_end_ms=1300).committed(
        3301, "u2"
    )
    call.created(3400, "r2").audio(3500, "r2", "a2", pcm(4000))
    started(call, 3800, "u3").cancelled(3850, "r2", "turn_detected")
    assert call.close(9000).trace().summary["interruptions"] == 2


def test_two_stops_of_the_client_are_two_interruptions() -> None:
    call = answered().client(2600, "response.cancel").cancelled(2610, "r1", "client_cancelled")
    call.client(2700, "response.create").created(2750, "r2").audio(2800, "r2", "a2", pcm(4000))
    call.client(3600, "response.cancel").cancelled(3610, "r2", "client_cancelled")
    assert call.close(9000).trace().summary["interruptions"] == 2


def test_a_call_that_ends_while_the_assistant_speaks_was_not_interrupted() -> None:
    trace = answered().done(2300, "r1").close(3200).trace()
    response = spans(trace, "response")[0]
    assert trace.summary["interruptions"] == 0
    assert response.output["interrupted"] is False
    assert (response.metrics["audio_generated_ms"], response.metrics["audio_heard_ms"]) == (4000, 1000)
    assert (response.metrics["truncated_at_ms"], response.metrics["heard_estimated"]) == (1000, True)
    assert trace.data["audio_ms"]["heard"] == 1000


def test_the_clients_close_frame_is_when_it_stopped_listening() -> None:
    from voxgate.traces import Event

    call = answered().done(2300, "r1")
    call.events.append(Event(2_700_000_000, "client", close={"code": 1000, "reason": ""}))
    trace = call.close(3200).trace()
    assert spans(trace, "response")[0].metrics["audio_heard_ms"] == 500


def test_a_close_frame_of_the_provider_stops_nobody_from_listening() -> None:
    from voxgate.traces import Event

    call = answered().done(2300, "r1")
    call.events.append(Event(2_700_000_000, "server", close={"code": 1000, "reason": ""}))
    assert spans(call.close(3200).trace(), "response")[0].metrics["audio_heard_ms"] == 1000


def test_a_killed_worker_ends_what_is_heard_with_its_last_message() -> None:
    trace = answered().done(2300, "r1").trace()
    assert trace.summary["status"] == "interrupted"
    assert spans(trace, "response")[0].metrics["audio_heard_ms"] == 100


def test_sound_that_comes_after_the_close_is_generated_and_not_heard() -> None:
    call = answered(100).close(3000).audio(3100, "r1", "a1", pcm(500)).audio(3200, "r1", "a9", pcm(500))
    found = spans(call.trace(), "response")[0].metrics
    assert (found["audio_generated_ms"], found["audio_heard_ms"]) == (1100, 100)


# Ghosts


def barged_in(transcript: str | None = None) -> Call:
    call = started(answered(), 3000, "u2").cancelled(3050, "r1", "turn_detected").append(2900, pcm(600))
    call.server(3400, "input_audio_buffer.speech_stopped", item_id="u2", audio_end_ms=1500).committed(
        3401, "u2"
    )
    return call if transcript is None else call.transcript(3600, "u2", transcript)


def ghost_rate(call: Call, **voiced: object) -> object:
    return call.close(9000).trace(voices(**voiced) if voiced else None).metrics["ghost_interruption_rate"]


def test_an_interruption_without_a_word_is_a_ghost() -> None:
    assert ghost_rate(barged_in("")) == 1.0
    assert ghost_rate(barged_in("Mm-hmm.")) == 1.0
    assert ghost_rate(barged_in("Wait, stop please")) == 0.0


def test_an_interruption_without_a_voice_is_a_ghost() -> None:
    assert ghost_rate(barged_in(), user=[(500, 1900)]) == 1.0
    assert ghost_rate(barged_in(), user=[(500, 1900), (2950, 3300)]) == 0.0
    assert ghost_rate(barged_in("Wait, stop please"), user=[(500, 1900)]) == 1.0


def test_where_neither_words_nor_sound_are_known_nobody_can_say() -> None:
    trace = barged_in().close(9000).trace()
    assert trace.metrics["ghost_interruption_rate"] is None
    reason = "neither words nor sound of the interrupting speech are known"
    assert trace.data["metric_reasons"]["ghost_interruption_rate"] == reason


def test_stops_of_the_client_are_no_ghosts() -> None:
    call = answered().client(2600, "response.cancel").cancelled(2610, "r1", "client_cancelled").close(4000)
    assert call.trace().metrics["ghost_interruption_rate"] is None
