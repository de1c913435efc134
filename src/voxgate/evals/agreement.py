"""How far a scorer and people agree: pairs of what both said of the same session or span in, figures out.

- The share that is equal is the observed agreement.
- Cohen's kappa sets it against what chance would give: kappa = (po - pe) / (1 - pe), pe the sum over all
  categories of the product of both shares (J. Cohen, A Coefficient of Agreement for Nominal Scales,
  Educational and Psychological Measurement 20, 1960, 37-46).
- The mean absolute difference is of the pairs in which both are numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Final

MOST_CATEGORIES: Final = 12
"""With more, values are measurements and no categories: kappa would count every small difference."""
_SHOWN_DISAGREEMENTS: Final = 50


@dataclass(frozen=True, slots=True)
class Said:
    """What one side says: a value, a label, or both. The label is its category, else the value is."""

    value: float | None
    label: str | None = None

    @property
    def category(self) -> str:
        return self.label if self.label is not None else f"{self.value:g}"


@dataclass(frozen=True, slots=True)
class Pair:
    session_id: str
    span_id: str | None
    human: Said
    scorer: Said


def agreement(pairs: Sequence[Pair]) -> dict[str, Any]:
    """Of at least one pair."""
    cells = Counter((pair.human.category, pair.scorer.category) for pair in pairs)
    categories = sorted({category for cell in cells for category in cell})
    few = len(categories) <= MOST_CATEGORIES
    kappa, reason = cohens_kappa(cells) if few else (None, _too_many(len(categories)))
    return {
        "pairs": len(pairs),
        "equal": sum(count for (human, scorer), count in cells.items() if human == scorer) / len(pairs),
        "kappa": kappa,
        "kappa_missing": reason,
        "confusion": _confusion(cells) if few else [],
        "mean_absolute_difference": mean_absolute_difference(pairs),
        "disagreements": [_shown(pair) for pair in _unequal(pairs)[:_SHOWN_DISAGREEMENTS]],
    }


def _confusion(cells: Counter[tuple[str, str]]) -> list[dict[str, Any]]:
    ordered = sorted(cells.items())
    return [{"human": human, "scorer": scorer, "count": count} for (human, scorer), count in ordered]


def cohens_kappa(cells: Counter[tuple[str, str]]) -> tuple[float | None, str | None]:
    """And why there is none."""
    total = cells.total()
    humans, scorers = Counter[str](), Counter[str]()
    for (human, scorer), count in cells.items():
        humans[human] += count
        scorers[scorer] += count
    observed = sum(cells[category, category] for category in humans) / total
    expected = sum(humans[category] * scorers[category] for category in humans) / total**2
    if expected == 1:
        return None, "both sides always say the same one thing, which chance would give too"
    return (observed - expected) / (1 - expected), None


def mean_absolute_difference(pairs: Iterable[Pair]) -> float | None:
    differences = [
        abs(pair.human.value - pair.scorer.value)
        for pair in pairs
        if pair.human.value is not None and pair.scorer.value is not None
    ]
    return fmean(differences) if differences else None


def _unequal(pairs: Iterable[Pair]) -> list[Pair]:
    """The furthest apart first."""
    found = [pair for pair in pairs if pair.human.category != pair.scorer.category]
    return sorted(found, key=lambda pair: -abs((pair.human.value or 0.0) - (pair.scorer.value or 0.0)))


def _shown(pair: Pair) -> dict[str, Any]:
    human, scorer = ({"value": one.value, "label": one.label} for one in (pair.human, pair.scorer))
    return {"session_id": pair.session_id, "span_id": pair.span_id, "human": human, "scorer": scorer}


def _too_many(count: int) -> str:
    return f"there are {count} different values; kappa is for {MOST_CATEGORIES} categories at most"
