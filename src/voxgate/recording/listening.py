"""A running call as it sounds: its event log is followed, and what lies on its clock by now is rendered from
its growing tracks. `Listener` hears it from now on, `peaks_of` draws what there is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import orjson
from numpy.typing import NDArray

from voxgate.audio.mixing import LaneRenderer, Read, stereo
from voxgate.audio.pcm import SAMPLE_BYTES, Samples, StreamResampler, to_bytes, to_samples
from voxgate.audio.peaks import PER_SECOND, peak_frames, peaks, peaks_bytes
from voxgate.core.clock import monotonic_ns
from voxgate.core.errors import NotFound
from voxgate.recording.eventlog import read_event
from voxgate.recording.sound import LANES, Lane, pieces_of
from voxgate.store import Blobs
from voxgate.traces import TrackLayout
from voxgate.traces.lanes import Run
from voxgate.traces.tracks import Track

RATE: Final = 24_000
DELAY_MS: Final = 1000.0
"""Behind the call: the recorder writes what was said a little later, and a cut is known only afterwards."""
FOLLOW_BYTES: Final = 8 << 20
"""Of the log in one step: others are answered in between."""
_READ_BYTES: Final = 1 << 20
_BLOCK_SECONDS: Final = 10
_MOST_PEAKS: Final = 600 * PER_SECOND
"""In one answer."""


class LiveCall:
    """What is known of a running call. NotFound when it was put away meanwhile."""

    def __init__(self, blobs: Blobs, prefix: str, clock_ns: Callable[[], int] = monotonic_ns) -> None:
        self._blobs = blobs
        self._prefix = prefix
        self._clock_ns = clock_ns
        self._layout = TrackLayout()
        self._at = 0
        self._rest = b""
        self._began_ms: float | None = None

    def follow(self) -> bool:
        """Reads on in the log; whether it has come to its end."""
        key = f"{self._prefix}/events.jsonl"
        size = self._blobs.size(key)
        if size is None:
            raise NotFound("The call is over.")
        until = min(size, self._at + FOLLOW_BYTES)
        while self._at < until:
            data = self._blobs.read_range(key, self._at, min(until, self._at + _READ_BYTES))
            if not data:
                break
            self._at += len(data)
            self._feed(data)
        return self._at >= size

    def _feed(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        now_ms = self._clock_ns() / 1e6
        for line in lines:
            event = read_event(line)
            if event is not None:
                self._layout.feed(event)
                began_ms = now_ms - event.t_ms
                self._began_ms = began_ms if self._began_ms is None else min(began_ms, self._began_ms)

    @property
    def now_ms(self) -> float:
        """On the call's clock, by the event that came here quickest."""
        return 0.0 if self._began_ms is None else self._clock_ns() / 1e6 - self._began_ms

    def rate(self, lane: Lane) -> int:
        return self._layout.rate(_track(lane))

    def block(self, lane: Lane, start: int, frames: int) -> Samples:
        """At the lane's rate; silence where nothing lies."""
        rate = self.rate(lane)
        end = start + frames
        runs = [
            (run, run.heard_frames if lane == "heard" else run.frames)
            for run in self._runs(lane)
            if run.start_ms * rate < end * 1000 and run.start_ms * rate + run.frames * 1000 > start * 1000
        ]
        return LaneRenderer(pieces_of(runs, rate, rate), self._reader(_track(lane))).block(start, frames)

    def _runs(self, lane: Lane) -> list[Run]:
        return self._layout.user.runs if lane == "user" else self._layout.assistant.runs

    def _reader(self, track: Track) -> Read:
        key = f"{self._prefix}/{track}.pcm"

        def read(start: int, frames: int) -> Samples:
            try:
                data = self._blobs.read_range(key, start * SAMPLE_BYTES, (start + frames) * SAMPLE_BYTES)
            except NotFound:
                data = b""
            return to_samples(data)

        return read


def _track(lane: Lane) -> Track:
    return "user" if lane == "user" else "assistant"


class Listener:
    """Hears a call from now on, in stereo at RATE: left the user, right the assistant as heard."""

    def __init__(self, call: LiveCall) -> None:
        self.start_ms = max(call.now_ms - DELAY_MS, 0.0)
        self._call = call
        self._sides = [_Side(call, lane, self.start_ms) for lane in ("user", "heard")]

    def hear(self) -> bytes:
        """What has sounded since the last time."""
        left, right = (side.until(self._call.now_ms - DELAY_MS) for side in self._sides)
        frames = min(len(left), len(right))
        for side in self._sides:
            side.take(frames)
        return to_bytes(stereo(left[:frames], right[:frames]))


class _Side:
    def __init__(self, call: LiveCall, lane: Lane, start_ms: float) -> None:
        self._call = call
        self._lane: Lane = lane
        self._at_ms = start_ms
        self._rate = 0
        self._resampler: StreamResampler | None = None
        self._waiting: Samples = np.empty(0, np.int16)

    def until(self, end_ms: float) -> Samples:
        """What waits to be taken, with what lies on the lane until then."""
        rate = self._call.rate(self._lane)
        if rate != self._rate:  # its first sound came
            self._rate = rate
            self._resampler = StreamResampler(rate, RATE) if rate != RATE else None
        start, end = round(self._at_ms * rate / 1000), round(end_ms * rate / 1000)
        if end > start:
            self._at_ms = end_ms
            samples = self._call.block(self._lane, start, end - start)
            if self._resampler is not None:
                samples = to_samples(self._resampler.feed(to_bytes(samples)))
            self._waiting = np.concatenate([self._waiting, samples])
        return self._waiting

    def take(self, frames: int) -> None:
        self._waiting = self._waiting[frames:]


def no_peaks(start: int) -> bytes:
    """Of a call of which there is nothing yet, or nothing more: as `peaks_of`."""
    return peaks_bytes([np.zeros(0, np.uint16)] * 3, start)


def peaks_of(call: LiveCall, start: int) -> bytes:
    """Peaks of a running call from the one with this number on, as `peaks_bytes`."""
    end = min(int(call.now_ms * PER_SECOND / 1000), start + _MOST_PEAKS)
    found = {lane: _lane_peaks(call, lane, start, end) for lane in LANES}
    return peaks_bytes([found["user"], found["generated"], found["heard"]], start)


def _lane_peaks(call: LiveCall, lane: Lane, start: int, end: int) -> NDArray[np.uint16]:
    rate = call.rate(lane)
    size = peak_frames(rate)
    step = _BLOCK_SECONDS * PER_SECOND
    blocks = [
        peaks(call.block(lane, at * size, min(step, end - at) * size), rate) for at in range(start, end, step)
    ]
    return np.concatenate(blocks) if blocks else np.empty(0, np.uint16)


def stored_peaks(data: bytes, start: int) -> bytes:
    """Of a finished call, from its `peaks.json`."""
    found = orjson.loads(data)
    lanes = [np.rint(np.array(found.get(name) or [], np.float32) * 1000) for name in _STORED]
    return peaks_bytes([lane[start:] for lane in lanes], start)


_STORED: Final = ("user", "assistant", "heard")
