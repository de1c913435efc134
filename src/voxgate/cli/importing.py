"""`voxgate sessions import`: event logs of others become sessions. The running Voxgate reads them; of a file
that it refuses nothing is imported, and the others are all the same.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console

from voxgate.client.http import ApiError, Client
from voxgate.core.clock import now_utc
from voxgate.core.errors import BodyTooLarge, InvalidRequest, VoxgateError
from voxgate.recording.foreign.orders import Options, Unit

EXAMPLES: Final = (
    "Examples:  voxgate sessions import call.jsonl   ·   "
    "voxgate sessions import logs/*.jsonl --project support --tag imported   ·   "
    "voxgate sessions import cassette.yaml --dry-run   ·   "
    "voxgate sessions import log.jsonl --model gpt-realtime --time-unit ms --started-at 2026-11-22T10:00:00Z"
)
_POLL_SECONDS: Final = 0.2


def import_(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="JSON lines, JSON, or YAML.")],
    project: Annotated[str | None, typer.Option(help="By default the log's own, else 'default'.")] = None,
    model: Annotated[str | None, typer.Option(help="If the log does not say.")] = None,
    provider: Annotated[str | None, typer.Option(help="Who served the call.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A tag; may be repeated.")] = None,
    started_at: Annotated[
        str | None, typer.Option(help="When the call began, if the log does not say: 2026-11-22T10:00:00Z.")
    ] = None,
    time_unit: Annotated[
        str | None, typer.Option(help="Of times that are bare numbers: s, ms, us, ns.")
    ] = None,
    skip_bad_lines: Annotated[bool, typer.Option(help="Leave out lines that are no events.")] = False,
    dry_run: Annotated[bool, typer.Option(help="Only say what the files hold; sends nothing.")] = False,
    wait: Annotated[bool, typer.Option(help="Wait until the traces are made.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON lines.")] = False,
) -> None:
    """Make sessions of event logs: with traces, sound and metrics, as if they had been recorded.

    Reads JSON lines of Realtime events with times and directions (Voxgate's own, `{"timestamp", "direction",
    "event"}` by many names, those of the OpenAI cookbook's harness), JSON arrays of them, and the YAML of
    recorded test cassettes. Importing a file twice makes no second session.
    """
    wishes = Options(
        project=project,
        model=model,
        provider=provider,
        tags=tag or [],
        started_at=_moment(started_at),
        time_unit=_unit(time_unit),
        skip_bad_lines=skip_bad_lines,
    )
    client = None if dry_run else Client()
    done: list[dict[str, Any]] = []
    refused: list[Path] = []
    for file in files:
        options = wishes.model_copy(update={"name": file.name})
        try:
            items = _check(file, options) if client is None else _send(client, file, options)
        except VoxgateError as error:
            if len(files) == 1 or not _is_of_the_file(error):
                raise
            refused.append(file)
            print(f"error: {error.message}", file=sys.stderr)
            continue
        for item in items:
            _tell(file, item, as_json=as_json)
        done += items
    if client is not None and wait:
        _wait(client, [item["id"] for item in done if item["status"] == "imported"])
    if refused:
        raise InvalidRequest(f"{len(refused)} of {len(files)} files could not be imported.")


def _is_of_the_file(error: VoxgateError) -> bool:
    """And no matter of the key, of the network or of Voxgate, which the next file would meet as well."""
    if isinstance(error, ApiError):
        return error.http_status in (InvalidRequest.status, BodyTooLarge.status)
    return isinstance(error, InvalidRequest)


def _check(file: Path, options: Options) -> list[dict[str, Any]]:
    # It reads whole logs with all that makes traces: the other commands should not wait for that.
    from voxgate.recording.foreign.importing import read_calls  # noqa: PLC0415

    calls = read_calls(_readable(file), options, now_utc())
    return [call.shown(options, "checked") for call in calls]


def _send(client: Client, file: Path, options: Options) -> list[dict[str, Any]]:
    query = options.model_dump(mode="json", exclude_none=True, exclude={"tags", "metadata", "dry_run"})
    query["skip_bad_lines"] = "true" if options.skip_bad_lines else "false"
    with _readable(file).open("rb") as opened:
        answer = client.upload("/api/sessions/import", opened, {**query, "tag": options.tags})
    items: list[dict[str, Any]] = answer["items"]
    return items


def _readable(file: Path) -> Path:
    if not file.is_file():
        raise InvalidRequest(f"There is no file {file}.")
    return file


def _tell(file: Path, item: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"file": str(file), **item}))
        return
    words = {"imported": "imported", "exists": "is there already", "checked": "could be imported"}
    length = f"{item['duration_ms'] / 1000:.1f} s"
    console = Console(soft_wrap=True, highlight=False)
    console.print(
        f"{file}: {item['id']} {words[item['status']]} · {item['project']} · {item['model'] or 'no model'} · "
        f"{item['events']} events · {length} · times: {item['times']}",
        markup=False,
    )
    for warning in item["warnings"]:
        console.print(f"  note: {warning}", markup=False)


def _wait(client: Client, ids: list[str]) -> None:
    """The recorder makes traces in its own time, which may be none while it is stopped."""
    waiting = list(ids)
    while waiting:
        waiting = [session_id for session_id in waiting if not _is_made(client, session_id)]
        if waiting:
            time.sleep(_POLL_SECONDS)
    if ids:
        print(f"{len(ids)} traces are made", file=sys.stderr)


def _is_made(client: Client, session_id: str) -> bool:
    items = client.call("GET", "/api/sessions", query={"q": f"id:{session_id}"})["items"]
    return bool(items) and items[0]["status"] != "live"


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidRequest(f"--started-at {text!r} is no moment such as 2026-11-22T10:00:00Z.") from error
    if moment.tzinfo is None:
        raise InvalidRequest(f"--started-at {text!r} has no time zone; add Z for UTC.")
    return moment


def _unit(text: str | None) -> Unit | None:
    units: dict[str, Unit] = {"s": "s", "ms": "ms", "us": "us", "ns": "ns"}
    if text is None or text in units:
        return units.get(text or "")
    raise InvalidRequest(f"--time-unit {text!r} is none of {', '.join(units)}.")
