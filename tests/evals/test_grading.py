"""The graders of a scenario, by turn and by trace."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.evals.scorers.asked import settle
from tests.judges import judging_server, verdict
from voxgate.evals.grading import scenario_graders
from voxgate.evals.model import Case, Expected, ExpectedCall, Input, Json, Output, ToolCall
from voxgate.evals.protocols import Subject
from voxgate.evals.session import Session

pytestmark = pytest.mark.anyio


def span(span_id: str, kind: str, parent: str | None, start_ms: float, **more: Any) -> Json:
    ends = {"start_ms": start_ms, "end_ms": start_ms + 500, "status": "completed", "name": kind}
    return {"id": span_id, "parent_id": parent, "type": kind, **ends, **more}


def tool(span_id: str, parent: str, start_ms: float, name: str, **arguments: Any) -> Json:
    given = {"call_id": span_id, "name": name, "arguments": arguments}
    return span(span_id, "tool", parent, start_ms, input=given, output={"result": "ok"})


def call(*tools: Json) -> Session:
    """A call of two turns."""
    turns = [span("t1", "turn", None, 0), span("t2", "turn", None, 1000)]
    return Session({"id": "sess_1", "status": "complete", "duration_ms": 2000, "spans": [*turns, *tools]})


def subject(session: Session | None, *graders: Json, level: str = "turn_level") -> Subject:
    scenario = {"simulator": {"goal": "Get the status."}, "graders": {level: list(graders)}}
    expected = Expected(tool_calls=(ExpectedCall("get_order", {"id": "A1"}),))
    return Subject(Case("sim", Input("simulation", scenario=scenario), expected), Output(), session)


NAMED: Json = {"id": "called it", "type": "tool_call"}
ARGUED: Json = {"id": "args", "type": "tool_call_args"}


async def values(given: Subject) -> dict[str, float | None]:
    return {score.name: score.value for score in await scenario_graders().score(given)}


async def test_a_tool_has_to_be_called_in_one_of_the_turns() -> None:
    right = tool("c1", "t2", 1100, "get_order", id="A1", fast=True)
    wrong = tool("c2", "t1", 100, "get_order", id="B2")
    assert await values(subject(call(right), NAMED, ARGUED)) == {"called_it": 1.0, "args": 1.0}
    assert await values(subject(call(wrong), NAMED, ARGUED)) == {"called_it": 1.0, "args": 0.0}
    assert await values(subject(call(), NAMED, ARGUED)) == {"called_it": 0.0, "args": 0.0}


async def test_the_score_of_a_turn_points_at_the_call_that_earned_it() -> None:
    right = tool("c1", "t2", 1100, "get_order", id="A1")
    [score] = await scenario_graders().score(subject(call(right), NAMED))
    assert [one.span_id for one in score.evidence] == ["c1"]


async def test_without_a_recorded_call_the_output_is_graded() -> None:
    given = subject(None, NAMED, level="trace_level")
    made = replace(given, output=Output(tool_calls=(ToolCall("get_order", {}),)))
    assert await values(made) == {"called_it": 1.0}


async def test_a_judge_grades_every_turn_by_itself_and_the_trace_as_a_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    criteria: Json = {"id": "polite", "type": "llm_as_judge", "criteria": "It is polite."}
    said = [
        span("r1", "response", "t1", 100, output={"transcript": "Good day."}),
        span("r2", "response", "t2", 1100, output={"transcript": "What now?"}),
    ]
    with judging_server() as server:
        settle(server, tmp_path, monkeypatch)
        server.answer = lambda asked: verdict("fail" if "What now" in str(asked.body) else "pass")
        [by_turn] = await scenario_graders().score(subject(call(*said), criteria))
        whole = await values(subject(call(*said), criteria, level="trace_level"))
        assert len(server.asked) == 3
    assert (by_turn.name, by_turn.value, whole) == ("polite", 0.5, {"polite": 0.0})
    assert by_turn.params["cost_usd"] == pytest.approx(0.004)  # of both turns


async def test_what_cannot_be_graded_says_why() -> None:
    other = Subject(Case("a", Input("text", text="x")), Output(), None)
    for given, reason in ((other, "no simulation"), (subject(None), "no graders")):
        [score] = await scenario_graders().score(given)
        assert reason in (score.reason_missing or "")
