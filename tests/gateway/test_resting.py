"""When a provider rests, for how long, and what that does to the order of trying."""

from __future__ import annotations

import pytest

from voxgate.core.settings import Settings
from voxgate.gateway.resting import Rests
from voxgate.providers.routes import Router, Upstream
from voxgate.testing.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def rests(clock: Clock) -> Rests:
    return Rests(clock)


def upstreams(*names: str) -> list[Upstream]:
    providers = {name: {"base_url": f"http://{name}:9000/v1"} for name in names}
    routes = [{"model": "fake", "providers": names}]
    return Router(Settings.model_validate({"providers": providers, "routes": routes}), {}).upstreams("fake")


def order(rests: Rests, *names: str) -> str:
    return "".join(upstream.provider for upstream in rests.order(upstreams(*names)))


def test_a_provider_that_failed_is_tried_last_and_never_left_out(rests: Rests, clock: Clock) -> None:
    assert order(rests, "a", "b", "c") == "abc"
    assert rests.failed("a", clock(), 10) == 10
    assert order(rests, "a", "b", "c") == "bca"
    rests.failed("b", clock(), 10)
    rests.failed("c", clock(), 10)
    assert order(rests, "a", "b", "c") == "abc"


def test_it_is_first_again_only_when_it_has_answered(rests: Rests, clock: Clock) -> None:
    rests.failed("a", clock(), 10)
    clock.advance(1000)
    assert order(rests, "a", "b") == "ba"
    assert rests.answered("a")
    assert order(rests, "a", "b") == "ab"
    assert not rests.answered("a")


def test_it_is_due_for_a_trial_when_its_time_is_up(rests: Rests, clock: Clock) -> None:
    assert not rests.is_due("a")
    rests.failed("a", clock(), 10)
    clock.advance(9.9)
    assert not rests.is_due("a")
    clock.advance(0.1)
    assert rests.is_due("a")


def test_each_failed_trial_doubles_the_rest_up_to_a_bound(rests: Rests, clock: Clock) -> None:
    lengths = []
    for _ in range(6):
        lengths.append(length := rests.failed("a", clock(), 10))
        clock.advance(length or 0)
    assert lengths == [10, 20, 40, 80, 80, 80]
    rests.answered("a")
    assert rests.failed("a", clock(), 10) == 10


def test_calls_that_wait_together_for_a_dead_provider_are_one_failure(rests: Rests, clock: Clock) -> None:
    began = clock()
    clock.advance(5)
    assert rests.failed("a", began, 1) == 1
    assert rests.failed("a", began, 1) is None
    clock.advance(2)  # the rest is over; a try from before it still comes to its end
    assert rests.failed("a", began, 1) is None
    assert rests.is_due("a")
    assert rests.failed("a", clock(), 1) == 2


def test_a_provider_can_be_told_never_to_rest(rests: Rests, clock: Clock) -> None:
    assert rests.failed("a", clock(), 0) is None
    assert "a" not in rests
