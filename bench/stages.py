"""CPU time by stage of the recorder, for `bench.recorder`: its functions are timed while it runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, Final

from voxgate.jobs import compaction as compaction_module
from voxgate.jobs import recorder as recorder_module
from voxgate.jobs import recording as recording_module
from voxgate.jobs import tracks as tracks_module
from voxgate.jobs.recorder import Recorder
from voxgate.recording import eventlog
from voxgate.recording.wirelog import WireLogReader
from voxgate.store import FolderBlobs, Store
from voxgate.traces import TraceBuilder

_STAGES: Final[list[tuple[str, Any, str]]] = [
    ("find logs", recorder_module, "wire_logs"),
    ("read log", WireLogReader, "read"),
    ("frames", eventlog.FrameDecoder, "feed"),
    ("event log", eventlog.EventLogBuilder, "entries"),
    ("event log", eventlog.EventLogBuilder, "take"),
    ("trace", TraceBuilder, "feed"),
    ("trace", TraceBuilder, "snapshot"),
    ("tracks", tracks_module.TrackWriter, "write"),
    ("files", FolderBlobs, "append"),
    ("files", FolderBlobs, "open"),
    ("database", Store, "save_trace"),
    ("database: changes", Store, "save_changes"),
    ("database: lists", Store, "save_counts"),
    ("spans", recording_module.SessionRecording, "refresh"),
    ("finish", recording_module.SessionRecording, "advance"),
    ("finish: sync", FolderBlobs, "sync"),
    ("put away", compaction_module.Compactor, "step"),
]
"""Which stage a call counts for; time inside a call of another stage counts there."""


class Stages:
    """CPU time by stage. Each look at the clock costs as well, so the whole is measured without."""

    def __init__(self) -> None:
        self.ns: dict[str, int] = {}
        self._running: list[str] = []
        self._since = 0

    def _switch(self) -> None:
        now = time.process_time_ns()
        if self._running:
            name = self._running[-1]
            self.ns[name] = self.ns.get(name, 0) + now - self._since
        self._since = now

    def measured(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            self._switch()
            self._running.append(name)
            try:
                return function(*args, **kwargs)
            finally:
                self._switch()
                self._running.pop()

        return run

    @contextmanager
    def watching(self) -> Iterator[None]:
        whole = [(Recorder, "step", "other")]
        wanted = [(owner, name, stage) for stage, owner, name in _STAGES if hasattr(owner, name)]
        kept = [(owner, name, getattr(owner, name)) for owner, name, _ in [*whole, *wanted]]
        for owner, name, stage in [*whole, *wanted]:
            setattr(owner, name, self.measured(stage, getattr(owner, name)))
        try:
            yield
        finally:
            for owner, name, function in kept:
                setattr(owner, name, function)
