"""Was a call what it should have been? From what both ends counted: which fault met it, if any, and whether a
message was lost or altered that no fault explains.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from bench.soak.ledger import Column, Ledger
from bench.soak.orders import CallPlan, Orders, plan_call

SURVIVED: Final = "survived"
UNEXPECTED: Final = "ended for no reason of ours"
REFUSED: Final = "refused"
WORKER_KILLED: Final = "worker killed"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`outcome` is SURVIVED, the fault that ended the call, UNEXPECTED or REFUSED. What was lost or altered
    against the rules stands in `faults`, in words."""

    plan: CallPlan
    session: str | None
    outcome: str
    stalled: bool
    messages: int
    closed: str
    faults: list[str]


@dataclass(slots=True)
class Tally:
    """All verdicts of a run, added up."""

    outcomes: Counter[str] = field(default_factory=Counter)
    without_session: int = 0
    closes: dict[str, Counter[str]] = field(default_factory=dict)
    survived_stalls: int = 0
    surviving_messages: int = 0
    lost_on_survivors: list[str] = field(default_factory=list)
    lost_before_faults: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)

    def add(self, verdict: Verdict) -> None:
        outcome = verdict.outcome
        self.outcomes[outcome] += 1
        self.without_session += verdict.session is None
        self.closes.setdefault(outcome, Counter())[verdict.closed] += 1
        name = f"call {verdict.plan.number} ({verdict.session}, {outcome})"
        found = [f"{name}: {fault}" for fault in verdict.faults]
        if outcome == SURVIVED:
            self.survived_stalls += verdict.stalled
            self.surviving_messages += verdict.messages
            self.lost_on_survivors += found
            return
        self.lost_before_faults += found
        if outcome in (UNEXPECTED, REFUSED):
            self.unexpected.append(f"{name}, planned {verdict.plan.fault}: {verdict.closed}")


def judge(
    orders: Orders,
    ledger: Ledger,
    report: dict[str, Any],
    stall_limit_seconds: float,
    *,
    workers_die: bool = False,
) -> Verdict:
    """To be called when the provider has had time to read what was under way. Where `workers_die`, nobody may
    be there to answer a call that begins."""
    number = report["call"]
    row = {column: ledger.get(number, column) for column in Column}
    plan = plan_call(orders, number)
    if workers_die and report["session"] is None and report["code"] is None:
        row[Column.WORKER_KILLED] = 1
    outcome = _outcome(plan, report, row, stall_limit_seconds)
    return Verdict(
        plan,
        report["session"],
        outcome,
        stalled=plan.stalls and bool(row[Column.MARKED]),
        messages=row[Column.UP_RECEIVED] + row[Column.DOWN_RECEIVED],
        closed=_closed(report),
        faults=[*_altered(row), *(_missing(row) if outcome == SURVIVED else _missing_before(row))],
    )


def _outcome(plan: CallPlan, report: dict[str, Any], row: dict[Column, int], stall_limit: float) -> str:
    if report["hung_up"] and report["code"] == 1000 and report["error"] is None:
        return SURVIVED
    if row[Column.WORKER_KILLED] and report["code"] is None:
        return WORKER_KILLED
    planned = plan.fault
    if planned is not None and row[Column.MARKED]:
        struck = report["struck"] if planned.startswith("client") else not row[Column.KILLED]
        if struck and (not plan.stalls or plan.stall_seconds > stall_limit):
            return planned
    if row[Column.KILLED]:
        return "provider killed"
    return UNEXPECTED if row[Column.UP_SENT] else REFUSED


def _closed(report: dict[str, Any]) -> str:
    if report["code"] is None:
        return report["error"] or "connection lost"
    return f"{report['code']} {report['reason'] or ''}".strip()


def _altered(row: dict[Column, int]) -> list[str]:
    wrong = {"up": row[Column.UP_WRONG], "down": row[Column.DOWN_WRONG]}
    return [
        f"{count} messages {direction} altered, out of place or there twice"
        for direction, count in wrong.items()
        if count
    ]


def _missing(row: dict[Column, int]) -> list[str]:
    ends = {
        "up": (row[Column.UP_SENT], row[Column.UP_RECEIVED]),
        "down": (row[Column.DOWN_SENT], row[Column.DOWN_RECEIVED]),
    }
    return [
        f"{sent} messages sent {direction}, {received} received"
        for direction, (sent, received) in ends.items()
        if sent != received
    ]


def _missing_before(row: dict[Column, int]) -> list[str]:
    """What was sent before the fault was near. With two faults the earlier one counts."""
    marks = []
    if row[Column.MARKED]:
        marks.append((row[Column.MARK_UP], row[Column.MARK_DOWN]))
    if row[Column.KILLED]:
        marks.append((row[Column.KILL_UP], row[Column.KILL_DOWN]))
    if not marks:
        return []
    up, down = min(mark[0] for mark in marks), min(mark[1] for mark in marks)
    found = []
    if row[Column.UP_RECEIVED] < up:
        found.append(f"{up} messages sent up before the fault, {row[Column.UP_RECEIVED]} received")
    if row[Column.DOWN_RECEIVED] < down:
        found.append(f"{down} messages sent down before the fault, {row[Column.DOWN_RECEIVED]} received")
    return found
