"""Latencies of calls that were written down by hand: every number is known."""

from __future__ import annotations

import statistics

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.traces.calls import Call, b64, pcm, spans, vad, voices

from voxgate.traces.latency import distribution, percentile

PARTS = ("endpointing_delay", "commit_to_response", "model_ttfa", "playback_queue", "lead_silence")
TOOL_PARTS = ("endpointing_delay", "tool_time", *PARTS[1:])


def spoken(call: Call) -> Call:
    """Sent from 1000 on, said until 2900 (mark 2100 less 200 of silence), noticed at 3200."""
    return call.append(1000, pcm(3000)).speech("u", 1700, 3200, audio=(500, 2100))


# Many values


def test_percentiles_lie_between_the_closest_ranks() -> None:
    assert percentile([], 50) is None
    assert percentile([7], 99) == 7
    assert percentile([1, 2, 3, 4], 50) == 2.5
    assert percentile([4, 1, 3, 2], 90) == pytest.approx(3.7)


@given(st.lists(st.floats(0, 1e6), min_size=2, max_size=30))
def test_percentiles_are_the_inclusive_quantiles_of_the_standard_library(values: list[float]) -> None:
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    assert [percentile(values, n) for n in (50, 90, 95, 99)] == pytest.approx(
        [cuts[n - 1] for n in (50, 90, 95, 99)]
    )


def test_a_distribution_says_how_many_there_are() -> None:
    assert distribution([10.0, 20.0, 60.0]) == {
        "n": 3, "mean": 30, "p50": 20, "p90": 52, "p95": 56, "p99": 59.2, "max": 60,
    }  # fmt: skip
    assert distribution([]) == {
        "n": 0, "mean": None, "p50": None, "p90": None, "p95": None, "p99": None, "max": None,
    }  # fmt: skip


def test_a_session_has_the_distribution_of_each_latency() -> None:
    call = Call().session()
    for n in range(3):
        call.client(1000 * n, "response.create").created(1000 * n + 10, f"r{n}")
        call.audio(1000 * n + 10 + (n + 1) * 100, f"r{n}", f"a{n}", pcm(50)).done(1000 * n + 500, f"r{n}")
    latency = call.close(4000).trace().data["latency"]
    assert latency["model_ttfa"] == {
        "n": 3, "mean": 200, "p50": 200, "p90": 280, "p95": 290, "p99": 298, "max": 300,
    }  # fmt: skip
    assert latency["commit_to_response"]["n"] == 3
    assert "v2v_heard" not in latency


# Voice to voice


def test_voice_to_voice_is_the_sum_of_its_parts() -> None:
    call = spoken(Call().session()).created(3300, "r").audio(3500, "r", "a", pcm(1000)).done(3600, "r")
    trace = call.close(6000).trace(voices([(1500, 2900)], [(3620, 4500)]))
    found = spans(trace, "response")[0].metrics
    assert [found[name] for name in PARTS] == [300, 100, 200, 0, 120]
    assert found["v2v_heard"] == 3620 - 2900
    assert (trace.metrics["v2v_p50"], trace.metrics["v2v_p95"]) == (720, 720)
    assert trace.metrics["lead_silence_p50"] == 120
    assert trace.metrics["endpointing_p50"] == 300


def test_sound_that_has_to_wait_is_the_playback_queue() -> None:
    call = (
        Call().session().client(100, "response.create").created(110, "r0").audio(200, "r0", "a0", pcm(4000))
    )
    spoken(call.done(300, "r0")).created(3300, "r").audio(3500, "r", "a", pcm(1000)).done(3600, "r")
    found = spans(call.close(6000).trace(voices([(1500, 2900)], [(200, 4200), (4250, 5000)])), "response")[
        1
    ].metrics
    assert [found[name] for name in PARTS] == [300, 100, 200, 700, 50]
    assert found["v2v_heard"] == 4250 - 2900


def test_without_sound_the_lead_silence_is_unknown_and_voice_to_voice_ends_at_the_first_sample() -> None:
    call = spoken(Call().session()).created(3300, "r").audio(3500, "r", "a", pcm(1000)).done(3600, "r")
    trace = call.close(6000).trace()
    found = spans(trace, "response")[0].metrics
    assert (found["lead_silence"], found["v2v_heard"]) == (None, 600)
    assert "lead_silence_p50" in trace.data["metric_reasons"]


def test_an_answer_without_a_voice_was_never_heard() -> None:
    call = spoken(Call().session()).created(3300, "r").audio(3500, "r", "a", pcm(1000)).done(3600, "r")
    trace = call.close(6000).trace(voices([(1500, 2900)], []))
    found = spans(trace, "response")[0].metrics
    assert (found["lead_silence"], found["v2v_heard"], found["endpointing_delay"]) == (None, None, 300)


