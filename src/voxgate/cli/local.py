"""`voxgate local`: the embedded provider alone, as any other Realtime endpoint."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from pathlib import Path
from typing import Annotated, Final

import typer

from voxgate.core.settings import load_settings

EXAMPLES: Final = "Examples:  voxgate local --port 9100   ·   VOXGATE_LOCAL_KEY=secret voxgate local"


def local(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.")] = 9100,
    config: Annotated[Path | None, typer.Option(help="Settings file [./voxgate.toml if there].")] = None,
) -> None:
    """Start the embedded provider `local` alone: a Realtime endpoint that needs no network.

    With VOXGATE_LOCAL_KEY in the environment, callers must present that key.
    """
    # Heavy, and of no use to the other commands.
    from voxgate.cli.startup import bind, check_local  # noqa: PLC0415
    from voxgate.providers.local.server import serve_local  # noqa: PLC0415

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    settings = check_local(load_settings({}, os.environ, config), config)

    async def run() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        with bind(host, port) as sock:
            await serve_local(
                sock=sock,
                api_key=os.environ.get("VOXGATE_LOCAL_KEY"),
                settings=settings,
                stop=stop,
                ready=lambda bound: typer.echo(f"Listening at ws://{host}:{bound}/v1/realtime?model=local"),
            )

    asyncio.run(run())
