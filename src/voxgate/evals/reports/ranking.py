"""Which cases a reader should see first: those that failed, those that got worse, those that score worst."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from voxgate.evals.comparing import Comparison, Pair, ScoreComparison
from voxgate.evals.model import Direction
from voxgate.evals.tally import Tally

Change = Literal["regressed", "improved", "same", "new"]


@dataclass(slots=True)
class Ranked:
    case_id: str
    pairs: dict[str, Pair] = field(default_factory=dict)
    """Of each score that is compared."""
    weight: float = 0.0
    """Negative: worse. In standard deviations of the score's differences, so that scores can be summed."""
    lowest: float = 0.0
    """How it scores among the others where nothing is compared."""

    @property
    def change(self) -> Change:
        if not self.pairs:
            return "new"
        return "regressed" if self.weight < 0 else "improved" if self.weight > 0 else "same"


def ranked(tally: Tally, comparison: Comparison | None) -> list[Ranked]:
    cases = {case_id: Ranked(case_id) for case_id in tally.numbers}
    for score in comparison.scores if comparison else ():
        _weigh(cases, score)
    for name, column in tally.columns.items():
        _place(cases, tally.by_case(name), column.direction)
    measured = {case_id for name in tally.columns for case_id in tally.by_case(name)}
    return sorted(
        cases.values(),
        key=lambda one: (one.case_id in measured, one.weight, one.lowest, one.case_id),
    )


def _weigh(cases: Mapping[str, Ranked], score: ScoreComparison) -> None:
    spread = (sum(pair.gain**2 for pair in score.pairs) / len(score.pairs)) ** 0.5 if score.pairs else 0.0
    for pair in score.pairs:
        cases[pair.case_id].pairs[score.name] = pair
        cases[pair.case_id].weight += pair.gain / spread if spread else 0.0


def _place(cases: Mapping[str, Ranked], values: Mapping[str, list[float]], direction: Direction) -> None:
    sign = 1 if direction == "max" else -1
    means = {case_id: sign * sum(trials) / len(trials) for case_id, trials in values.items()}
    low, high = min(means.values(), default=0.0), max(means.values(), default=0.0)
    for case_id, value in means.items():
        cases[case_id].lowest += (value - low) / (high - low) if high > low else 0.0
