"""Two experiments beside each other."""

from __future__ import annotations

import numpy as np
import pytest

from tests.evals.made import results, tally
from voxgate.evals.comparing import compare
from voxgate.evals.model import Output, Result, Score
from voxgate.evals.tally import tally_of


def test_every_case_worse_is_a_regression_with_its_interval() -> None:
    before = tally("tool_call", {f"c{n}": 1.0 for n in range(8)})
    after = tally("tool_call", {f"c{n}": 0.0 for n in range(8)})
    [score] = compare(before, after).scores
    assert score.verdict == "regressed"
    assert (score.before, score.after, score.delta) == (1.0, 0.0, -1.0)
    assert score.interval is not None
    assert (score.interval.low, score.interval.high) == (-1.0, -1.0)


def test_less_is_better_where_the_score_says_so() -> None:
    before = tally("v2v", {f"c{n}": 900.0 + n for n in range(8)}, direction="min", unit="ms")
    after = tally("v2v", {f"c{n}": 600.0 - n for n in range(8)}, direction="min", unit="ms")
    assert compare(before, after).scores[0].verdict == "improved"
    assert compare(after, before).scores[0].verdict == "regressed"


def test_cases_are_sorted_by_how_much_worse_they_are() -> None:
    before = tally("wer", {"a": 0.1, "b": 0.1, "c": 0.1, "d": 0.1}, direction="min")
    after = tally("wer", {"a": 0.1, "b": 0.0, "c": 0.9, "d": 0.3}, direction="min")
    score = compare(before, after).scores[0]
    assert [(pair.case_id, pair.change) for pair in score.pairs] == [
        ("c", "regressed"),
        ("d", "regressed"),
        ("a", "same"),
        ("b", "improved"),
    ]


def test_cases_of_one_experiment_alone_are_listed_and_do_not_count() -> None:
    before = tally("x", {"a": 1.0, "b": 1.0, "gone": 0.0})
    after = tally("x", {"a": 1.0, "b": 1.0, "new": 0.0})
    found = compare(before, after)
    assert (found.only_before, found.only_after) == (("gone",), ("new",))
    assert found.scores[0].delta == 0.0


def test_a_case_that_was_not_measured_in_one_is_no_pair() -> None:
    found = compare(tally("x", {"a": 1.0, "b": None}), tally("x", {"a": 1.0, "b": 0.0}))
    assert [pair.case_id for pair in found.scores[0].pairs] == ["a"]


def test_too_few_cases_are_said_to_show_nothing() -> None:
    found = compare(tally("x", {"a": 1.0, "b": 1.0}), tally("x", {"a": 0.0, "b": 0.0}))
    assert found.scores[0].verdict == "same"
    assert found.scores[0].note is not None
    assert "2 cases cannot show a change" in found.scores[0].note


def test_regressed_scores_come_first_and_improved_ones_last() -> None:
    def run(tool: float, latency: float, length: float) -> list[Result]:
        return [
            Result(
                f"c{n}",
                0,
                Output(),
                (
                    Score("length", length + n % 2),
                    Score("latency", latency, direction="min"),
                    Score("tool", tool),
                ),
            )
            for n in range(12)
        ]

    found = compare(tally_of(run(1.0, 900.0, 3.0)), tally_of(run(0.0, 300.0, 3.0)))
    assert [(score.name, score.verdict) for score in found.scores] == [
        ("tool", "regressed"),
        ("length", "same"),
        ("latency", "improved"),
    ]


def test_many_scores_without_a_change_raise_few_alarms() -> None:
    """Five scores at once: without a correction, one comparison in four would have a false alarm."""
    rng = np.random.default_rng(2)
    alarms = 0
    for _ in range(40):
        runs = [
            [
                Result(f"c{n}", 0, Output(), tuple(Score(f"s{k}", rng.normal()) for k in range(5)))
                for n in range(12)
            ]
            for _ in range(2)
        ]
        found = compare(tally_of(runs[0]), tally_of(runs[1]))
        alarms += any(score.verdict != "same" for score in found.scores)
    assert alarms <= 6


def test_a_real_change_is_found_through_noise() -> None:
    rng = np.random.default_rng(4)
    noise = {f"c{n}": rng.normal(800, 80, 3).tolist() for n in range(12)}
    slower = {case: [v + 250 + rng.normal(0, 80) for v in values] for case, values in noise.items()}
    found = compare(tally("v2v", noise, direction="min"), tally("v2v", slower, direction="min"))
    assert found.scores[0].verdict == "regressed"


def test_values_of_several_spans_of_a_trial_are_one_mean() -> None:
    def spans(*values: float) -> list[Result]:
        return [Result("a", 0, Output(), tuple(Score("v2v", value, span_id=str(value)) for value in values))]

    assert tally_of(spans(100.0, 300.0)).by_case("v2v") == {"a": [200.0]}


def test_results_with_an_error_count_as_errors_and_not_as_cases_of_a_score() -> None:
    made = [*results("x", {"a": 1.0}), Result("b", 0, None, error="TaskError: the provider was away")]
    counted = tally_of(made)
    assert (counted.results, counted.errors) == (2, 1)
    assert counted.by_case("x") == {"a": [1.0]}
    assert counted.error_kinds == {"TaskError": 1}


def test_a_comparison_is_plain_json() -> None:
    body = compare(
        tally("x", {"a": 1.0, "b": 0.0}), tally("x", {"a": 0.0, "b": 0.0}), ids=("e1", "e2")
    ).to_json()
    assert (body["before"], body["after"], body["confidence"]) == ("e1", "e2", 0.95)
    assert body["scores"][0]["pairs"][0] == {
        "case_id": "a",
        "before": 1.0,
        "after": 0.0,
        "delta": -1.0,
        "change": "regressed",
    }
    assert body["scores"][0]["delta"] == pytest.approx(-0.5)
