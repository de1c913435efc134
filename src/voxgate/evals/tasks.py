"""Tasks that are no replays: a function of the input, the recorded call as it is, what an earlier
experiment has made already.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from voxgate.core.errors import InvalidRequest
from voxgate.evals.experiments import Experiments
from voxgate.evals.model import Case, Json, Output
from voxgate.evals.protocols import Task, TaskError, Trial


def plain_input(case: Case) -> Any:
    """What a function gets: the value or the words of the case, else its whole input."""
    given = case.input
    if given.kind == "value":
        return given.value
    return given if given.text is None else given.text


@dataclass(frozen=True)
class FunctionTask:
    """Calls it with the input and, where it has arguments of these names, `case`, `trial`, `metadata`. It
    gives an Output, words, or anything that JSON can say. Functions that wait for nothing run in a
    thread."""

    function: Callable[..., Any]

    @property
    def name(self) -> str:
        return getattr(self.function, "__name__", type(self.function).__name__)

    def describe(self) -> Json:
        module = getattr(self.function, "__module__", None)
        return {"kind": "function", "name": self.name, "module": module}

    def estimate_usd(self, case: Case) -> float | None:
        return None

    async def run(self, case: Case, trial: Trial) -> Output:
        wanted = inspect.signature(self.function).parameters
        known = {"case": case, "trial": trial, "metadata": case.metadata}
        named = {name: value for name, value in known.items() if name in wanted}
        given = plain_input(case)
        if inspect.iscoroutinefunction(self.function):
            return as_output(await self.function(given, **named))
        made = await asyncio.to_thread(self.function, given, **named)
        return as_output(await made if inspect.isawaitable(made) else made)


def as_output(made: Any) -> Output:
    if isinstance(made, Output):
        return made
    return Output(text=made) if isinstance(made, str) else Output(value=made)


class RecordedTask:
    """The recorded call itself: nothing runs, its scores are made."""

    name = "recorded"

    def describe(self) -> Json:
        return {"kind": "recorded"}

    def estimate_usd(self, case: Case) -> float | None:
        return 0.0

    async def run(self, case: Case, trial: Trial) -> Output:
        if case.session_id is None:
            raise InvalidRequest(
                f"The case {case.id!r} comes from no recorded call: there is nothing to score. Name a task."
            )
        return Output(session_id=case.session_id, turn_span_id=case.span_id, cost_usd=0.0)


class MadeTask:
    """What an experiment has made already, to be scored again."""

    name = "made"

    def __init__(self, experiments: Experiments, experiment_id: str) -> None:
        self._experiments = experiments
        self._id = experiment_id

    def describe(self) -> Json:
        return {"kind": "made", "experiment": self._id}

    def estimate_usd(self, case: Case) -> float | None:
        return 0.0

    async def run(self, case: Case, trial: Trial) -> Output:
        results = await asyncio.to_thread(lambda: list(self._experiments.results(self._id, case.id)))
        found = next((one for one in results if one.trial == trial.number and one.output is not None), None)
        if found is None or found.output is None:
            what = f"{self._id} has nothing for {case.id!r}, trial {trial.number}."
            raise TaskError(what, retryable=False)
        return Output.from_json({**found.output.to_json(), "cost_usd": 0.0})


def as_task(given: Any) -> Task:
    """A task as it is, or made of a function; None: the recorded calls as they are."""
    if given is None:
        return RecordedTask()
    if all(callable(getattr(given, name, None)) for name in ("run", "describe", "estimate_usd")):
        return cast("Task", given)
    if callable(given):
        return FunctionTask(given)
    raise InvalidRequest(f"{given!r} is no task: neither a function nor an object with `run`.", param="task")
