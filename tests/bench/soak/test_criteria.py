"""When a run of the soak has failed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from bench.soak.criteria import JUDGED_SECONDS, Outcome, criteria, long_call
from bench.soak.judge import SURVIVED, Tally
from bench.soak.recordings import Findings
from bench.soak.watch import Sample, Watch


def sample(number: int, worker_kb: int = 60_000, descriptors: int = 600, pid: int = 7) -> Sample:
    return Sample(
        seconds=number * 10.0, calls=300, pids={"worker": [pid]}, memory_kb={"worker": worker_kb},
        descriptors={"worker": descriptors}, cores={}, busy=0.5, wire_bytes=0, waiting=0, oldest_seconds=0,
    )  # fmt: skip


def outcome(samples: list[Sample] | None = None, **changes: Any) -> Outcome:
    values: dict[str, Any] = {
        "tally": Tally(outcomes=Counter({SURVIVED: 10})),
        "findings": Findings(checked=10),
        "watch": Watch(Path(), samples=samples or [sample(number) for number in range(80)]),
        "seconds": JUDGED_SECONDS + 1,
        "left_in_wire": [], "put_aside": [], "left_live": [], "never_ended": [],
        "complaints": [], "exit_code": 0,
    }  # fmt: skip
    return Outcome(**(values | changes))


def failed(found: Outcome) -> list[str]:
    return [one.name for one in criteria(found) if not one.held]


def test_a_run_in_order_has_held() -> None:
    assert failed(outcome()) == []


def test_memory_that_grows_with_the_calls_has_failed() -> None:
    growing = [sample(number, worker_kb=60_000 + 400 * number) for number in range(80)]
    assert failed(outcome(growing)) == ["Memory is flat"]


def test_descriptors_that_stay_open_have_failed() -> None:
    growing = [sample(number, descriptors=600 + 3 * number) for number in range(80)]
    assert failed(outcome(growing)) == ["Descriptors are flat"]


def test_memory_that_only_goes_up_and_down_has_held() -> None:
    assert (
        failed(outcome([sample(number, worker_kb=60_000 + 4_000 * (number % 7)) for number in range(80)]))
        == []
    )


def test_what_counts_is_what_a_process_holds_in_its_last_life() -> None:
    def lives(kb_in_second: int) -> list[Sample]:
        first = [sample(number, worker_kb=40_000, pid=7) for number in range(40)]
        return first + [sample(n, worker_kb=90_000 + kb_in_second * (n - 40), pid=8) for n in range(40, 80)]

    assert failed(outcome(lives(0))) == []
    assert failed(outcome(lives(800))) == ["Memory is flat"]


@pytest.mark.parametrize("what", ["left_in_wire", "put_aside", "left_live"])
def test_a_trace_that_is_not_closed_has_failed(what: str) -> None:
    assert failed(outcome(**{what: ["sess_1"]})) == ["Every trace is closed"]


def test_a_trace_that_nobody_saw_has_failed() -> None:
    assert failed(outcome(findings=Findings(checked=9))) == ["Every trace is closed"]


def test_a_loss_on_a_survivor_has_failed() -> None:
    tally = Tally(outcomes=Counter({SURVIVED: 10}), lost_on_survivors=["call 1: 3 sent, 2 received"])
    assert failed(outcome(tally=tally)) == ["Surviving calls lost nothing"]


def test_a_run_without_a_surviving_call_has_failed() -> None:
    tally = Tally(outcomes=Counter({"client reset": 10}))
    assert failed(outcome(tally=tally)) == ["Surviving calls lost nothing"]


def test_an_unclean_stop_has_failed() -> None:
    assert failed(outcome(exit_code=1)) == ["Voxgate ran through and stopped in order"]
    assert failed(outcome(complaints=["Traceback"])) == ["Voxgate ran through and stopped in order"]


def test_a_long_call_may_take_so_much_memory_and_no_more() -> None:
    assert long_call(60, 20.0).held
    assert not long_call(60, 20.1).held
