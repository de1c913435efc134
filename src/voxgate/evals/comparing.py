"""Two experiments beside each other: paired by case, score by score, the regressions first. Pure: tallies and
results in, a comparison out.

What is called a change: a score has improved or regressed when a permutation test over the pairs finds its
difference at the stated confidence, after Holm's correction for the number of scores. A run without any
change is therefore called a regression in at most 5 of 100 comparisons, of all scores together. Single cases
are not tested: they are sorted by how much worse they are.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Literal

from voxgate.evals import statistics
from voxgate.evals.model import Direction, Json
from voxgate.evals.statistics import CONFIDENCE, Interval
from voxgate.evals.tally import Tally

Verdict = Literal["improved", "regressed", "same"]
_ORDER: Final[dict[Verdict, int]] = {"regressed": 0, "same": 1, "improved": 2}
_UNPAIRED_SHOWN: Final = 1000


@dataclass(frozen=True, slots=True)
class Pair:
    """One case before and after: means over its trials. `gain` is the difference for the better: negative is
    worse."""

    case_id: str
    before: float
    after: float
    gain: float

    @property
    def change(self) -> Verdict:
        return "same" if self.gain == 0 else "improved" if self.gain > 0 else "regressed"

    def to_json(self) -> Json:
        return {
            "case_id": self.case_id,
            "before": self.before,
            "after": self.after,
            "delta": self.after - self.before,
            "change": self.change,
        }


@dataclass(frozen=True, slots=True)
class ScoreComparison:
    name: str
    direction: Direction
    unit: str | None
    before: float | None
    """Means over the paired cases alone."""
    after: float | None
    interval: Interval | None
    """Of the difference after - before; None for fewer than two pairs."""
    p: float | None
    adjusted_p: float | None
    verdict: Verdict
    note: str | None
    """Why nothing can be said, where that is so."""
    pairs: tuple[Pair, ...]
    """The most regressed first."""

    @property
    def delta(self) -> float | None:
        return None if self.before is None or self.after is None else self.after - self.before

    @property
    def is_worse(self) -> bool:
        return bool(self.delta) and ((self.delta or 0) < 0) == (self.direction == "max")

    def count(self, change: Verdict) -> int:
        return sum(pair.change == change for pair in self.pairs)

    def to_json(self) -> Json:
        return {
            "name": self.name,
            "direction": self.direction,
            "unit": self.unit,
            "before": self.before,
            "after": self.after,
            "delta": self.delta,
            "interval": [self.interval.low, self.interval.high] if self.interval else None,
            "p": self.p,
            "adjusted_p": self.adjusted_p,
            "verdict": self.verdict,
            "note": self.note,
            "paired": len(self.pairs),
            "improved": self.count("improved"),
            "regressed": self.count("regressed"),
            "same": self.count("same"),
            "pairs": [pair.to_json() for pair in self.pairs],
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    before: str
    """The ids of the experiments."""
    after: str
    confidence: float
    scores: tuple[ScoreComparison, ...]
    """The regressed ones first."""
    only_before: tuple[str, ...]
    """Cases that the other experiment has not."""
    only_after: tuple[str, ...]
    only_in_one: tuple[str, ...] = ()
    """Scores that only one of them has."""

    def score(self, name: str) -> ScoreComparison | None:
        return next((score for score in self.scores if score.name == name), None)

    def regressed(self) -> list[ScoreComparison]:
        return [score for score in self.scores if score.verdict == "regressed"]

    def to_json(self) -> Json:
        return {
            "before": self.before,
            "after": self.after,
            "confidence": self.confidence,
            "method": "paired by case; permutation test stratified by case, Holm over the scores; "
            "percentile bootstrap interval of the mean difference",
            "scores": [score.to_json() for score in self.scores],
            "only_before": list(self.only_before[:_UNPAIRED_SHOWN]),
            "only_after": list(self.only_after[:_UNPAIRED_SHOWN]),
            "only_in_one": list(self.only_in_one),
        }


@dataclass(frozen=True, slots=True)
class _Measured:
    """What the columns of one score say, before it is known how many scores there are."""

    name: str
    direction: Direction
    unit: str | None
    ids: list[str]
    before: list[list[float]]
    after: list[list[float]]
    p: float


def compare(
    before: Tally,
    after: Tally,
    *,
    ids: tuple[str, str] = ("A", "B"),
    only: Collection[str] | None = None,
    confidence: float = CONFIDENCE,
    seed: int = 0,
) -> Comparison:
    """`only` names the scores that are looked at: fewer scores need less of a difference."""
    names = [name for name in after.columns if name in before.columns and (only is None or name in only)]
    measured = [_measured(name, before, after, seed) for name in names]
    adjusted = statistics.holm({one.name: one.p for one in measured if one.ids})
    scores = [_compared(one, adjusted, confidence, seed) for one in measured]
    return Comparison(
        *ids,
        confidence=confidence,
        scores=tuple(sorted(scores, key=_by_regression)),
        only_before=tuple(sorted(before.numbers.keys() - after.numbers.keys())),
        only_after=tuple(sorted(after.numbers.keys() - before.numbers.keys())),
        only_in_one=tuple(sorted(before.columns.keys() ^ after.columns.keys())),
    )


def _measured(name: str, before: Tally, after: Tally, seed: int) -> _Measured:
    column = after.columns[name]
    old, new = before.by_case(name), after.by_case(name)
    ids = [case_id for case_id in new if case_id in old]
    a, b = [old[case_id] for case_id in ids], [new[case_id] for case_id in ids]
    p = statistics.permutation_p(a, b, seed=seed) if ids else 1.0
    return _Measured(name, column.direction, column.unit, ids, a, b, p)


def _compared(one: _Measured, adjusted: dict[str, float], confidence: float, seed: int) -> ScoreComparison:
    sign = 1 if one.direction == "max" else -1
    pairs = [
        Pair(case_id, old, new, sign * (new - old))
        for case_id, old, new in zip(one.ids, _means(one.before), _means(one.after), strict=True)
    ]
    pairs.sort(key=lambda pair: (pair.gain, pair.case_id))
    gain = statistics.mean([pair.gain for pair in pairs])
    p = adjusted.get(one.name)
    found = p is not None and p <= 1 - confidence and bool(gain)
    return ScoreComparison(
        name=one.name,
        direction=one.direction,
        unit=one.unit,
        before=statistics.mean([pair.before for pair in pairs]),
        after=statistics.mean([pair.after for pair in pairs]),
        interval=statistics.bootstrap_interval(
            [pair.after - pair.before for pair in pairs], seed=seed, confidence=confidence
        ),
        p=one.p if one.ids else None,
        adjusted_p=p,
        verdict="same" if not found else "improved" if (gain or 0) > 0 else "regressed",
        note=_note(one, len(adjusted), confidence),
        pairs=tuple(pairs),
    )


def _means(cases: list[list[float]]) -> list[float]:
    return [sum(trials) / len(trials) for trials in cases]


def _note(one: _Measured, scores: int, confidence: float) -> str | None:
    if not one.ids:
        return "no case has this score in both"
    if statistics.smallest_p(one.before, one.after) * scores > 1 - confidence:
        cases = "1 case" if len(one.ids) == 1 else f"{len(one.ids)} cases"
        return (
            f"{cases} cannot show a change of any size at {confidence:.0%} with {scores} "
            f"{'score' if scores == 1 else 'scores'}: more cases or trials are needed"
        )
    return None


def _by_regression(score: ScoreComparison) -> tuple[int, float, str]:
    p = 1.0 if score.adjusted_p is None else score.adjusted_p
    return _ORDER[score.verdict], p if score.is_worse else 2 - p, score.name
