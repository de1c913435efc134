"""`voxgate keys create|list|revoke`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from voxgate.cli.client import Client

app = typer.Typer(help="API keys: make, list, revoke.", no_args_is_help=True)


@app.command(epilog="Example:  voxgate keys create backend --role mint --project support")
def create(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    role: Annotated[str, typer.Option(help="admin, mint, read or connect.")] = "mint",
    project: Annotated[str | None, typer.Option(help="Bind the key to one project.")] = None,
) -> None:
    """Make an API key and print it. It is shown this once."""
    made = Client().call("POST", "/api/keys", {"name": name, "role": role, "project": project})
    typer.echo(made["key"])


@app.command("list", epilog="Example:  voxgate keys list")
def list_() -> None:
    """List the API keys (never their text)."""
    table = Table(Column("id", no_wrap=True), "name", "role", "project", "key", "made", "last used", "state")
    for row in Client().call("GET", "/api/keys")["items"]:
        state = "revoked" if row.get("revoked_at") else ""
        last = row.get("last_used_at") or ""
        table.add_row(
            row["id"], row["name"], row["role"], row["project"] or "all", row.get("key_hint", ""),
            row["created_at"], last, state,
        )  # fmt: skip
    Console().print(table)


@app.command(epilog="Example:  voxgate keys revoke key_…")
def revoke(key_id: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """Revoke an API key."""
    Client().call("DELETE", f"/api/keys/{key_id}")
    typer.echo(f"{key_id} is revoked")
