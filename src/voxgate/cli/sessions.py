"""`voxgate sessions list|show|rebuild`; `export` and `import` are beside it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final

import typer
from rich import progress
from rich.console import Console
from rich.tree import Tree

from voxgate.cli.table import Column, duration, moment, plain, print_table
from voxgate.client.http import ApiError, Client
from voxgate.core.errors import InvalidRequest

app = typer.Typer(help="Recorded calls: list, show, export, import, rebuild.", no_args_is_help=True)


_COLUMNS: Final = (
    Column("id", lambda row: row["id"]),
    Column("started UTC", lambda row: moment(row["started_at"])[5:], weight=9),
    Column("status", lambda row: row["status"], weight=8),
    Column("length", lambda row: duration(row["duration_ms"]), weight=7, right=True),
    Column("project", lambda row: row["project"], weight=5, shortest=8),
    Column("model", lambda row: row["model"], weight=4, shortest=10),
    Column("turns", lambda row: "" if row["turns"] is None else str(row["turns"]), weight=3, right=True),
    Column("v2v p50", lambda row: _milliseconds(row["metrics"].get("v2v_p50")), weight=3, right=True),
    Column("errors", lambda row: str(row["errors"] or ""), weight=3, right=True),
    Column(
        "cost",
        lambda row: "" if row["cost_usd"] is None else f"${row['cost_usd']:,.4f}",
        weight=2,
        right=True,
    ),
    Column("kept until", lambda row: (row["delete_after"] or "")[:10], weight=1),
    Column("title", lambda row: row["title"] or "", weight=6, shortest=12),
)


def _milliseconds(value: float | None) -> str:
    return "" if value is None else f"{value:.0f} ms"


@app.command(
    "list",
    epilog="Examples:  voxgate sessions list -q 'refund status:failed last:7d'   ·   "
    "voxgate sessions list -q 'v2v_p95>1.5s or error:*' --sort duration   ·   "
    "docs/filters.md has the language",
)
def list_(
    project: Annotated[str | None, typer.Option(help="Only this project.")] = None,
    q: Annotated[
        str | None, typer.Option("--filter", "-q", "--q", help="Filter: fields, words, and, or, not.")
    ] = None,
    sort: Annotated[
        str, typer.Option(help="started, or a measured field: duration, cost, v2v_p95 …")
    ] = "started",
    ascending: Annotated[bool, typer.Option("--ascending", help="Oldest or smallest first.")] = False,
    limit: Annotated[int, typer.Option(help="How many, 1 to 500.")] = 20,
    cursor: Annotated[str | None, typer.Option(help="Where a list before said that it goes on.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON lines.")] = False,
) -> None:
    """List recorded calls, the newest first."""
    order = "asc" if ascending else "desc"
    query: dict[str, str | int | None] = {"project": project, "q": q, "sort": sort, "order": order}
    page = Client().call("GET", "/api/sessions", query=query | {"limit": limit, "cursor": cursor})
    if as_json:
        for item in page["items"]:
            typer.echo(json.dumps(item))
    else:
        print_table(page["items"], _COLUMNS, _excerpt, empty="There is no such call.")
    if page["next_cursor"]:
        typer.echo(f"There are more: --cursor {page['next_cursor']}", err=True)


def _excerpt(row: Mapping[str, Any]) -> str:
    """Who said what was looked for, which is bold in a terminal."""
    if row["excerpt"] is None:
        return ""
    parts = [(plain(part["text"]), part["hit"]) for part in row["excerpt"]["parts"]]
    said = "".join(
        typer.style(text, bold=True) if hit and sys.stdout.isatty() else text for text, hit in parts
    )
    return f"{row['excerpt']['speaker']}: {said}"


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


@app.command(
    epilog="Example:  voxgate sessions transcribe sess_…    or    "
    "voxgate sessions transcribe --q 'last:7d' --model gpt-4o-mini-transcribe"
)
def transcribe(
    session_ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...")] = None,
    project: Annotated[str | None, typer.Option(help="All calls of this project.")] = None,
    q: Annotated[str | None, typer.Option(help="All calls that the filter finds.")] = None,
    model: Annotated[
        str | None, typer.Option(help="Who transcribes; else as the project's settings say.")
    ] = None,
    language: Annotated[str | None, typer.Option(help="Of what is said, as `en`.")] = None,
    prompt: Annotated[str | None, typer.Option(help="Words that the model may not know.")] = None,
) -> None:
    """Have written down what users said where the provider gave no words. Providers take money for it."""
    named = project is not None or q is not None
    if bool(session_ids) == named:
        raise InvalidRequest("Name the calls by their ids, or by --project and --q.")
    client, failed = Client(), 0
    body = {"model": model, "language": language, "prompt": prompt}
    for session_id in _with_progress(session_ids or _found(client, project, q), "Transcribing"):
        try:
            status = _words(client.call("POST", f"/api/sessions/{session_id}/transcribe", body))
        except ApiError as error:
            status = str(error)
            failed += 1
        typer.echo(f"{session_id} {status}")
    if failed:
        raise typer.Exit(1)


def _words(answer: dict[str, Any]) -> str:
    found = answer["transcription"]
    if answer["status"] != "transcribed" or found is None:
        return str(answer["status"])
    failures = [one["error"].get("message", "") for one in found["failed"]]
    reasons = "; ".join(dict.fromkeys(failures))
    noun = "utterance" if found["items"] == 1 else "utterances"
    return f"{found['items']} {noun}" + (f", {len(failures)} failed: {reasons}" if failures else "")


def _with_progress(session_ids: list[str], what: str = "Rebuilding") -> Iterable[str]:
    """How many are done and how long the rest takes, where somebody looks."""
    console = Console(stderr=True)
    hidden = not console.is_terminal
    return progress.track(session_ids, what, console=console, transient=True, disable=hidden)


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
