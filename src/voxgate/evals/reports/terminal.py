"""A report for a person at a terminal: scores, what changed, the gate, the cases that got worse."""

from __future__ import annotations

from typing import Final

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from voxgate.evals.gates import Check
from voxgate.evals.reports.report import Report, ScoreRow, figure, headline, legible, signed

_STYLES: Final = {"regressed": "bold red", "improved": "bold green", "same": "dim"}
_WORST: Final = 5


def print_terminal(report: Report, console: Console) -> None:
    console.print(render(report))


def render(report: Report) -> RenderableType:
    outcome = report.outcome
    parts: list[RenderableType] = [Text.assemble((legible(report.title), "bold"), f"  {headline(outcome)}")]
    rows = report.rows()
    if rows:
        parts.append(_scores(rows, compared=outcome.comparison is not None))
    parts += [
        _missing(name, column.why_missing())
        for name, column in outcome.tally.columns.items()
        if column.missing
    ]
    parts += [_check(check) for check in outcome.checks]
    parts += [
        Text(f"{row.name}: {row.compared.note}", "yellow")
        for row in rows
        if row.compared and row.compared.note
    ]
    parts += _worst(rows)
    if outcome.comparison and (unpaired := _unpaired(report)):
        parts.append(Text(unpaired, "dim"))
    parts += [Text(f"{kind}: {count}", "red") for kind, count in outcome.tally.error_kinds.most_common()]
    parts.append(Text(f"{outcome.id}  {report.url}/experiments/{outcome.id}", "dim"))
    return Group(*parts)


def _scores(rows: list[ScoreRow], *, compared: bool) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("score")
    for heading in ("before", "after", "delta", "95 % interval", "n", "cases") if compared else ("mean", "n"):
        table.add_column(heading, justify="right", no_wrap=heading != "cases")
    if compared:
        table.add_column("")
    for row in rows:
        cells = [row.mean, row.measured]
        if compared:
            cells = [row.before, row.mean, row.delta, row.interval, row.measured, row.changes]
        table.add_row(
            Text(legible(row.name)),
            *(Text(cell) for cell in cells),
            Text(row.verdict, _STYLES.get(row.verdict, "")),
        )
    return table


def _missing(name: str, reasons: str) -> Text:
    return Text(f"{legible(name)} missing: {legible(reasons)}", "yellow")


def _check(check: Check) -> Text:
    mark = ("PASS", "green") if check.passed else ("FAIL", "bold red")
    value = "" if check.value is None else f"  ({figure(check.value, check.unit)})"
    reason = f"  {legible(check.reason)}" if check.reason else ""
    return Text.assemble(mark, f"  {check.key} {check.condition}{value}", (reason, "dim"))


def _worst(rows: list[ScoreRow]) -> list[Text]:
    found = []
    for row in rows:
        worse = [pair for pair in row.compared.pairs if pair.gain < 0] if row.compared else []
        if row.verdict == "regressed" and worse:
            cases = ", ".join(
                f"{legible(pair.case_id)} {signed(pair.after - pair.before, row.unit)}"
                for pair in worse[:_WORST]
            )
            more = f" and {len(worse) - _WORST} more" if len(worse) > _WORST else ""
            found.append(Text(f"{row.name}: worse in {cases}{more}", "red"))
    return found


def _unpaired(report: Report) -> str:
    comparison = report.outcome.comparison
    assert comparison is not None
    sides = [(len(comparison.only_before), comparison.before), (len(comparison.only_after), comparison.after)]
    return ", ".join(f"{count} cases only in {name}" for count, name in sides if count)
