"""The scores of many results, kept as columns of numbers: 16 bytes a value, so that the results themselves
need not be kept. What experiments are summed up, compared and gated by.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from voxgate.evals import statistics
from voxgate.evals.model import Direction, Json, Result, Score

_REASONS_KEPT: Final = 5
_TRIAL_BITS: Final = 20
"""Of a place; the API takes fewer than a million trials."""


@dataclass(slots=True)
class Column:
    """One score over all cases. Of a score that is measured at several places of a call (`span_id`) there are
    several values for each trial."""

    name: str
    direction: Direction = "max"
    unit: str | None = None
    values: array[float] = field(default_factory=lambda: array("d"))
    places: array[int] = field(default_factory=lambda: array("q"))
    """Of each value: the number of its case and its trial, as `case << 20 | trial`."""
    missing: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    def add(self, place: int, score: Score) -> None:
        self.direction, self.unit = score.direction, score.unit or self.unit
        if score.value is None:
            self.missing += 1
            if len(self.reasons) < _REASONS_KEPT or score.reason_missing in self.reasons:
                self.reasons[score.reason_missing or "no reason given"] += 1
        else:
            self.values.append(score.value)
            self.places.append(place)

    def why_missing(self) -> str:
        return "; ".join(f"{reason} ({count})" for reason, count in self.reasons.most_common(3))

    def trials(self) -> dict[int, list[float]]:
        """Of each case, by its number: one value for each trial, the mean of its places."""
        sums: dict[int, tuple[float, int]] = {}
        for place, value in zip(self.places, self.values, strict=True):
            total, count = sums.get(place, (0.0, 0))
            sums[place] = (total + value, count + 1)
        cases: dict[int, list[float]] = {}
        for place, (total, count) in sums.items():
            cases.setdefault(place >> _TRIAL_BITS, []).append(total / count)
        return cases

    def passes(self, value: float) -> bool:
        """A trial passes with a score of 1 or more; where less is better, with 0."""
        return value >= 1 if self.direction == "max" else value <= 0

    def pass_rate(self, k: int, estimate: Callable[[int, int, int], float | None]) -> float | None:
        """The mean over cases of pass@k or pass^k; None where some case has fewer than k trials."""
        rates = [estimate(sum(map(self.passes, trials)), len(trials), k) for trials in self.trials().values()]
        known = [rate for rate in rates if rate is not None]
        return statistics.mean(known) if known and len(known) == len(rates) else None

    def summary(self) -> Json:
        cases = list(self.trials().values())
        return {
            "mean": statistics.mean_of_cases(cases),
            "stderr": statistics.stderr_of_cases(cases),
            "n": len(self.values),
            "missing": self.missing,
            "direction": self.direction,
            "unit": self.unit,
        }


@dataclass(slots=True)
class Tally:
    columns: dict[str, Column] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    """Of each case id the number that the columns name it by."""
    results: int = 0
    errors: int = 0
    cost_usd: float = 0.0
    error_kinds: Counter[str] = field(default_factory=Counter)

    def add(self, result: Result) -> None:
        self.results += 1
        self.cost_usd += result.cost_usd or 0.0
        number = self.numbers.setdefault(result.case_id, len(self.numbers))
        if result.error is not None:
            self.errors += 1
            self.error_kinds[result.error.split(":", 1)[0]] += 1
            return
        for score in result.scores:
            column = self.columns.setdefault(score.name, Column(score.name))
            column.add(number << _TRIAL_BITS | result.trial, score)

    def by_case(self, name: str) -> dict[str, list[float]]:
        trials = self.columns[name].trials() if name in self.columns else {}
        ids = {number: case_id for case_id, number in self.numbers.items() if number in trials}
        return {ids[number]: values for number, values in trials.items()}

    def summaries(self) -> Json:
        return {name: column.summary() for name, column in self.columns.items()}


def tally_of(results: Iterable[Result]) -> Tally:
    tally = Tally()
    for result in results:
        tally.add(result)
    return tally
