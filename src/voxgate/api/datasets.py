"""Data sets and their cases: listed, made, changed, deleted. Each request that changes cases makes one
version.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query

from voxgate.api.access import Admin, Control, Controlled, Reader, own_project
from voxgate.api.answers import Conflict
from voxgate.api.dataset_blobs import blob_key
from voxgate.api.dataset_shapes import (
    Case,
    CaseDeleted,
    CasePage,
    CasesRequest,
    CasesSaved,
    Dataset,
    DatasetEdit,
    DatasetPage,
    DatasetVersionPage,
    NewDataset,
    StoredBody,
)
from voxgate.api.found import find_dataset, find_version
from voxgate.api.shapes import Deleted
from voxgate.core.errors import InvalidRequest, NotFound
from voxgate.core.ids import new_id
from voxgate.store import Saved
from voxgate.store.cursors import decode_cursor

router = APIRouter(prefix="/api/datasets", tags=["datasets"])

Limit = Annotated[int, Query(ge=1, le=500)]
Cursor = Annotated[str | None, Query(description="`next_cursor` of the page before")]
Version = Annotated[int | None, Query(description="By default the newest.")]


@router.get("", response_model=DatasetPage)
def list_datasets(
    key: Reader,
    control: Controlled,
    project: str | None = None,
    name: str | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """Newest first."""
    items, next_cursor = control.store.list_datasets(
        project=own_project(key, project or None), name=name or None, limit=limit, cursor=cursor or None
    )
    return {"items": items, "next_cursor": next_cursor}


@router.post("", status_code=201, response_model=Dataset)
def create_dataset(body: NewDataset, key: Admin, control: Controlled) -> dict[str, Any]:
    values = body.model_dump() | {
        "project": own_project(key, body.project) or "default",
        "created_by": key.name,
    }
    saved = control.store.add_dataset(values)
    if saved is None:
        raise Conflict(
            f"The project {values['project']!r} has a data set {body.name!r}. Add to that one, or take"
            " another name.",
            param="name",
        )
    return saved


@router.get("/{dataset_id}", response_model=Dataset)
def get_dataset(dataset_id: str, key: Reader, control: Controlled) -> dict[str, Any]:
    return find_dataset(control, key, dataset_id)


@router.patch("/{dataset_id}", response_model=Dataset)
def edit_dataset(dataset_id: str, body: DatasetEdit, key: Admin, control: Controlled) -> dict[str, Any]:
    """Its name, description or metadata: that makes no version."""
    find_dataset(control, key, dataset_id)
    values = {name: value for name, value in body.model_dump().items() if value is not None}
    try:
        saved = control.store.edit_dataset(dataset_id, values)
    except ValueError as error:
        raise Conflict(str(error), param="name") from error
    return saved or find_dataset(control, key, dataset_id)


@router.delete("/{dataset_id}", response_model=Deleted)
def delete_dataset(dataset_id: str, key: Admin, control: Controlled) -> dict[str, Any]:
    """Delete it with all versions, and with its copies of recorded calls. Experiments over it stay."""
    find_dataset(control, key, dataset_id)
    # As with sessions: if a blob cannot be deleted, the data set stays in sight.
    control.blobs.delete_prefix(blob_key(dataset_id, ""))
    control.store.delete_dataset(dataset_id)
    control.blobs.delete_prefix(blob_key(dataset_id, ""))
    return {"id": dataset_id}


@router.get("/{dataset_id}/versions", response_model=DatasetVersionPage)
def list_versions(
    dataset_id: str, key: Reader, control: Controlled, limit: Limit = 50, cursor: Cursor = None
) -> dict[str, Any]:
    """Newest first."""
    find_dataset(control, key, dataset_id)
    items, next_cursor = control.store.dataset_versions(dataset_id, limit=limit, cursor=cursor or None)
    return {"items": items, "next_cursor": next_cursor}


@router.get("/{dataset_id}/cases", response_model=CasePage)
def list_cases(
    dataset_id: str,
    key: Reader,
    control: Controlled,
    version: Version = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """In the order in which they were added. Pages that follow are of the version of the first."""
    row = find_dataset(control, key, dataset_id)
    return page_of_cases(control, row, version, limit, cursor or None)


def page_of_cases(
    control: Control, row: dict[str, Any], version: int | None, limit: int, cursor: str | None
) -> dict[str, Any]:
    if cursor is not None:
        of_before: int = decode_cursor(cursor, (int, int))[0]
        if version not in (None, of_before):
            raise InvalidRequest(f"The cursor is of version {of_before}, not of {version}.", param="cursor")
        version = of_before
    wanted = find_version(row, version)
    items, next_cursor = control.store.list_cases(row["id"], wanted, limit=limit, cursor=cursor)
    return {"items": items, "next_cursor": next_cursor, "version": wanted}


@router.post("/{dataset_id}/cases", response_model=CasesSaved)
def save_cases(dataset_id: str, body: CasesRequest, key: Admin, control: Controlled) -> dict[str, Any]:
    """Add cases, or put them in the place of those with their ids: all or none, one new version."""
    row = find_dataset(control, key, dataset_id)
    cases = [case_row(case) for case in body.cases]
    check_blobs(control, row["id"], cases)
    return saved_answer(control.store.save_cases(row["id"], cases, key.name), dataset_id)


def case_row(case: StoredBody) -> dict[str, Any]:
    row = case.model_dump()
    return row | {"id": case.id or new_id("case")}


def check_blobs(control: Control, dataset_id: str, cases: Sequence[dict[str, Any]]) -> None:
    """InvalidRequest naming the first case with a blob that the data set does not have."""
    named = {blob: place for place in reversed(range(len(cases))) for blob in _blobs_of(cases[place])}
    if missing := control.store.missing_blobs(dataset_id, named):
        blob = min(missing, key=lambda one: named[one])
        case = cases[named[blob]]
        raise InvalidRequest(
            f"The data set has no blob {blob!r}, which the case {case['id']!r} names. Send it to"
            f" /api/datasets/{dataset_id}/blobs first.",
            param=f"cases.{named[blob]}.input",
        )


def _blobs_of(case: dict[str, Any]) -> list[str]:
    own = [clip["blob"] for clip in case["input"]["clips"] if clip["blob"] is not None]
    return own if case["input"]["recording"] is None else [*own, case["input"]["recording"]]


def saved_answer(saved: Saved | None, dataset_id: str) -> dict[str, Any]:
    if saved is None:  # deleted just now
        raise NotFound(f"There is no data set {dataset_id!r}.", param="dataset_id")
    return {"version": saved.version, "ids": saved.ids}


@router.get("/{dataset_id}/cases/{case_id}", response_model=Case)
def get_case(
    dataset_id: str, case_id: str, key: Reader, control: Controlled, version: Version = None
) -> dict[str, Any]:
    row = find_dataset(control, key, dataset_id)
    wanted = find_version(row, version)
    case = control.store.get_case(dataset_id, case_id, wanted)
    if case is None:
        raise NotFound(f"Version {wanted} of {row['name']!r} has no case {case_id!r}.", param="case_id")
    return case


@router.put("/{dataset_id}/cases/{case_id}", response_model=CasesSaved)
def put_case(
    dataset_id: str, case_id: str, body: StoredBody, key: Admin, control: Controlled
) -> dict[str, Any]:
    """The case as it is to be from the next version on."""
    find_dataset(control, key, dataset_id)
    if body.id not in (None, case_id):
        raise InvalidRequest(
            f"The case is {case_id!r} in the address and {body.id!r} in the body.", param="id"
        )
    row = body.model_dump() | {"id": case_id}
    check_blobs(control, dataset_id, [row])
    return saved_answer(control.store.save_cases(dataset_id, [row], key.name), dataset_id)


@router.delete("/{dataset_id}/cases/{case_id}", response_model=CaseDeleted)
def delete_case(dataset_id: str, case_id: str, key: Admin, control: Controlled) -> dict[str, Any]:
    """Out of the newest version; earlier ones keep it."""
    find_dataset(control, key, dataset_id)
    saved = control.store.delete_cases(dataset_id, [case_id], key.name)
    if saved is None or not saved.ids:
        raise NotFound(f"The newest version has no case {case_id!r}.", param="case_id")
    return {"id": case_id, "version": saved.version}
