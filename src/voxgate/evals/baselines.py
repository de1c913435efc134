"""Which earlier experiment a run is compared with."""

from __future__ import annotations

from typing import Final, Literal

from voxgate.client.http import ApiError
from voxgate.core.errors import InvalidRequest
from voxgate.evals.experiments import Experiments
from voxgate.evals.model import Json

COMPLETE: Final = "complete"
_BRANCH: Final = "branch:"


def find_baseline(
    experiments: Experiments,
    wanted: str | Literal[False] | None,
    *,
    name: str,
    project: str | None,
    main_branch: str | None,
) -> Json | None:
    """`wanted`: an experiment's id, its name, a git branch (also as `branch:NAME`), False for none. None:
    the last complete experiment of this `name` on the main branch, or on any where there is no git.
    InvalidRequest if a named one is not there."""
    if wanted is False:
        return None
    if wanted is None:
        return experiments.latest(name=name, project=project, branch=main_branch, status=COMPLETE)
    found = named_experiment(experiments, wanted, project=project)
    branch = wanted.removeprefix(_BRANCH)
    found = found or experiments.latest(name=name, project=project, branch=branch, status=COMPLETE)
    if found is None:
        raise InvalidRequest(
            f"There is no complete experiment {wanted!r} to compare with: neither an id nor a name, nor is "
            f"there one of {name!r} on a branch of that name.",
            param="baseline",
        )
    return found


def named_experiment(experiments: Experiments, wanted: str, *, project: str | None = None) -> Json | None:
    """By its id, or the last complete one of that name."""
    if wanted.startswith("exp_"):
        try:
            return experiments.get(wanted)
        except ApiError as error:
            if error.http_status != 404:
                raise
            return None
    if wanted.startswith(_BRANCH):
        return None
    return experiments.latest(name=wanted, project=project, status=COMPLETE)
