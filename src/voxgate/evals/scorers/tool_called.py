"""Whether the tools that ought to be called were called, whatever their arguments."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final, Literal

from voxgate.evals.produced import NO_CALLS_EXPECTED, calls_of, counted, evidence_of, expected_calls
from voxgate.evals.protocols import Subject
from voxgate.evals.returned import Finding, not_measured
from voxgate.evals.scoring import FunctionScorer, scorer

Count = Literal["recall", "f1", "exact"]
COUNTS: Final[tuple[Count, ...]] = ("recall", "f1", "exact")


def tool_called(
    tools: Sequence[str] | None = None, count: Count = "recall", name: str = "tool_called"
) -> FunctionScorer:
    """Of the expected calls (the case's `expected.tool_calls`, or `tools`), how many were made; two expected
    calls of one tool take two. `recall`: matched / expected. `f1`: 2 matched / (expected + made), so that
    calls too many cost something. `exact`: 1 if exactly these were made. Where none is expected: 1 if none
    was made, else 0. Multisets of names, as the trajectory scores of tau-bench and the `tool_call` grader of
    OpenAI's cookbook. Evidence: the calls made."""
    if count not in COUNTS:
        raise ValueError(f"count is one of {', '.join(COUNTS)}, not {count!r}")

    def measured(subject: Subject) -> Finding:
        expected = expected_calls(subject, tools)
        if expected is None:
            return not_measured(NO_CALLS_EXPECTED)
        calls = calls_of(subject)
        wanted, made = Counter(one.name for one in expected), Counter(one.name for one in calls)
        value = _share(wanted, made, count)
        told = _told(wanted, made)
        return Finding(value, max(wanted.total(), 1), evidence_of(calls), told)

    params = {"count": count} if tools is None else {"count": count, "tools": list(tools)}
    return scorer(name=name, unit="share", version="1", params=params)(measured)


def _share(wanted: Counter[str], made: Counter[str], count: Count) -> float:
    if count == "exact" or not wanted:
        return float(wanted == made)
    matched = (wanted & made).total()
    if count == "f1":
        return 2 * matched / (wanted.total() + made.total())
    return matched / wanted.total()


def _told(wanted: Counter[str], made: Counter[str]) -> str:
    lacking, more = wanted - made, made - wanted
    told = [f"not called: {counted(lacking.elements())}"] if lacking else []
    told += [f"not expected: {counted(more.elements())}"] if more else []
    return "; ".join(told) or "as expected"
