"""The set of metrics that every session has: names, values, versions, reasons."""

from __future__ import annotations

import re

import pytest
from tests.conftest import REPOSITORY
from tests.traces.calls import Call, pcm, vad, voices

from voxgate.traces import TraceBuilder
from voxgate.traces.metrics import METRICS, is_current

DEFAULT_SET = """
    v2v_p50 v2v_p95 endpointing_p50 model_ttfa_p50 model_ttfa_p95 response_rate yield_latency_p50 yield_rate
    agent_interruption_rate ghost_interruption_rate dead_air_total dead_air_longest talk_ratio overlap_ms
    reprompt_rate missed_last_turn underrun_ms clipping snr_db loudness tool_error_rate tool_schema_validity
    tool_wait_p95 cost_per_minute tokens_audio_in tokens_audio_out cache_hit_rate errors
"""


def conversation() -> Call:
    """Two spoken turns, each answered; the user speaks into the first answer, which stops."""
    call = Call().session().append(0, pcm(12_000))
    call.speech("u1", 1000, 2200).created(2300, "r1").audio(2400, "r1", "a1", pcm(4000)).done(2500, "r1")
    call.server(5000, "input_audio_buffer.speech_started", item_id="u2", audio_start_ms=4900)
    call.client(5100, "conversation.item.truncate", item_id="a1", content_index=0, audio_end_ms=2700)
    call.server(7000, "input_audio_buffer.speech_stopped", item_id="u2", audio_end_ms=6900).committed(
        7001, "u2"
    )
    return call.created(7100, "r2").audio(7200, "r2", "a2", pcm(2000)).done(7300, "r2").close(12_500)


SOUND = {"user": [(1300, 2000), (5200, 6700)], "heard": [(2450, 5500), (7300, 9200)]}


def test_every_session_has_the_whole_set_and_a_reason_for_each_null() -> None:
    for trace in (
        Call().close(10).trace(),
        Call().trace(),
        conversation().trace(),
        conversation().trace(voices(**SOUND)),
    ):
        assert set(DEFAULT_SET.split()) <= set(trace.metrics) == set(METRICS)
        reasons = trace.data["metric_reasons"]
        assert set(reasons) == {name for name, value in trace.metrics.items() if value is None}
        assert all(reasons.values())


def test_a_session_in_which_nothing_happened_has_counts_and_nothing_else() -> None:
    metrics = Call().close(10).trace().metrics
    assert {name: value for name, value in metrics.items() if value is not None} == {
        "turns": 0,
        "interruptions": 0,
        "errors": 0,
    }


def test_the_metrics_of_a_conversation_are_those_that_can_be_counted_by_hand() -> None:
    trace = conversation().trace(voices(**SOUND, clipping=0.25, snr_db=31.5, loudness_lufs=-20.25))
    expected = {
        "v2v_p50": (450 + 600) / 2,  # 2450 - 2000 and 7300 - 6700
        "endpointing_p50": (200 + 300) / 2,
        "model_ttfa_p50": 100,
        "lead_silence_p50": (50 + 100) / 2,
        "response_rate": 1.0,
        "response_latency_p50": (450 + 600) / 2,
        "yield_rate": 1.0,
        "yield_latency_p50": 300,
        "agent_interruption_rate": 0.0,
        "ghost_interruption_rate": 0.0,
        "interruptions": 1,
        "dead_air_total": 3300,
        "dead_air_longest": 3300,
        "dead_air_user": 3300,
        "dead_air_agent": 0,
        "talk_ratio": round(4950 / (4950 + 2200), 6),
        "overlap_ms": 300,
        "reprompt_rate": 0.0,
        "missed_last_turn": 0,
        "clipping": 0.25,
        "snr_db": 31.5,
        "loudness": -20.25,
        "underrun_ms": 0,
    }
    assert {name: trace.metrics[name] for name in expected} == expected


def test_each_metric_has_its_version_and_parameters_beside_it() -> None:
    how = conversation().trace(voices(**SOUND)).data["metric_versions"]
    assert set(how) == set(METRICS)
    assert how["response_rate"] == {
        "version": 1,
        "unit": "share",
        "merge_gap_ms": 300,
        "turn_gap_ms": 1000,
        "backchannel_ms": 700,
        "deadline_ms": 5000,
        "vad": {"kind": "by hand", "version": 1},
    }
    assert how["interruptions"] == {"version": 2, "unit": "interruptions"}
    assert how["clipping"]["level"] == 32_000


def test_while_the_call_runs_what_needs_its_sound_is_not_measured_yet() -> None:
    builder = TraceBuilder()
    for event in conversation().events[:-1]:
        builder.feed(event)
    live = builder.snapshot()
    assert live.metrics["talk_ratio"] is None
    assert live.data["metric_reasons"]["talk_ratio"] == "measured when the call has ended"
    assert live.metrics["model_ttfa_p50"] == 100


