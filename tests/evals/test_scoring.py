"""Scorers made of functions and of others' scorers, and what becomes of what they give."""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import Any

import autoevals
import numpy as np
import pytest

from tests.evals.sessions import weather_session
from tests.evals.subjects import score_of, scores_of, subject_of
from voxgate.core.errors import InvalidRequest
from voxgate.evals.model import Case, Evidence, Expected, ExpectedCall, Input, Output, Score, missing
from voxgate.evals.protocols import Subject
from voxgate.evals.returned import MOST_EVIDENCE, Finding
from voxgate.evals.scoring import as_scorer, collect, score_subject, scorer
from voxgate.evals.session import Session


def test_a_function_gets_what_its_arguments_are_called() -> None:
    seen: dict[str, Any] = {}

    @scorer
    def look(session: Session, input: Any, output: Any, expected: Any, metadata: Any, case: Any) -> float:  # noqa: A002
        seen.update(session=session, input=input, output=output, expected=expected, metadata=metadata)
        return 0.5 if case.id == "case_1" else 0

    session = weather_session()
    given = {"output": 2, "value": [1], "free": 3, "metadata": {"level": 4}}
    assert score_of(look, session, **given).value == 0.5
    assert seen == {"session": session, "input": [1], "output": 2, "expected": 3, "metadata": {"level": 4}}


def test_the_plain_form_of_a_case_is_its_words_where_it_has_them() -> None:
    calls = (ExpectedCall("add", {"x": 1}),)

    @scorer
    def look(input: Any, output: Any, expected: Any) -> bool:  # noqa: A002
        return (input, output, expected) == wanted

    wanted: Any = ("Hello", "Hi", "Good day")
    said = Case("c", Input("text", text="Hello"), Expected("Good day", calls))
    assert scores_of(look, Subject(said, Output("Hi"), None))[0].value == 1
    wanted = ("Hello", "Hi", [{"name": "add", "arguments": {"x": 1}}])
    called = Case("c", Input("text", text="Hello"), Expected(None, calls))
    assert scores_of(look, Subject(called, Output("Hi"), None))[0].value == 1


@pytest.mark.parametrize(
    ("returned", "value", "label"),
    [
        (0.25, 0.25, None),
        (True, 1.0, "pass"),
        (False, 0.0, "fail"),
        (np.float32(0.5), 0.5, None),
        (3, 3.0, None),
    ],
)
def test_a_number_is_a_score_and_so_is_a_truth(returned: Any, value: float, label: str | None) -> None:
    @scorer(name="mine", direction="min", unit="ms", version="7", params={"x": 1})
    def give() -> Any:
        return returned

    assert score_of(give) == Score(
        "mine", value, unit="ms", direction="min", scorer_version="7", params={"x": 1}, label=label
    )


@pytest.mark.parametrize("returned", [None, [], float("nan"), float("inf")])
def test_what_is_no_value_is_missing_with_a_reason(returned: Any) -> None:
    score = score_of(scorer(name="none")(lambda: returned))
    assert (score.value, score.n) == (None, 0)
    assert score.reason_missing


def test_a_mapping_is_a_score_with_its_details_or_several() -> None:
    @scorer(unit="ms")
    def detailed() -> Any:
        span = {"start_ms": 1, "end_ms": 2, "span_id": "span_1"}
        return {"score": 0.5, "n": 4, "explanation": "half", "evidence": [span], "label": "partly"}

    @scorer
    def several() -> Any:
        return {"speed": 1, "calm & quiet": None}

    assert score_of(detailed) == Score(
        "detailed",
        0.5,
        n=4,
        unit="ms",
        explanation="half",
        label="partly",
        evidence=(Evidence(1, 2, "span_1"),),
    )
    speed, calm = scores_of(several, subject_of())
    assert (speed.name, speed.value) == ("several.speed", 1)
    assert (calm.name, calm.value, calm.n) == ("several.calm_quiet", None, 0)


