"""The sound of one session as blobs: while it runs, the two tracks grow; at its end come the plan of the
whole call and its peaks. Everything goes through in blocks, nothing is held as a whole.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from voxgate.audio.pcm import TrackDecoder
from voxgate.audio.peaks import PER_SECOND, peak_frames, peaks, peaks_bytes, peaks_json, wave
from voxgate.jobs.hearing import CallHearing
from voxgate.jobs.memory import give_back
from voxgate.recording.sound import CallSound, plan_of
from voxgate.store import Blobs
from voxgate.traces import AudioChunk, TrackLayout
from voxgate.traces.events import Json
from voxgate.traces.sound import SoundFacts
from voxgate.traces.tracks import Track

_BLOCK_SECONDS: Final = 10
_LONG_SECONDS: Final = 600
"""Of such a call each of the last steps takes MBs, which the next one would come on top of."""


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
            track = chunk.track
            if track not in pieces:
                pieces[track] = []
            if (decoder := self._decoders.get(track)) is None:
                decoder = self._decoders[track] = TrackDecoder(self._layout.rate(track))
            chunk_format = chunk.format
            pieces[track].append(decoder.feed(chunk_format.kind, chunk_format.rate, chunk.data, chunk.frames))
        for track, data in pieces.items():
            self._append(track, b"".join(data))

    def finish(self) -> None:
        """Writes what a resampler held back."""
        for track, decoder in self._decoders.items():
            self._append(track, decoder.flush())

    def _append(self, track: Track, data: bytes) -> None:
        if data:
            self._blobs.append(f"{self._prefix}/{track}.pcm", data)


class CallMixer:
    """Makes `lanes.json` and `peaks.json` of a finished session. `steps` does it bit by bit, so that other
    sessions are not kept waiting; afterwards `tracks` describes what can be heard of the whole call."""

    def __init__(self, blobs: Blobs, prefix: str, layout: TrackLayout, duration_ms: float) -> None:
        self._blobs = blobs
        self._prefix = prefix
        self._plan = plan_of(layout, duration_ms)
        self._peaks = {name: array("H") for name in ("user", "assistant", "heard")}
        self._hearing = CallHearing(self._plan.rate) if self._plan.rates else None
        self.sound: SoundFacts | None = None
        """What was measured, once all steps are done; None where there is nothing to hear."""
        self.tracks: dict[str, Json] = dict(self._plan.shapes)
        self.wave: Json | None = None
        """The call in few bars, for lists; None where there is nothing to hear."""
        self.keys: list[str] = []

    def steps(self) -> Iterator[None]:
        if not self.tracks:
            return
        with CallSound(self._blobs, self._prefix, self._plan) as sound:
            yield from sound.opening()
            size = peak_frames(self._plan.rate) * PER_SECOND * _BLOCK_SECONDS
            for start in range(0, self._plan.frames, size):
                self._hear(sound, start, min(size, self._plan.frames - start))
                yield
        self._put("lanes.json", self._plan.to_json())
        self._put("peaks.json", peaks_json(self._peaks))
        lanes = [np.frombuffer(values, np.uint16) for values in self._peaks.values()]
        self._put("peaks.bin", peaks_bytes(lanes))
        self.wave = {"user": wave(self._peaks["user"]), "assistant": wave(self._peaks["heard"])}
        is_long = len(self._peaks["user"]) > _LONG_SECONDS * PER_SECOND
        if is_long:
            give_back()
        self.sound = self._hearing.facts() if self._hearing is not None else None
        if is_long:
            give_back()

    def _hear(self, sound: CallSound, start: int, frames: int) -> None:
        """A function of its own: no sound is held while others have their turn."""
        rate = self._plan.rate
        user, heard = sound.block("user", start, frames), sound.block("heard", start, frames)
        if self._hearing is not None:
            self._hearing.feed(user, heard)
        heard_peaks = generated_peaks = peaks(heard, rate)
        if not self._plan.is_all_heard:
            generated_peaks = peaks(sound.block("generated", start, frames), rate)
        found = {"user": peaks(user, rate), "assistant": generated_peaks, "heard": heard_peaks}
        for name, values in found.items():
            self._peaks[name].frombytes(values.tobytes())

    def _put(self, name: str, data: bytes) -> None:
        key = f"{self._prefix}/{name}"
        self._blobs.put(key, data)
        self.keys.append(key)
