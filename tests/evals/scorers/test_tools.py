"""Scorers of tool calls, on calls whose answer is known."""

from __future__ import annotations

from typing import Any

import pytest

from tests.evals.sessions import session_of, weather_session
from tests.evals.subjects import score_of, scores_of
from tests.traces.calls import Call
from voxgate.evals.model import Case, Expected, ExpectedCall, Input, Output, ToolCall
from voxgate.evals.protocols import Subject
from voxgate.evals.scorers.forbidden_tools import forbidden_tools
from voxgate.evals.scorers.tool_arguments import tool_arguments
from voxgate.evals.scorers.tool_called import tool_called
from voxgate.evals.scorers.tool_order import tool_order

WEATHER = ("get_weather", {"city": "Paris"})
STORY = ("find_story", None)


def call_of(*calls: tuple[str, str], tools: Any = ()) -> Call:
    """One response after another, each with a tool call."""
    call = Call().session(tools=list(tools))
    for at, (name, arguments) in enumerate(calls):
        call.created(1000 * at + 100, f"r{at}")
        call.call_tool(1000 * at + 200, f"r{at}", f"c{at}", name, arguments)
        call.done(1000 * at + 300, f"r{at}")
    return call.close(20_000)


# tool_called


@pytest.mark.parametrize(
    ("calls", "count", "value"),
    [
        ([WEATHER], "recall", 1.0),
        ([WEATHER, STORY], "recall", 1.0),
        ([WEATHER, WEATHER], "recall", 0.5),
        ([("refund", None)], "recall", 0.0),
        ([WEATHER], "f1", 2 / 3),
        ([WEATHER, STORY], "f1", 1.0),
        ([WEATHER], "exact", 0.0),
        ([STORY, WEATHER], "exact", 1.0),
        ([], "recall", 0.0),
    ],
)
def test_expected_tools_are_counted(calls: Any, count: Any, value: float) -> None:
    score = score_of(tool_called(count=count), weather_session(), calls=calls)
    assert score.value == pytest.approx(value)
    assert [one.start_ms for one in score.evidence] == [2155, 5305]
    assert (score.unit, score.direction, score.scorer_version) == ("share", "max", "1")


def test_what_was_and_was_not_called_is_said() -> None:
    score = score_of(tool_called(), weather_session(), calls=[WEATHER, WEATHER, ("refund", None)])
    assert score.explanation == "not called: get_weather, refund; not expected: find_story"


def test_without_an_expectation_there_is_nothing_to_score_but_the_scorer_may_say_it() -> None:
    assert "does not say" in (score_of(tool_called(), weather_session()).reason_missing or "")
    assert score_of(tool_called(["get_weather"]), weather_session()).value == 1
    assert score_of(tool_called([]), session_of(Call().session().close(100))).value == 1


def test_an_output_without_a_session_has_calls_too() -> None:
    case = Case("c", Input("value"), Expected(tool_calls=(ExpectedCall("refund"),)))
    score = scores_of(tool_called(), Subject(case, Output(tool_calls=(ToolCall("refund", {}),)), None))[0]
    assert (score.value, score.evidence) == (1, ())


# tool_arguments


@pytest.mark.parametrize(
    ("wanted", "exact", "subset", "similar"),
    [
        ({"city": "Paris"}, 1, 1, 1),
        ({"city": " Paris "}, 1, 1, 1),
        ({}, 0, 1, 0),
        ({"city": "Parts"}, 0, 0, 0.8),
        ({"city": "Paris", "days": 1}, 0, 0, 0.5),
    ],
)
def test_arguments_are_the_same_or_within_or_alike(
    wanted: Any, exact: float, subset: float, similar: float
) -> None:
    session = weather_session()
    for match, value in (("exact", exact), ("subset", subset), ("similar", similar)):
        score = score_of(tool_arguments(match), session, calls=[("get_weather", wanted), STORY])
        assert (score.value, score.n) == (pytest.approx(value), 1)


def test_the_arguments_that_differ_are_said_with_their_place() -> None:
    score = score_of(
        tool_arguments(), weather_session(), calls=[("get_weather", {"city": "Parts", "days": 2})]
    )
    assert score.explanation == 'get_weather: city "Paris" for "Parts" (0.80), days nothing for 2 (0.00)'
    assert [(one.start_ms, one.end_ms) for one in score.evidence] == [(2155, 2500)]


