"""`voxgate scores agreement`: how far people and scorers agree."""

from __future__ import annotations

import json
from typing import Annotated, Any, Final

import typer

from voxgate.cli.table import Column, print_table
from voxgate.client.http import Client

app = typer.Typer(help="Scores: how far people and scorers agree.", no_args_is_help=True)


@app.callback()
def scores() -> None:
    """Scores: how far people and scorers agree."""


@app.command(epilog="Example:  voxgate scores agreement --project support --name polite")
def agreement(
    project: Annotated[str | None, typer.Option(help="Only of this project.")] = None,
    name: Annotated[str | None, typer.Option(help="Only of this score.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON lines, with the confusion.")] = False,
) -> None:
    """Show, scorer by scorer, how often it says what people say of the same."""
    items = Client().call("GET", "/api/agreement", query={"project": project, "name": name})["items"]
    if as_json:
        for item in items:
            typer.echo(json.dumps(item))
        return
    print_table(items, _COLUMNS, _why, empty="Nobody has given a score that a scorer gives too.")


def _number(value: float | None, form: str = ".2f") -> str:
    return "" if value is None else format(value, form)


def _why(item: Any) -> str:
    return f"no kappa: {item['kappa_missing']}" if item["kappa_missing"] else ""


_COLUMNS: Final = [
    Column("score", lambda item: item["name"]),
    Column("by", lambda item: f"{item['source']} {item['author']}".strip(), 5, 12),
    Column("pairs", lambda item: f"{item['pairs']}", 9, right=True),
    Column("equal", lambda item: _number(item["equal"], ".0%"), 9, right=True),
    Column("kappa", lambda item: _number(item["kappa"]), 9, right=True),
    Column("difference", lambda item: _number(item["mean_absolute_difference"], ".3g"), 6, right=True),
]
