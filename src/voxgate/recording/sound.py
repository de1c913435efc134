"""A call as it sounded, laid out from its two tracks on its own clock: `heard`, the assistant as far as it
was heard, and `mix`, the user left and that right. Where the pieces of the tracks lie is a `Plan`, made from
the event log's layout and kept as `lanes.json`; the sound itself is made from it when somebody wants it.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import IO, Any, Final, Literal, Self

import numpy as np
import orjson

from voxgate.audio.mixing import LaneRenderer, Piece, stereo
from voxgate.audio.pcm import SAMPLE_BYTES, Samples, StreamResampler, to_bytes, to_samples
from voxgate.core.errors import NotFound
from voxgate.recording.tracks import DamagedRecording, StoredTrack, open_track
from voxgate.store import Blobs
from voxgate.traces import TrackLayout
from voxgate.traces.lanes import Run
from voxgate.traces.tracks import TRACKS, Track

Lane = Literal["user", "generated", "heard"]
LANES: Final[tuple[Lane, ...]] = ("user", "generated", "heard")
_VERSION: Final = 1
_COPY_BYTES: Final = 1 << 18
_NOTHING: Final = np.empty(0, np.int16)


@dataclass(frozen=True, slots=True)
class Plan:
    """Pieces are counted in frames at `rate`, which is the higher one of the tracks'."""

    rate: int
    frames: int
    rates: dict[Track, int]
    """Of the tracks that have sound."""
    lanes: dict[Lane, list[Piece]]

    @property
    def is_all_heard(self) -> bool:
        return self.lanes["heard"] == self.lanes["generated"]

    @property
    def shapes(self) -> dict[str, dict[str, int]]:
        """What can be made of it, as the session's data describes tracks."""
        if not self.rates:
            return {}
        size = self.frames * SAMPLE_BYTES
        heard = {"heard": {"rate": self.rate, "channels": 1, "bytes": size}}
        mix = {"mix": {"rate": self.rate, "channels": 2, "bytes": 2 * size}}
        return {**(heard if "assistant" in self.rates else {}), **mix}

    def to_json(self) -> bytes:
        lanes = {
            name: [[one.at_frame, one.from_frame, one.frames] for one in pieces]
            for name, pieces in self.lanes.items()
        }
        return orjson.dumps(
            {"version": _VERSION, "rate": self.rate, "frames": self.frames, "rates": self.rates, **lanes}
        )

    @classmethod
    def from_json(cls, data: bytes) -> Plan:
        """DamagedRecording for anything that `to_json` did not make."""
        try:
            found: Any = orjson.loads(data)
            if found["version"] != _VERSION:
                raise DamagedRecording(f"lanes.json has version {found['version']}, not {_VERSION}.")
            lanes: dict[Lane, list[Piece]] = {
                name: [Piece(*map(int, one)) for one in found[name]] for name in LANES
            }
            rates: dict[Track, int] = {
                name: int(found["rates"][name]) for name in TRACKS if name in found["rates"]
            }
            return cls(int(found["rate"]), int(found["frames"]), rates, lanes)
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
            raise DamagedRecording("lanes.json is damaged.") from error


def plan_of(layout: TrackLayout, duration_ms: float) -> Plan:
    """Of a call that has taken so long; what still sounds after its end belongs to it."""
    present = layout.present
    rate = max((layout.rate(track) for track in present), default=0)
    user, assistant = layout.user, layout.assistant
    end_ms = max(duration_ms, user.end_ms, assistant.heard_end_ms) if present else 0.0
    by_lane: dict[Lane, tuple[Track, list[tuple[Run, int]]]] = {
        "user": ("user", [(run, run.frames) for run in user.runs]),
        "generated": ("assistant", [(run, run.frames) for run in assistant.runs]),
        "heard": ("assistant", [(run, run.heard_frames) for run in assistant.runs]),
    }
    lanes = {
        name: pieces_of(runs, rate, layout.rate(track)) if track in present else []
        for name, (track, runs) in by_lane.items()
    }
    return Plan(
        rate, math.ceil(end_ms * rate / 1000), {track: layout.rate(track) for track in present}, lanes
    )


