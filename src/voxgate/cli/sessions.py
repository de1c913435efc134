"""`voxgate sessions list|show|rebuild`; `export` and `import` are beside it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Annotated, Any

import typer
from rich import progress
from rich.console import Console
from rich.table import Column, Table
from rich.tree import Tree

from voxgate.cli.client import ApiError, Client
from voxgate.core.errors import InvalidRequest

app = typer.Typer(help="Recorded calls: list, show, export, import, rebuild.", no_args_is_help=True)


@app.command("list", epilog="Example:  voxgate sessions list --project support --q 'status:failed last:7d'")
def list_(
    project: Annotated[str | None, typer.Option(help="Only this project.")] = None,
    q: Annotated[str | None, typer.Option(help="Filter, as in the web app.")] = None,
    limit: Annotated[int, typer.Option(help="How many, 1 to 500.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON lines.")] = False,
) -> None:
    """List the newest recorded calls."""
    items = Client().call("GET", "/api/sessions", query={"project": project, "q": q, "limit": limit})["items"]
    if as_json:
        for item in items:
            typer.echo(json.dumps(item))
        return
    table = Table(
        Column("id", no_wrap=True), "started", "project", "model", "status", "length", "turns", "kept until",
        "title",
    )  # fmt: skip
    for row in items:
        length = f"{(row['duration_ms'] or 0) / 1000:.1f} s"
        table.add_row(
            row["id"], row["started_at"][:19].replace("T", " "), row["project"] or "", row["model"] or "",
            row["status"], length, str(row["turns"] or 0), (row.get("delete_after") or "")[:10],
            row.get("title") or "",
        )  # fmt: skip
    Console(soft_wrap=not sys.stdout.isatty()).print(table)


@app.command(epilog="Example:  voxgate sessions show sess_…")
def show(
    session_id: Annotated[str, typer.Argument(metavar="ID")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the trace as JSON.")] = False,
) -> None:
    """Show the trace of one call."""
    trace = Client().call("GET", f"/api/sessions/{session_id}")
    if as_json:
        typer.echo(json.dumps(trace, indent=2))
        return
    Console().print(_tree(trace))


def _recording(trace: dict[str, Any]) -> str:
    """What of it was not recorded, and until when the rest is kept."""
    missing = [name for name, recorded in (trace.get("recorded") or {}).items() if not recorded]
    notes = [f"{' and '.join(missing)} not recorded"] if missing else []
    if trace.get("delete_after"):
        notes.append(f"kept until {trace['delete_after'][:10]}")
    return "".join(f" · {note}" for note in notes)


def _tree(trace: dict[str, Any]) -> Tree:
    root = Tree(f"[bold]{trace['id']}[/bold] {trace['model']} · {trace['status']}{_recording(trace)}")
    branches: dict[str | None, Tree] = {}
    for span in trace["spans"]:
        branch = branches.get(span["parent_id"], root)
        end = span["end_ms"]
        length = f"{end - span['start_ms']:.0f} ms" if end is not None else "unfinished"
        label = f"{span['type']} [bold]{span['name']}[/bold] {span['start_ms'] / 1000:.2f} s · {length}"
        branches[span["id"]] = branch.add(label)
    return root


@app.command(
    epilog="Example:  voxgate sessions rebuild sess_…    or    voxgate sessions rebuild --q 'last:7d'"
)
def rebuild(
    session_ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...")] = None,
    project: Annotated[str | None, typer.Option(help="All calls of this project.")] = None,
    q: Annotated[str | None, typer.Option(help="All calls that the filter finds.")] = None,
    outdated: Annotated[
        bool,
        typer.Option("--outdated", help="Only those whose metrics this version measures otherwise; of all."),
    ] = False,
) -> None:
    """Build traces and metrics again from the recordings, with what this version makes of them."""
    named = project is not None or q is not None
    if (session_ids and named) or not (session_ids or named or outdated):
        raise InvalidRequest("Name the calls by their ids, or by --project and --q, or all by --outdated.")
    client = Client()
    failed = 0
    query: dict[str, str | int | None] | None = {"outdated": "true"} if outdated else None
    for session_id in _with_progress(session_ids or _found(client, project, q)):
        try:
            status = client.call("POST", f"/api/sessions/{session_id}/rebuild", query=query)["status"]
        except ApiError as error:
            failed += 1
            status = str(error)
        typer.echo(f"{session_id} {status}")
    if failed:
        raise typer.Exit(1)


def _with_progress(session_ids: list[str]) -> Iterable[str]:
    """How many are done and how long the rest takes, where somebody looks."""
    console = Console(stderr=True)
    hidden = not console.is_terminal
    return progress.track(session_ids, "Rebuilding", console=console, transient=True, disable=hidden)


def _found(client: Client, project: str | None, q: str | None) -> list[str]:
    """The ids of all of them that have ended."""
    found: list[str] = []
    cursor = None
    while True:
        query = {"project": project, "q": q, "limit": 500, "cursor": cursor}
        page = client.call("GET", "/api/sessions", query=query)
        found += [item["id"] for item in page["items"] if item["status"] != "live"]
        cursor = page["next_cursor"]
        if cursor is None:
            return found
