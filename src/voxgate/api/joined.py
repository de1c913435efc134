"""What works for a session, and what it works for: both only within its project. Whether a session of another
project is there cannot be told from this.
"""

from __future__ import annotations

from typing import Any

from voxgate.api.access import Control
from voxgate.api.shapes import listed_shape
from voxgate.traces.parents import span_for


def joined_of(control: Control, row: dict[str, Any]) -> dict[str, Any]:
    """Of a row with its spans."""
    children = [_child(each, row["spans"]) for each in control.store.children_of(row["id"], row["project"])]
    costs = [each["cost_usd"] for each in children if each["cost_usd"] is not None]
    return {
        "parent": _parent(control, row),
        "children": children,
        "children_cost_usd": round(sum(costs), 8) if costs else None,
    }


def _parent(control: Control, row: dict[str, Any]) -> dict[str, Any] | None:
    parent = row["data"].get("parent")
    if not isinstance(parent, dict):
        return None
    found = control.store.get_session(parent["session_id"], with_spans=False)
    return {**parent, "found": found is not None and found["project"] == row["project"]}


def _child(row: dict[str, Any], spans: list[dict[str, Any]]) -> dict[str, Any]:
    span = span_for(spans, row["parent"]["ref"])
    return listed_shape(row) | {"scores": {}, "parent_span_id": span["id"] if span else None}
