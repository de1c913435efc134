"""What is stored of a session, as it was before it was put away: the lines of its event log and the bytes of
its tracks, from a running call too. Whoever reads it need not know how it is stored.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import Final, Self

from voxgate.core.errors import NotFound
from voxgate.recording.compact import read_compact
from voxgate.recording.eventlog import read_event
from voxgate.recording.later import read_later
from voxgate.recording.sound import CallSound, Plan, plan_of, read_plan
from voxgate.recording.tracks import FlacTrack, StoredTrack, open_track
from voxgate.store import Blobs
from voxgate.traces import TrackLayout
from voxgate.traces.tracks import TRACKS, Track

LOG: Final = "events.jsonl"
COMPACT_LOG: Final = "events.zst"


def read_lines(blobs: Blobs, prefix: str) -> Iterator[bytes]:
    """The lines of the event log; of a running call as far as they are whole. NotFound if there is none,
    DamagedRecording as soon as one is found not to be as it was."""
    try:
        file = blobs.open(f"{prefix}/{LOG}")
    except NotFound:
        yield from _restored_lines(blobs, prefix)
    else:
        with file:
            for line in file:
                if line.endswith(b"\n"):
                    yield line
    yield from read_later(blobs, prefix).splitlines(keepends=True)


def _restored_lines(blobs: Blobs, prefix: str) -> Iterator[bytes]:
    with ExitStack() as stack:
        file = stack.enter_context(blobs.open(f"{prefix}/{COMPACT_LOG}"))
        tracks: dict[Track, StoredTrack] = {}
        for name in TRACKS:
            if (track := _stored_track(blobs, prefix, name)) is not None:
                stack.callback(track.close)
                tracks[name] = track
        yield from read_compact(file, tracks)


def _stored_track(blobs: Blobs, prefix: str, name: Track) -> StoredTrack | None:
    """The log needs no rate."""
    try:
        return open_track(blobs, prefix, name, rate=0)
    except NotFound:
        return None


class OpenSound:
    """One of `user`, `assistant`, `heard` and `mix`, as it is at the moment of opening. NotFound if there is
    none yet."""

    def __init__(self, blobs: Blobs, prefix: str, name: str) -> None:
        self._name = name
        self._call: CallSound | None = None
        self._track: StoredTrack | None = None
        if (stored := next((one for one in TRACKS if one == name), None)) is not None:
            self._track = _track(blobs, prefix, stored)
            self.rate, self.channels, self.size = self._track.rate, 1, self._track.size
        else:
            plan = read_plan(blobs, prefix) or _plan_so_far(blobs, prefix)
            if name not in plan.shapes:
                raise NotFound(f"Nothing was said yet that the track {name!r} could have.", param="track")
            self._call = CallSound(blobs, prefix, plan)
            for _ in self._call.opening():
                pass
            shape = plan.shapes[name]
            self.rate, self.channels, self.size = shape["rate"], shape["channels"], shape["bytes"]

    def read(self, start: int, end: int) -> bytes:
        """The bytes `[start:end]`, as far as they are there."""
        if self._track is not None:
            return self._track.read(start, end)
        return self._call.read(self._name, start, end) if self._call is not None else b""

    def close(self) -> None:
        for opened in (self._track, self._call):
            if opened is not None:
                opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _track(blobs: Blobs, prefix: str, name: Track) -> StoredTrack:
    if blobs.size(f"{prefix}/{name}.pcm") is None:
        return FlacTrack(blobs.open(f"{prefix}/{name}.flac"))
    plan = read_plan(blobs, prefix) or _plan_so_far(blobs, prefix)
    return open_track(blobs, prefix, name, plan.rates.get(name, 0))


def _plan_so_far(blobs: Blobs, prefix: str) -> Plan:
    """From the event log: of a running call, or of one that a former version has recorded."""
    layout, t_ms = TrackLayout(), 0.0
    for line in read_lines(blobs, prefix):
        event = read_event(line)
        if event is not None:
            layout.feed(event)
            t_ms = event.t_ms
            if event.type == "gateway.closed":
                layout.close(t_ms)
    return plan_of(layout, t_ms)
