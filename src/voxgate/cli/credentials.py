"""`voxgate credentials create|list|revoke`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from voxgate.cli.client import Client
from voxgate.core.clock import iso_utc

app = typer.Typer(help="Temporary credentials: make, list, revoke.", no_args_is_help=True)


@app.command(epilog="Example:  voxgate credentials create --model local --project support --ttl 600")
def create(
    model: Annotated[list[str] | None, typer.Option(help="Allowed model; may be repeated [any].")] = None,
    ttl: Annotated[int, typer.Option(help="Seconds in which a call may start, 1 to 86400.")] = 600,
    project: Annotated[str | None, typer.Option(help="Record the calls in this project.")] = None,
    user: Annotated[str | None, typer.Option(help="Your user's id; it goes on the trace.")] = None,
    origin: Annotated[
        list[str] | None, typer.Option(help="Origin of a page that may use it; may be repeated [any].")
    ] = None,
    ip: Annotated[
        list[str] | None, typer.Option(help="Address or network that may use it; may be repeated [any].")
    ] = None,
    max_concurrent: Annotated[int | None, typer.Option(help="Calls at once [any].")] = None,
    max_session_seconds: Annotated[int | None, typer.Option(help="Duration of each call [any].")] = None,
    audio: Annotated[bool, typer.Option(help="With --project: record the sound.")] = True,
    text: Annotated[bool, typer.Option(help="With --project: record the words.")] = True,
    retention_days: Annotated[
        int | None, typer.Option(help="With --project: delete recordings after so many days.")
    ] = None,
) -> None:
    """Make a temporary credential and print its key."""
    logging = {"project_name": project, "audio": audio, "text": text, "retention_days": retention_days}
    body = {
        "model": model[0] if model and len(model) == 1 else model,
        "ttl_seconds": ttl,
        "logging": logging if project else None,
        "metadata": {"user_id": user} if user else {},
        "allowed_origins": origin or None,
        "allowed_ips": ip or None,
        "max_concurrent": max_concurrent,
        "max_session_seconds": max_session_seconds,
    }
    made = Client().call("POST", "/v1/credentials", body)
    typer.echo(made["key"])


@app.command("list", epilog="Example:  voxgate credentials list --limit 20")
def list_(limit: Annotated[int, typer.Option(help="How many, 1 to 500.")] = 50) -> None:
    """List the newest temporary credentials (never their keys)."""
    table = Table(Column("id", no_wrap=True), "model", "project", "made", "may start until", "revoked")
    for row in Client().call("GET", "/v1/credentials", query={"limit": limit})["items"]:
        model = row["model"]
        shown = model if isinstance(model, str) else ", ".join(model or ["any"])
        revoked = "yes" if row.get("revoked_at") else ""
        moments = (_moment(row["created_at"]), _moment(row["expires_at"]))
        table.add_row(row["id"], shown, row["project"] or "not recorded", *moments, revoked)
    Console().print(table)


@app.command(epilog="Example:  voxgate credentials revoke cred_… --end-sessions")
def revoke(
    credential_id: Annotated[str, typer.Argument(metavar="ID")],
    end_sessions: Annotated[bool, typer.Option(help="Also end its running calls.")] = False,
) -> None:
    """Revoke a temporary credential: it starts no call any more."""
    query: dict[str, str | int | None] = {"end_sessions": "true" if end_sessions else None}
    Client().call("DELETE", f"/v1/credentials/{credential_id}", query=query)
    typer.echo(f"{credential_id} is revoked")


def _moment(unix_seconds: int) -> str:
    return iso_utc(datetime.fromtimestamp(unix_seconds, UTC))[:19].replace("T", " ")