def test_sound_that_was_not_recorded_is_a_reason() -> None:
    trace = Call(recorded={"audio": False}).close(10).trace()
    assert trace.data["metric_reasons"]["snr_db"] == "the sound was not recorded"
    assert Call().close(10).trace().data["metric_reasons"]["snr_db"] == "there is no sound"


def test_a_side_that_was_never_heard_is_a_reason() -> None:
    trace = (
        Call()
        .session(turn_detection=vad())
        .append(0, pcm(100))
        .close(300)
        .trace(voices([(0, 100)], loudness_lufs=-30))
    )
    assert trace.metrics["loudness"] == -30
    assert trace.metrics["loudness_assistant"] is None
    assert trace.data["metric_reasons"]["loudness_assistant"] == "nothing was heard of the assistant"


def test_tokens_and_the_cache() -> None:
    usage = {
        "input_tokens": 200,
        "output_tokens": 90,
        "input_token_details": {"audio_tokens": 120, "text_tokens": 80, "cached_tokens": 50},
        "output_token_details": {"audio_tokens": 70, "text_tokens": 20},
    }
    call = Call().session().client(50, "response.create").created(60, "r").done(90, "r", usage=usage)
    call.client(150, "response.create").created(160, "r2").done(190, "r2", usage={"input_tokens": 100})
    metrics = call.close(200).trace().metrics
    assert (metrics["tokens_in"], metrics["tokens_out"], metrics["cache_hit_rate"]) == (
        300,
        90,
        round(50 / 300, 6),
    )
    assert (metrics["tokens_audio_in"], metrics["tokens_audio_out"]) == (120, 70)


def test_dollars_by_the_minute() -> None:
    price = {"text_input": 100.0, "text_output": 0.0}
    usage = {"input_tokens": 3000, "input_token_details": {"text_tokens": 3000}}
    call = Call().gateway(5, "gateway.prices", price=price).session().client(50, "response.create")
    metrics = call.created(60, "r").done(90, "r", usage=usage).close(90_000).trace().metrics
    assert metrics["cost_per_minute"] == pytest.approx(0.2)


def test_silence_while_a_tool_runs() -> None:
    call = Call().session().user_text(50, "?", id="u").client(60, "response.create").created(100, "r1")
    call.call_tool(995, "r1", "c1", "look", "{}").call_tool(1995, "r1", "c2", "look", "{}").done(2100, "r1")
    call.tool_result(4000, "c1", "{}").tool_result(9000, "c2", "{}").append(0, pcm(9500)).close(10_000)
    metrics = call.trace(voices([(500, 1500), (8000, 8500)], [(2000, 3000)])).metrics
    # The first ran from 1000 to 4000 while 1500 ms were voiced, the second from 2000 to 9000 while 1500 were.
    assert metrics["silence_during_tool_longest"] == 7000 - 1500
    assert metrics["silence_during_tool_total"] == (3000 - 1500) + (7000 - 1500)
    assert metrics["dead_air_tool"] == 5000


@pytest.mark.parametrize(("goes_on", "tool_ms", "user_ms"), [(False, 18_100, 0), (True, 5100, 13_000)])
def test_a_tool_that_nobody_answered_owes_silence_until_another_response_begins(
    goes_on: bool, tool_ms: float, user_ms: float
) -> None:
    call = Call().session().user_text(50, "?", id="u").client(60, "response.create").created(100, "r1")
    call.call_tool(995, "r1", "c1", "look", "{}").done(1100, "r1").append(0, pcm(19_500))
    aside = {"conversation": "none"}
    call.client(1200, "response.create", response=aside).created(1300, "r2").done(1400, "r2")
    if goes_on:
        call.client(5000, "response.create").created(5100, "r3").done(6500, "r3")
    metrics = call.close(20_000).trace(voices([(500, 900)], [(6000, 7000)])).metrics
    assert (metrics["dead_air_tool"], metrics["dead_air_user"]) == (tool_ms, user_ms)


def test_every_metric_and_its_unit_stand_in_the_documentation() -> None:
    text = (REPOSITORY / "docs" / "metrics.md").read_text()
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| `")]
    documented = {name: row[1] for row in rows for name in re.findall(r"`(\w+)`", row[0])}
    assert {name: documented.get(name) for name in METRICS} == {
        name: one.unit for name, one in METRICS.items()
    }


def test_metrics_are_outdated_when_a_formula_a_parameter_or_the_voice_detector_is_another() -> None:
    vad_now = {"kind": "by hand", "version": 1}
    stored = conversation().trace(voices(**SOUND)).data["metric_versions"]
    assert is_current(stored, vad_now)
    assert is_current(Call().close(10).trace().data["metric_versions"], vad_now)
    assert not is_current({}, vad_now)
    assert not is_current(stored, {"kind": "by hand", "version": 2})
    assert not is_current({**stored, "errors": {"version": 0, "unit": "errors"}}, vad_now)
    assert not is_current(
        {**stored, "response_rate": stored["response_rate"] | {"deadline_ms": 4000}}, vad_now
    )
    assert not is_current({name: one for name, one in stored.items() if name != "errors"}, vad_now)
