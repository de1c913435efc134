"""Whether tools that must not be called were left alone."""

from __future__ import annotations

from collections.abc import Sequence

from voxgate.evals.produced import calls_of, counted, evidence_of
from voxgate.evals.protocols import Subject
from voxgate.evals.returned import Finding
from voxgate.evals.scoring import FunctionScorer, scorer


def forbidden_tools(tools: Sequence[str], name: str = "forbidden_tools") -> FunctionScorer:
    """1 if none of `tools` was called, else 0; a call that failed was made. Evidence: the forbidden calls."""
    if isinstance(tools, str) or not tools:
        raise ValueError(f"tools is a list of names, not {tools!r}")
    forbidden = frozenset(tools)

    def measured(subject: Subject) -> Finding:
        calls = calls_of(subject)
        found = [one for one in calls if one.name in forbidden]
        told = f"called: {counted(one.name for one in found)}" if found else None
        label = "fail" if found else "pass"
        return Finding(float(not found), len(calls), evidence_of(found), told, label)

    return scorer(name=name, unit="share", version="1", params={"tools": list(tools)})(measured)