def test_each_call_serves_one_expectation_and_the_likest_first() -> None:
    session = session_of(call_of(("add", '{"x": 1}'), ("add", '{"x": 2, "y": 2.0}')))
    wanted = [("add", {"y": 2, "x": 2}), ("add", {"x": 1})]
    assert score_of(tool_arguments(), session, calls=wanted).value == 1
    twice = score_of(tool_arguments(), session, calls=[("add", {"x": 1}), ("add", {"x": 1})])
    assert twice.value == 0.5
    lacking = score_of(tool_arguments(), session, calls=[*wanted, ("add", {"x": 1})])
    assert (lacking.value, lacking.n) == (pytest.approx(2 / 3), 3)
    assert "add was not called" in (lacking.explanation or "")


def test_arguments_that_are_no_object_fit_nothing() -> None:
    score = score_of(tool_arguments(), weather_session(), calls=[("find_story", {"length": 3})])
    assert (score.value, score.explanation) == (0, "find_story: its arguments are no object")


def test_arguments_of_which_nothing_is_expected_are_not_scored() -> None:
    assert score_of(tool_arguments(), weather_session(), calls=[STORY]).value is None
    assert score_of(tool_arguments(), weather_session()).value is None


def test_arguments_fit_the_schema_of_their_tool() -> None:
    schema = {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}
    tools = [{"type": "function", "name": "add", "parameters": schema}]
    session = session_of(call_of(("add", '{"x": 1}'), ("add", '{"x": "1"}'), ("add", "{"), tools=tools))
    score = score_of(tool_arguments("schema"), session)
    assert (score.value, score.n) == (pytest.approx(1 / 3), 3)
    assert [one.start_ms for one in score.evidence] == [1205, 2205]
    assert "no JSON" in (score.explanation or "")
    own = {"add": {"type": "object", "properties": {"x": {"type": "string"}}}}
    assert score_of(tool_arguments("schema", schemas=own), session).value == pytest.approx(1 / 3)
    assert score_of(tool_arguments("schema", schemas={}), session).value is None
    assert score_of(tool_arguments("schema"), session_of(Call().session().close(9))).value is None


# forbidden_tools


def test_a_forbidden_tool_fails_and_is_pointed_at() -> None:
    assert score_of(forbidden_tools(["refund"]), weather_session()).value == 1
    score = score_of(forbidden_tools(["refund", "find_story"]), weather_session())
    assert (score.value, score.label, score.explanation) == (0, "fail", "called: find_story")
    assert [one.start_ms for one in score.evidence] == [5305]


# tool_order


@pytest.mark.parametrize(
    ("wanted", "value", "strict"),
    [("abc", 1, 1), ("ac", 1, 0), ("cb", 0.5, 0), ("abcd", 0.75, 0), ("xyz", 0, 0), ("ca", 0.5, 0)],
)
def test_the_longest_part_that_is_in_order_counts(wanted: str, value: float, strict: float) -> None:
    session = session_of(call_of(("a", "{}"), ("b", "{}"), ("c", "{}")))
    calls = [(name, None) for name in wanted]
    assert score_of(tool_order(), session, calls=calls).value == value
    assert score_of(tool_order(strict=True), session, calls=calls).value == strict


def test_the_calls_in_order_are_the_evidence() -> None:
    session = session_of(call_of(("a", "{}"), ("x", "{}"), ("b", "{}")))
    score = score_of(tool_order(["a", "b"]), session)
    assert [one.start_ms for one in score.evidence] == [205, 2205]
    assert score.explanation == "expected a → b; called a → x → b"
    assert score_of(tool_order(), session, calls=[]).value is None


@pytest.mark.parametrize(
    "make",
    [
        lambda: tool_called(count="most"),  # type: ignore[arg-type]
        lambda: tool_arguments("equal"),  # type: ignore[arg-type]
        lambda: forbidden_tools([]),
        lambda: forbidden_tools("refund"),
    ],
)
def test_parameters_that_say_nothing_are_refused(make: Any) -> None:
    with pytest.raises(ValueError, match=" is "):
        make()
