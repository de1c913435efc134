"""The clock that tests move on."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from voxgate.testing.clock import Clock


def test_a_clock_stands_still_until_it_is_moved_on_by_all_its_hands() -> None:
    clock = Clock(datetime(2026, 11, 23, 12, tzinfo=UTC))
    seconds, ns = clock(), clock.monotonic_ns()
    assert (clock(), clock.now()) == (seconds, datetime(2026, 11, 23, 12, tzinfo=UTC))
    clock.advance(1.5)
    assert (clock() - seconds, clock.monotonic_ns() - ns) == (1.5, 1_500_000_000)
    assert clock.now() == datetime(2026, 11, 23, 12, 0, 1, 500_000, tzinfo=UTC)


def test_time_does_not_go_back() -> None:
    with pytest.raises(ValueError, match="does not go back"):
        Clock().advance(-1)
