"""The sound of one session as blobs: while it runs, the two tracks grow; at its end come what was heard, the
whole call in stereo and the peaks. Everything goes through in blocks, nothing is held as a whole.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import IO, Final

import orjson

from voxgate.audio.mixing import LaneRenderer, Piece, stereo
from voxgate.audio.pcm import SAMPLE_BYTES, Samples, StreamResampler, TrackDecoder, to_bytes, to_samples
from voxgate.audio.peaks import PER_SECOND, peak_frames, peaks
from voxgate.jobs.hearing import CallHearing
from voxgate.store import Blobs
from voxgate.traces import AudioChunk, TrackLayout
from voxgate.traces.events import Json
from voxgate.traces.lanes import Run
from voxgate.traces.sound import SoundFacts
from voxgate.traces.tracks import Track

_BLOCK_SECONDS: Final = 10
_COPY_BYTES: Final = 1 << 20


class TrackWriter:
    """Decodes chunks and appends them to `user.pcm` and `assistant.pcm`."""

    def __init__(self, blobs: Blobs, prefix: str, layout: TrackLayout) -> None:
        self._blobs = blobs
        self._prefix = prefix
        self._layout = layout
        self._decoders: dict[Track, TrackDecoder] = {}

    def write(self, chunks: Sequence[AudioChunk]) -> None:
        pieces: dict[Track, list[bytes]] = {}
        for chunk in chunks:
            pieces.setdefault(chunk.track, []).append(self._decode(chunk.track, chunk))
        for track, data in pieces.items():
            self._append(track, b"".join(data))

    def finish(self) -> list[str]:
        """Writes what a resampler held back; the keys of the tracks."""
        for track, decoder in self._decoders.items():
            self._append(track, decoder.flush())
        return [f"{self._prefix}/{track}.pcm" for track in self._decoders]

    def _decode(self, track: Track, chunk: AudioChunk) -> bytes:
        decoder = self._decoders.get(track)
        if decoder is None:
            decoder = self._decoders[track] = TrackDecoder(self._layout.rate(track))
        return decoder.feed(chunk.format.kind, chunk.format.rate, chunk.data, chunk.frames)

    def _append(self, track: Track, data: bytes) -> None:
        if data:
            self._blobs.append(f"{self._prefix}/{track}.pcm", data)


@dataclass(slots=True)
class _Source:
    """A track's samples at the rate of the mix; `scale` turns frames of the track into frames of the file."""

    file: IO[bytes]
    scale: float

    def read(self, from_frame: int, frames: int) -> Samples:
        self.file.seek(from_frame * SAMPLE_BYTES)
        return to_samples(self.file.read(frames * SAMPLE_BYTES))


class CallMixer:
    """Makes `heard.pcm`, `mix.pcm` and `peaks.json` of a finished session. `steps` does it bit by bit, so
    that other sessions are not kept waiting; afterwards `tracks` describes the new tracks."""

    def __init__(self, blobs: Blobs, prefix: str, layout: TrackLayout, duration_ms: float) -> None:
        self._blobs = blobs
        self._prefix = prefix
        self._layout = layout
        self._duration_ms = duration_ms
        self._present = layout.present
        self._rate = max((layout.rate(track) for track in self._present), default=0)
        self._peaks: dict[str, list[float]] = {"user": [], "assistant": [], "heard": []}
        self._hearing = CallHearing(self._rate) if self._present else None
        self.sound: SoundFacts | None = None
        """What was measured, once all steps are done; None where there is nothing to hear."""
        self.tracks: dict[str, Json] = {}
        self.keys: list[str] = []

    def steps(self) -> Iterator[None]:
        if not self._present:
            return
        with ExitStack() as stack:
            sources: dict[Track, _Source] = {}
            for track in self._present:
                sources[track] = yield from self._open(stack, track)
            yield from self._write_mix(sources)
        key = f"{self._prefix}/peaks.json"
        self._blobs.put(key, orjson.dumps({"per_second": PER_SECOND, **self._peaks}))
        self.sound = self._hearing.facts() if self._hearing is not None else None

    def _open(self, stack: ExitStack, track: Track) -> Generator[None, None, _Source]:
        file: IO[bytes] = stack.enter_context(self._blobs.open(f"{self._prefix}/{track}.pcm"))
        rate = self._layout.rate(track)
        if rate == self._rate:
            return _Source(file, 1.0)
        resampled: IO[bytes] = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - the stack closes it
        resampler = StreamResampler(rate, self._rate)
        while data := file.read(_COPY_BYTES):
            resampled.write(resampler.feed(data))
            yield
        resampled.write(resampler.feed(b"", last=True))
        return _Source(resampled, self._rate / rate)

    def _write_mix(self, sources: dict[Track, _Source]) -> Iterator[None]:
        user_runs, assistant_runs = self._layout.user.runs, self._layout.assistant.runs
        user = self._lane(sources.get("user"), [(run, run.frames) for run in user_runs])
        generated = self._lane(sources.get("assistant"), [(run, run.frames) for run in assistant_runs])
        is_all_heard = all(run.heard_frames == run.frames for run in assistant_runs)
        heard = self._lane(sources.get("assistant"), [(run, run.heard_frames) for run in assistant_runs])
        total = math.ceil(self._end_ms() * self._rate / 1000)
        size = peak_frames(self._rate) * PER_SECOND * _BLOCK_SECONDS
        for start in range(0, total, size):
            self._write_block(
                start, min(size, total - start), user, heard, None if is_all_heard else generated
            )
            yield

    def _write_block(
        self, start: int, frames: int, user: LaneRenderer, heard: LaneRenderer, generated: LaneRenderer | None
    ) -> None:
        """Without `generated` all of it was heard. A function of its own: no sound is held while others
        have their turn."""
        left, right = user.block(start, frames), heard.block(start, frames)
        if "assistant" in self._present:
            self._append("heard", to_bytes(right), 1)
        self._append("mix", to_bytes(stereo(left, right)), 2)
        if self._hearing is not None:
            self._hearing.feed(left, right)
        self._peaks["user"] += peaks(left, self._rate)
        heard_peaks = peaks(right, self._rate)
        self._peaks["heard"] += heard_peaks
        self._peaks["assistant"] += (
            heard_peaks if generated is None else peaks(generated.block(start, frames), self._rate)
        )

    def _lane(self, source: _Source | None, runs: Sequence[tuple[Run, int]]) -> LaneRenderer:
        if source is None:
            return LaneRenderer([], lambda _from, _frames: to_samples(b""))
        pieces = [
            Piece(
                at_frame=round(run.start_ms * self._rate / 1000),
                from_frame=round(run.start_frame * source.scale),
                frames=round(frames * source.scale),
            )
            for run, frames in runs
            if frames
        ]
        return LaneRenderer(pieces, source.read)

    def _end_ms(self) -> float:
        """The call, and what still sounds after its end."""
        layout = self._layout
        return max(self._duration_ms, layout.user.end_ms, layout.assistant.heard_end_ms)

    def _append(self, name: str, data: bytes, channels: int) -> None:
        key = f"{self._prefix}/{name}.pcm"
        self._blobs.append(key, data)
        track = self.tracks.setdefault(name, {"rate": self._rate, "channels": channels, "bytes": 0})
        track["bytes"] += len(data)
        if key not in self.keys:
            self.keys.append(key)
