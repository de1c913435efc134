"""The recorder as a process: opens store and blobs and records until it is told to stop."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from voxgate.jobs.recorder import Recorder
from voxgate.store import FolderBlobs, Store


def run_recorder(
    data_dir: Path,
    database_url: str,
    *,
    stop: threading.Event | None = None,
    ready: Callable[[], None] | None = None,
    parent_pipe: bool = False,
) -> None:
    """Records until `stop`, or, where none is given, until SIGTERM or SIGINT; with `parent_pipe` also until
    standard input ends. `ready` is called once the store is open."""
    if stop is None:
        stop = _stop_on_signals()
    if parent_pipe:
        threading.Thread(target=_stop_with_parent, args=(stop,), name="parent-watch", daemon=True).start()
    with Store(database_url) as store:
        recorder = Recorder(wire_dir=data_dir / "wire", store=store, blobs=FolderBlobs(data_dir / "blobs"))
        if ready is not None:
            ready()
        recorder.run(stop)


def _stop_on_signals() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def _stop_with_parent(stop: threading.Event) -> None:
    # Not through the buffered reader, whose lock a daemon thread must not hold when the interpreter ends.
    while os.read(sys.stdin.fileno(), 1024):
        pass
    stop.set()
