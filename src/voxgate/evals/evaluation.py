"""`Eval`: what is evaluated, written down. `voxgate eval run` runs those that a file makes; `.run()` runs
one from a program.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any, Literal

from voxgate.core.errors import InvalidRequest
from voxgate.evals.conducting import House, Options, conduct, running_house
from voxgate.evals.data import as_data
from voxgate.evals.gates import Gate, parse_gate
from voxgate.evals.model import Json
from voxgate.evals.outcome import Outcome
from voxgate.evals.progress import shown_progress
from voxgate.evals.protocols import Scorer
from voxgate.evals.registry import implied
from voxgate.evals.scoring import collect
from voxgate.evals.tasks import as_task

_declared: ContextVar[list[Eval] | None] = ContextVar("declared", default=None)


class Eval:
    """One evaluation: data, a task, scores.

    `data`: `dataset("refunds@3")`, `logs("tag:refund last:7d")`, a list of cases or mappings, the path of a
    CSV file. `task`: `replay(...)`, any function of the input, async or not; left out: the recorded calls
    as they are. `scores`: scorers, functions, autoevals' scorers. `gate`: what they have to reach
    (docs/evaluate.md). `baseline`: an experiment's id or name, or a git branch; None: the last complete one
    of this name on the main branch; False: none. `budget_usd`, `max_sessions`: the run stops before it
    would use more. InvalidRequest where one of them is wrong.
    """

    def __init__(
        self,
        name: str,
        *,
        data: Any,
        task: Any = None,
        scores: Iterable[Any] = (),
        trials: int = 1,
        gate: Mapping[str, Any] | None = None,
        baseline: str | Literal[False] | None = None,
        max_concurrency: int = 4,
        budget_usd: float | None = None,
        max_sessions: int | None = None,
        retries: int = 3,
        seed: int = 0,
        project: str | None = None,
        metadata: Json | None = None,
    ) -> None:
        if not name.strip():
            raise InvalidRequest("An Eval needs a name: experiments are found by it.", param="name")
        for what, number in (("trials", trials), ("max_concurrency", max_concurrency)):
            if number < 1:
                raise InvalidRequest(f"{what} of {name!r} is {number}; it has to be 1 or more.", param=what)
        self.name = name
        self.data = as_data(data)
        self.task = as_task(task)
        self.trials = trials
        self.gate = parse_gate(gate)
        self.scorers = _with_implied(collect(scores), self.gate)
        self.baseline = baseline
        self.max_concurrency = max_concurrency
        self.budget_usd = budget_usd
        self.max_sessions = max_sessions
        self.retries = retries
        self.seed = seed
        self.project = project
        self.metadata = dict(metadata or {})
        if (collected := _declared.get()) is not None:
            collected.append(self)

    def __repr__(self) -> str:
        return f"<Eval {self.name!r}>"

    def run(self, *, options: Options | None = None, house: House | None = None) -> Outcome:
        """Runs it against the Voxgate of the environment and says what came out. ApiError where none
        answers."""
        return asyncio.run(self.run_async(options=options, house=house))

    async def run_async(self, *, options: Options | None = None, house: House | None = None) -> Outcome:
        return await conduct(self, house or running_house(), shown_progress(), options)


def _with_implied(scorers: list[Scorer], gate: Gate) -> list[Scorer]:
    """With those that the gate asks for and nobody gave: `{"v2v.p95": "<=1500"}` measures it."""
    names = {one.name for one in scorers}
    for condition in gate.conditions:
        given = any(condition.key == name or condition.key.startswith(f"{name}.") for name in names)
        if not given and (more := implied(condition.key)) is not None:
            scorers, names = [*scorers, more], {*names, more.name}
    return scorers


@contextlib.contextmanager
def collecting() -> Iterator[list[Eval]]:
    """The Evals that are made within it, in order."""
    made: list[Eval] = []
    token = _declared.set(made)
    try:
        yield made
    finally:
        _declared.reset(token)