def test_scores_of_our_own_keep_what_they_say() -> None:
    @scorer(name="both", version="2", unit="ms")
    def both() -> Any:
        return [Score("one", 1, unit="s"), missing("two", "no sound"), Finding(3, part="three")]

    one, two, three = scores_of(both, subject_of())
    assert (one.name, one.unit, one.scorer_version) == ("one", "s", "2")
    assert (two.name, two.reason_missing) == ("two", "no sound")
    assert (three.name, three.value, three.unit) == ("both.three", 3, "ms")


def test_a_scorer_may_be_asynchronous_and_may_be_an_object() -> None:
    @scorer
    async def later(output: Any) -> Any:
        await asyncio.sleep(0)
        return output

    class Longer:
        def __call__(self, output: Any, expected: Any) -> Any:
            return output > expected

    assert score_of(later, output=4).value == 4
    assert score_of(Longer(), output=4, free=3) == Score("Longer", 1.0, label="pass")


def test_what_goes_wrong_in_a_scorer_is_a_score_that_says_so() -> None:
    @scorer(direction="min", unit="ms", version="1")
    def broken() -> Any:
        raise KeyError("colour")

    @scorer
    def words() -> Any:
        return "good"

    @scorer
    def leaving() -> Any:
        sys.exit(3)

    score = score_of(broken)
    assert (score.value, score.reason_missing) == (None, "KeyError: 'colour'")
    assert (score.direction, score.unit, score.scorer_version) == ("min", "ms", "1")
    assert "not 'good'" in (score_of(words).reason_missing or "")
    assert "end the program" in (score_of(leaving).reason_missing or "")


@pytest.mark.parametrize("is_async", [True, False])
def test_a_scorer_that_takes_too_long_is_not_waited_for(is_async: bool) -> None:
    released = threading.Event()

    @scorer(name="slow")
    async def slow_async() -> Any:
        await asyncio.Event().wait()

    @scorer(name="slow")
    def slow() -> Any:
        released.wait(60)

    score = scores_of(slow_async if is_async else slow, subject_of(), timeout_seconds=0.02)[0]
    released.set()
    assert score.reason_missing == "the scorer took longer than 0.02 s"


def test_a_scorers_own_timeout_is_its_own() -> None:
    @scorer(timeout_seconds=0.01)
    async def slow() -> Any:
        await asyncio.Event().wait()

    @scorer
    async def refused() -> Any:
        raise TimeoutError("the judge did not answer")

    assert score_of(slow).reason_missing == "the scorer took longer than 0.01 s"
    assert score_of(refused).reason_missing == "TimeoutError: the judge did not answer"


def test_without_a_session_a_scorer_that_wants_one_has_nothing_to_measure() -> None:
    @scorer
    def length(session: Session) -> Any:
        return session.duration_ms

    @scorer
    def either(output: Any, session: Session | None = None) -> Any:
        return session is None

    assert score_of(length).reason_missing == "the task made no recorded call to look at"
    assert score_of(either).value == 1


def test_scorers_see_the_turn_that_answers_the_case() -> None:
    @scorer
    def tools(session: Session) -> Any:
        return {call.name: 1 for call in session.tool_calls}

    session = weather_session()
    turn = session.turns[1].span_id
    assert [one.name for one in scores_of(tools, subject_of(session, turn=turn))] == ["tools.find_story"]


def test_a_turn_that_the_session_has_not_is_the_reason_of_all_scores() -> None:
    @scorer
    def tools(session: Session) -> Any:
        return len(session.tool_calls)

    score = scores_of(tools, subject_of(weather_session(), turn="span_x"))[0]
    assert (score.value, score.name) == (None, "tools")
    assert "no turn 'span_x'" in (score.reason_missing or "")


