"""Formulas against values computed by hand, and the tests' promises by trying them out."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from voxgate.evals import statistics
from voxgate.evals.statistics import Interval


def test_every_case_counts_the_same_however_many_trials_it_has() -> None:
    assert statistics.mean_of_cases([[1.0, 1.0, 1.0, 1.0], [0.0]]) == 0.5


def test_the_standard_error_is_that_of_the_cases_and_not_of_their_trials() -> None:
    one_trial = [[0.0], [1.0], [1.0], [0.0]]
    ten_alike = [trials * 10 for trials in one_trial]
    expected = math.sqrt(1 / 3) / 2
    assert statistics.stderr_of_cases(one_trial) == pytest.approx(expected)
    assert statistics.stderr_of_cases(ten_alike) == pytest.approx(expected)
    assert statistics.stderr_of_cases([[1.0, 0.0]]) is None


@pytest.mark.parametrize(("passed", "k"), list(itertools.product(range(6), range(1, 6))))
def test_pass_at_k_and_pass_hat_k_are_the_shares_of_all_ways_to_choose_k_trials(passed: int, k: int) -> None:
    trials = [True] * passed + [False] * (5 - passed)
    chosen = list(itertools.combinations(trials, k))
    assert statistics.pass_at_k(passed, 5, k) == pytest.approx(sum(map(any, chosen)) / len(chosen))
    assert statistics.pass_hat_k(passed, 5, k) == pytest.approx(sum(map(all, chosen)) / len(chosen))


def test_pass_rates_of_more_trials_than_ran_are_not_known() -> None:
    assert statistics.pass_at_k(1, 2, 3) is None
    assert statistics.pass_hat_k(1, 2, 3) is None


def test_the_bootstrap_interval_holds_the_true_difference_as_often_as_it_says() -> None:
    rng = np.random.default_rng(3)
    held = 0
    for seed in range(60):
        found = statistics.bootstrap_interval(list(rng.normal(2.0, 1.0, 40)), seed=seed)
        held += found is not None and found.low <= 2.0 <= found.high
    assert held >= 52


def test_the_bootstrap_depends_on_the_seed_alone() -> None:
    deltas = [0.1, -0.4, 0.3, 0.9, -0.2]
    assert statistics.bootstrap_interval(deltas, seed=1) == statistics.bootstrap_interval(deltas, seed=1)
    assert statistics.bootstrap_interval(deltas, seed=1) != statistics.bootstrap_interval(deltas, seed=2)
    assert statistics.bootstrap_interval([0.5]) is None
    assert statistics.bootstrap_interval([0.5, 0.5]) == Interval(0.5, 0.5)


def test_the_sign_flip_test_counts_all_ways_of_few_pairs() -> None:
    before, after = [[1.0]] * 6, [[0.0]] * 6
    assert statistics.permutation_p(before, after) == 2 / 2**6
    assert statistics.permutation_p(before, before) == 1.0
    # Of the eight ways to sign 3, 1 and 1, only +++ and --- reach 5.
    assert statistics.permutation_p([[0.0]] * 3, [[3.0], [1.0], [1.0]]) == 2 / 8


def test_trials_within_a_case_give_power_to_few_cases() -> None:
    before, after = [[1.0] * 5] * 2, [[0.0] * 5] * 2
    assert statistics.smallest_p(before, after) == pytest.approx(2 / math.comb(10, 5) ** 2)
    assert statistics.permutation_p(before, after) < 0.001


@pytest.mark.parametrize(("trials", "runs", "most"), [(1, 200, 17), (3, 40, 6)])
def test_without_a_change_a_difference_is_found_in_at_most_5_of_100_runs(
    trials: int, runs: int, most: int
) -> None:
    rng = np.random.default_rng(11)
    alarms = 0
    for seed in range(runs):
        hard = rng.random(20)
        before = [list((rng.random(trials) < chance).astype(float)) for chance in hard]
        after = [list((rng.random(trials) < chance).astype(float)) for chance in hard]
        alarms += statistics.permutation_p(before, after, seed=seed) <= 0.05
    assert alarms <= most  # more are less likely than 1 in 100


def test_many_pairs_are_tested_without_trying_every_way() -> None:
    rng = np.random.default_rng(5)
    before = [[value] for value in rng.normal(0, 1, 3000)]
    after = [[value[0] + shift] for value, shift in zip(before, rng.normal(0.1, 0.3, 3000), strict=True)]
    assert statistics.permutation_p(before, after) < 0.001
    assert (
        statistics.bootstrap_interval([b[0] - a[0] for a, b in zip(before, after, strict=True)]) is not None
    )


def test_holm_adjusts_the_smallest_the_most_and_never_reorders() -> None:
    assert statistics.holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx(
        {"a": 0.03, "c": 0.06, "b": 0.06}
    )
    assert statistics.holm({"a": 0.9, "b": 0.8}) == {"b": 1.0, "a": 1.0}
    assert statistics.holm({}) == {}


def test_percentiles_are_linear_between_ranks() -> None:
    assert statistics.percentile([1.0, 2.0, 3.0, 4.0], 50) == 2.5
    assert statistics.percentile([], 95) is None
