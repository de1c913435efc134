"""An evaluation from its declaration to its outcome: the experiment is opened or taken up again, its cases
are made known, the run goes on until all have results, and what came out is judged.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Literal, Protocol

from voxgate.client.http import Client
from voxgate.core.errors import InvalidRequest
from voxgate.evals.baselines import find_baseline
from voxgate.evals.budget import SAMPLE, Budget, estimate
from voxgate.evals.casework import Casework, Sessions
from voxgate.evals.experiments import ApiExperiments, Experiments, Key
from voxgate.evals.gates import Gate
from voxgate.evals.git import git_state, main_branch
from voxgate.evals.model import Case, Json
from voxgate.evals.outcome import Outcome, outcome_of
from voxgate.evals.runner import Progress, Run, Stopped
from voxgate.evals.sessions import ApiSessions

if TYPE_CHECKING:
    from voxgate.evals.evaluation import Eval


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is about to do."""

    name: str
    experiment: Json
    cases: int
    runs: int
    """Cases times trials."""
    known: int
    """Runs that have a result already."""
    estimate_usd: float | None
    budget: Budget


class Reporter(Progress, Protocol):
    def planned(self, plan: Plan) -> None: ...

    def counted(self, done: int, errors: int, spent_usd: float) -> None:
        """Where others work: how far they are."""
        ...

    def closed(self) -> None:
        """The run is over, one way or the other."""
        ...


@dataclass(frozen=True, slots=True)
class House:
    """Where an evaluation runs: what keeps its results, and where recorded calls are."""

    client: Client
    experiments: Experiments
    sessions: Sessions
    git: Json | None = None
    main_branch: str | None = None


def running_house(client: Client | None = None) -> House:
    """The Voxgate of the environment, and the git of the current folder."""
    client = client or Client()
    git = git_state()
    main = main_branch() if git else None
    return House(client, ApiExperiments(client), ApiSessions(client), git, main)


@dataclass(frozen=True, slots=True)
class Options:
    """What a command says otherwise than the declaration."""

    resume: str | None = None
    """An experiment's id, or `last`: the last one of the name that has not ended."""
    baseline: str | Literal[False] | None = None
    scored_from: str | None = None


Through = Callable[[Run], Awaitable[Stopped | None]]
"""How the cases of a run get done: here, unless somebody else does them."""


async def conduct(
    evaluation: Eval,
    house: House,
    reporter: Reporter,
    options: Options | None = None,
    through: Through = Run.run,
) -> Outcome:
    """InvalidRequest where it cannot be done as it is written; ApiError where Voxgate does not answer."""
    options = options or Options()
    prepared = await asyncio.to_thread(_prepare, evaluation, house, options)
    run = prepared.run(evaluation, house, reporter)
    reporter.planned(prepared.plan(run.budget))
    try:
        with _interruptible(run):
            stopped = await through(run)
    finally:
        reporter.closed()
    return await asyncio.to_thread(prepared.judge, house, stopped)


@dataclass(frozen=True, slots=True)
class _Prepared:
    experiment: Json
    baseline: Json | None
    gate: Gate
    cases: int
    known: set[Key]
    estimate_usd: float | None

    def run(self, evaluation: Eval, house: House, reporter: Reporter) -> Run:
        casework = Casework(
            evaluation.task,
            evaluation.scorers,
            house.sessions,
            self.experiment["id"],
            int(self.experiment["seed"]),
            evaluation.retries,
        )
        spent = float(self.experiment["cost_usd"] or 0)
        return Run(
            cases=lambda: _cases(house, self.experiment),
            experiments=house.experiments,
            casework=casework,
            progress=reporter,
            trials=int(self.experiment["trials"]),
            concurrency=evaluation.max_concurrency,
            budget=Budget(evaluation.budget_usd, evaluation.max_sessions, spent, len(self.known)),
            known=self.known,
        )

    def plan(self, budget: Budget) -> Plan:
        runs = self.cases * int(self.experiment["trials"])
        name = str(self.experiment["name"])
        return Plan(name, self.experiment, self.cases, runs, len(self.known), self.estimate_usd, budget)

    def judge(self, house: House, stopped: str | None) -> Outcome:
        """Ends the experiment, unless it can go on: then it stays as it is, to be taken up again."""
        experiment_id = self.experiment["id"]
        row = house.experiments.get(experiment_id)
        outcome = outcome_of(house.experiments, row, self.gate, self.baseline, stopped=stopped)
        if stopped or outcome.infrastructure_errors:
            return outcome
        status = "failed" if outcome.tally.errors else "complete"
        return replace(outcome, experiment=house.experiments.edit(experiment_id, status=status))


