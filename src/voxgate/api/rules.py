"""The rules of online scoring: which sessions are scored by what when they are over. The recorder follows
them.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from voxgate.api.access import Admin, Controlled, Reader, own_project
from voxgate.api.experiment_shapes import NewRule, Rule, RuleEdit, RulePage
from voxgate.api.found import find_rule
from voxgate.api.shapes import Deleted
from voxgate.core.errors import InvalidRequest
from voxgate.store.filter_parser import parse

router = APIRouter(prefix="/api/rules", tags=["rules"])


@router.get("", response_model=RulePage)
def list_rules(key: Reader, control: Controlled, project: str | None = None) -> dict[str, Any]:
    """In the order in which they were made."""
    return {"items": control.store.list_rules(project=own_project(key, project or None))}


@router.post("", status_code=201, response_model=Rule)
def create_rule(body: NewRule, key: Admin, control: Controlled) -> dict[str, Any]:
    _check_filter(body.filter)
    project = own_project(key, body.project)
    return control.store.add_rule(body.model_dump() | {"project": project, "created_by": key.name})


@router.get("/{rule_id}", response_model=Rule)
def get_rule(rule_id: str, key: Reader, control: Controlled) -> dict[str, Any]:
    return find_rule(control, key, rule_id)


@router.patch("/{rule_id}", response_model=Rule)
def edit_rule(rule_id: str, body: RuleEdit, key: Admin, control: Controlled) -> dict[str, Any]:
    find_rule(control, key, rule_id)
    _check_filter(body.filter or "")
    given = body.model_dump(exclude_unset=True)
    values = {name: value for name, value in given.items() if value is not None or name == "alert"}
    return control.store.edit_rule(rule_id, values) or find_rule(control, key, rule_id)


@router.delete("/{rule_id}", response_model=Deleted)
def delete_rule(rule_id: str, key: Admin, control: Controlled) -> dict[str, Any]:
    """The scores that it has made stay."""
    find_rule(control, key, rule_id)
    control.store.delete_rule(rule_id)
    return {"id": rule_id}


def _check_filter(text: str) -> None:
    try:
        parse(text)
    except InvalidRequest as error:
        raise InvalidRequest(error.message, param="filter") from error
