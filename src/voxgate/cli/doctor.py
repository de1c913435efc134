"""`voxgate doctor`: what stands in the way of a call, in words. It looks at the same settings as `voxgate
serve` would, and changes nothing.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

import typer
from rich.console import Console
from rich.markup import escape

from voxgate.core.errors import InvalidRequest, VoxgateError
from voxgate.core.settings import LOCAL, Settings, load_settings

EXAMPLES: Final = (
    "Examples:  voxgate doctor   ·   voxgate doctor openai --model gpt-realtime   ·   "
    "voxgate doctor --config /etc/voxgate.toml --json"
)
Status = Literal["passed", "failed", "skipped"]
_LITTLE_SPACE_GB: Final = 2.0
_AT_ONCE: Final = 8
_SQLITE: Final = "sqlite:///"
_MARKS: Final = {"passed": "[green]  ok[/green]", "failed": "[red]fail[/red]", "skipped": "[dim]skip[/dim]"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `advice` says what to do about it."""

    about: str
    status: Status
    said: str
    advice: str = ""
    ms: float | None = None


def doctor(
    providers: Annotated[
        list[str] | None,
        typer.Argument(help="Only these, by their names in the settings; otherwise all, and the rest."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="The model to call, as a client asks for it; otherwise the first of a route."),
    ] = None,
    config: Annotated[Path | None, typer.Option(help="Settings file [./voxgate.toml if there].")] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder of everything recorded [./voxgate-data].")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object for each finding.")] = False,
) -> None:
    """Check the settings, the data folder, the database, the blob store and every provider.

    A provider is asked for its list of models and for one call, which is hung up as soon as it is open: that
    costs nothing. The exit code is 1 when something is wrong.
    """
    settings = load_settings({"data_dir": data_dir}, os.environ, config)
    failed = False
    for finding in _findings(settings, config, providers or [], model):
        failed = failed or finding.status == "failed"
        typer.echo(json.dumps(asdict(finding))) if as_json else _show(finding)
    raise typer.Exit(1 if failed else 0)


def _findings(
    settings: Settings, config: Path | None, wanted: list[str], model: str | None
) -> Iterator[Finding]:
    if not wanted:
        yield _settings(config)
        yield _guarded("data folder", lambda: _data_folder(settings.data_dir))
        yield _guarded("database", lambda: _database(settings.database_url))
        yield _guarded("blobs", lambda: _blobs(settings))
        yield _guarded(LOCAL, lambda: _local(settings, config))
    yield from asyncio.run(_providers(settings, wanted, model))


def _guarded(about: str, look: Callable[[], Finding]) -> Finding:
    try:
        return look()
    except VoxgateError as error:
        return Finding(about, "failed", error.message)


def _settings(config: Path | None) -> Finding:
    path = config or Path("voxgate.toml")
    return Finding(
        "settings", "passed", f"{path} is in order." if path.exists() else "No file; the defaults."
    )


def _data_folder(folder: Path) -> Finding:
    there = next(each for each in (folder.resolve(), *folder.resolve().parents) if each.exists())
    if not there.is_dir():
        return Finding("data folder", "failed", f"{there} is no folder.", "Choose another with --data-dir.")
    if not os.access(there, os.W_OK):
        advice = "Choose another with --data-dir, or give this user the right to write there."
        return Finding("data folder", "failed", f"{there} cannot be written.", advice)
    free_gb = shutil.disk_usage(there).free / 1e9
    can = "can be written" if there == folder.resolve() else "can be made"
    said = f"{folder} {can}; {free_gb:,.0f} GB are free."
    if free_gb < _LITTLE_SPACE_GB:
        return Finding("data folder", "failed", said, "A call takes 11 MB a minute until it is put away.")
    return Finding("data folder", "passed", said)


def _database(url: str) -> Finding:
    from voxgate.store import newest_schema, schema_version  # noqa: PLC0415 - as in `migrate`

    is_missing = url.startswith(_SQLITE) and not Path(url.removeprefix(_SQLITE)).exists()
    found, newest = None if is_missing else schema_version(url), newest_schema()
    if found is None:
        return Finding("database", "passed", "It has no tables yet: the first start makes them.")
    if found == newest:
        return Finding("database", "passed", f"It answers, with schema version {found}.")
    if found > newest:
        advice = "Install the Voxgate that made it, or go back with its 'voxgate migrate --to'."
        return Finding("database", "failed", f"It has schema version {found}, newer than {newest}.", advice)
    advice = "" if url.startswith("sqlite") else "Run 'voxgate migrate' once, before the new Voxgate starts."
    said = f"It has schema version {found}; this Voxgate brings {newest}."
    return Finding("database", "failed" if advice else "passed", said, advice)


def _blobs(settings: Settings) -> Finding:
    from voxgate.store import FolderBlobs, check_blobs, open_blobs  # noqa: PLC0415 - as in `migrate`

    blobs = open_blobs(settings)
    if isinstance(blobs, FolderBlobs):
        check_blobs(settings)
        return Finding("blobs", "passed", f"They are in {blobs.root}.")
    blobs.check()
    return Finding("blobs", "passed", f"{settings.blobs_url} answers.")


def _local(settings: Settings, config: Path | None) -> Finding:
    from voxgate.cli.startup import check_local, local_is_available  # noqa: PLC0415 - loads its parts

    if not settings.local_enabled:
        return Finding(LOCAL, "skipped", "The embedded provider is switched off in the settings.")
    if local_is_available(check_local(settings, config)):
        return Finding(LOCAL, "passed", "The embedded provider is installed.")
    return Finding(LOCAL, "skipped", "It is not installed.", "Install it with: pip install 'voxgate[local]'")


async def _providers(settings: Settings, wanted: list[str], model: str | None) -> Iterable[Finding]:
    from voxgate.providers.checking import check_provider  # noqa: PLC0415 - loads an HTTP client
    from voxgate.providers.routes import Router  # noqa: PLC0415

    router = Router(settings, os.environ)
    for name in wanted:
        if name not in router.providers:
            known = ", ".join(router.providers) or "none"
            raise InvalidRequest(f"There is no provider {name!r}. The settings have: {known}.")
    names = wanted or list(router.providers)
    turns = asyncio.Semaphore(_AT_ONCE)

    async def check(name: str) -> Finding:
        if not (wanted or router.has_key(name) or router.models_at(name)):
            return Finding(name, "skipped", "It has no key, and no route leads to it.")
        async with turns:
            checked = await check_provider(router, name, model)
        said = next((step for step in checked.steps if step.status == "failed"), checked.steps[-1])
        return Finding(name, checked.status, said.said, said.advice, said.ms)

    return await asyncio.gather(*map(check, names))


def _show(finding: Finding) -> None:
    console = Console(highlight=False, soft_wrap=True)
    console.print(
        f"{_MARKS[finding.status]}  [bold]{escape(f'{finding.about:12}')}[/bold]  {escape(finding.said)}"
    )
    if finding.advice:
        console.print(f"{'':20}[yellow]{escape(finding.advice)}[/yellow]")