def _prepare(evaluation: Eval, house: House, options: Options) -> _Prepared:
    wanted = evaluation.baseline if options.baseline is None else options.baseline
    baseline = find_baseline(
        house.experiments,
        wanted,
        name=evaluation.name,
        project=evaluation.project,
        main_branch=house.main_branch,
    )
    gate = replace(evaluation.gate, is_first=options.baseline is False)
    if baseline is None and gate.needs_baseline and not gate.is_first:
        raise InvalidRequest(
            f"The gate of {evaluation.name!r} asks for no regression, and there is no complete experiment "
            f"of that name on {house.main_branch or 'any branch'} yet. Run one there (the first one with "
            "--no-baseline), or name another one as the baseline.",
            param="baseline",
        )
    experiment, count = _opened(evaluation, house, options, baseline)
    known = {
        (result.case_id, result.trial)
        for result in (house.experiments.results(experiment["id"]) if options.resume else ())
        if result.error is None
    }
    if count == 0:
        raise InvalidRequest(f"The data of {evaluation.name!r} has no cases.", param="data")
    estimated = _estimate(evaluation, house, experiment, count, known)
    return _Prepared(experiment, baseline, gate, count, known, estimated)


def _opened(evaluation: Eval, house: House, options: Options, baseline: Json | None) -> tuple[Json, int]:
    """The experiment and how many cases it has, which are all known to the server by then."""
    if options.resume:
        experiment = _unfinished(evaluation, house, options.resume)
    else:
        experiment = house.experiments.create(_body(evaluation, house, options, baseline))
    if experiment["cases"] is None:
        count = house.experiments.add_cases(experiment["id"], evaluation.data.cases(house.client))
        experiment = house.experiments.edit(experiment["id"], cases=count)
    return experiment, int(experiment["cases"])


def _unfinished(evaluation: Eval, house: House, wanted: str) -> Json:
    if wanted == "last":
        found = house.experiments.latest(name=evaluation.name, project=evaluation.project, status="running")
        if found is None:
            raise InvalidRequest(f"There is no unfinished experiment {evaluation.name!r}.", param="resume")
        return found
    found = house.experiments.get(wanted)
    if found["status"] != "running" or found["name"] != evaluation.name:
        raise InvalidRequest(
            f"{wanted} cannot be taken up again: it is {found['name']!r} and {found['status']}.",
            param="resume",
        )
    return found


def _body(evaluation: Eval, house: House, options: Options, baseline: Json | None) -> Json:
    dataset = evaluation.data.pinned(house.client)
    return {
        "name": evaluation.name,
        "project": evaluation.project,
        "dataset": dataset and {"id": dataset["id"], "version": dataset["version"]},
        "cases": dataset and dataset["cases"],
        "task": evaluation.task.describe(),
        "scorers": [scorer.describe() for scorer in evaluation.scorers],
        "trials": evaluation.trials,
        "seed": evaluation.seed,
        "baseline": baseline and baseline["id"],
        "scored_from": options.scored_from,
        "git": house.git,
        "metadata": {
            **evaluation.metadata,
            "data": evaluation.data.describe(),
            "gate": evaluation.gate.to_json(),
        },
    }


def _estimate(evaluation: Eval, house: House, experiment: Json, cases: int, known: set[Key]) -> float | None:
    """Of what is left, by the first cases."""
    runs = cases * int(experiment["trials"]) - len(known)
    return estimate(evaluation.task, islice(_cases(house, experiment), SAMPLE), runs)


def _cases(house: House, experiment: Json) -> Iterator[Case]:
    """They know which data set has their sounds."""
    dataset_id = (experiment.get("dataset") or {}).get("id")
    for case in house.experiments.cases(experiment["id"]):
        yield replace(case, dataset_id=dataset_id) if dataset_id else case


@contextlib.contextmanager
def _interruptible(run: Run) -> Iterator[None]:
    """The first Ctrl-C stops the run and keeps what there is; another one ends the program at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()

    def stop() -> None:
        loop.remove_signal_handler(signal.SIGINT)
        run.interrupt()

    loop.add_signal_handler(signal.SIGINT, stop)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)
