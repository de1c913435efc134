"""Experiments as an evaluation keeps and finds them: what is asked of whoever stores them, and the API of a
running Voxgate, which does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final, Protocol
from urllib.parse import quote

from voxgate.client.http import Client
from voxgate.evals.model import Case, Json, Result

Key = tuple[str, int]
"""A case's id and the number of a trial."""
_PAGE: Final = 200


class Experiments(Protocol):
    """Rows are as the API shows them (docs/api.md)."""

    def create(self, body: Json) -> Json: ...

    def get(self, experiment_id: str) -> Json: ...

    def edit(self, experiment_id: str, **values: Any) -> Json:
        """`status`, `cases` and `metadata`, while it runs."""
        ...

    def latest(self, **wanted: str | None) -> Json | None:
        """The newest with this `project`, `name`, `branch`, `status`."""
        ...

    def add_cases(self, experiment_id: str, cases: Iterable[Case]) -> int:
        """Of data that is no data set; how many there were."""
        ...

    def cases(self, experiment_id: str) -> Iterator[Case]: ...

    def add_results(self, experiment_id: str, results: Sequence[Result]) -> set[Key]:
        """Those that were stored; of the others there was a result already, which stays."""
        ...

    def results(self, experiment_id: str, case_id: str | None = None) -> Iterator[Result]: ...


class ApiExperiments:
    """Lists are read page by page, so that nothing of them is held."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def create(self, body: Json) -> Json:
        row: Json = self._client.call("POST", "/api/experiments", body)
        return row

    def get(self, experiment_id: str) -> Json:
        row: Json = self._client.call("GET", _path(experiment_id))
        return row

    def edit(self, experiment_id: str, **values: Any) -> Json:
        row: Json = self._client.call("PATCH", _path(experiment_id), values)
        return row

    def latest(self, **wanted: str | None) -> Json | None:
        page = self._client.call("GET", "/api/experiments", query={**wanted, "limit": 1})
        return next(iter(page["items"]), None)

    def add_cases(self, experiment_id: str, cases: Iterable[Case]) -> int:
        count, source = 0, iter(cases)
        while page := [case.to_json() for case in islice(source, _PAGE)]:
            self._client.call("POST", f"{_path(experiment_id)}/cases", {"cases": page})
            count += len(page)
        return count

    def cases(self, experiment_id: str) -> Iterator[Case]:
        return map(Case.from_json, self._items(f"{_path(experiment_id)}/cases"))

    def add_results(self, experiment_id: str, results: Sequence[Result]) -> set[Key]:
        stored: set[Key] = set()
        for first in range(0, len(results), _PAGE):
            body = {"results": [result.to_json() for result in results[first : first + _PAGE]]}
            answer = self._client.call("POST", f"{_path(experiment_id)}/results", body)
            stored |= {(case_id, trial) for case_id, trial in answer["stored"]}
        return stored

    def results(self, experiment_id: str, case_id: str | None = None) -> Iterator[Result]:
        return map(Result.from_json, self._items(f"{_path(experiment_id)}/results", case_id=case_id))

    def _items(self, path: str, **query: str | None) -> Iterator[Json]:
        cursor: str | None = None
        while True:
            page = self._client.call("GET", path, query={**query, "limit": _PAGE, "cursor": cursor})
            yield from page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return


def _path(experiment_id: str) -> str:
    return f"/api/experiments/{quote(experiment_id, safe='')}"
