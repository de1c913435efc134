"""A report for CI systems: JUnit XML. Each gate is a test that passes or fails; each case is one that is an
error where it could not be measured, with its scores as properties.
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.sax.saxutils import quoteattr

from voxgate.evals.gates import Check
from voxgate.evals.model import Result, Score
from voxgate.evals.reports.report import Report, figure, legible


def lines(report: Report) -> Iterator[str]:
    outcome, tally = report.outcome, report.outcome.tally
    failed = sum(not check.passed for check in outcome.checks)
    total = tally.results + len(outcome.checks)
    name = _quoted(report.title)
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    yield f'<testsuites name={name} tests="{total}" failures="{failed}" errors="{tally.errors}">\n'
    gates = _quoted(f"{report.title} gates")
    yield f'<testsuite name={gates} tests="{len(outcome.checks)}" failures="{failed}">\n'
    for check in outcome.checks:
        yield _check(check, report.title)
    yield "</testsuite>\n"
    counts = f'tests="{tally.results}" errors="{tally.errors}"'
    yield f"<testsuite name={name} id={_quoted(outcome.id)} {counts}>\n"
    for result in report.results():
        yield from _case(result, report.title)
    yield "</testsuite>\n</testsuites>\n"


def _check(check: Check, suite: str) -> str:
    opened = f"<testcase classname={_quoted(suite)} name={_quoted(f'{check.key} {check.condition}')}"
    if check.passed:
        return f"{opened}/>\n"
    reason = check.reason or f"it is {figure(check.value, check.unit)}"
    return f"{opened}><failure message={_quoted(reason)}/></testcase>\n"


def _case(result: Result, suite: str) -> Iterator[str]:
    duration = (result.duration_ms or 0) / 1000
    name = result.case_id if result.trial == 0 else f"{result.case_id} (trial {result.trial})"
    yield f'<testcase classname={_quoted(suite)} name={_quoted(name)} time="{duration:.3f}">\n'
    if result.scores:
        yield "<properties>\n"
        for score in result.scores:
            yield f"<property name={_quoted(score.name)} value={_quoted(_value(score))}/>\n"
        yield "</properties>\n"
    if result.error is not None:
        kind, _, message = result.error.partition(":")
        yield f"<error type={_quoted(kind)} message={_quoted(message.strip())}/>\n"
    yield "</testcase>\n"


def _value(score: Score) -> str:
    return f"missing: {score.reason_missing}" if score.value is None else f"{score.value:.6g}"


def _quoted(text: str) -> str:
    return quoteattr(legible(text))
