"""What replays are for: in each mode something that got worse is found as a regression, a second run of the
same is not, and `voxgate eval gate` ends as CI is to end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace as changed
from typing import Any

import pytest

from tests.cli.commands import Command, run_here
from tests.cli.commands import Outcome as Ended
from tests.evals.replay.conftest import Stage, _running, stage  # noqa: F401 - fixtures
from tests.evals.replay.standin import Call, Reply, speech
from tests.evals.replay.test_modes import record_with_vad, scenario
from voxgate import Eval, contains, metric, replay, tool_called
from voxgate.evals.model import Case, Expected, ExpectedCall, Input
from voxgate.evals.outcome import Outcome

pytestmark = pytest.mark.anyio
CASES = 6
"""So few that all of them have to be worse, and so many that this is no accident at 95 %."""


def clerk(call: Call) -> Reply:
    """Looks orders up unless it is told not to; plays the user of a scenario."""
    told, last = call.session["instructions"], call.items[-1] if call.items else {}
    if "play the user" in told:
        return Reply("END_CALL" if any(item["role"] == "user" for item in call.items) else "Where is it?")
    if last.get("type") == "function_call_output":
        return Reply("I could not find it." if "error" in last["output"] else f"It is {last['output']}.")
    if "never look" in told:
        return Reply("I cannot know that.")
    return Reply(calls=[("get_order", {"id": "A1"})])


def cases(one: Case) -> list[Case]:
    return [changed(one, id=f"case-{number}") for number in range(CASES)]


async def judged(data: Sequence[Case], task: Any, score: Any, before: Outcome | None = None) -> Outcome:
    """An experiment, compared with the one before."""
    baseline: Any = before.id if before else False
    gate = {score.name: "no-regression"} if before else None
    known: Any = {"baseline": baseline, "gate": gate, "max_concurrency": CASES}
    return await Eval("clerk", data=data, task=task, scores=[score], **known).run_async()


def verdict(outcome: Outcome) -> str:
    assert outcome.comparison is not None
    [score] = outcome.comparison.scores
    return score.verdict


async def agree(stage: Stage, again: Outcome, worse: Outcome) -> None:  # noqa: F811
    """What the runs say, and what the command ends with."""
    assert (verdict(again), again.exit_code) == ("same", 0)
    assert (verdict(worse), worse.exit_code) == ("regressed", 1)
    for outcome, code in ((again, 0), (worse, 1)):
        ended = await gate(stage, outcome.id)
        assert ended.status == code, ended
        assert ("FAIL" in ended.output, "PASS" in ended.output) == (code == 1, code == 0), ended


async def gate(stage: Stage, *ids: str) -> Ended:  # noqa: F811
    return await asyncio.to_thread(run_here, stage.voxgate, "eval", "gate", *ids)


async def test_a_worse_prompt_is_found_turn_by_turn(stage: Stage) -> None:  # noqa: F811
    stage.standin.think = clerk
    session_id = await stage.record(speech(200), "And now?", tools={"get_order": "on its way"})
    expected = Expected(tool_calls=(ExpectedCall("get_order"),))
    data = cases(Case("", Input("turn", turn=1), expected, session_id=session_id))

    first = await judged(data, replay(), tool_called())
    again = await judged(data, replay(), tool_called(), first)
    worse = await judged(data, replay(instructions="You never look anything up."), tool_called(), first)

    await agree(stage, again, worse)
    assert [(await gate(stage, first.id, one.id)).status for one in (again, worse)] == [0, 1]
    process = await asyncio.to_thread(Command(stage.voxgate), "eval", "gate", worse.id)
    assert process.status == 1, process


async def test_a_worse_prompt_is_found_in_whole_sessions(stage: Stage) -> None:  # noqa: F811
    stage.standin.think = clerk
    session_id = await stage.record(speech(200), "And now?", tools={"get_order": "on its way"})
    data = cases(Case("", Input("session"), session_id=session_id))
    score = contains("on its way")

    first = await judged(data, replay(mode="session"), score)
    again = await judged(data, replay(mode="session"), score, first)
    worse = await judged(data, replay(mode="session", instructions="You never look."), score, first)

    await agree(stage, again, worse)


async def test_a_slower_voice_is_found_at_the_original_times(stage: Stage) -> None:  # noqa: F811
    stage.standin.think = lambda call: Reply("Yes.")
    session_id = await record_with_vad(stage, speech(200, quiet_ms=300))
    data = cases(Case("", Input("session"), session_id=session_id))
    late = metric("model_ttfa", at_most=1000)

    first = await judged(data, replay(mode="timing"), late)
    again = await judged(data, replay(mode="timing"), late, first)
    stage.standin.think = lambda call: Reply("Yes.", delay_seconds=1.2)
    worse = await judged(data, replay(mode="timing"), late, first)

    await agree(stage, again, worse)


async def test_a_broken_tool_is_found_in_simulations(stage: Stage) -> None:  # noqa: F811
    async def broken(**_: Any) -> None:
        raise RuntimeError("no stock")

    stage.standin.think = clerk
    data = cases(Case("", Input("simulation", scenario=scenario())))
    score = contains("on its way")

    first = await judged(data, replay(), score)
    again = await judged(data, replay(), score, first)
    worse = await judged(data, replay(tools="live", live={"get_order": broken}), score, first)

    await agree(stage, again, worse)
