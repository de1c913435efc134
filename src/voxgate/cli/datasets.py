"""`voxgate datasets list|show|create|import|add|export|delete`, against a running Voxgate."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from voxgate.cli.table import Column, moment, plain, print_table
from voxgate.client.datasets import Datasets, split_reference
from voxgate.client.http import Client
from voxgate.core.errors import InvalidRequest, NotFound

if TYPE_CHECKING:
    from voxgate.evals.loading.opening import CaseFile

app = typer.Typer(help="Data sets: cases to evaluate with, version by version.", no_args_is_help=True)

_COLUMNS: Final = (
    Column("name", lambda row: f"{row['name']}@{row['version']}"),
    Column("cases", lambda row: str(row["cases"]), right=True),
    Column("project", lambda row: row["project"], weight=5, shortest=8),
    Column("changed UTC", lambda row: moment(row["updated_at"]), weight=6),
    Column("description", lambda row: row["description"], weight=4, shortest=12),
    Column("id", lambda row: row["id"], weight=3),
)
_VERSIONS: Final = (
    Column("version", lambda row: str(row["version"]), right=True),
    Column("cases", lambda row: str(row["cases"]), right=True),
    Column("added", lambda row: str(row["added"] or ""), right=True),
    Column("changed", lambda row: str(row["changed"] or ""), right=True),
    Column("deleted", lambda row: str(row["deleted"] or ""), right=True),
    Column("made UTC", lambda row: moment(row["created_at"]), weight=5),
    Column("by", lambda row: row["created_by"], weight=4, shortest=8),
)
_CASES: Final = (
    Column("case", lambda row: row["id"]),
    Column("kind", lambda row: row["input"]["kind"], weight=8),
    Column("says", lambda row: plain(row["input"]["text"] or ""), weight=6, shortest=16),
    Column("tools", lambda row: _tools(row["expected"]["tool_calls"]), weight=5, shortest=12),
    Column("expected", lambda row: plain(row["expected"]["transcript"] or ""), weight=4, shortest=12),
)
_Project = Annotated[str | None, typer.Option(help="Of the data set.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def _tools(calls: list[dict[str, Any]] | None) -> str:
    return "" if calls is None else ", ".join(call["name"] for call in calls) or "none"


@app.command(
    "list", epilog="Examples:  voxgate datasets list   ·   voxgate datasets list --project shop --json"
)
def list_(project: _Project = None, as_json: _Json = False) -> None:
    """List data sets, the newest first."""
    rows = Datasets(Client()).list(project)
    if as_json:
        for row in rows:
            typer.echo(json.dumps(row))
    else:
        print_table(list(rows), _COLUMNS, empty="There is no data set.")


@app.command(
    epilog="Examples:  voxgate datasets show refunds   ·   voxgate datasets show refunds@3 --cases 100"
)
def show(
    name: Annotated[str, typer.Argument(metavar="NAME[@VERSION]")],
    project: _Project = None,
    cases: Annotated[int, typer.Option(min=0, help="How many of its cases are listed.")] = 20,
    as_json: _Json = False,
) -> None:
    """Show a data set, its versions and its first cases."""
    datasets, row, version = _found(name, project)
    versions = list(datasets.versions(row["id"]))
    if as_json:
        typer.echo(json.dumps(row | {"versions": versions}))
        return
    typer.echo(f"{row['name']}@{version} · {row['project']} · {row['id']}")
    if row["description"]:
        typer.echo(row["description"])
    print_table(versions[:10], _VERSIONS, empty="It has no cases so far.")
    shown = [case for case, _ in zip(datasets.cases(row["id"], version), range(cases), strict=False)]
    if shown:
        typer.echo()
        print_table(shown, _CASES, empty="")


@app.command(epilog="Examples:  voxgate datasets create refunds --project shop --description 'Angry ones'")
def create(name: str, project: _Project = None, description: str = "", as_json: _Json = False) -> None:
    """Make an empty data set."""
    row = Datasets(Client()).create(name, project=project, description=description)
    typer.echo(json.dumps(row) if as_json else row["id"])


@app.command(
    "import",
    epilog="Examples:  voxgate datasets import refunds cases.csv   ·   "
    "voxgate datasets import refunds calls/ --project shop   ·   "
    "voxgate datasets import sims sim_*.json   ·   "
    "voxgate datasets import refunds cases.csv --dry-run   ·   docs/datasets.md has the columns",
)
def import_(
    name: str,
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH…", help="CSV, JSON lines, simulations, folders of sounds, an export."),
    ],
    project: _Project = None,
    text_only: Annotated[
        bool, typer.Option("--text-only", help="Leave the sound out; what is said goes in as text.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what the files hold.")] = False,
    as_json: _Json = False,
) -> None:
    """Put the cases of files into a data set, which is made if there is none of that name.

    All cases of all files are checked before anything is sent, and become one new version. A case whose id is
    there already takes its place; what is the same as before makes no version.
    """
    # What reads files is not needed by the other commands, some of which are workers.
    from voxgate.evals.importing import import_cases  # noqa: PLC0415
    from voxgate.evals.loading.opening import open_cases  # noqa: PLC0415

    if "@" in name:
        raise InvalidRequest(f"{name!r}: a version is made by importing; write the name alone.", param="name")
    files = [open_cases(path, text_only=text_only) for path in paths]
    count = sum(file.check() for file in files)
    _tell_notes(files)
    if dry_run:
        typer.echo(f"{count} cases can be imported.")
        return
    datasets = Datasets(Client())
    row = _found_or_made(datasets, name, project, files[0].about())
    with _progress("sending", count) as told:
        cases = (case for file in files for case in file.cases())
        saved = import_cases(datasets, row["id"], cases, told)
    _say_saved(row, saved["version"], f"{saved['cases']} cases", as_json=as_json)


def _tell_notes(files: list[CaseFile]) -> None:
    for note in dict.fromkeys(note for file in files for note in file.notes):
        Console(stderr=True, highlight=False, soft_wrap=True).print(f"note: {note}", markup=False)


def _found_or_made(
    datasets: Datasets, name: str, project: str | None, about: dict[str, Any]
) -> dict[str, Any]:
    try:
        return datasets.find(name, project)
    except NotFound:
        known = {key: about[key] for key in ("description", "metadata") if key in about}
        return datasets.create(name, project=project, **known)


@app.command(
    epilog="Examples:  voxgate datasets add refunds sess_… sess_… --expected said   ·   "
    "voxgate datasets add refunds -q 'tag:refund score.rating<3 last:7d' --turns each"
)
def add(
    name: str,
    sessions: Annotated[list[str] | None, typer.Argument(metavar="[SESSION…]")] = None,
    q: Annotated[str | None, typer.Option("--filter", "-q", "--q", help="Those that it finds.")] = None,
    project: _Project = None,
    turns: Annotated[
        str, typer.Option(help="session: a case for each call; each: for each turn.")
    ] = "session",
    expected: Annotated[
        str, typer.Option(help="said: the answers and tool calls as they were; none.")
    ] = "none",
    tag: Annotated[list[str] | None, typer.Option(help="Of the cases; may be repeated.")] = None,
    as_json: _Json = False,
) -> None:
    """Make cases of recorded calls, with copies of their own. The data set is made if there is none."""
    if bool(sessions) == bool(q):
        raise InvalidRequest("Say which calls: either their ids, or a filter with -q.", param="sessions")
    datasets = Datasets(Client())
    row = _found_or_made(datasets, name, project, {})
    which = {"sessions": sessions} if sessions else {"q": q}
    answer = datasets.add_sessions(row["id"], **which, turns=turns, expected=expected, tags=tag or [])
    if not answer["ids"]:
        raise NotFound(
            f"The filter finds no call that is over in the project {row['project']!r} (--project)."
        )
    added = len(answer["ids"]) - len(answer["known"])
    parts = [f"{added} cases"]
    if answer["known"]:
        parts.append(f"{len(answer['known'])} were there before")
    if answer["skipped"]:
        parts.append(f"{len(answer['skipped'])} calls still run")
    _say_saved(row, answer["version"], ", ".join(parts), as_json=as_json)


@app.command(
    epilog="Examples:  voxgate datasets export refunds@3 ./refunds   ·   "
    "voxgate datasets import copy ./refunds   loads it again"
)
def export(
    name: Annotated[str, typer.Argument(metavar="NAME[@VERSION]")],
    folder: Annotated[Path, typer.Argument(help="Is made.")],
    project: _Project = None,
) -> None:
    """Write a version of a data set into a folder: cases.jsonl, sounds and event logs."""
    from voxgate.evals.loading.exported import export_dataset  # noqa: PLC0415 - as above

    if folder.exists():
        raise InvalidRequest(f"{folder} is there already; name a folder that is not.", param="folder")
    datasets, row, version = _found(name, project)
    unfinished = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        with _progress("fetching", row["cases"]) as told:
            count = export_dataset(datasets, row, version, unfinished, told)
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    typer.echo(f"{row['name']}@{version}: {count} cases in {folder}")


@app.command(epilog="Examples:  voxgate datasets delete refunds --yes")
def delete(
    name: str,
    project: _Project = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete a data set with all of its versions, sounds and event logs. Experiments over it stay."""
    if "@" in name:
        raise InvalidRequest(
            f"{name!r}: a data set is deleted as a whole; write the name alone.", param="name"
        )
    datasets, row, _ = _found(name, project)
    versions = f"{row['version']} versions"
    if not yes:
        typer.confirm(f"Delete {row['name']} with {row['cases']} cases and {versions}?", abort=True)
    datasets.delete(row["id"])
    typer.echo(f"{row['name']} is deleted.")


def _found(reference: str, project: str | None) -> tuple[Datasets, dict[str, Any], int]:
    """The data set and which version is meant."""
    name, version = split_reference(reference)
    datasets = Datasets(Client())
    row = datasets.find(name, project)
    return datasets, row, row["version"] if version is None else version


def _say_saved(row: dict[str, Any], version: int, what: str, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"dataset": row["id"], "name": row["name"], "version": version}))
    elif version == row["version"]:
        typer.echo(f"{row['name']}@{version}: {what}; nothing is different from before")
    else:
        typer.echo(f"{row['name']}@{version}: {what}")


@contextmanager
def _progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal, nothing elsewhere."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as shown:
        task = shown.add_task(what, total=total)

        def told(count: int) -> None:
            shown.update(task, completed=count)

        yield told
