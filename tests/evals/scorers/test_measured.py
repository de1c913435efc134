"""Scorers of what was measured in a call: metrics, turn-taking, responses, cost."""

from __future__ import annotations

from typing import Any

import pytest

from tests.evals.sessions import session_of, weather_session
from tests.evals.subjects import score_of, scores_of, subject_of
from tests.traces.calls import Call, pcm, voices
from voxgate.evals.measures import HIGHER_IS_BETTER, SHORT_NAMES, find_measure
from voxgate.evals.model import Case, Input, Output
from voxgate.evals.protocols import Subject
from voxgate.evals.scorers.cost import cost
from voxgate.evals.scorers.metric import metric
from voxgate.evals.scorers.response_status import response_status
from voxgate.evals.scorers.turn_taking import PARTS, turn_taking
from voxgate.evals.session import Session
from voxgate.traces.metrics import METRICS


def spoken(*answers_ms: float) -> Session:
    """Questions of a second every ten seconds, each answered so many ms after its end, by 500 ms of voice.
    The second answer is talked into for 200 ms."""
    call, user, heard = Call().session(), [], []
    call.append(0, pcm(10_000 * len(answers_ms)))
    for at, ms in enumerate(answers_ms):
        end = 10_000 * at + 2000
        play = end + ms
        call.speech(f"u{at}", end - 1000, end + 200, audio=(end - 1000, end + 200))
        call.created(end + 210, f"r{at}").audio(play, f"r{at}", f"a{at}", pcm(500)).done(play + 10, f"r{at}")
        user.append((end - 700, end))
        heard.append((play, play + 500))
    call.events.sort(key=lambda event: event.t_ns)
    trace = call.close(10_000 * len(answers_ms) + 2000).trace(voices(user, heard))
    return Session(trace.to_json())


# metric


def test_a_metric_is_a_score_with_the_spans_that_it_was_measured_in() -> None:
    session = spoken(1000, 1500, 3000)
    score = score_of(metric("v2v_p50"), session)
    assert (score.name, score.value, score.unit, score.direction) == ("v2v_p50", 1500, "ms", "min")
    assert (score.n, score.scorer_version) == (3, "1")
    assert [(one.start_ms, one.end_ms) for one in score.evidence] == [
        (2000, 3000),
        (12_000, 13_500),
        (22_000, 25_000),
    ]


def test_a_latency_without_its_percentile_is_the_calls_median() -> None:
    session = spoken(1000, 1500, 3000)
    for name in ("v2v", "v2v.p95", "v2v.max"):
        score = score_of(metric(name), session)
        assert (score.name, score.value) == ("v2v", 1500)
    assert find_measure("model_ttfa.p99") == ("model_ttfa", "model_ttfa_p50")
    assert find_measure("v2v.latest") is find_measure("latency") is None


def test_a_limit_makes_a_share_of_the_single_values() -> None:
    session = spoken(1000, 1500, 3000)
    score = score_of(metric("v2v", at_most=1500), session)
    assert (score.name, score.value, score.unit, score.direction) == (
        "v2v_within",
        pytest.approx(2 / 3),
        "share",
        "max",
    )
    assert [one.end_ms for one in score.evidence] == [25_000]
    assert score.explanation == "beyond the limit: 3000"
    assert score_of(metric("v2v", at_least=1200, at_most=2000), session).value == pytest.approx(1 / 3)


def test_a_limit_on_what_is_of_the_whole_call_is_kept_or_not() -> None:
    session = spoken(1000, 1500, 3000)
    assert score_of(metric("turns", at_most=3), session).value == 1
    score = score_of(metric("turns", at_most=2), session)
    assert (score.value, [(one.start_ms, one.end_ms) for one in score.evidence]) == (0, [(0, 32_000)])


def test_a_metric_that_is_null_is_missing_for_its_reason() -> None:
    score = score_of(metric("v2v_p95"), weather_session())
    assert (score.value, score.unit) == (None, "ms")
    assert score.reason_missing == weather_session().trace["metric_reasons"]["v2v_p95"]
    turn = weather_session().turns[0].span_id
    assert "whole calls" in (
        score_of(metric("response_rate"), weather_session(), turn=turn).reason_missing or ""
    )


def test_a_metric_of_a_turn_is_of_that_turn() -> None:
    session = spoken(1000, 1500, 3000)
    assert score_of(metric("v2v"), session, turn=session.turns[2].span_id).value == 3000


