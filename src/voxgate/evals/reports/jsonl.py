"""A report for programs: JSON lines. The experiment first, then each result, then comparison and gate."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from voxgate.evals.reports.report import Report


def lines(report: Report) -> Iterator[str]:
    outcome = report.outcome
    yield _line("experiment", outcome.experiment)
    for result in report.results():
        yield _line("result", result.to_json())
    if outcome.comparison is not None:
        yield _line("comparison", outcome.comparison.to_json())
    for check in outcome.checks:
        yield _line("check", check.to_json())
    yield _line("outcome", {"exit_code": outcome.exit_code, "stopped": outcome.stopped})


def _line(kind: str, body: dict[str, Any]) -> str:
    return orjson.dumps({"type": kind, **body}).decode() + "\n"