def test_a_client_that_asks_after_server_vad_is_part_of_the_wait() -> None:
    call = spoken(Call().session(turn_detection=vad(create_response=False)))
    call.client(3250, "response.create").created(3300, "r").audio(3500, "r", "a", pcm(1000)).done(3600, "r")
    found = spans(call.close(6000).trace(), "response")[0].metrics
    assert found["commit_to_response"] == 100
    assert found["v2v_heard"] == 600


def test_a_wait_for_a_tool_has_a_part_of_its_own() -> None:
    call = (
        spoken(Call().session()).created(3300, "r1").call_tool(3400, "r1", "c", "look", "{}").done(3450, "r1")
    )
    call.tool_result(4000, "c", "{}").client(4010, "response.create").created(4100, "r2")
    call.audio(4300, "r2", "a", pcm(1000)).done(4400, "r2")
    trace = call.close(7000).trace(voices([(1500, 2900)], [(4330, 5200)]))
    first, second = (span.metrics for span in spans(trace, "response"))
    assert first["commit_to_response"] == 100
    assert [second[name] for name in TOOL_PARTS] == [300, 810, 90, 200, 0, 30]
    assert second["tool_turn_v2v"] == 4330 - 2900 == sum(second[name] for name in TOOL_PARTS)
    assert second["v2v_heard"] is None
    assert (trace.metrics["tool_turn_v2v_p50"], trace.metrics["v2v_p50"]) == (1430, None)
    assert trace.metrics["tool_wait_p95"] == 595
    assert spans(trace, "tool")[0].metrics["silence_during_tool"] == 595


def test_an_answer_that_begins_before_the_speech_has_ended_is_no_voice_to_voice() -> None:
    call = Call().session().append(1000, pcm(3000)).client(2000, "response.create").created(2100, "r")
    call.audio(2200, "r", "a", pcm(500)).speech("u", 1700, 3200, audio=(500, 2100)).done(3300, "r")
    for span in spans(call.close(6000).trace(voices([(1500, 2900)], [(2200, 2700)])), "response"):
        assert span.metrics.get("v2v_heard") is None


MS = st.integers(0, 3_000_000).map(lambda us: us / 1000)


@given(
    detection=st.sampled_from(["server_vad", "semantic_vad", "none"]),
    steps=st.tuples(MS, MS, MS, MS, MS),
    lead=st.none() | MS,
    tool=st.booleans(),
    queued=MS,
    chunk_ms=st.integers(20, 200),
)
def test_the_parts_sum_to_voice_to_voice_exactly_whatever_the_times(
    detection: str, steps: tuple[float, ...], lead: float | None, tool: bool, queued: float, chunk_ms: int
) -> None:
    call = Call().session(turn_detection=vad(detection))
    call.client(20, "response.create").created(21, "r0").audio(30, "r0", "a0", pcm(queued)).done(40, "r0")
    call.append(1000, pcm(2000), chunk=chunk_ms * 48, every_ms=chunk_ms)
    at = 3000 + steps[0]
    if detection == "none":
        call.client(at, "input_audio_buffer.commit").committed(at + 3, "u")
    else:
        call.speech("u", 1500, at, audio=(500, 1900))
    at += steps[1] + 5
    call.created(at, "r1")
    if tool:
        call.call_tool(at + 1, "r1", "c", "look", "{}").done(at + 9, "r1").tool_result(at + 30, "c", "{}")
        call.client(at + 31, "response.create").created(at := at + 40 + steps[2], "r2")
    at += steps[3]
    call.audio(at, "r2" if tool else "r1", "a", pcm(500)).done(at + 10, "r2" if tool else "r1")
    plays_ms = max(at, 30 + round(queued * 24) / 24)
    sound = None
    if lead is not None:
        assume(lead < 500)
        sound = voices([(1600, 2750)], [(plays_ms + lead, plays_ms + 500)])
    trace = call.close(at + 20_000).trace(sound)
    found = spans(trace, "response")[-1].metrics
    whole = found["tool_turn_v2v"] if tool else found["v2v_heard"]
    if detection != "server_vad" and sound is None:
        assert whole is None  # where the speech ended only the sound knows
        return
    assert whole is not None
    ended_ms = 2700 if detection == "server_vad" else 2750
    heard_ms = plays_ms + (lead or 0)
    assert whole == pytest.approx(heard_ms - ended_ms, abs=0.0021)
    parts = [found[name] for name in (TOOL_PARTS if tool else PARTS)]
    assert all(part is None or part >= 0 for part in parts)
    assert round(sum(part for part in parts if part is not None), 3) == whole
    assert (found["lead_silence"] is None) == (sound is None)


