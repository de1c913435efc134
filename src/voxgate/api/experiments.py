"""Experiments: made, followed, ended and deleted; their cases and results, page by page."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from voxgate.api.access import Admin, Control, Controlled, Reader, own_project
from voxgate.api.answers import Conflict
from voxgate.api.datasets import Cursor, Limit, page_of_cases
from voxgate.api.experiment_shapes import (
    CasesKept,
    Experiment,
    ExperimentCasePage,
    ExperimentCases,
    ExperimentEdit,
    ExperimentPage,
    ExperimentStatus,
    NewExperiment,
    ResultPage,
    ResultsRequest,
    ResultsStored,
)
from voxgate.api.found import find_dataset, find_experiment, find_version
from voxgate.api.shapes import Deleted
from voxgate.auth.keys import ApiKey
from voxgate.core.errors import InvalidRequest, NotFound

router = APIRouter(prefix="/api/experiments", tags=["experiments"])

_SHOWN = (
    "id",
    "project",
    "name",
    "status",
    "task",
    "scorers",
    "trials",
    "seed",
    "cases",
    "baseline",
    "scored_from",
    "git",
    "metadata",
    "created_by",
    "created_at",
    "ended_at",
)


@router.get("", response_model=ExperimentPage)
def list_experiments(
    key: Reader,
    control: Controlled,
    project: str | None = None,
    name: str | None = None,
    branch: str | None = None,
    dataset: Annotated[str | None, Query(description="The id of a data set.")] = None,
    status: ExperimentStatus | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """Newest first."""
    wanted = {"name": name, "branch": branch, "dataset": dataset, "status": status}
    rows, next_cursor = control.store.list_experiments(
        project=own_project(key, project or None),
        limit=limit,
        cursor=cursor or None,
        **{what: value or None for what, value in wanted.items()},
    )
    return {"items": [experiment_shape(row) for row in rows], "next_cursor": next_cursor}


@router.post("", status_code=201, response_model=Experiment)
def create_experiment(body: NewExperiment, key: Admin, control: Controlled) -> dict[str, Any]:
    """It runs until its status is set to another one."""
    values = body.model_dump(exclude={"dataset", "project"})
    project = own_project(key, body.project)
    if body.dataset is not None:
        row = find_dataset(control, key, body.dataset.id)
        project = project or row["project"]
        version = find_version(row, body.dataset.version)
        values |= {"dataset_id": row["id"], "dataset_name": row["name"], "dataset_version": version}
    _check_others(control, key, values)
    values |= {"branch": (values["git"] or {}).get("branch"), "created_by": key.name}
    return experiment_shape(control.store.add_experiment(values | {"project": project or "default"}))


@router.get("/{experiment_id}", response_model=Experiment)
def get_experiment(experiment_id: str, key: Reader, control: Controlled) -> dict[str, Any]:
    """Of a running one the scores are those of its results so far."""
    return experiment_shape(find_experiment(control, key, experiment_id, with_summary=True))


@router.patch("/{experiment_id}", response_model=Experiment)
def edit_experiment(
    experiment_id: str, body: ExperimentEdit, key: Admin, control: Controlled
) -> dict[str, Any]:
    """While it runs: end it, or change what is said about it."""
    row = find_experiment(control, key, experiment_id)
    values = {name: value for name, value in body.model_dump().items() if value is not None}
    _check_others(control, key, values)
    saved = control.store.edit_experiment(experiment_id, values)
    if saved is None:
        raise _not_running(row)
    return experiment_shape(saved)


@router.delete("/{experiment_id}", response_model=Deleted)
def delete_experiment(experiment_id: str, key: Admin, control: Controlled) -> dict[str, Any]:
    """With its results. The sessions that it made stay."""
    find_experiment(control, key, experiment_id)
    control.store.delete_experiment(experiment_id)
    return {"id": experiment_id}


@router.get("/{experiment_id}/results", response_model=ResultPage)
def list_results(
    experiment_id: str,
    key: Reader,
    control: Controlled,
    case_id: str | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """In the order of case ids and trials."""
    find_experiment(control, key, experiment_id)
    items, next_cursor = control.store.list_results(
        experiment_id, case_id=case_id or None, limit=limit, cursor=cursor or None
    )
    return {"items": items, "next_cursor": next_cursor}


@router.post("/{experiment_id}/results", response_model=ResultsStored)
def add_results(experiment_id: str, body: ResultsRequest, key: Admin, control: Controlled) -> dict[str, Any]:
    """Each case and trial once: the first one counts, unless it was an error."""
    row = find_experiment(control, key, experiment_id)
    answer = control.store.add_results(
        experiment_id, [_result_row(each) for each in body.model_dump()["results"]]
    )
    if answer is None:
        raise _not_running(find_experiment(control, key, row["id"]))
    return {"stored": answer[0], "known": answer[1]}


def _result_row(result: dict[str, Any]) -> dict[str, Any]:
    for score in result["scores"]:
        if score["value"] is None and not score["reason_missing"]:
            raise InvalidRequest(
                f"The score {score['name']!r} of the case {result['case_id']!r} has neither a value nor a"
                " reason why it is missing.",
                param="results",
            )
    return result


@router.get("/{experiment_id}/cases", response_model=ExperimentCasePage)
def list_experiment_cases(
    experiment_id: str, key: Reader, control: Controlled, limit: Limit = 100, cursor: Cursor = None
) -> dict[str, Any]:
    """What it runs over: the cases of the data set's version, or its own."""
    row = find_experiment(control, key, experiment_id)
    if row["dataset_id"] is not None:
        found = find_dataset(control, key, row["dataset_id"])
        return page_of_cases(control, found, row["dataset_version"], limit, cursor or None)
    items, next_cursor = control.store.list_experiment_cases(
        experiment_id, limit=limit, cursor=cursor or None
    )
    return {"items": items, "next_cursor": next_cursor, "version": None}


@router.post("/{experiment_id}/cases", response_model=CasesKept)
def add_experiment_cases(
    experiment_id: str, body: ExperimentCases, key: Admin, control: Controlled
) -> dict[str, Any]:
    """Of data that is no data set. One that is there already stays as it is."""
    row = find_experiment(control, key, experiment_id)
    if row["dataset_id"] is not None:
        raise Conflict(f"The cases of {experiment_id} are those of the data set {row['dataset_name']!r}.")
    cases = body.model_dump()["cases"]
    if not control.store.add_experiment_cases(experiment_id, cases):
        raise _not_running(find_experiment(control, key, experiment_id))
    return {"ids": [case["id"] for case in cases]}


def experiment_shape(row: dict[str, Any]) -> dict[str, Any]:
    """A row with its `summary` as it is shown."""
    dataset = None
    if row["dataset_id"] is not None:
        dataset = {
            "id": row["dataset_id"],
            "name": row["dataset_name"],
            "version": row["dataset_version"],
        }
    return {**{name: row[name] for name in _SHOWN}, "dataset": dataset, **row["summary"]}


def _check_others(control: Control, key: ApiKey, values: dict[str, Any]) -> None:
    """The experiments that one names have to be there."""
    for param in ("baseline", "scored_from"):
        if values.get(param) is not None:
            try:
                find_experiment(control, key, values[param])
            except NotFound as error:
                raise InvalidRequest(error.message, param=param) from error


def _not_running(row: dict[str, Any]) -> Conflict:
    return Conflict(
        f"The experiment {row['id']} is {row['status']}: what is over does not change. Make another one."
    )
