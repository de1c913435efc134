"""The recorder lets writers go first that are behind."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from voxgate.jobs import giving_way
from voxgate.jobs.giving_way import GivingWay

FOLDER = Path("wire")


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The writers are behind until `behind_until`."""
    clock = Clock()
    monkeypatch.setattr(giving_way, "time", SimpleNamespace(monotonic=clock.monotonic, sleep=clock.sleep))
    return clock


def behind_until(at: float, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    asked: list[float] = []

    def are_behind(folder: Path) -> bool:
        assert folder == FOLDER
        asked.append(clock.now)
        return clock.now < at

    monkeypatch.setattr(giving_way, "writers_are_behind", are_behind)
    return asked


def test_it_waits_until_the_writers_have_caught_up(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    behind_until(100.4, clock, monkeypatch)
    GivingWay(FOLDER).wait()
    assert 100.4 <= clock.now < 100.5


def test_behind_a_disk_that_is_always_slow_it_works_a_fifth_of_the_time(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    behind_until(1000.0, clock, monkeypatch)
    way, worked = GivingWay(FOLDER), 0.0
    while clock.now < 130.0:
        way.wait()
        clock.now += 0.01
        worked += 0.01
    assert worked / 30 == pytest.approx(0.2, abs=0.03)


def test_it_does_not_look_again_at_every_small_piece_of_work(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = behind_until(0.0, clock, monkeypatch)
    way = GivingWay(FOLDER)
    for _ in range(100):
        way.wait()
        clock.now += 0.001
    assert len(asked) <= 3