def test_of_one_case_at_most_two_scorers_hold_a_thread_and_others_wait_for_none() -> None:
    running, most, lock = set[str](), list[int](), threading.Lock()
    enough = threading.Event()

    def held(name: str) -> Any:
        def hold() -> float:
            with lock:
                running.add(name)
                most.append(len(running))
            enough.wait(60)
            with lock:
                running.discard(name)
            return 1

        return scorer(name=name)(hold)

    @scorer
    async def quick() -> float:
        enough.set()
        return 1

    found = asyncio.run(score_subject([*map(held, "abcde"), quick], subject_of()))
    assert [one.value for one in found] == [1] * 6
    assert max(most) <= 2


def test_an_argument_that_a_scorer_cannot_have_is_an_error_at_once() -> None:
    with pytest.raises(InvalidRequest, match=r"'mine' asks for 'transcript'.*session, input, output"):
        scorer(name="mine")(lambda transcript: 1)


@pytest.mark.parametrize(
    "given", [autoevals.Levenshtein, autoevals.Levenshtein(), autoevals.Levenshtein.partial()]
)
def test_a_scorer_of_autoevals_works_unchanged(given: Any) -> None:
    score = score_of(given, output="hello wrld", free="hello world")
    assert (score.name, score.value) == ("Levenshtein", pytest.approx(1 - 1 / 11))
    assert "requires an expected value" in (score_of(given, output="x").reason_missing or "")


def test_a_judge_of_autoevals_says_why() -> None:
    class Kind(autoevals.Score):
        pass

    class Judge:
        async def eval_async(self, output: Any, expected: Any = None, **given: Any) -> Any:
            return Kind("Judge", 0.5, {"rationale": f"{given['input']} to {output}, not {expected}"})

    score = score_of(Judge(), value="Hello", output="Bye", free="Hi")
    assert (score.value, score.explanation) == (0.5, "Hello to Bye, not Hi")


def test_two_scorers_of_one_name_are_an_error() -> None:
    @scorer
    def mine() -> Any:
        return 1

    with pytest.raises(InvalidRequest, match="2 scorers are called 'mine'"):
        collect([mine, autoevals.Levenshtein, scorer(name="mine")(lambda: 2)])
    assert [one.name for one in collect([mine, autoevals.Levenshtein])] == ["mine", "Levenshtein"]


@pytest.mark.parametrize("name", ["<lambda>", "two words", "", "x" * 65])
def test_a_name_that_the_api_does_not_take_is_an_error(name: str) -> None:
    with pytest.raises(InvalidRequest, match="cannot be called"):
        collect([scorer(name=name or "-")(lambda: 1)])


def test_what_is_no_scorer_is_an_error() -> None:
    with pytest.raises(InvalidRequest, match="'wer' is no scorer"):
        as_scorer("wer")


def test_two_scores_of_one_name_are_told_apart() -> None:
    first = scorer(name="a")(lambda: Score("same", 1))
    second = scorer(name="b")(lambda: Score("same", 2))
    one, other = asyncio.run(score_subject([first, second], subject_of()))
    assert (one.name, one.value) == ("same", 1)
    assert (other.name, other.value) == ("b.same", None)


def test_more_evidence_than_the_api_takes_is_cut_and_counted() -> None:
    @scorer
    def much() -> Any:
        return Finding(1, evidence=[Evidence(at, at + 1) for at in range(MOST_EVIDENCE + 5)])

    score = score_of(much)
    assert (len(score.evidence), score.params["evidence_left_out"]) == (MOST_EVIDENCE, 5)


def test_a_scorer_says_what_it_is_and_stays_a_function() -> None:
    @scorer(name="mine", direction="min", unit="ms", version="1", params={"limit": 3})
    def mine(output: int) -> int:
        return output + 1

    assert mine(output=2) == mine(2) == 3
    assert mine.describe() == {
        "name": "mine",
        "version": "1",
        "unit": "ms",
        "direction": "min",
        "params": {"limit": 3},
    }
