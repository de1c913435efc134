"""A report for a pull request: short Markdown that says what changed, with the worst cases to open."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from typing import Final

from voxgate.evals.gates import Check
from voxgate.evals.reports.report import Report, ScoreRow, figure, headline, legible, signed

MOST_CHARACTERS: Final = 60_000
"""GitHub takes comments of 65,536."""
_WORST: Final = 10
_SIGNS: Final = {"regressed": "🔴 regressed", "improved": "🟢 improved", "same": "⚪ same"}
_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]|~!])")
_REFERENCE: Final = re.compile(r"([@#])(?=\w)")
"""Of people and of issues, which escaping does not keep from being one: a space of no width does."""


def markdown(report: Report) -> str:
    text = "".join(f"{line}\n" for line in _lines(report))
    if len(text) <= MOST_CHARACTERS:
        return text
    return text[:MOST_CHARACTERS].rsplit("\n", 1)[0] + "\n\n… and more.\n"


def _lines(report: Report) -> Iterator[str]:
    outcome = report.outcome
    sign = {0: "✅", 1: "❌"}.get(outcome.exit_code, "⚠️")
    yield f"### {sign} {plain(report.title)}: {headline(outcome)}"
    yield ""
    if outcome.checks:
        yield "| gate | wanted | found | |"
        yield "|---|---|---|---|"
        yield from map(_check, outcome.checks)
        yield ""
    rows = report.rows()
    if rows:
        yield from _scores(rows, compared=outcome.comparison is not None)
        yield ""
    for row in rows:
        yield from _worst(row)
    yield from _notes(report, rows)
    yield f"[{outcome.id}]({report.url}/experiments/{outcome.id})" + _compared_with(report)


def _check(check: Check) -> str:
    found = figure(check.value, check.unit) if check.value is not None else "–"
    mark = "✅" if check.passed else "❌"
    return f"| {plain(check.key)} | {plain(check.condition)} | {found} | {mark} {plain(check.reason or '')} |"


def _scores(rows: list[ScoreRow], *, compared: bool) -> Iterator[str]:
    if not compared:
        yield "| score | mean | n |"
        yield "|---|---:|---:|"
        for row in rows:
            yield f"| {plain(row.name)} | {row.mean} | {row.measured} |"
        return
    yield "| score | before | after | delta | 95 % interval | cases | |"
    yield "|---|---:|---:|---:|---:|---:|---|"
    for row in rows:
        sign = _SIGNS.get(row.verdict, "new")
        yield (
            f"| {plain(row.name)} | {row.before} | {row.mean} | {row.delta} | {row.interval} | {row.changes} "
            f"| {sign} |"
        )


def _worst(row: ScoreRow) -> Iterator[str]:
    worse = [pair for pair in row.compared.pairs if pair.gain < 0] if row.compared else []
    if row.verdict != "regressed" or not worse:
        return
    shown = min(len(worse), _WORST)
    yield f"<details><summary>{plain(row.name)}: the {shown} worst of {len(worse)}</summary>"
    yield ""
    yield "| case | before | after | delta |"
    yield "|---|---:|---:|---:|"
    for pair in worse[:_WORST]:
        values = figure(pair.before, row.unit), figure(pair.after, row.unit)
        cells = plain(pair.case_id), *values, signed(pair.after - pair.before, row.unit)
        yield f"| {' | '.join(cells)} |"
    yield ""
    yield "</details>"
    yield ""


def _notes(report: Report, rows: list[ScoreRow]) -> Iterator[str]:
    notes = [f"{row.name}: {row.compared.note}." for row in rows if row.compared and row.compared.note]
    comparison = report.outcome.comparison
    if comparison and comparison.only_before:
        notes.append(f"{len(comparison.only_before)} cases are only in {comparison.before}.")
    if comparison and comparison.only_after:
        notes.append(f"{len(comparison.only_after)} cases are only in {comparison.after}.")
    notes += [f"{count} × {kind}" for kind, count in report.outcome.tally.error_kinds.most_common()]
    for note in notes:
        yield f"- {plain(note)}"
    if notes:
        yield ""


def _compared_with(report: Report) -> str:
    baseline = report.outcome.baseline
    if baseline is None:
        return ""
    branch = (baseline.get("git") or {}).get("branch")
    named = f" ({plain(branch)})" if branch else ""
    return f" compared with [{baseline['id']}]({report.url}/experiments/{baseline['id']}){named}"


def plain(text: str) -> str:
    """What callers said and models wrote is shown, never obeyed: no markup, no mention, no new line."""
    words = escape(" ".join(legible(text).split()), quote=False)
    return _REFERENCE.sub("\\1\u200b", _SPECIAL.sub(r"\\\1", words))
