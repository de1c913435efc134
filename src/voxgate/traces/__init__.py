"""Layer 2, pure: the event log in, traces out: turns, spans, tracks, metrics. No I/O, no numpy."""

from __future__ import annotations

from voxgate.traces.builder import TraceBuilder, build_trace
from voxgate.traces.events import Event
from voxgate.traces.model import Attachment, Span, Trace
from voxgate.traces.tracks import AudioChunk, TrackLayout

__all__ = ["Attachment", "AudioChunk", "Event", "Span", "Trace", "TraceBuilder", "TrackLayout", "build_trace"]
