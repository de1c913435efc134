"""What a gate lets pass, and what it says when it does not."""

from __future__ import annotations

from typing import Any

import pytest

from tests.evals.made import tally
from voxgate.core.errors import InvalidRequest
from voxgate.evals.comparing import compare
from voxgate.evals.gates import Check, checks_of, parse_gate
from voxgate.evals.tally import Tally


def check(lines: dict[str, Any], counted: Tally, before: Tally | None = None) -> Check:
    gate = parse_gate(lines)
    comparison = compare(before, counted, only=gate.unregressed(counted)) if before else None
    [one] = checks_of(gate, counted, comparison)
    return one


TEN = {f"c{n}": float(n) for n in range(11)}


@pytest.mark.parametrize(
    ("key", "condition", "passed"),
    [
        ("x", ">=5", True),
        ("x", ">5", False),
        ("x.mean", "==5", True),
        ("x.p90", "<=9", True),
        ("x.p95", "<=9", False),
        ("x.max", "<=10", True),
        ("x.min", "<0", False),
        ("x.n", "==11", True),
        ("x.sum", ">= 55", True),
        ("x.stderr", "<=1", True),
        ("x.p50", "<=0.005 s", True),
        ("x.mean", ">=500%", True),
        ("cost_usd", "<=0", True),
    ],
)
def test_a_gate_looks_at_what_it_names(key: str, condition: str, passed: bool) -> None:
    assert check({key: condition}, tally("x", TEN)).passed is passed


def test_pass_hat_k_asks_for_all_of_k_trials() -> None:
    counted = tally("ok", {"a": [1.0, 1.0], "b": [1.0, 0.0]})
    assert check({"ok.pass^2": ">=0.5"}, counted).value == 0.5
    assert check({"ok.pass@2": ">=1"}, counted).value == 1.0
    assert check({"ok.pass^3": ">=0"}, counted).reason == "there are not enough values"


def test_a_missing_value_fails_with_its_reason() -> None:
    found = check({"x": ">=0"}, tally("x", {"a": 1.0, "b": None}))
    assert not found.passed
    assert found.reason == "1 of 2 values are missing: nobody spoke (1)"


@pytest.mark.parametrize("allowed", [True, ["x"]])
def test_missing_values_may_be_allowed(allowed: bool | list[str]) -> None:
    counted = tally("x", {"a": 1.0, "b": None})
    assert check({"x": ">=1", "allow_missing": allowed}, counted).passed
    assert not check({"x": ">=1", "allow_missing": ["y"]}, counted).passed


def test_a_score_of_which_all_is_missing_does_not_pass_although_that_is_allowed() -> None:
    found = check({"x": ">=0", "allow_missing": True}, tally("x", {"a": None}))
    assert not found.passed


def test_no_regression_compares_with_the_baseline() -> None:
    good = tally("ok", {f"c{n}": 1.0 for n in range(8)})
    bad = tally("ok", {f"c{n}": 0.0 for n in range(8)})
    assert check({"ok": "no-regression"}, good, good).passed
    found = check({"ok": "no-regression"}, bad, good)
    assert not found.passed
    assert found.reason == "from 1 to 0 (p 0.0078)"


def test_too_few_cases_pass_and_say_that_they_show_nothing() -> None:
    found = check({"ok": "no-regression"}, tally("ok", {"a": 0.0}), tally("ok", {"a": 1.0}))
    assert found.passed
    assert "1 case cannot show a change" in (found.reason or "")


def test_no_regression_without_a_baseline_is_an_error() -> None:
    with pytest.raises(InvalidRequest, match="no experiment to compare with"):
        check({"ok": "no-regression"}, tally("ok", {"a": 0.0}))


def test_a_baseline_without_the_score_does_not_pass() -> None:
    found = check({"ok": "no-regression"}, tally("ok", {"a": 1.0}), tally("other", {"a": 1.0}))
    assert (found.passed, found.reason) == (False, "the baseline A has no score 'ok'")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ({"x": 0.9}, "The gate 'x' is 0.9. A gate is written"),
        ({"x": "=> 3"}, "cannot be read: '=> 3'"),
        ({"x": "better"}, "cannot be read"),
        ({"x": ">=1", "allow_missing": "x"}, "allow_missing is true, false or a list"),
    ],
)
def test_a_gate_that_cannot_be_read_says_how_one_is_written(lines: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        parse_gate(lines)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("tool_cal", "Is 'tool_call' meant?"),
        ("tool_call.p950x", "asks for 'p950x'"),
        ("zzz", "There are: tool_call"),
    ],
)
def test_a_gate_on_a_score_that_is_not_there_names_what_is(key: str, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message.replace("?", r"\?")):
        check({key: ">=1"}, tally("tool_call", {"a": 1.0}))


def test_names_of_scores_may_have_dots() -> None:
    assert check({"v2v.heard": ">=1"}, tally("v2v.heard", {"a": 1.0})).passed
    assert check({"v2v.heard.max": ">=1"}, tally("v2v.heard", {"a": 1.0})).passed


def test_a_gate_goes_into_the_record_as_it_was_written() -> None:
    lines = {"x.p95": "<=1500", "y": "no-regression", "allow_missing": ["y"]}
    assert parse_gate(lines).to_json() == lines
