"""What a run has to show: each criterion with what was found. A run that misses one has failed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from bench.soak.judge import SURVIVED, Tally
from bench.soak.recordings import Findings
from bench.soak.watch import MEASURED, Watch

_MEMORY_SHARE: Final = 0.10
_MEMORY_KB: Final = 8_192
_DESCRIPTORS_SHARE: Final = 0.10
_DESCRIPTORS: Final = 16
_LONG_CALL_MB: Final = 20
JUDGED_SECONDS: Final = 600
"""Shorter runs say nothing of growth: caches still fill."""


@dataclass(frozen=True, slots=True)
class Criterion:
    name: str
    held: bool
    found: str
    details: list[str]


@dataclass(slots=True)
class Outcome:
    """Everything that a run ended with."""

    tally: Tally
    findings: Findings
    watch: Watch
    seconds: float
    left_in_wire: list[str]
    put_aside: list[str]
    left_live: list[str]
    never_ended: list[str]
    complaints: list[str]
    """What Voxgate's own log complained of that no fault explains."""
    exit_code: int | None
    struck: Counter[str] = field(default_factory=Counter)
    kills_wanted: int | None = None
    """Of a run of kills."""


def criteria(outcome: Outcome) -> list[Criterion]:
    if outcome.kills_wanted is not None:
        return [
            _killed(outcome, outcome.kills_wanted),
            _survivors(outcome.tally),
            _unexpected(outcome),
            _traces(outcome),
            _recordings(outcome.findings),
            _in_order(outcome),
        ]
    return [
        _survivors(outcome.tally),
        _faulted(outcome.tally),
        _unexpected(outcome),
        _traces(outcome),
        _recordings(outcome.findings),
        _flat(outcome, "memory_kb", "Memory is flat", _MEMORY_SHARE, _MEMORY_KB, "KB"),
        _flat(outcome, "descriptors", "Descriptors are flat", _DESCRIPTORS_SHARE, _DESCRIPTORS, ""),
        _in_order(outcome),
    ]


def long_call(minutes: float, recorder_mb: float) -> Criterion:
    """Of a call with sound in both directions all the time, measured by `bench.long_call`."""
    return Criterion(
        "A long call takes little memory",
        recorder_mb <= _LONG_CALL_MB,
        f"the recorder grew by {recorder_mb:.1f} MB for one of {minutes:g} minutes, at most {_LONG_CALL_MB}",
        [],
    )


def _killed(outcome: Outcome, wanted: int) -> Criterion:
    count = outcome.struck.total()
    shown = ", ".join(f"{times:,} times a {kind}" for kind, times in outcome.struck.most_common())
    return Criterion("Processes were killed at random moments", count >= wanted, f"{count:,}: {shown}", [])


def _survivors(tally: Tally) -> Criterion:
    lost = tally.lost_on_survivors
    return Criterion(
        "Surviving calls lost nothing",
        not lost and tally.outcomes[SURVIVED] > 0,
        f"{tally.outcomes[SURVIVED]:,} calls with {tally.surviving_messages:,} messages, both ways, compared "
        f"byte for byte and in order: {len(lost)} differences. {tally.survived_stalls} of them were stalled "
        "for a while.",
        lost,
    )


def _faulted(tally: Tally) -> Criterion:
    lost = tally.lost_before_faults
    count = sum(tally.outcomes.values()) - tally.outcomes[SURVIVED] - len(tally.unexpected)
    return Criterion(
        "Calls that met a fault lost nothing before it",
        not lost,
        f"{count:,} calls, {len(lost)} differences in what was sent until 2 s before the fault",
        lost,
    )


def _unexpected(outcome: Outcome) -> Criterion:
    found = [*outcome.tally.unexpected, *outcome.never_ended]
    return Criterion(
        "No call was refused or ended without a fault", not found, f"{len(found)} such calls", found
    )


def _traces(outcome: Outcome) -> Criterion:
    findings = outcome.findings
    open_ones = [
        *findings.not_closed,
        *(f"wire log left: {name}" for name in outcome.left_in_wire),
        *(f"put aside: {name}" for name in outcome.put_aside),
        *(f"still live: {name}" for name in outcome.left_live),
    ]
    total = sum(outcome.tally.outcomes.values()) - outcome.tally.without_session
    return Criterion(
        "Every trace is closed",
        not open_ones and findings.checked == total,
        f"{findings.checked:,} closed traces for {total:,} sessions; {len(outcome.left_in_wire)} wire logs "
        f"left, {len(outcome.put_aside)} put aside, {len(outcome.left_live)} live",
        open_ones,
    )


def _recordings(findings: Findings) -> Criterion:
    return Criterion(
        "What was recorded is what was sent",
        not findings.wrong,
        f"the length of both tracks of {findings.checked - len(findings.incomplete):,} calls; "
        f"{findings.exact_tracks:,} tracks sample for sample; {findings.exact_logs:,} event logs with "
        f"{findings.recorded_messages:,} messages, each once and in order: {len(findings.wrong)} "
        f"differences. {len(findings.incomplete)} traces say themselves that something is missing",
        [*findings.wrong, *findings.incomplete],
    )


def _flat(outcome: Outcome, what: str, name: str, share: float, least: float, unit: str) -> Criterion:
    if outcome.seconds < JUDGED_SECONDS:
        return Criterion(name, True, "not judged: the run was too short", [])
    grown, shown = [], []
    for role in MEASURED:
        pair = outcome.watch.quarters(role, what)
        if pair is None:
            continue
        early, late = pair
        shown.append(f"{role} {early:,.0f} → {late:,.0f}")
        if late - early > max(share * early, least):
            grown.append(f"{role} grew from {early:,.0f} to {late:,.0f} {unit}")
    of_what = "medians of the second and the last quarter of its last life"
    text = f"{of_what}{f', {unit}' if unit else ''}: {'; '.join(shown)}"
    return Criterion(name, not grown, text, grown)


def _in_order(outcome: Outcome) -> Criterion:
    return Criterion(
        "Voxgate ran through and stopped in order",
        not outcome.complaints and outcome.exit_code == 0,
        f"exit code {outcome.exit_code}; {len(outcome.complaints)} complaints in its log",
        outcome.complaints,
    )
