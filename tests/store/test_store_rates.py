"""Limits per minute, taken from by processes that share only the database."""

from __future__ import annotations

import pytest

from tests.store.lockstep import in_lockstep
from voxgate.store import Draw, Level, Store

DRAW = """
import sys
from voxgate.store import Draw, Store
with Store(sys.argv[1]) as store:
    print("ready", flush=True)
    for line in sys.stdin:
        [(given, _)] = store.draw_rates([Draw("shared", 100, need=1, most=1)], 1000.0)
        print(int(given), flush=True)
"""


def draw(store: Store, now: float, need: float = 1, **more: float) -> tuple[float, float]:
    [(given, level)] = store.draw_rates([Draw("a", 60, need, **{"most": need, **more})], now)
    return given, level.left


def test_a_minutes_worth_may_come_at_once_and_then_it_fills_up_evenly(store: Store) -> None:
    assert draw(store, 100.0, 60) == (60, 0)
    assert draw(store, 100.0) == (0, 0)
    assert draw(store, 100.5) == (0, 0.5)
    assert draw(store, 101.0) == (1, 0)
    assert draw(store, 111.0, 4, most=20) == (10, 0)
    assert draw(store, 1_000.0) == (1, 59)


def test_what_is_put_back_is_there_for_others_and_no_more_than_the_limit(store: Store) -> None:
    draw(store, 100.0, 60)
    assert draw(store, 100.0, 0, owed=-5) == (0, 5)
    assert draw(store, 100.0, 6) == (0, 5)
    assert draw(store, 100.0, 5) == (5, 0)
    assert draw(store, 100.0, 0, owed=-500) == (0, 60)


def test_what_was_used_beyond_is_waited_for(store: Store) -> None:
    assert draw(store, 100.0, 0, owed=90) == (0, -30)
    assert draw(store, 130.0) == (0, 0)
    assert draw(store, 131.0) == (1, 0)


def test_a_clock_that_is_behind_fills_nothing_twice(store: Store) -> None:
    draw(store, 100.0, 60)
    assert draw(store, 110.0, 10) == (10, 0)
    assert draw(store, 105.0) == (0, 0)
    assert draw(store, 110.0) == (0, 0)


def test_scopes_and_limits_that_change(store: Store) -> None:
    assert Level(50, 0).later(30, 60) == Level(60, 30)
    draws = [Draw("b", 10, 10, 10), Draw("a", 60, 60, 60)]
    assert [given for given, _ in store.draw_rates(draws, 100.0)] == [10, 60]
    assert [given for given, _ in store.draw_rates([Draw("b", 1200, 100, 100)], 106.0)] == [100]
    assert [given for given, _ in store.draw_rates([Draw("a", 1, 1, 1)], 1_000.0)] == [1]


def test_what_nobody_asks_for_is_forgotten(store: Store) -> None:
    draw(store, 100.0)
    store.draw_rates([Draw("b", 10, 1, 1)], 200.0)
    assert store.forget_rates(150.0) == 1
    assert draw(store, 200.0) == (1, 59)


@pytest.mark.parametrize("processes", [1])
def test_two_processes_never_get_the_same(url: str, store: Store, processes: int) -> None:
    given = list(in_lockstep(DRAW, (url,), (url,), 75))
    assert sum(int(each) for pair in given for each in pair) == 100
