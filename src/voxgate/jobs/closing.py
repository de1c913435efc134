"""The final trace of a call: all its events and its tracks in, the trace with what was measured in its sound
and with the tracks of the whole call out. The recorder does it at the end of a call, and a rebuild again.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import NamedTuple

from voxgate.jobs.redaction import Redaction
from voxgate.jobs.tracks import CallMixer
from voxgate.store import Blobs
from voxgate.traces import Attachment, Trace, TraceBuilder
from voxgate.traces.events import Json
from voxgate.traces.model import stable_id


class Closed(NamedTuple):
    trace: Trace
    keys: list[str]
    """Of the blobs that were made for it."""


def close_trace(
    builder: TraceBuilder, blobs: Blobs, prefix: str, redaction: Redaction | None = None
) -> Generator[None, None, Closed]:
    """One step at a time. The builder has seen everything, and the tracks are whole. What is measured in the
    sound is measured before a redaction silences some of it."""
    duration_ms = builder.finish()
    mixer = CallMixer(blobs, prefix, builder.layout, duration_ms)
    yield from mixer.steps()
    trace = builder.snapshot(live=False, sound=mixer.sound)
    _add_tracks(trace, mixer.tracks)
    trace.data["wave"] = mixer.wave
    if redaction is not None:
        yield from redaction.carry_out(builder, blobs, prefix, trace.spans)
        redaction.clean(trace)
    return Closed(trace, mixer.keys)


def row_of(trace: Trace) -> Json:
    """As the store takes it."""
    row = trace.row()
    if row["started_at"] is None:
        del row["started_at"]  # the store knows when the row was made
    return row


def _add_tracks(trace: Trace, tracks: dict[str, Json]) -> None:
    """The tracks that exist only after the call, in the session's data and as attachments of its span."""
    trace.data["tracks"] = {**trace.data["tracks"], **tracks}
    for name, shape in tracks.items():
        frames = shape["bytes"] // (2 * shape["channels"])
        trace.spans[0].attachments.append(
            Attachment(
                id=stable_id("att", trace.id, name),
                name="call" if name == "mix" else f"{name} track",
                content_type="audio/wav",
                duration_ms=frames * 1000 / shape["rate"],
                track=name,
                start_byte=0,
                end_byte=shape["bytes"],
            )
        )
