"""The graders of a scenario as a scorer: `tool_call`, `tool_call_args` and `llm_as_judge` of the cookbook's
simulation files, by turn and by trace. Each is a score by the grader's own id.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from voxgate.core.errors import InvalidRequest
from voxgate.evals.model import Score, missing
from voxgate.evals.protocols import Scorer, Subject
from voxgate.evals.registry import ENTRIES
from voxgate.evals.scenario import Grader, read_scenario
from voxgate.evals.scoring import FunctionScorer, scorer, spent_on

VERSION: Final = "1"
_TIMEOUT_SECONDS: Final = 3600.0
"""For all judges of all turns."""
_ODD: Final = re.compile(r"[^A-Za-z0-9_.-]+")


def scenario_graders(**judge: Any) -> FunctionScorer:
    """`judge` says whom to ask, as of `judge(...)`. At the level `trace` the whole call is graded, at `turn`
    each turn by itself: a tool has to be called in one of them, so the best turn counts; a judge's score is
    the mean. Tools are graded against the case's `expected.tool_calls`, their arguments as a subset."""

    async def graded(subject: Subject) -> list[Score]:
        if subject.case.input.kind != "simulation":
            return [missing("graders", "the case is no simulation")]
        graders = read_scenario(subject.case.input.scenario or {}).graders
        if not graders:
            return [missing("graders", "the scenario has no graders")]
        found: list[Score] = []
        for grader in graders:
            found += await _grade(grader, _scorer_of(grader, judge), subject)
        return found

    return scorer(name="graders", version=VERSION, params=judge, timeout_seconds=_TIMEOUT_SECONDS)(graded)


def _scorer_of(grader: Grader, judge: dict[str, Any]) -> Scorer:
    name = _ODD.sub("_", grader.id)
    match grader.kind:
        case "tool_call":
            return ENTRIES["tool_called"].load()(name=name)
        case "tool_call_args":
            return ENTRIES["tool_arguments"].load()(match="subset", name=name)
        case "llm_as_judge":
            return ENTRIES["judge"].load()(grader.criteria or "", name=name, **judge)
    raise InvalidRequest(f"There is no grader of the type {grader.kind!r}.", param="graders")


async def _grade(grader: Grader, one: Scorer, subject: Subject) -> list[Score]:
    turns = subject.session.turns if grader.level == "turn" and subject.session is not None else ()
    if not turns:
        return await one.score(subject)
    rows = [await one.score(replace(subject, session=turn)) for turn in turns]
    names = dict.fromkeys(score.name for row in rows for score in row)
    return [_summed(grader, [score for row in rows for score in row if score.name == name]) for name in names]


def _summed(grader: Grader, scores: Sequence[Score]) -> Score:
    """Of all turns; those that could not be graded do not count."""
    known = [(score, score.value) for score in scores if score.value is not None]
    if not known:
        return scores[0]
    if grader.kind != "llm_as_judge":
        return max(known, key=lambda pair: pair[1])[0]
    worst = min(known, key=lambda pair: pair[1])[0]
    value = sum(value for _, value in known) / len(known)
    evidence = tuple(one for score, _ in known for one in score.evidence)
    params = {**worst.params, "cost_usd": spent_on(scores)} if "cost_usd" in worst.params else worst.params
    return replace(worst, value=value, n=len(known), evidence=evidence, label=None, params=params)
