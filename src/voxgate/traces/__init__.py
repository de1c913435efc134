"""Layer 2, pure: the event log in, traces out: turns, spans, tracks, metrics. No I/O, no numpy. Names are
loaded when they are asked for: what reads a log builds no trace.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from voxgate.traces.builder import TraceBuilder as TraceBuilder
    from voxgate.traces.builder import build_trace as build_trace
    from voxgate.traces.events import Event as Event
    from voxgate.traces.model import Attachment as Attachment
    from voxgate.traces.model import Span as Span
    from voxgate.traces.model import Trace as Trace
    from voxgate.traces.tracks import AudioChunk as AudioChunk
    from voxgate.traces.tracks import TrackLayout as TrackLayout

_PUBLIC: Final = {
    "Attachment": "model",
    "AudioChunk": "tracks",
    "Event": "events",
    "Span": "model",
    "Trace": "model",
    "TraceBuilder": "builder",
    "TrackLayout": "tracks",
    "build_trace": "builder",
}
"""In which file each name is. The imports above say the same to type checkers."""


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(f"{__name__}.{_PUBLIC[name]}"), name)
    return found
