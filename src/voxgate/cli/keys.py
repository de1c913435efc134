"""`voxgate keys create|list|rotate|revoke`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import typer

from voxgate.cli.table import Column, moment, print_table
from voxgate.client.http import Client
from voxgate.core.clock import iso_utc, now_utc
from voxgate.core.errors import InvalidRequest

_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}

app = typer.Typer(help="API keys: make, list, rotate, revoke.", no_args_is_help=True)


@app.command(
    epilog="Examples:  voxgate keys create backend --role mint --project support   ·   "
    "voxgate keys create auditor --role read --expires 90d"
)
def create(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    role: Annotated[
        str,
        typer.Option(
            help="mint: makes temporary credentials and calls; connect: calls; read: looks at what was "
            "recorded; admin: all of it, and keys."
        ),
    ] = "mint",
    project: Annotated[str | None, typer.Option(help="Bind the key to one project (all).")] = None,
    expires: Annotated[
        str | None,
        typer.Option(help="When it ends: in 12h, 90d, 8w, or at 2027-01-31, 2027-01-31T12:00Z (never)."),
    ] = None,
    max_requests_per_minute: Annotated[
        int | None, typer.Option(help="Requests and openings of calls in a minute (any).")
    ] = None,
    max_tokens_per_minute: Annotated[
        int | None, typer.Option(help="Tokens of requests in a minute (any).")
    ] = None,
) -> None:
    """Make an API key and print it. It is shown this once."""
    expires_at = iso_utc(_moment(expires)) if expires else None
    body: dict[str, Any] = {"name": name, "role": role, "project": project, "expires_at": expires_at}
    body |= {"max_requests_per_minute": max_requests_per_minute}
    body |= {"max_tokens_per_minute": max_tokens_per_minute}
    made = Client().call("POST", "/api/keys", body)
    typer.echo(made["key"])


@app.command("list", epilog="Example:  voxgate keys list --json")
def list_(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON lines.")] = False,
) -> None:
    """List the API keys (never their text)."""
    items = Client().call("GET", "/api/keys")["items"]
    if as_json:
        for item in items:
            typer.echo(json.dumps(item))
        return
    print_table(items, _COLUMNS, empty="There is no API key yet: voxgate keys create NAME makes one.")


@app.command(
    epilog="Examples:  voxgate keys rotate key_…   ·   "
    "voxgate keys rotate key_… --grace 0   (the text has leaked)"
)
def rotate(
    key_id: Annotated[str, typer.Argument(metavar="ID")],
    grace: Annotated[
        str, typer.Option(help="How long the text before stays good: 0, 15m, 24h; 30 days at most.")
    ] = "24h",
) -> None:
    """Give an API key a new text and print it. It is shown this once."""
    body = {"grace_seconds": 0 if grace == "0" else _seconds(grace)}
    made = Client().call("POST", f"/api/keys/{key_id}/rotate", body)
    typer.echo(made["key"])
    until = moment(made["old_secret_until"])
    said = f"The text before stays good until {until} (UTC)." if until else "The text before is good no more."
    typer.echo(said, err=True)


@app.command(
    epilog="Examples:  voxgate keys revoke key_…   ·   "
    "voxgate keys revoke key_… --credentials --end-sessions   (it was stolen)"
)
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID")],
    credentials: Annotated[
        bool, typer.Option("--credentials", help="Also the temporary credentials that it has made.")
    ] = False,
    end_sessions: Annotated[
        bool, typer.Option("--end-sessions", help="Also end the running calls of what is revoked.")
    ] = False,
) -> None:
    """Revoke an API key: it starts no call and reads nothing any more."""
    wanted = {"credentials": credentials, "end_sessions": end_sessions}
    query: dict[str, str | int | None] = {name: "true" if value else None for name, value in wanted.items()}
    Client().call("DELETE", f"/api/keys/{key_id}", query=query)
    typer.echo(f"{key_id} is revoked")


def _seconds(text: str) -> int:
    if match := re.fullmatch(r"(\d{1,6})([smhdw])", text.strip()):
        return int(match[1]) * _SECONDS[match[2]]
    raise InvalidRequest(f"{text!r} is no duration; examples are 15m, 24h, 90d.")


def _moment(text: str) -> datetime:
    """From now on, or a date or a moment (in UTC where it says nothing else)."""
    if re.fullmatch(r"\d+[smhdw]", text.strip()):
        return now_utc() + timedelta(seconds=_seconds(text))
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidRequest(f"{text!r} is no moment; examples are 90d and 2027-01-31T12:00Z.") from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _per_minute(row: Mapping[str, Any]) -> str:
    """What it is limited to."""
    requests, tokens = row["max_requests_per_minute"], row["max_tokens_per_minute"]
    said = [f"{requests:,} requests"] if requests else []
    return ", ".join(said + ([f"{tokens:,} tokens"] if tokens else []))


def _state(row: Mapping[str, Any]) -> str:
    if row["expires_at"] and datetime.fromisoformat(row["expires_at"]) <= now_utc():
        return "expired"
    return f"text before until {moment(row['old_secret_until'])}" if row["old_secret_until"] else ""


_COLUMNS: Final = (
    Column("id", lambda row: row["id"]),
    Column("name", lambda row: row["name"], weight=9, shortest=10),
    Column("role", lambda row: row["role"], weight=8),
    Column("project", lambda row: row["project"] or "all", weight=6, shortest=8),
    Column("per minute", _per_minute, weight=7, shortest=8),
    Column("state", _state, weight=7, shortest=18),
    Column("last used", lambda row: moment(row["last_used_at"]), weight=5),
    Column("expires", lambda row: moment(row["expires_at"]), weight=4),
    Column("made", lambda row: moment(row["created_at"]), weight=2),
    Column("key", lambda row: row["key_hint"], weight=3),
)
