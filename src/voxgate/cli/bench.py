"""`voxgate bench`: runs the benchmark of a checkout. It is not in the wheel: its peers are other programs and
its report is a page of the repository.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated, Final

import typer

import voxgate
from voxgate.core.errors import SettingsError

EXAMPLES: Final = (
    "Examples:  voxgate bench   ·   voxgate bench --quick   ·   "
    "voxgate bench --rounds 1 --peer nginx --peer voxgate --load voice --no-report"
)


def bench(
    rounds: Annotated[int, typer.Option(min=1, help="How often each relay carries each load.")] = 3,
    quick: Annotated[
        bool, typer.Option("--quick", help="A tenth of the calls, short, no report: to see that all works.")
    ] = False,
    peer: Annotated[
        list[str] | None,
        typer.Option(help="Only this relay: nginx, haproxy, node-ws, litellm, voxgate; direct is none."),
    ] = None,
    load: Annotated[
        list[str] | None,
        typer.Option(help="Only this load: '4 KB', voice, 'voice 1500', 'voice TLS', workers, idle, …"),
    ] = None,
    report: Annotated[bool, typer.Option(help="Write docs/performance.md when all was measured.")] = True,
    json: Annotated[Path | None, typer.Option(help="Keep every measurement in this file.")] = None,
) -> None:
    """Measure the relay beside its peers, on the same load, and write docs/performance.md.

    Needs a checkout of Voxgate's source, and nginx, haproxy, node: those that are missing are left out.

    The first run installs LiteLLM into the checkout. All takes about 25 minutes on a quiet machine.
    """
    command = [sys.executable, "-m", "bench", "--rounds", str(rounds)]
    for name, values in (("--peer", peer), ("--load", load)):
        command += [word for value in values or [] for word in (name, value)]
    command += ["--json", str(json.resolve())] if json else []
    command += ["--quick"] if quick else []
    command += [] if report else ["--no-report"]
    raise typer.Exit(subprocess.run(command, cwd=find_checkout(), check=False).returncode)


def find_checkout() -> Path:
    """The folder of the source that runs, or else the current folder. SettingsError when neither is one."""
    for folder in (Path(voxgate.__file__).parents[2], Path.cwd()):
        if (folder / "bench" / "__main__.py").is_file() and (folder / "src" / "voxgate").is_dir():
            return folder
    raise SettingsError(
        "The benchmark is in the folder bench/ of Voxgate's source and not in the installed package. "
        "Run 'voxgate bench' inside a checkout of the source, or 'make bench' there."
    )
