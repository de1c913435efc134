"""The data of an evaluation that Voxgate has: a version of a data set, or the recorded calls that a filter
finds. Both are gone through lazily, page by page.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Literal, get_args

from voxgate.client.datasets import Datasets, split_reference
from voxgate.client.http import Client
from voxgate.client.sessions import Sessions
from voxgate.core.errors import InvalidRequest, NotFound
from voxgate.evals.model import Case, Input, Json
from voxgate.evals.reading import call_ms_of, said_in

Expectation = Literal["none", "said"]


@dataclass(frozen=True, slots=True)
class StoredDataset:
    """`version` None: the newest there is when an evaluation begins."""

    name: str
    version: int | None = None
    project: str | None = None

    def __str__(self) -> str:
        return self.name if self.version is None else f"{self.name}@{self.version}"

    def __iter__(self) -> Iterator[Case]:
        return self.cases(Client())

    def describe(self) -> Json:
        return {"kind": "dataset", "name": self.name, "version": self.version}

    def pinned(self, client: Client) -> Json:
        """`{"id", "name", "version", "cases"}`. NotFound if there is no such data set or version."""
        datasets = Datasets(client)
        row = datasets.find(self.name, self.project)
        found = {name: row[name] for name in ("id", "name", "version", "cases")}
        if self.version in (None, row["version"]):
            return found
        wanted = (one for one in datasets.versions(row["id"]) if one["version"] == self.version)
        version = next(wanted, None)
        if version is None:
            raise NotFound(
                f"The data set {self.name!r} has no version {self.version}; the newest is {row['version']}."
            )
        return found | {"version": version["version"], "cases": version["cases"]}

    def cases(self, client: Client) -> Iterator[Case]:
        pinned = self.pinned(client)
        with_id = partial(_case, dataset_id=pinned["id"])
        return map(with_id, Datasets(client).cases(pinned["id"], pinned["version"]))


@dataclass(frozen=True, slots=True)
class Logs:
    """Recorded calls that are over, newest first, each a case as it is: nothing is copied."""

    q: str
    project: str | None = None
    limit: int | None = None
    expected: Expectation = "none"

    def __str__(self) -> str:
        return f"logs({self.q!r})"

    def __iter__(self) -> Iterator[Case]:
        return self.cases(Client())

    def describe(self) -> Json:
        found = {"kind": "logs", "filter": self.q, "project": self.project, "limit": self.limit}
        return found if self.expected == "none" else {**found, "expected": self.expected}

    def pinned(self, client: Client) -> Json | None:
        return None

    def cases(self, client: Client) -> Iterator[Case]:
        sessions = Sessions(client)
        over = (row for row in sessions.found(self.q, self.project) if row["status"] != "live")
        cases = map(_case_of_session, islice(over, self.limit))
        return cases if self.expected == "none" else (_as_it_was(sessions, case) for case in cases)


def dataset(reference: str, *, project: str | None = None) -> StoredDataset:
    """`dataset("refunds@3")`: version 3 of the data set `refunds`; without a version the newest."""
    name, version = split_reference(reference)
    return StoredDataset(name, version, project)


def logs(
    q: str = "",
    *,
    project: str | None = None,
    limit: int | None = None,
    expected: Expectation = "none",
) -> Logs:
    """`logs("model:gpt-realtime-2 tag:refund last:7d")`: recorded calls by a filter (docs/filters.md). With
    `expected="said"` what the assistant said and which tools it called then is expected of a replay."""
    if expected not in get_args(Expectation):
        raise InvalidRequest(f"expected is 'none' or 'said', not {expected!r}.", param="expected")
    return Logs(q, project, limit, expected)


def _case(body: Json, dataset_id: str) -> Case:
    return Case.from_json({**body, "dataset_id": dataset_id})


def _case_of_session(row: Json) -> Case:
    metadata = {"model": row["model"], **row["metadata"]}
    return Case(row["id"], Input("session"), metadata=metadata, tags=tuple(row["tags"]), session_id=row["id"])


def _as_it_was(sessions: Sessions, case: Case) -> Case:
    trace = sessions.trace(case.id)
    return replace(case, expected=said_in(trace["spans"], call_ms_of(trace)))
