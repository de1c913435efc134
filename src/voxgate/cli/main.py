"""`voxgate …`: the commands. Errors are one clear line on standard error and exit code 2."""

from __future__ import annotations

import sys

import typer
from rich.console import Console
from rich.markup import escape

from voxgate import __version__
from voxgate.cli import (
    bench,
    credentials,
    datasets,
    dev_cert,
    doctor,
    export,
    importing,
    keys,
    local,
    migrate,
    replay,
    rules,
    scores,
    serve,
    sessions,
)
from voxgate.core.errors import VoxgateError

app = typer.Typer(
    help="Voxgate: a self-hosted gateway for realtime voice models.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.command(epilog=serve.EXAMPLES)(serve.serve)
app.command(epilog=local.EXAMPLES)(local.local)
app.command(epilog=bench.EXAMPLES)(bench.bench)
app.command(epilog=migrate.EXAMPLES)(migrate.migrate)
app.command(epilog=doctor.EXAMPLES)(doctor.doctor)
app.command("replay", epilog=replay.EXAMPLES)(replay.replay_)
app.command("dev-cert", epilog=dev_cert.EXAMPLES)(dev_cert.dev_cert)
app.add_typer(credentials.app, name="credentials")
app.add_typer(keys.app, name="keys")
app.add_typer(datasets.app, name="datasets")
app.add_typer(rules.app, name="rules")
app.add_typer(scores.app, name="scores")
sessions.app.command(epilog=export.EXAMPLES)(export.export)
sessions.app.command("import", epilog=importing.EXAMPLES)(importing.import_)
app.add_typer(sessions.app, name="sessions")


@app.command(
    "eval",
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def evaluate(context: typer.Context) -> None:
    """Evaluations: run, compare, gate, watch, list, export."""
    # numpy and all that scores: a worker, which is a command too, must not load it.
    from voxgate.cli.eval_stored import app as commands  # noqa: PLC0415

    commands(context.args, prog_name="voxgate eval")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"voxgate {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: bool = typer.Option(False, "--version", help="Show the version.", callback=_show_version),
) -> None:
    """Voxgate: a self-hosted gateway for realtime voice models."""


def main() -> None:
    try:
        app()
    except VoxgateError as error:
        console = Console(stderr=True, highlight=False, soft_wrap=True)
        console.print(f"[red]error:[/red] {escape(error.message)}")
        sys.exit(2)


if __name__ == "__main__":
    main()
