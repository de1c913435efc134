"""How the soak judges a call from what both ends counted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from bench.soak.judge import REFUSED, SURVIVED, UNEXPECTED, WORKER_KILLED, Verdict, judge
from bench.soak.ledger import Column, Ledger
from bench.soak.orders import FAULTS, Fault, Orders, plan_call

from bench.soak import judge as judging

ORDERS = Orders(
    seed=1, calls=1, seconds=60, shortest_call_seconds=30, longest_call_seconds=40, longest_stall_seconds=30,
    fault_share=0, shaky_share=0, pcm_share=1, ledger="", steady_port=0, shaky_port=0,
)  # fmt: skip
CLEAN = {
    "call": 0,
    "session": "sess_1",
    "hung_up": True,
    "struck": False,
    "code": 1000,
    "reason": "",
    "error": None,
}
CUT = {**CLEAN, "hung_up": False, "code": None}
FULL = {
    Column.UP_SENT: 100, Column.UP_RECEIVED: 100, Column.DOWN_SENT: 50, Column.DOWN_RECEIVED: 50,
}  # fmt: skip
MARK = {Column.MARKED: 1, Column.MARK_UP: 90, Column.MARK_DOWN: 40}


@pytest.fixture
def verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    def make(
        report: dict[str, Any],
        row: dict[Column, int],
        fault: Fault | None = None,
        stall_seconds: float = 0.0,
        workers_die: bool = False,
    ) -> Verdict:
        ledger = Ledger.make(tmp_path / "ledger")
        for column, value in row.items():
            ledger.set(0, column, value)
        planned = replace(plan_call(ORDERS, 0), fault=fault, stall_seconds=stall_seconds)
        monkeypatch.setattr(judging, "plan_call", lambda *_: planned)
        return judge(ORDERS, ledger, report, stall_limit_seconds=20, workers_die=workers_die)

    return make


def test_a_call_that_hung_up_and_lost_nothing_survived(verdict: Any) -> None:
    found = verdict(CLEAN, FULL)
    assert (found.outcome, found.faults, found.messages) == (SURVIVED, [], 150)


@pytest.mark.parametrize("column", [Column.UP_RECEIVED, Column.DOWN_RECEIVED])
def test_a_survivor_that_lost_one_message_has_a_fault(verdict: Any, column: Column) -> None:
    assert len(verdict(CLEAN, FULL | {column: FULL[column] - 1}).faults) == 1


@pytest.mark.parametrize("column", [Column.UP_WRONG, Column.DOWN_WRONG])
def test_an_altered_message_is_a_fault_of_any_call(verdict: Any, column: Column) -> None:
    assert len(verdict(CLEAN, FULL | {column: 1}).faults) == 1
    assert len(verdict(CUT, FULL | MARK | {column: 1}, "provider reset").faults) == 1


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if "stalled" not in fault])
def test_a_call_that_met_its_fault_may_lose_what_came_after(verdict: Any, fault: Fault) -> None:
    report = CUT | {"struck": fault.startswith("client")}
    found = verdict(report, FULL | MARK | {Column.UP_RECEIVED: 91, Column.DOWN_RECEIVED: 40}, fault)
    assert (found.outcome, found.faults) == (fault, [])


@pytest.mark.parametrize(("column", "mark"), [(Column.UP_RECEIVED, 90), (Column.DOWN_RECEIVED, 40)])
def test_what_was_lost_before_the_fault_counts(verdict: Any, column: Column, mark: int) -> None:
    assert len(verdict(CUT, FULL | MARK | {column: mark - 1}, "provider reset").faults) == 1
    killed = {Column.KILLED: 1, Column.KILL_UP: 90, Column.KILL_DOWN: 40, column: mark - 1}
    found = verdict(CUT, FULL | killed)
    assert (found.outcome, len(found.faults)) == ("provider killed", 1)


def test_a_stall_ends_a_call_only_after_the_limit(verdict: Any) -> None:
    report = CUT | {"struck": True}
    assert verdict(report, FULL | MARK, "client stalled", 25).outcome == "client stalled"
    assert verdict(report, FULL | MARK, "client stalled", 15).outcome == UNEXPECTED


def test_a_call_that_ended_before_its_fault_ended_for_no_reason(verdict: Any) -> None:
    assert verdict(CUT, FULL, "provider reset").outcome == UNEXPECTED
    assert verdict(CUT, FULL).outcome == UNEXPECTED


def test_a_call_that_never_opened_was_refused(verdict: Any) -> None:
    assert verdict(CUT | {"code": 1011, "error": "no"}, {}).outcome == REFUSED


def test_where_workers_die_a_call_that_nobody_answers_is_theirs(verdict: Any) -> None:
    nobody = CUT | {"session": None, "error": "no answer to the upgrade"}
    assert verdict(nobody, {}).outcome == REFUSED
    assert verdict(nobody, {}, workers_die=True).outcome == WORKER_KILLED
    assert verdict(nobody | {"code": 1013}, {}, workers_die=True).outcome == REFUSED
