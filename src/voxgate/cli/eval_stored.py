"""`voxgate eval compare|gate|list|show|export`: experiments that are stored, looked at again."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from voxgate.cli.eval import Experiment
from voxgate.cli.eval import app as app
from voxgate.cli.eval_reports import FORMATS, find, gate_of, judged, pieces, report_of, show
from voxgate.cli.exits import exits
from voxgate.cli.table import Column, moment, print_table
from voxgate.client.http import Client
from voxgate.core.errors import InvalidRequest
from voxgate.evals.conducting import running_house
from voxgate.evals.gates import NO_REGRESSION, Gate, parse_gate
from voxgate.evals.reports.report import figure

Project = Annotated[str | None, typer.Option(help="Only this project.")]
_MOST_SCORES: Final = 4


@app.command(epilog="Example:  voxgate eval compare exp_01… exp_02…")
@exits
def compare(
    before: Annotated[str, typer.Argument(metavar="A", help="Before: an id, or the name of the last one.")],
    after: Annotated[str, typer.Argument(metavar="B", help="After.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole comparison as JSON.")] = False,
) -> None:
    """Compare two experiments case by case: what got better, what worse, and what is only chance."""
    house = running_house()
    baseline, experiment = find(house, before), find(house, after)
    outcome = judged(house, experiment, baseline=baseline, gate=Gate())
    if as_json:
        assert outcome.comparison is not None
        typer.echo(json.dumps(outcome.comparison.to_json()))
    else:
        show(report_of(house, outcome))


@app.command(
    epilog="Examples:  voxgate eval gate exp_…   ·   voxgate eval gate exp_01… exp_02…   ·   "
    "voxgate eval gate refunds --gate 'wer<=0.1' --gate 'tool_called=no-regression'"
)
@exits
def gate(
    experiments: Annotated[
        list[str], typer.Argument(metavar="EXPERIMENT [AFTER]", help="One, or one before and one after.")
    ],
    lines: Annotated[
        list[str] | None, typer.Option("--gate", help="NAME>=NUMBER or NAME=no-regression; may be repeated.")
    ] = None,
    allow_missing: Annotated[bool, typer.Option(help="Pass over values that are missing.")] = False,
) -> int:
    """Judge an experiment by its own gate, or another one. Of two, the second must not have regressed."""
    if len(experiments) > 2:
        raise InvalidRequest("Name one experiment, or one before and one after.")
    house = running_house()
    rows = [find(house, wanted) for wanted in experiments]
    wanted = gate_of(lines, allow_missing=allow_missing)
    if wanted is None and len(rows) == 2:
        wanted = parse_gate(rows[1]["metadata"].get("gate")) if rows[1]["metadata"].get("gate") else None
        wanted = wanted or _nothing_worse(rows)
    outcome = judged(house, rows[-1], baseline=rows[0] if len(rows) == 2 else None, gate=wanted)
    if not outcome.checks and outcome.exit_code == 0:
        raise InvalidRequest(f"{outcome.id} has no gate of its own: write one with --gate.")
    show(report_of(house, outcome))
    return outcome.exit_code


def _nothing_worse(rows: list[dict[str, Any]]) -> Gate:
    both = [name for name in rows[1]["scores"] if name in rows[0]["scores"]]
    return parse_gate({**dict.fromkeys(both, NO_REGRESSION), "allow_missing": True})


@app.command("list", epilog="Example:  voxgate eval list --name refunds --branch main")
@exits
def list_(
    project: Project = None,
    name: Annotated[str | None, typer.Option(help="Only experiments of this name.")] = None,
    branch: Annotated[str | None, typer.Option(help="Only of this git branch.")] = None,
    status: Annotated[str | None, typer.Option(help="running, complete, failed, cancelled.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many.")] = 20,
    cursor: Annotated[str | None, typer.Option(help="Where a list before said that it goes on.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON lines.")] = False,
) -> None:
    """List experiments, the newest first."""
    query = {"project": project, "name": name, "branch": branch, "status": status}
    page = Client().call("GET", "/api/experiments", query={**query, "limit": limit, "cursor": cursor})
    if as_json:
        for item in page["items"]:
            typer.echo(json.dumps(item))
    else:
        print_table(page["items"], _COLUMNS, empty="There is no such experiment.")
    if page["next_cursor"]:
        typer.echo(f"There are more: --cursor {page['next_cursor']}", err=True)


def _scores(row: Mapping[str, Any]) -> str:
    shown = [f"{name} {figure(one['mean'], one['unit'])}" for name, one in row["scores"].items()]
    more = f" +{len(shown) - _MOST_SCORES}" if len(shown) > _MOST_SCORES else ""
    return ", ".join(shown[:_MOST_SCORES]) + more


_COLUMNS: Final = (
    Column("id", lambda row: row["id"]),
    Column("made UTC", lambda row: moment(row["created_at"])[5:], weight=6),
    Column("name", lambda row: row["name"], weight=9, shortest=10),
    Column("status", lambda row: row["status"], weight=8),
    Column("branch", lambda row: (row["git"] or {}).get("branch") or "", weight=5, shortest=8),
    Column("cases", lambda row: "" if row["cases"] is None else str(row["cases"]), weight=4, right=True),
    Column("errors", lambda row: str(row["errors"] or ""), weight=3, right=True),
    Column("cost", lambda row: figure(row["cost_usd"], "usd"), weight=2, right=True),
    Column("scores", _scores, weight=7, shortest=12),
)


@app.command("show", epilog="Example:  voxgate eval show exp_…")
@exits
def show_(
    experiment: Experiment,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Show one experiment, beside what it was compared with."""
    house = running_house()
    row = find(house, experiment)
    if as_json:
        typer.echo(json.dumps(row, indent=2))
    else:
        show(report_of(house, judged(house, row)))


@app.command(
    epilog="Examples:  voxgate eval export exp_… --format html -o report.html   ·   "
    "voxgate eval export refunds --format markdown --baseline exp_…"
)
@exits
def export(
    experiment: Experiment,
    form: Annotated[str, typer.Option("--format", "-f", help=", ".join(FORMATS))] = "jsonl",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A file instead of the terminal.")
    ] = None,
    baseline: Annotated[str | None, typer.Option(help="Compare with this one instead of its own.")] = None,
) -> None:
    """Write a report of an experiment."""
    kind = next((one for one in FORMATS if one == form), None)
    if kind is None:
        raise InvalidRequest(f"There is no format {form!r}; there are: {', '.join(FORMATS)}.")
    house = running_house()
    before = find(house, baseline) if baseline else None
    report = report_of(house, judged(house, find(house, experiment), baseline=before))
    if output is None:
        sys.stdout.writelines(pieces(report, kind))
        return
    with output.open("w", encoding="utf-8") as file:
        file.writelines(pieces(report, kind))
    typer.echo(f"{output} is written.", err=True)
