"""`voxgate rules list|create|run|delete`: what scores sessions when they are over."""

from __future__ import annotations

import json
import time
from typing import Annotated, Any, Final

import typer
import yaml
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from voxgate.cli.table import Column, moment, print_table
from voxgate.client.http import Client
from voxgate.core.errors import InvalidRequest, VoxgateError
from voxgate.evals.registry import check_rule_scorer

_POLL_SECONDS: Final = 0.5

app = typer.Typer(help="Rules of online scoring: make, list, run, delete.", no_args_is_help=True)


@app.command("list", epilog="Example:  voxgate rules list --project support")
def list_(
    project: Annotated[str | None, typer.Option(help="Only of this project.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON lines.")] = False,
) -> None:
    """List the rules, with what has become of them."""
    items = Client().call("GET", "/api/rules", query={"project": project})["items"]
    if as_json:
        for item in items:
            typer.echo(json.dumps(item))
        return
    print_table(items, _COLUMNS, _trouble, empty="There is no rule yet: voxgate rules create NAME makes one.")


@app.command(
    epilog="Examples:  voxgate rules create latency --scorer v2v_p95 --filter 'model:gpt-*' --rate 0.1   ·   "
    "voxgate rules create tone --scorer 'judge: {rubric: Is it polite?}' --alert 'judge<0.8 over 50' "
    "--webhook https://…"
)
def create(
    name: Annotated[str, typer.Argument(help="What it is for.")],
    scorer: Annotated[
        list[str], typer.Option(help="A scorer, as in YAML: its name, or 'name: {parameter: value}'.")
    ],
    filter_: Annotated[str, typer.Option("--filter", help="Only sessions that it finds (all).")] = "",
    rate: Annotated[float, typer.Option(help="The share of them, 0 to 1.")] = 1.0,
    project: Annotated[str | None, typer.Option(help="Only sessions of this project (all).")] = None,
    alert: Annotated[
        str | None, typer.Option(help="'SCORE<0.8 over 50': when its mean over so many sessions is so.")
    ] = None,
    webhook: Annotated[str | None, typer.Option(help="Where the alert goes.")] = None,
) -> None:
    """Make a rule and print its id."""
    scorers = [_scorer(text) for text in scorer]
    for one in scorers:
        check_rule_scorer(one["name"], one.get("params"))
    body = {
        "name": name,
        "scorers": scorers,
        "filter": filter_,
        "sampling_rate": rate,
        "project": project,
        "alert": _alert(alert, webhook),
    }
    typer.echo(Client().call("POST", "/api/rules", body)["id"])


@app.command(epilog="Example:  voxgate rules run rule_… --filter 'last:30d'")
def run(
    rule_id: Annotated[str, typer.Argument(metavar="ID")],
    filter_: Annotated[str, typer.Option("--filter", help="Only those that it finds too (all).")] = "",
    wait: Annotated[bool, typer.Option(help="Show how far it is, until it is done.")] = True,
) -> None:
    """Score what was recorded before. Ctrl-C stops looking, not the run."""
    client = Client()
    begun = client.call("POST", f"/api/rules/{rule_id}/run", {"q": filter_})
    typer.echo(begun["id"])
    if wait:
        _watch(client, begun)


@app.command(epilog="Example:  voxgate rules delete rule_…")
def delete(rule_id: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """Delete a rule. The scores that it has made stay."""
    Client().call("DELETE", f"/api/rules/{rule_id}")


def _watch(client: Client, run: dict[str, Any]) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("scoring", total=None)
        while run["status"] == "running":
            time.sleep(_POLL_SECONDS)
            runs = client.call("GET", f"/api/rules/{run['rule_id']}/runs")["items"]
            run = next(one for one in runs if one["id"] == run["id"])
            progress.update(task, total=run["total"] or None, completed=run["done"])
    if run["status"] != "complete":
        raise VoxgateError(f"The run is {run['status']}: {run['error'] or 'no reason is known'}.")
    typer.echo(f"{run['done']} sessions, of which {run['scored']} have its scores", err=True)


def _scorer(text: str) -> dict[str, Any]:
    try:
        written = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InvalidRequest(f"The scorer {text!r} is no YAML: {error}", param="scorer") from error
    if isinstance(written, dict) and len(written) == 1:
        ((name, params),) = written.items()
        if params is not None and not isinstance(params, dict):
            raise InvalidRequest(f"The parameters in {text!r} are {{parameter: value}}.", param="scorer")
        return {"name": str(name), "params": params or {}}
    if isinstance(written, str):
        return {"name": written}
    raise InvalidRequest(
        f"A scorer is its name or 'name: {{parameter: value}}', not {text!r}.", param="scorer"
    )


def _alert(text: str | None, webhook: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    head, _, window = text.partition(" over ")
    sign = next((sign for sign in "<>" if sign in head), None)
    if sign is None or webhook is None:
        raise InvalidRequest(
            "An alert is 'SCORE<0.8 over 50' or 'SCORE>1500 over 50', with its --webhook.", param="alert"
        )
    score, _, threshold = head.partition(sign)
    try:
        values = {"threshold": float(threshold), "window": int(window)}
    except ValueError:
        raise InvalidRequest(f"The alert {text!r} has no threshold or no window.", param="alert") from None
    direction = "max" if sign == "<" else "min"
    return {"score": score.strip(), "direction": direction, "webhook": webhook, **values}


def _trouble(rule: Any) -> str:
    last = rule["activity"]["last_missing"]
    return f"{last['session_id']}: {last['score']}: {last['message']}" if last else ""


def _firing(rule: Any) -> str:
    alert = rule["activity"]["alert"]
    return "" if rule["alert"] is None else "firing" if alert and alert["firing"] else "quiet"


_COLUMNS: Final = [
    Column("id", lambda rule: rule["id"]),
    Column("name", lambda rule: rule["name"], 9, 12),
    Column("project", lambda rule: rule["project"] or "all", 4, 10),
    Column("filter", lambda rule: rule["filter"], 3, 12),
    Column("rate", lambda rule: f"{rule['sampling_rate']:g}", 5, right=True),
    Column("scorers", lambda rule: ", ".join(one["name"] for one in rule["scorers"]), 6, 12),
    Column("scored", lambda rule: f"{rule['activity']['scored']}", 7, right=True),
    Column("missing", lambda rule: f"{rule['activity']['missing']}", 7, right=True),
    Column("alert", _firing, 2),
    Column("last", lambda rule: moment(rule["activity"]["scored_at"]), 1),
]
