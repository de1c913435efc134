"""An experiment scored again, without running anything: the same cases, what was made of them then, other
scores. The old experiment stays as it was.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass

from voxgate.client.http import Client
from voxgate.core.errors import InvalidRequest
from voxgate.evals.evaluation import Eval
from voxgate.evals.experiments import Experiments
from voxgate.evals.model import Case, Json
from voxgate.evals.tasks import MadeTask


@dataclass(frozen=True)
class OfExperiment:
    """The cases that an experiment had."""

    experiments: Experiments
    experiment: Json

    def describe(self) -> Json:
        return {"kind": "experiment", "experiment": self.experiment["id"]}

    def pinned(self, client: Client) -> Json | None:
        dataset: Json | None = self.experiment.get("dataset")
        return dataset and {**dataset, "cases": self.experiment["cases"]}

    def cases(self, client: Client) -> Iterator[Case]:
        return self.experiments.cases(self.experiment["id"])


def rescored(evaluations: Sequence[Eval], experiments: Experiments, experiment: Json) -> Eval:
    """The evaluation that makes the scores: that of the experiment's name, or the only one. InvalidRequest
    where neither is there."""
    named = [one for one in evaluations if one.name == experiment["name"]] or list(evaluations)
    if len(named) != 1:
        raise InvalidRequest(
            f"None of these evaluations is called {experiment['name']!r} as the experiment is: name one with "
            "--only."
        )
    made = copy(named[0])
    made.name, made.project = experiment["name"], experiment["project"]
    made.data = OfExperiment(experiments, experiment)
    made.task = MadeTask(experiments, experiment["id"])
    made.trials, made.seed = int(experiment["trials"]), int(experiment["seed"])
    return made
