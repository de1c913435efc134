"""The recorder as a process: opens store and blobs and records until it is told to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from voxgate.jobs.memory import collect_rarely
from voxgate.jobs.recorder import Recorder
from voxgate.jobs.retention import Retention
from voxgate.store import FolderBlobs, Store


def run_recorder(
    data_dir: Path,
    database_url: str,
    *,
    retention_days: int | None = None,
    stop: threading.Event,
    at_once: threading.Event,
    ready: Callable[[], None],
) -> None:
    """Records until `stop`, and then what is left of calls that have ended; with `at_once` not even that.
    `ready` is called once the store is open."""
    collect_rarely()
    with Store(database_url) as store:
        blobs = FolderBlobs(data_dir / "blobs")
        retention = Retention(store, blobs, retention_days)
        recorder = Recorder(wire_dir=data_dir / "wire", store=store, blobs=blobs, retention=retention)
        ready()
        recorder.run(stop, at_once)
