"""The data of an evaluation as people write it down: a list of cases or of plain mappings, a function that
makes them, a file. Whatever it is, cases come out of it one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from voxgate.client.http import Client
from voxgate.core.errors import InvalidRequest
from voxgate.evals.loading.opening import open_cases
from voxgate.evals.model import Case, Json
from voxgate.evals.plain import case_of
from voxgate.evals.protocols import Data


@dataclass(frozen=True)
class Listed:
    """Cases that the program has itself. A generator can be gone through once, a function again and again."""

    source: Iterable[Any] | Callable[[], Iterable[Any]]

    def describe(self) -> Json:
        return {"kind": "list"}

    def pinned(self, client: Client) -> Json | None:
        return None

    def cases(self, client: Client) -> Iterator[Case]:
        return _distinct(self.source() if callable(self.source) else self.source)


def as_data(given: Any) -> Data:
    """InvalidRequest for what is no data."""
    if all(callable(getattr(given, name, None)) for name in ("cases", "pinned", "describe")):
        return cast("Data", given)
    if isinstance(given, str | Path):
        return open_cases(given)
    if callable(given) or (isinstance(given, Iterable) and not isinstance(given, Mapping | bytes)):
        return Listed(given)
    raise InvalidRequest(
        f"{given!r} is no data: write dataset(...), logs(...), a list of cases or the path of a CSV file.",
        param="data",
    )


def _distinct(rows: Iterable[Any]) -> Iterator[Case]:
    seen: set[str] = set()
    for number, row in enumerate(rows, 1):
        case = row if isinstance(row, Case) else case_of(row, number)
        if case.id in seen:
            raise InvalidRequest(
                f"Two cases have the id {case.id!r}; the second is number {number}.", param="data"
            )
        seen.add(case.id)
        yield case
