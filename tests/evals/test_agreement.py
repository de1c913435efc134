"""How far people and scorers agree, by numbers that were worked out by hand."""

from __future__ import annotations

import pytest

from voxgate.evals.agreement import Pair, Said, agreement


def pairs(*said: tuple[Said, Said, int]) -> list[Pair]:
    return [Pair(f"sess_{n}", None, human, scorer) for human, scorer, times in said for n in range(times)]


YES, NO = Said(1.0, "yes"), Said(0.0, "no")


def test_kappa_of_two_readers_of_fifty_proposals() -> None:
    # 20 yes and 15 no in common, 5 and 10 apart: po = 0.7, pe = 0.5 * 0.6 + 0.5 * 0.4 = 0.5, kappa = 0.4.
    found = agreement(pairs((YES, YES, 20), (YES, NO, 5), (NO, YES, 10), (NO, NO, 15)))
    assert (found["pairs"], found["equal"]) == (50, 0.7)
    assert found["kappa"] == pytest.approx(0.4)
    assert found["mean_absolute_difference"] == 15 / 50
    assert found["confusion"] == [
        {"human": "no", "scorer": "no", "count": 15},
        {"human": "no", "scorer": "yes", "count": 10},
        {"human": "yes", "scorer": "no", "count": 5},
        {"human": "yes", "scorer": "yes", "count": 20},
    ]
    assert len(found["disagreements"]) == 15


def test_kappa_of_three_categories() -> None:
    one, two, three = Said(1.0), Said(2.0), Said(3.0)
    # People 10/10/10, the scorer 9/11/10, 24 of 30 in common: po = 0.8, pe = 300 / 900 = 1/3.
    given = ((one, one, 8), (one, two, 2), (two, two, 8), (two, three, 2), (three, three, 8), (three, one, 1))
    found = agreement(pairs(*given, (three, two, 1)))
    assert found["equal"] == pytest.approx(0.8)
    assert found["kappa"] == pytest.approx((0.8 - 1 / 3) / (1 - 1 / 3))
    assert found["mean_absolute_difference"] == pytest.approx((2 + 2 + 2 + 1) / 30)


@pytest.mark.parametrize(("scorer", "kappa"), [((YES, NO), 1.0), ((NO, YES), -1.0)])
def test_always_and_never_the_same(scorer: tuple[Said, Said], kappa: float) -> None:
    found = agreement(pairs((YES, scorer[0], 3), (NO, scorer[1], 3)))
    assert found["kappa"] == pytest.approx(kappa)


def test_without_any_variation_there_is_no_kappa_but_a_reason() -> None:
    found = agreement(pairs((YES, YES, 5)))
    assert (found["equal"], found["kappa"]) == (1.0, None)
    assert "chance" in found["kappa_missing"]


def test_measurements_have_a_difference_and_no_kappa() -> None:
    found = agreement([Pair("s", None, Said(float(n)), Said(n + 0.5)) for n in range(20)])
    assert (found["kappa"], found["confusion"], found["mean_absolute_difference"]) == (None, [], 0.5)
    assert "different values" in found["kappa_missing"]
