"""`voxgate migrate`: the schema of the database, up to this Voxgate's or down to an older one's."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Annotated, Final

import typer

from voxgate.core.settings import load_settings

EXAMPLES: Final = (
    "Examples:  voxgate migrate   ·   voxgate migrate --check   ·   voxgate migrate --to 2   ·   "
    "VOXGATE_DATABASE_URL=postgresql://voxgate@db/voxgate voxgate migrate"
)


def migrate(
    to: Annotated[
        int | None, typer.Option(help="Schema version to go to, up or down (this Voxgate's).")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Only say what there is; exit code 1 if there is something to do.")
    ] = False,
    config: Annotated[Path | None, typer.Option(help="Settings file [./voxgate.toml if there].")] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder of everything recorded [./voxgate-data].")
    ] = None,
) -> None:
    """Bring the database to this Voxgate's schema: PostgreSQL before a new Voxgate is started. SQLite goes up
    by itself at the start.

    Run it once for all machines, with the new Voxgate, while the old ones go on. Before an older Voxgate is
    installed again, go back with --to: what only the newer schema keeps is lost.
    """
    from voxgate import store  # noqa: PLC0415 - the other commands should not wait for a database

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    url = load_settings({"data_dir": data_dir}, os.environ, config).database_url
    if check:
        found, goal = store.schema_version(url), to or store.newest_schema()
        typer.echo(f"The database has {_named(found)}; wanted is {_named(goal)}.")
        raise typer.Exit(0 if found == goal else 1)
    done = store.migrate(url, to)
    if done.before == done.after:
        typer.echo(f"Nothing to do: the database has {_named(done.after)}.")
    else:
        typer.echo(f"The database had {_named(done.before)} and has {_named(done.after)} now.")


def _named(version: int | None) -> str:
    return "no tables" if version is None else f"schema version {version}"
