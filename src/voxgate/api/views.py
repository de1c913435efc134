"""Saved views: lists of sessions with a name, each key's own and those that are shared."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from voxgate.api.access import Controlled, Reader, own_project
from voxgate.api.answers import Conflict
from voxgate.api.shapes import Deleted, View, ViewPage, ViewRequest
from voxgate.auth.keys import ApiKey
from voxgate.core.clock import iso_utc, now_utc
from voxgate.core.errors import NotFound
from voxgate.core.ids import new_id

router = APIRouter(prefix="/api/views", tags=["views"])


@router.get("", response_model=ViewPage)
def list_views(key: Reader, control: Controlled) -> dict[str, Any]:
    """The key's own and the shared ones, by name."""
    return {"items": [_shape(row, key) for row in control.store.list_views(key.id, key.project)]}


@router.post("", status_code=201, response_model=View)
def create_view(body: ViewRequest, key: Reader, control: Controlled) -> dict[str, Any]:
    """Keep a list under a name. Only admins share theirs."""
    if body.shared:
        key.require("admin")
    row = {
        "id": new_id("view"),
        "name": body.name,
        "project": own_project(key, body.search.get("project") or None),
        "search": body.search,
        "shared": body.shared,
        "key_id": key.id,
        "created_by": key.name,
        "created_at": iso_utc(now_utc()),
    }
    if not control.store.add_view(row):
        raise Conflict("This key has saved too many views; delete one first.")
    return _shape(row, key)


@router.delete("/{view_id}", response_model=Deleted)
def delete_view(view_id: str, key: Reader, control: Controlled) -> dict[str, Any]:
    """One's own; admins also shared ones."""
    row = control.store.get_view(view_id)
    may = row is not None and (row["key_id"] == key.id or (row["shared"] and _manages(key, row)))
    if not may:
        raise NotFound(f"There is no view {view_id!r} of yours.", param="view_id")
    control.store.delete_view(view_id)
    return {"id": view_id}


def _manages(key: ApiKey, row: dict[str, Any]) -> bool:
    return key.role == "admin" and key.project in (None, row["project"])


def _shape(row: dict[str, Any], key: ApiKey) -> dict[str, Any]:
    shown = ("id", "name", "search", "shared", "created_by", "created_at")
    return {name: row[name] for name in shown} | {"own": row["key_id"] == key.id}
