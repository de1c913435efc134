"""What the child processes of `voxgate serve` run: `python -m voxgate.cli.children NAME`; see `processes` for
how they are started and stopped. Each process imports only what it is for: the worker never loads numpy, the
recorder no web framework.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import resource
import signal
import socket
import sys
import threading
from collections.abc import Callable
from typing import Any, Final

from voxgate.cli.loading import loading
from voxgate.cli.processes import end_with_parent, receive_orders, say_ready
from voxgate.cli.signals import on_signals
from voxgate.core.in_force import hold_settings
from voxgate.core.scheduling import be_nice, take_short_slices
from voxgate.core.settings import Settings
from voxgate.core.upstreams import ProviderSettings

_MOST_FILES: Final = 1 << 16
_RECORDER_NICENESS: Final = 5
"""Where cores are few, calls come first: what is recorded waits on the disk."""
_EXPORTER_NICENESS: Final = 10
_SCORER_NICENESS: Final = 15
_PLAYBACK_NICENESS: Final = 1
"""A replay is a call too, but one whose pauses nobody bought."""


def main() -> None:
    name = sys.argv[1]
    logging.basicConfig(
        level=logging.INFO, format=f"%(asctime)s %(levelname)s [{name}] %(message)s", stream=sys.stderr
    )
    for chatty in ("faster_whisper", "websockets.server", "uvicorn.error"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    orders = receive_orders()
    if "settings" in orders:
        hold_settings(Settings.model_validate(orders["settings"]))
    runners: dict[str, Callable[[dict[str, Any]], None]] = {
        "worker": _run_worker,
        "recorder": _run_recorder,
        "exporter": _run_exporter,
        "local": _run_local,
        "playback": _run_playback,
        "scorer": _run_scorer,
    }
    runners[name](orders)


def _run_worker(orders: dict[str, Any]) -> None:
    with loading():
        from voxgate.gateway.scoreboard import Scoreboard  # noqa: PLC0415
        from voxgate.server import build_worker, retire_process, serve_worker  # noqa: PLC0415

    _raise_file_limit()
    take_short_slices()
    settings = Settings.model_validate(orders["settings"])
    local = ProviderSettings.model_validate(orders["local"]) if orders["local"] else None
    replays = ProviderSettings.model_validate(orders["replays"]) if orders.get("replays") else None
    board = Scoreboard(orders["board"])
    sources = orders.get("sources", {})
    worker = build_worker(
        settings, dict(os.environ), orders["admin_key"], local, board, orders["number"], sources, replays
    )
    sock = socket.socket(fileno=orders["descriptor"])
    end_with_parent(retire_process)
    _run_loop(lambda: serve_worker(worker, sock, say_ready))


def _run_recorder(orders: dict[str, Any]) -> None:
    with loading():
        from voxgate.export.outbox import Outbox  # noqa: PLC0415
        from voxgate.jobs.process import run_recorder  # noqa: PLC0415
        from voxgate.jobs.shares import Share  # noqa: PLC0415

    be_nice(_RECORDER_NICENESS)
    take_short_slices()
    settings = Settings.model_validate(orders["settings"])
    stop, at_once = _stop_on_signals()
    end_with_parent(stop.set)
    run_recorder(
        settings,
        share=Share(*orders.get("share", ())),
        outbox=Outbox(settings.outbox_dir) if orders.get("exports") else None,
        stop=stop,
        at_once=at_once,
        ready=say_ready,
    )


def _run_exporter(orders: dict[str, Any]) -> None:
    with loading():
        from voxgate.cli.exporting import run_exporter  # noqa: PLC0415

    be_nice(_EXPORTER_NICENESS)
    take_short_slices()
    stop, _ = _stop_on_signals()
    end_with_parent(stop.set)
    run_exporter(orders, stop, say_ready)


def _run_local(orders: dict[str, Any]) -> None:
    with loading():
        from voxgate.providers.local.server import serve_local  # noqa: PLC0415
        from voxgate.providers.local.settings import LocalSettings  # noqa: PLC0415

    settings = LocalSettings.model_validate(orders["settings"]["local"])
    sock = socket.socket(fileno=orders["descriptor"])

    async def run() -> None:
        await serve_local(
            sock=sock,
            api_key=orders["key"],
            settings=settings,
            stop=_stop_of_loop(),
            ready=lambda _: say_ready(),
        )

    _run_loop(run)


def _run_playback(orders: dict[str, Any]) -> None:
    from voxgate.evals.playback.loading import StoredSessions  # noqa: PLC0415
    from voxgate.evals.playback.server import Playback  # noqa: PLC0415
    from voxgate.store import Store, open_blobs  # noqa: PLC0415

    be_nice(_PLAYBACK_NICENESS)
    settings = Settings.model_validate(orders["settings"])
    sock = socket.socket(fileno=orders["descriptor"])

    async def run() -> None:
        with Store(settings.database_url) as store:
            playback = Playback(StoredSessions(store, open_blobs(settings)), orders["key"])
            await playback.serve(_stop_of_loop(), lambda _: say_ready(), sock=sock)

    _run_loop(run)


def _run_scorer(orders: dict[str, Any]) -> None:
    from voxgate.jobs.scoring_process import run_scoring  # noqa: PLC0415

    be_nice(_SCORER_NICENESS)
    take_short_slices()
    stop, _ = _stop_on_signals()
    end_with_parent(stop.set)
    run_scoring(Settings.model_validate(orders["settings"]), stop, say_ready)


def _stop_of_loop() -> asyncio.Event:
    """Set by a signal, and when the parent is gone."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    end_with_parent(lambda: _from_thread(loop, stop))
    return stop


def _from_thread(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    loop.call_soon_threadsafe(stop.set)


def _stop_on_signals() -> tuple[threading.Event, threading.Event]:
    """Set by SIGTERM, and set by SIGINT or a second SIGTERM: leave it to the next start."""
    stop, at_once = threading.Event(), threading.Event()

    def on_signal(number: int) -> None:
        if stop.is_set() or number == signal.SIGINT:
            at_once.set()
        stop.set()

    on_signals((signal.SIGTERM, signal.SIGINT), on_signal)
    return stop, at_once


def _run_loop(main: Callable[[], Any]) -> None:
    try:
        import uvloop  # noqa: PLC0415 - not on every platform
    except ImportError:
        asyncio.run(main())
    else:
        uvloop.run(main())


def _raise_file_limit() -> None:
    """A call is two sockets and a file; the usual soft limit of 1,024 is soon reached."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if wanted > soft:
        with contextlib.suppress(ValueError, OSError):  # then the soft limit has to do
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


if __name__ == "__main__":
    main()
