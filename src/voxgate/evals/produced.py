"""What came out of a case, for scorers: lines and tool calls of the recorded session where there is one, else
of the task's output; and what was expected.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from voxgate.evals.model import Evidence, ExpectedCall, ToolCall
from voxgate.evals.protocols import Subject
from voxgate.evals.reading import Role

NO_CALLS_EXPECTED = "the case does not say which tools ought to be called"


class Said(NamedTuple):
    text: str
    evidence: Evidence | None
    """None of an output without a recorded session."""


def calls_of(subject: Subject) -> Sequence[ToolCall]:
    if subject.session is not None:
        return subject.session.tool_calls
    return subject.output.tool_calls


def evidence_of(calls: Iterable[ToolCall]) -> list[Evidence]:
    return [
        Evidence(call.start_ms, call.start_ms if call.end_ms is None else call.end_ms, call.span_id)
        for call in calls
        if call.start_ms is not None
    ]


def expected_calls(subject: Subject, names: Sequence[str] | None = None) -> Sequence[ExpectedCall] | None:
    """Those named by the scorer, else those of the case; None where neither says."""
    if names is not None:
        return [ExpectedCall(name) for name in names]
    return subject.case.expected.tool_calls


def lines_of(subject: Subject, of: Role, *, heard: bool = False) -> list[Said]:
    """Of one side, in order; with `heard` of the assistant only the words that the user heard."""
    if subject.session is None:
        text = subject.output.text
        return [Said(text, None)] if of == "assistant" and text and text.strip() else []
    found = []
    for line in subject.session.lines:
        text = line.heard_text if heard and line.heard_text is not None else line.text
        if line.role == of and text.strip():
            found.append(Said(text, line.evidence))
    return found


def evidence_in(lines: Iterable[Said]) -> list[Evidence]:
    return [line.evidence for line in lines if line.evidence is not None]


def nothing_said(of: Role) -> str:
    return "nobody wrote down what the user said" if of == "user" else "the assistant said nothing"


def counted(names: Iterable[str]) -> str:
    """`lookup (2), refund`."""
    return ", ".join(f"{name} ({n})" if n > 1 else name for name, n in Counter(names).items())
