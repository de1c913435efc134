"""`voxgate dev-cert`: a certificate for https and wss on this machine, and what to do with it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.markup import escape

from voxgate.cli.local_certificate import (
    LONGEST_DAYS,
    OWN_NAMES,
    Files,
    LocalCertificate,
    make_certificate,
    write_certificate,
)
from voxgate.core.settings import load_settings

EXAMPLES: Final = (
    "Examples:  voxgate dev-cert   ·   voxgate dev-cert voice.test 192.168.1.20   ·   "
    "voxgate dev-cert --to certs --days 30 --force"
)
_NEXT: Final = """
[bold]Next[/bold]
  Voxgate    voxgate serve --tls-cert {certificate} --tls-key {key}
  Python     export SSL_CERT_FILE={authority}
  Node       export NODE_EXTRA_CA_CERTS={authority}
  curl       curl --cacert {authority} https://localhost:{port}/healthz
  Browsers   import {authority} as an authority for websites
  docs/tls.md says more: each SDK, each system, and how to take it back.
"""


def dev_cert(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Hosts, *.hosts and addresses beside localhost, 127.0.0.1 and ::1."),
    ] = None,
    to: Annotated[Path | None, typer.Option(help="Folder for the files (tls in the data folder).")] = None,
    days: Annotated[int, typer.Option(help="How long it is good.", min=1, max=LONGEST_DAYS)] = 365,
    force: Annotated[bool, typer.Option("--force", help="Replace the files that are there.")] = False,
) -> None:
    """Make a certificate for https and wss on this machine, with an authority of its own to trust.

    The authority's key is thrown away when it has signed this one certificate: who trusts it trusts no other.
    """
    settings = load_settings({}, os.environ)
    files = Files.within(to or settings.data_dir / "tls")
    made = make_certificate([*OWN_NAMES, *(names or [])], days)
    write_certificate(made, files, overwrite=force)
    _say_what_next(made, files, settings.port)


def _say_what_next(made: LocalCertificate, files: Files, port: int) -> None:
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"A certificate for {', '.join(made.names)}, good until {made.valid_until:%Y-%m-%d}:\n")
    for path, what in (
        (files.authority, "what clients trust"),
        (files.certificate, "what Voxgate shows"),
        (files.key, "its private key: it stays on this machine"),
    ):
        console.print(f"  {escape(str(path.resolve()))}   {what}")
    places = {name: escape(str(getattr(files, name).resolve())) for name in Files.__slots__}
    console.print(_NEXT.format(port=port, **places), end="")