# The end of speech


def test_the_true_end_of_speech_is_the_mark_less_its_silence_and_the_beginning_the_mark_and_its_padding() -> (
    None
):
    user = spans(spoken(Call().session()).close(6000).trace(voices([(1000, 4000)])), "user")[0].metrics
    assert (user["true_speech_start_ms"], user["true_speech_end_ms"]) == (1000 + 500 + 300, 1000 + 2100 - 200)
    assert user["speech_source"] == "marks"


@pytest.mark.parametrize("detection", [vad("semantic_vad"), None])
def test_where_the_marks_say_nothing_the_voice_does(detection: dict[str, object] | None) -> None:
    call = spoken(Call().session(turn_detection=detection or {"type": "none"}))
    call.created(3300, "r").audio(3500, "r", "a", pcm(1000)).done(3600, "r").close(6000)
    user = spans(call.trace(), "user")[0].metrics
    assert (user["true_speech_end_ms"], user["speech_source"]) == (None, None)
    trace = call.trace(voices([(1100, 1200), (1700, 2000), (2200, 2950), (3900, 4000)], [(3500, 4500)]))
    user = spans(trace, "user")[0].metrics
    assert (user["true_speech_start_ms"], user["true_speech_end_ms"]) == (1700, 2950)
    assert user["speech_source"] == "vad"
    assert spans(trace, "response")[0].metrics["v2v_heard"] == 3500 - 2950


def test_push_to_talk_ends_where_the_voice_does() -> None:
    call = Call().session(turn_detection={"type": "none"}).append(1000, pcm(2000))
    call.client(3000, "input_audio_buffer.commit").client(3001, "response.create").committed(3040, "u")
    call.created(3100, "r").audio(3200, "r", "a", pcm(500)).done(3300, "r").close(5000)
    trace = call.trace(voices([(1100, 2600)], [(3210, 3600)]))
    found = spans(trace, "response")[0].metrics
    assert found["endpointing_delay"] == 3000 - 2600
    assert found["commit_to_response"] == 100
    assert found["v2v_heard"] == 3210 - 2600


def test_of_a_file_that_was_sent_at_once_nothing_is_known() -> None:
    call = Call().session(turn_detection=vad("semantic_vad")).append(1000, pcm(5000), every_ms=1)
    call.speech("u", 1100, 1200, audio=(500, 4500)).created(1300, "r").audio(1400, "r", "a", pcm(500))
    trace = call.done(1500, "r").close(3000).trace(voices([(1500, 5000)], [(1400, 1900)]))
    assert spans(trace, "user")[0].metrics["true_speech_end_ms"] is None
    assert trace.metrics["v2v_p50"] is None
    assert trace.metrics["response_rate"] is None
    assert trace.data["metric_reasons"]["response_rate"] == "the user's audio was not sent in real time"


# The rest


def test_latencies_of_one_response_by_their_formulas() -> None:
    call = (
        spoken(Call().session()).transcript(3900, "u", "hi").created(3300, "r").words(3350, "r", "a", "well")
    )
    call.audio(3500, "r", "a", pcm(200)).audio(4000, "r", "a", pcm(500)).done(4300, "r")
    trace = call.close(6000).trace()
    found = spans(trace, "response")[0].metrics
    assert found["ttfa_peer"] == 300
    assert found["ttft_text"] == 50
    assert found["generation_ms"] == 1000
    assert found["rtf"] == 0.7
    assert found["underrun_ms"] == 300
    assert trace.metrics["underrun_ms"] == 300
    assert trace.metrics["transcript_lag_p50"] == 700


def test_what_both_say_at_once_is_the_speechs_overlap() -> None:
    sound = voices([(1500, 2900)], [(0, 2300), (2650, 2750)])
    user = spans(spoken(Call().session()).close(6000).trace(sound), "user")[0].metrics
    assert user["overlap_ms"] == (2300 - 1800) + 100


def test_a_greeting_waits_for_the_configured_session() -> None:
    call = (
        Call().session(10).server(50, "session.updated", session={"voice": "x"}).client(60, "response.create")
    )
    call.created(100, "r").server(
        150, "response.output_audio.delta", response_id="r", item_id="a", delta=b64(pcm(9))
    )
    assert call.done(200, "r").close(900).trace().metrics["greeting_latency"] == 100
