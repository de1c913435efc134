"""Whether tools were called in the order in which they ought to be."""

from __future__ import annotations

from collections.abc import Sequence

from voxgate.evals.model import ToolCall
from voxgate.evals.produced import NO_CALLS_EXPECTED, calls_of, evidence_of, expected_calls
from voxgate.evals.protocols import Subject
from voxgate.evals.returned import Finding, not_measured
from voxgate.evals.scoring import FunctionScorer, scorer


def tool_order(
    tools: Sequence[str] | None = None, strict: bool = False, name: str = "tool_order"
) -> FunctionScorer:
    """The longest common subsequence of the expected names (the case's, or `tools`) and the made ones /
    number expected: other calls between them do not matter. `strict`: 1 if the names are exactly these, else
    0. Calls made side by side count in the order in which their arguments were complete. Evidence: the calls
    that are in order."""

    def measured(subject: Subject) -> Finding:
        expected = expected_calls(subject, tools)
        if not expected:
            return not_measured(NO_CALLS_EXPECTED if expected is None else "no tool is expected to be called")
        calls = calls_of(subject)
        wanted = [one.name for one in expected]
        matched = _in_order(wanted, calls)
        is_same = wanted == [one.name for one in calls]
        value = float(is_same) if strict else len(matched) / len(wanted)
        told = f"expected {' → '.join(wanted)}; called {' → '.join(one.name for one in calls) or 'nothing'}"
        return Finding(value, len(wanted), evidence_of(matched), told)

    params = {"strict": strict} if tools is None else {"strict": strict, "tools": list(tools)}
    return scorer(name=name, unit="share", version="1", params=params)(measured)


def _in_order(wanted: Sequence[str], calls: Sequence[ToolCall]) -> list[ToolCall]:
    """The calls of a longest common subsequence."""
    # longest[i][j]: of wanted[i:] and calls[j:].
    longest = [[0] * (len(calls) + 1) for _ in range(len(wanted) + 1)]
    for i in reversed(range(len(wanted))):
        for j in reversed(range(len(calls))):
            same = wanted[i] == calls[j].name
            longest[i][j] = longest[i + 1][j + 1] + 1 if same else max(longest[i + 1][j], longest[i][j + 1])
    found, i, j = [], 0, 0
    while i < len(wanted) and j < len(calls):
        if wanted[i] == calls[j].name:
            found.append(calls[j])
            i, j = i + 1, j + 1
        elif longest[i + 1][j] >= longest[i][j + 1]:
            i += 1
        else:
            j += 1
    return found
