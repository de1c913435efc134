"""Which segments of the spool's memory take memory, and when."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from voxgate.recording.segments import Segments

FOREVER, AT_ONCE = 3600.0, 0.0


def test_a_few_are_ready_ahead_of_those_in_use() -> None:
    segments = Segments(128, FOREVER)
    assert len(list(segments.to_prepare())) == 8
    taken = [segments.take() for _ in range(3)]
    assert len(list(segments.to_prepare())) == 3
    assert len(segments.ready) == 8
    assert segments.in_use == len(set(taken)) == 3


def test_the_one_that_was_used_last_is_used_next_and_one_that_was_only_touched_last_of_all() -> None:
    segments = Segments(32, FOREVER)
    first = segments.take()
    assert first is not None
    prepared = set(segments.to_prepare())
    segments.free(first)
    assert segments.take() == first
    assert {segments.take(), segments.take()} == prepared


def test_without_a_free_one_there_is_none() -> None:
    segments = Segments(2, FOREVER)
    assert {segments.take(), segments.take()} == {0, 1}
    assert segments.take() is None


def test_what_was_needed_lately_is_not_given_back() -> None:
    segments = Segments(128, FOREVER)
    for index in [segments.take() for _ in range(40)]:
        assert index is not None
        segments.free(index)
    assert list(segments.to_give_back()) == []
    assert segments.seconds_to_look is not None


def test_after_a_period_that_needed_less_the_rest_is_given_back() -> None:
    segments = Segments(128, AT_ONCE)
    for index in [segments.take() for _ in range(40)]:
        assert index is not None
        segments.free(index)
    assert list(segments.to_give_back()) == [], "they were needed in the period that ends"
    leaving = list(segments.to_give_back())
    assert len(leaving) == 32
    assert segments.leaving == set(leaving)
    assert segments.seconds_to_look is None
    assert not segments.leaving & {segments.take() for _ in range(8 + 88)}


@given(st.integers(1, 40), st.lists(st.sampled_from("tfpgb"), max_size=200), st.randoms())
def test_each_is_always_in_one_place(count: int, steps: list[str], chance: random.Random) -> None:
    segments, used = Segments(count, AT_ONCE), set[int]()
    for step in steps:
        if step == "t" and (index := segments.take()) is not None:
            used.add(index)
        elif step == "f" and used:
            index = chance.choice(sorted(used))
            used.remove(index)
            segments.free(index)
        elif step == "p":
            list(segments.to_prepare())
        elif step == "g":
            list(segments.to_give_back())
        elif step == "b" and segments.leaving:
            segments.given_back(min(segments.leaving))
        assert sorted([*segments.bare, *segments.ready, *segments.leaving, *used]) == list(range(count))
        assert segments.in_use == len(used)
