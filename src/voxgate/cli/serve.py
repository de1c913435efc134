"""`voxgate serve`: its flags. What it does is in `startup`, which is imported only by it, because the other
commands should not wait for a database and a web framework.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Annotated, Final

import typer

from voxgate.cli.loading import loading
from voxgate.core.settings import load_settings, sources_of

EXAMPLES: Final = (
    "Examples:  voxgate serve   ·   voxgate serve --port 9000 --data-dir /var/lib/voxgate   ·   "
    "OPENAI_API_KEY=sk-… voxgate serve --config voxgate.toml --host 0.0.0.0"
)


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on [127.0.0.1].")] = None,
    port: Annotated[int | None, typer.Option(help="Port for HTTP, the web app and calls [8600].")] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder of everything recorded [./voxgate-data].")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Gateway worker processes [1].")] = None,
    recorders: Annotated[int | None, typer.Option(help="Recorder processes [1].")] = None,
    config: Annotated[Path | None, typer.Option(help="Settings file [./voxgate.toml if there].")] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="Certificate (PEM): serve https and wss.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="The certificate's private key (PEM).")] = None,
    drain_seconds: Annotated[
        float | None, typer.Option(help="How long running calls may go on when it is stopped [5].")
    ] = None,
) -> None:
    """Start Voxgate: the gateway, the web app and the recorder.

    Every option is also a setting: VOXGATE_PORT=9000 in the environment, port = 9000 in voxgate.toml.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    flags = {
        "host": host,
        "port": port,
        "data_dir": data_dir,
        "workers": workers,
        "recorders": recorders,
        "tls_cert": tls_cert,
        "tls_key": tls_key,
        "drain_seconds": drain_seconds,
    }
    with loading():
        from voxgate.cli.startup import start  # noqa: PLC0415 - see above

    start(
        lambda: load_settings(flags, os.environ, config),
        config,
        lambda: sources_of(flags, os.environ, config),
    )
