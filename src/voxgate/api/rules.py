"""The rules of online scoring: which sessions are scored by what when they are over. The recorder follows
them.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from voxgate.api.access import Admin, Controlled, Reader, own_project
from voxgate.api.experiment_shapes import (
    NewRule,
    Rule,
    RuleEdit,
    RulePage,
    RuleRun,
    RuleRunPage,
    RunRequest,
)
from voxgate.api.found import find_rule
from voxgate.api.shapes import Deleted
from voxgate.core.errors import InvalidRequest, NotFound
from voxgate.store import RUN_RULE
from voxgate.store.filter_parser import parse

router = APIRouter(prefix="/api/rules", tags=["rules"])


@router.get("", response_model=RulePage)
def list_rules(key: Reader, control: Controlled, project: str | None = None) -> dict[str, Any]:
    """In the order in which they were made."""
    return {
        "items": [_shown(row) for row in control.store.list_rules(project=own_project(key, project or None))]
    }


@router.post("", status_code=201, response_model=Rule)
def create_rule(body: NewRule, key: Admin, control: Controlled) -> dict[str, Any]:
    _check_filter(body.filter)
    project = own_project(key, body.project)
    return _shown(control.store.add_rule(body.model_dump() | {"project": project, "created_by": key.name}))


@router.get("/{rule_id}", response_model=Rule)
def get_rule(rule_id: str, key: Reader, control: Controlled) -> dict[str, Any]:
    return _shown(find_rule(control, key, rule_id))


@router.patch("/{rule_id}", response_model=Rule)
def edit_rule(rule_id: str, body: RuleEdit, key: Admin, control: Controlled) -> dict[str, Any]:
    find_rule(control, key, rule_id)
    _check_filter(body.filter or "")
    given = body.model_dump(exclude_unset=True)
    values = {name: value for name, value in given.items() if value is not None or name == "alert"}
    return _shown(control.store.edit_rule(rule_id, values) or find_rule(control, key, rule_id))


@router.delete("/{rule_id}", response_model=Deleted)
def delete_rule(rule_id: str, key: Admin, control: Controlled) -> dict[str, Any]:
    """The scores that it has made stay."""
    find_rule(control, key, rule_id)
    control.store.delete_rule(rule_id)
    return {"id": rule_id}


@router.post("/{rule_id}/run", status_code=202, response_model=RuleRun)
def run_rule(rule_id: str, key: Admin, control: Controlled, body: RunRequest | None = None) -> dict[str, Any]:
    """Score what was recorded before, too: beside new sessions, and only what this rule, as it is now, has
    not scored yet. Its runs tell how far it is."""
    rule = find_rule(control, key, rule_id)
    q = body.q if body is not None else ""
    parse(q)
    run = control.store.add_rule_run(rule["id"], q, key.name)
    control.store.add_signal(RUN_RULE, run["id"])
    return run


@router.get("/{rule_id}/runs", response_model=RuleRunPage)
def list_runs(rule_id: str, key: Reader, control: Controlled) -> dict[str, Any]:
    """Newest first."""
    return {"items": control.store.list_rule_runs(find_rule(control, key, rule_id)["id"])}


@router.delete("/{rule_id}/runs/{run_id}", response_model=RuleRun)
def cancel_run(rule_id: str, run_id: str, key: Admin, control: Controlled) -> dict[str, Any]:
    """One that is over stays as it is. The scores that it has made stay."""
    rule = find_rule(control, key, rule_id)
    run = control.store.get_rule_run(run_id)
    if run is None or run["rule_id"] != rule["id"]:
        raise NotFound(f"The rule {rule_id} has no run {run_id!r}.", param="run_id")
    if run["status"] == "running":
        control.store.edit_rule_run(run_id, {"status": "cancelled"})
    return control.store.get_rule_run(run_id) or run


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    """Of its state what people can use."""
    return row | {"activity": row.get("state") or {}}


def _check_filter(text: str) -> None:
    try:
        parse(text)
    except InvalidRequest as error:
        raise InvalidRequest(error.message, param="filter") from error
