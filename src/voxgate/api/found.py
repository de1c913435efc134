"""Data sets, experiments and rules that a key may see: those of another project are not found."""

from __future__ import annotations

from typing import Any

from voxgate.api.access import Control
from voxgate.auth.keys import ApiKey
from voxgate.core.errors import NotFound


def find_dataset(control: Control, key: ApiKey, dataset_id: str) -> dict[str, Any]:
    row = control.store.get_dataset(dataset_id)
    if row is None or key.project not in (None, row["project"]):
        raise NotFound(f"There is no data set {dataset_id!r}.", param="dataset_id")
    return row


def find_experiment(
    control: Control, key: ApiKey, experiment_id: str, *, with_summary: bool = False
) -> dict[str, Any]:
    """With its `summary` where that is asked for: counting it may take a while."""
    row = control.store.get_experiment(experiment_id, with_summary=with_summary)
    if row is None or key.project not in (None, row["project"]):
        raise NotFound(f"There is no experiment {experiment_id!r}.", param="experiment_id")
    return row


def find_rule(control: Control, key: ApiKey, rule_id: str) -> dict[str, Any]:
    """A rule of all projects is seen by keys of all projects only."""
    row = control.store.get_rule(rule_id)
    if row is None or key.project not in (None, row["project"]):
        raise NotFound(f"There is no rule {rule_id!r}.", param="rule_id")
    return row


def find_version(row: dict[str, Any], version: int | None) -> int:
    """Of a data set: the newest one where none is asked for."""
    newest: int = row["version"]
    if version is None or version == newest:
        return newest
    if 0 <= version < newest:
        return version
    raise NotFound(
        f"The data set {row['name']!r} has no version {version}; the newest is {newest}.", param="version"
    )