def pieces_of(runs: Sequence[tuple[Run, int]], rate: int, track_rate: int) -> list[Piece]:
    """Of runs, and how many frames of each sound."""
    scale = rate / track_rate
    return [
        Piece(round(run.start_ms * rate / 1000), round(run.start_frame * scale), round(frames * scale))
        for run, frames in runs
        if frames
    ]


@dataclass(slots=True)
class _Resampled:
    """A track at another rate than its own, in a file without a name."""

    file: IO[bytes]
    rate: int
    size: int

    def read(self, start: int, end: int) -> bytes:
        self.file.seek(start)
        return self.file.read(max(min(end, self.size) - start, 0))

    def close(self) -> None:
        self.file.close()


class CallSound:
    """Renders lanes of a plan, at its rate. `opening` has to be run through first. Blocks are best asked for
    one after the other."""

    def __init__(self, blobs: Blobs, prefix: str, plan: Plan) -> None:
        self.plan = plan
        self._blobs = blobs
        self._prefix = prefix
        self._tracks: dict[Track, StoredTrack] = {}
        self._lanes: dict[Lane, tuple[int, LaneRenderer]] = {}

    def opening(self) -> Generator[None, None, None]:
        """Opens the tracks, bit by bit where one has to be resampled as a whole."""
        for name, rate in self.plan.rates.items():
            track = open_track(self._blobs, self._prefix, name, rate)
            self._tracks[name] = track
            if track.rate != self.plan.rate:
                self._tracks[name] = yield from _resampled(track, self.plan.rate)
                track.close()

    def block(self, lane: Lane, start: int, frames: int) -> Samples:
        """The samples `[start:start + frames]` of a lane; silence where nothing lies."""
        at, renderer = self._lanes.get(lane, (-1, None))
        if renderer is None or start < at:
            renderer = LaneRenderer(
                self.plan.lanes[lane], self._reader("user" if lane == "user" else "assistant")
            )
        self._lanes[lane] = (start + frames, renderer)
        return renderer.block(start, frames)

    def read(self, name: str, start: int, end: int) -> bytes:
        """The bytes `[start:end]` of `heard` or `mix`."""
        width = SAMPLE_BYTES if name == "heard" else 2 * SAMPLE_BYTES
        first, last = start // width, min(-(-end // width), self.plan.frames)
        if last <= first:
            return b""
        heard = self.block("heard", first, last - first)
        samples = heard if name == "heard" else stereo(self.block("user", first, last - first), heard)
        return to_bytes(samples)[start - first * width : end - first * width]

    def close(self) -> None:
        for track in self._tracks.values():
            track.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _reader(self, name: Track) -> Any:
        track = self._tracks.get(name)
        if track is None:
            return lambda _start, _frames: _NOTHING

        def read(start: int, frames: int) -> Samples:
            return to_samples(track.read(start * SAMPLE_BYTES, (start + frames) * SAMPLE_BYTES))

        return read


def _resampled(track: StoredTrack, rate: int) -> Generator[None, None, StoredTrack]:
    file = tempfile.TemporaryFile()  # noqa: SIM115 - whoever reads the track closes it
    resampler = StreamResampler(track.rate, rate)
    for start in range(0, track.size, _COPY_BYTES):
        file.write(resampler.feed(track.read(start, start + _COPY_BYTES)))
        yield
    file.write(resampler.feed(b"", last=True))
    return _Resampled(file, rate, file.tell())


def read_plan(blobs: Blobs, prefix: str) -> Plan | None:
    """As it was stored when the call had ended; None before that."""
    key = f"{prefix}/lanes.json"
    try:
        with blobs.open(key) as file:
            return Plan.from_json(file.read())
    except NotFound:
        return None