def test_every_metric_can_be_a_score_and_says_what_is_better() -> None:
    assert set(METRICS) >= HIGHER_IS_BETTER
    assert set(SHORT_NAMES.values()) <= set(METRICS)
    session = spoken(1000)
    for name in METRICS:
        score = score_of(metric(name), session)
        assert score.value == session.metrics[name]
        assert score.direction == ("max" if name in HIGHER_IS_BETTER else "min")
    with pytest.raises(ValueError, match="no metric 'v2v_p42'"):
        metric("v2v_p42")


# turn_taking


def test_turn_taking_is_several_scores() -> None:
    found = {one.name: one for one in scores_of(turn_taking(), subject_of(spoken(1000, 1500, 2750)))}
    assert list(found) == [f"turn_taking.{part}" for part in PARTS]
    assert found["turn_taking.response_rate"].value == 1
    assert found["turn_taking.response_latency"].value == 1500
    assert found["turn_taking.response_latency"].direction == "min"
    assert found["turn_taking.missed_last_turn"].value == 0
    assert found["turn_taking.yield_rate"].reason_missing == "the user did not interrupt"
    timeliness = found["turn_taking.timeliness"]
    # 2750 ms is half way down from 2000 to 3500.
    assert timeliness.value == pytest.approx((1 + 1 + 0.5) / 3)
    assert [one.end_ms for one in timeliness.evidence] == [24_750]
    assert timeliness.explanation == "untimely: 2750 ms"


@pytest.mark.parametrize(("ms", "worth"), [(300, 0.8), (500, 1), (2000, 1), (3500, 0), (9000, 0)])
def test_an_answer_is_worth_what_eva_says(ms: float, worth: float) -> None:
    score = scores_of(turn_taking(["timeliness"]), subject_of(spoken(ms)))[0]
    assert score.value == pytest.approx(worth)


def test_only_the_parts_that_are_asked_for() -> None:
    scores = scores_of(turn_taking(["dead_air", "talk_over"]), subject_of(spoken(1000)))
    assert [(one.name, one.unit) for one in scores] == [
        ("turn_taking.dead_air", "ms"),
        ("turn_taking.talk_over", "ms"),
    ]
    for wrong in (["silence"], []):
        with pytest.raises(ValueError, match="parts are some of"):
            turn_taking(wrong)


# response_status


def responses(*statuses: tuple[str, dict[str, Any]]) -> Session:
    call = Call().session()
    for at, (status, details) in enumerate(statuses):
        call.user_text(1000 * at, "Go", id=f"u{at}").client(1000 * at, "response.create")
        call.created(1000 * at + 100, f"r{at}").done(1000 * at + 500, f"r{at}", status, **details)
    return session_of(call.close(1000 * len(statuses)))


def test_responses_that_failed_count_against_and_interruptions_do_not() -> None:
    def because(kind: str, reason: str) -> dict[str, Any]:
        return {"status_details": {"type": kind, "reason": reason}}

    session = responses(
        ("completed", {}),
        ("cancelled", because("cancelled", "turn_detected")),
        ("incomplete", because("incomplete", "max_output_tokens")),
        ("failed", {"status_details": {"type": "failed", "error": {"type": "server_error"}}}),
    )
    score = score_of(response_status(), session)
    assert (score.value, score.n) == (0.5, 4)
    assert [one.start_ms for one in score.evidence] == [2100, 3100]
    assert "incomplete (max_output_tokens)" in (score.explanation or "")
    assert score_of(response_status(interruptions=False), session).value == 0.25
    assert score_of(response_status(["completed", "incomplete"]), session).value == 0.75
    withheld = responses(("cancelled", because("cancelled", "content_filter")))
    assert score_of(response_status(), withheld).value == 0
    assert score_of(response_status(), session_of(Call().session().close(9))).value is None


# cost


def test_cost_is_the_sessions_or_what_the_task_says() -> None:
    session = weather_session()
    assert "price is not known" in (score_of(cost(), session).reason_missing or "")
    session.trace["cost_usd"] = 0.03
    assert (score_of(cost(), session).value, score_of(cost(), session).unit) == (0.03, "USD")
    assert score_of(cost("minute"), session).value == pytest.approx(0.03 * 60 / 9)
    per_turn = score_of(cost("turn"), session)
    assert (per_turn.name, per_turn.value) == ("cost_per_turn", 0.015)
    told = Subject(Case("c", Input("value")), Output(cost_usd=0.5), None)
    assert scores_of(cost(), told)[0].value == 0.5
    assert scores_of(cost("minute"), told)[0].value is None
    with pytest.raises(ValueError, match="per is one of"):
        cost("second")  # type: ignore[arg-type]
