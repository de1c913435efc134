"""Numbers about scores: means with their standard errors, pass@k and pass^k, intervals and tests of paired
differences. Pure; every formula says where it comes from. Random draws come from the seed alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Trials = Sequence[float]
"""The values of one case, one for each trial."""

CONFIDENCE: Final = 0.95
RESAMPLES: Final = 10_000
RESAMPLES_OF_MANY: Final = 2_000
"""From this many pairs on the interval hardly depends on how often is drawn."""
MANY_PAIRS: Final = 1_000
EXACT_PAIRS: Final = 14
"""Up to so many pairs all ways of changing signs are tried: 16,384."""
_CHUNK: Final = 1 << 20
"""Random numbers drawn at once, so that memory does not grow with the number of cases."""


def mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def percentile(values: Sequence[float], q: float) -> float | None:
    """`q` from 0 to 100, linear between ranks: as the metrics of a call (docs/metrics.md)."""
    return float(np.percentile(np.asarray(values, dtype=np.float64), q)) if len(values) else None


def mean_of_cases(cases: Sequence[Trials]) -> float | None:
    """The mean of the cases' means: every case counts the same, however many of its trials were measured."""
    return mean([math.fsum(trials) / len(trials) for trials in cases if trials])


def stderr_of_cases(cases: Sequence[Trials]) -> float | None:
    """Standard error of `mean_of_cases`; None for fewer than two cases.

    Trials of one case are not independent of one another, cases are: the case is the cluster. With every
    case counting the same, the clustered error (Miller, "Adding Error Bars to Evals", 2024, eq. 4, with the
    correction G / (G - 1)) is the standard deviation of the cases' means over the root of their number.
    """
    means = np.array([math.fsum(trials) / len(trials) for trials in cases if trials])
    return float(means.std(ddof=1) / math.sqrt(len(means))) if len(means) > 1 else None


def pass_at_k(passed: int, trials: int, k: int) -> float | None:
    """How likely at least one of `k` trials passes: 1 - C(n-c, k) / C(n, k) (Chen et al., "Evaluating Large
    Language Models Trained on Code", 2021, eq. 1). None where fewer than k trials ran."""
    return None if trials < k or k < 1 else 1 - math.comb(trials - passed, k) / math.comb(trials, k)


def pass_hat_k(passed: int, trials: int, k: int) -> float | None:
    """How likely all of `k` trials pass, pass^k: C(c, k) / C(n, k) (Yao et al., "tau-bench", 2024, section
    3). None where fewer than k trials ran."""
    return None if trials < k or k < 1 else math.comb(passed, k) / math.comb(trials, k)


@dataclass(frozen=True, slots=True)
class Interval:
    low: float
    high: float


def bootstrap_interval(
    deltas: Sequence[float], *, seed: int = 0, confidence: float = CONFIDENCE
) -> Interval | None:
    """Of the mean of paired differences: cases are drawn with replacement, and the quantiles of the means
    are the ends (percentile bootstrap; Efron and Tibshirani, "An Introduction to the Bootstrap", 1993,
    chapter 13). None for fewer than two pairs."""
    data = np.asarray(deltas, dtype=np.float64)
    if len(data) < 2:
        return None
    if np.ptp(data) == 0:
        return Interval(float(data[0]), float(data[0]))
    rng = np.random.default_rng(seed)
    draws = _resamples(len(data))
    rows = max(1, _CHUNK // len(data))
    means = np.concatenate(
        [
            data[rng.integers(0, len(data), (min(rows, draws - start), len(data)))].mean(axis=1)
            for start in range(0, draws, rows)
        ]
    )
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(low), float(high))


def _resamples(pairs: int) -> int:
    return RESAMPLES if pairs <= MANY_PAIRS else RESAMPLES_OF_MANY


def permutation_p(before: Sequence[Trials], after: Sequence[Trials], *, seed: int = 0) -> float:
    """How likely a difference of the means as large as this one is, in either direction, if nothing had
    changed: within each case it would not matter which of its trials were before and which after.

    A permutation test stratified by case (Good, "Permutation Tests", 2000, section 3.6). It assumes nothing
    of how the scores are distributed and holds with few cases. With one trial each it is the sign-flip test,
    exact up to 14 pairs; otherwise (hits + 1) / (draws + 1) (Phipson and Smyth, 2010).
    """
    strata = [(np.asarray(a, float), np.asarray(b, float)) for a, b in zip(before, after, strict=True)]
    moving = [(a, b) for a, b in strata if np.ptp(np.concatenate([a, b])) > 0]
    observed = abs(sum(float(b.mean() - a.mean()) for a, b in moving))
    if not moving:
        return 1.0
    single = all(len(a) == len(b) == 1 for a, b in moving)
    if single and len(moving) <= EXACT_PAIRS:
        return _exact(np.array([float(b[0] - a[0]) for a, b in moving]), observed)
    rng = np.random.default_rng(seed)
    draws = _resamples(len(moving))
    if single:
        totals = _flipped(np.array([float(b[0] - a[0]) for a, b in moving]), draws, rng)
    else:
        totals = _shuffled(moving, draws, rng)
    return (int(_reaching(totals, observed)) + 1) / (draws + 1)


def _exact(deltas: Floats, observed: float) -> float:
    ways = np.arange(1 << len(deltas), dtype=np.int64)[:, None]
    signs = 1 - 2 * ((ways >> np.arange(len(deltas))) & 1)
    return float(_reaching(signs @ deltas, observed)) / len(ways)


def _flipped(deltas: Floats, draws: int, rng: np.random.Generator) -> Floats:
    rows = max(1, _CHUNK // len(deltas))
    parts = [
        (1 - 2 * rng.integers(0, 2, (min(rows, draws - start), len(deltas)), dtype=np.int8)) @ deltas
        for start in range(0, draws, rows)
    ]
    return np.concatenate(parts)


def _shuffled(strata: Sequence[tuple[Floats, Floats]], draws: int, rng: np.random.Generator) -> Floats:
    totals = np.zeros(draws)
    for a, b in strata:
        mixed = rng.permuted(np.tile(np.concatenate([a, b]), (draws, 1)), axis=1)
        totals += mixed[:, len(a) :].mean(axis=1) - mixed[:, : len(a)].mean(axis=1)
    return totals


def _reaching(totals: Floats, observed: float) -> np.int64:
    # Sums in another order differ in their last bits; they reach it all the same.
    return np.count_nonzero(np.abs(totals) >= observed - 1e-9 * max(1.0, observed))


def smallest_p(before: Sequence[Trials], after: Sequence[Trials]) -> float:
    """The smallest p that `permutation_p` can answer for so many cases and trials: where that is too large,
    no difference whatsoever could be told from chance."""
    ways = 1.0
    for a, b in zip(before, after, strict=True):
        ways *= math.comb(len(a) + len(b), len(a))
        if ways > 1e12:
            break
    return min(1.0, 2 / ways)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """P values of several tests, adjusted so that the chance of even one false alarm among all of them stays
    at the level (Holm, "A Simple Sequentially Rejective Multiple Test Procedure", 1979)."""
    adjusted: dict[str, float] = {}
    largest = 0.0
    for place, (name, p) in enumerate(sorted(p_values.items(), key=lambda one: one[1])):
        largest = max(largest, min(1.0, p * (len(p_values) - place)))
        adjusted[name] = largest
    return adjusted
