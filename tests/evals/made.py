"""Results made by hand, for tests of what is computed from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from voxgate.evals.model import Output, Result, Score, missing
from voxgate.evals.tally import Tally, tally_of


def results(
    name: str, cases: Mapping[str, float | Sequence[float | None] | None], **score: Any
) -> list[Result]:
    """One score for each case, or for each of its trials; None: not measured."""
    made = []
    for case_id, values in cases.items():
        for trial, value in enumerate(values if isinstance(values, Sequence) else [values]):
            one = missing(name, "nobody spoke") if value is None else Score(name, value, **score)
            made.append(Result(case_id, trial, Output(text=case_id), (one,)))
    return made


def tally(name: str, cases: Mapping[str, float | Sequence[float | None] | None], **score: Any) -> Tally:
    return tally_of(results(name, cases, **score))
