"""What the rules of a project find is taken out of what is stored of a call that is over: of the event log's
words, of its sound, and of the tracks. Files in, files of the same lengths out; what was there is gone.

The tracks are written before the log: as long as the log has the words, all can be done again.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
import pybase64

from voxgate.audio.pcm import SAMPLE_BYTES
from voxgate.core.patterns import mark_of
from voxgate.realtime.screening import Screen
from voxgate.recording.eventlog import read_event
from voxgate.recording.later import LATER
from voxgate.recording.reading import LOG, read_lines
from voxgate.recording.tracks import open_track
from voxgate.recording.utterances import Stretch, Utterances, stream_key
from voxgate.recording.wording import Words, clean_pieces
from voxgate.store import Blobs
from voxgate.traces import AudioChunk, Event, TrackLayout
from voxgate.traces.formats import AudioFormat
from voxgate.traces.tracks import TRACKS, Track

_LINES_PER_STEP: Final = 64
_BLOCK_BYTES: Final = 1 << 20
_SILENCE: Final = {"pcm": b"\0", "pcmu": b"\xff", "pcma": b"\xd5"}
_MEMBERS: Final = {"user": "audio", "assistant": "delta"}
_UNREADABLE: Final = "unreadable"


def silence_tracks(
    blobs: Blobs, prefix: str, layout: TrackLayout, stretches: Sequence[Stretch], folder: Path
) -> Iterator[None]:
    """Bit by bit, in files of `folder` first."""
    for name in TRACKS:
        silent = [one for one in stretches if one.track == name]
        if silent and name in layout.present:
            yield from _silence_track(blobs, prefix, name, layout.rate(name), silent, folder)


def _silence_track(
    blobs: Blobs, prefix: str, name: Track, rate: int, silent: Sequence[Stretch], folder: Path
) -> Iterator[None]:
    scratch, track = folder / f"{name}.pcm", open_track(blobs, prefix, name, rate)
    try:
        with scratch.open("wb") as target:
            for at in range(0, track.size, _BLOCK_BYTES):
                block = np.frombuffer(track.read(at, at + _BLOCK_BYTES), np.uint8).copy()
                for one in silent:
                    start, end = (max(frame * SAMPLE_BYTES - at, 0) for frame in (one.start, one.end))
                    block[start:end] = 0
                target.write(block.tobytes())
                yield
    finally:
        track.close()
    blobs.put_file(f"{prefix}/{name}.pcm", scratch)


def redact_log(blobs: Blobs, prefix: str, cleaner: LogCleaner, folder: Path) -> Generator[None, None, bool]:
    """Bit by bit; whether anything of it was taken out. A log of which nothing is stays as it is stored."""
    scratch = folder / LOG
    with scratch.open("wb") as target:
        for number, line in enumerate(read_lines(blobs, prefix)):
            target.write(cleaner.line(line))
            if not number % _LINES_PER_STEP:
                yield
    if cleaner.changed:
        blobs.put_file(f"{prefix}/{LOG}", scratch)
        blobs.delete_prefix(f"{prefix}/{LATER}")
    return cleaner.changed


class _Place:
    """Where a track's next chunk lies, counted as `audio.pcm.TrackDecoder` and `traces.tracks` count."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._format: AudioFormat | None = None
        self._first_frame = 0
        self._bytes = 0
        self._frames = 0

    def of(self, chunk: AudioChunk) -> int | None:
        """The byte of the track where it begins; None where the track has it resampled."""
        if chunk.format != self._format:
            self._format, self._first_frame, self._bytes = chunk.format, self._frames, 0
        at = self._bytes * SAMPLE_BYTES // chunk.format.sample_bytes
        self._bytes += len(chunk.data)
        self._frames += chunk.frames
        return self._first_frame * SAMPLE_BYTES + at if chunk.format.rate == self._rate else None


class LogCleaner:
    """Takes the lines one by one, in their order."""

    def __init__(
        self,
        words: Words,
        utterances: Utterances,
        stretches: Sequence[Stretch],
        *,
        hides_files: bool = False,
    ) -> None:
        """`hides_files`: of files that were sent or made, and of sound in other places than a call's, nothing
        stays; as it is where some of the sound is hidden."""
        self.changed = False
        self._hides_files = hides_files or bool(stretches)
        self._words = words
        self._stretches = stretches
        self._layout = TrackLayout()
        self._places: dict[Track, _Place] = {}
        self._screen = Screen(audio=not self._hides_files, text=True)
        self._pieces = {
            key: iter(clean_pieces(stream.pieces, words.find(stream.text)))
            for key, stream in utterances.streams.items()
        }

    def line(self, line: bytes) -> bytes:
        event = read_event(line)
        if event is None:
            return line
        chunks = self._layout.feed(event)
        cleaned = self._sounding(line, event, chunks) if chunks else self._wording(line, event)
        self.changed = self.changed or cleaned is not line
        return cleaned

    # Sound

    def _sounding(self, line: bytes, event: Event, chunks: Sequence[AudioChunk]) -> bytes:
        for chunk in chunks:
            silent = self._silent(chunk)
            if silent is not None:
                entry = orjson.loads(line)
                entry["msg"][_MEMBERS[chunk.track]] = pybase64.b64encode(silent).decode()
                return orjson.dumps(entry) + b"\n"
        return line

    def _silent(self, chunk: AudioChunk) -> bytes | None:
        """Its sound with silence in place of what is hidden; None if nothing of it is."""
        rate = self._layout.rate(chunk.track)
        place = self._places.setdefault(chunk.track, _Place(rate))
        first = self._layout.frames(chunk.track) - chunk.frames
        at = place.of(chunk)
        data = np.frombuffer(chunk.data, np.uint8).copy()
        silence, is_hidden = _SILENCE[chunk.format.kind][0], False
        for one in self._stretches:
            if one.track != chunk.track or one.start >= first + chunk.frames + 1 or one.end <= first - 1:
                continue
            is_hidden = True
            if at is None:  # it is another rate than the track's: all of the message
                data[:] = silence
                continue
            scale = SAMPLE_BYTES // chunk.format.sample_bytes
            start, end = ((frame * SAMPLE_BYTES - at) // scale for frame in (one.start, one.end))
            data[max(start, 0) : max(end, 0)] = silence
        return data.tobytes() if is_hidden else None

    # Words

    def _wording(self, line: bytes, event: Event) -> bytes:
        if event.msg is not None:
            message = self._message(event, event.msg)
            return line if message is event.msg else _with(line, "msg", message)
        if event.close is not None:
            close = self._words.cleaned(event.close)
            return line if close is event.close else _with(line, "close", close)
        return self._raw(line, event.raw or b"")

    def _message(self, event: Event, message: dict[str, Any]) -> dict[str, Any]:
        if event.dir == "gateway" and event.type == "gateway.opened":
            return message  # the request and the credential: no words of the call
        if event.dir == "gateway" and event.type == "gateway.transcribed":
            return {**message, **self._words.cleaned({key: message.get(key) for key in ("text", "error")})}
        key = stream_key(event, message)
        if key is not None and key in self._pieces:
            piece = next(self._pieces[key], "")
            return message if piece == message.get("delta") else {**message, "delta": piece}
        cleaned: dict[str, Any] = self._words.cleaned(message)
        if self._hides_files and event.type not in (
            "input_audio_buffer.append",
            "response.output_audio.delta",
        ):
            screened = self._screen.event(cleaned)
            cleaned = cleaned if screened == cleaned else screened
        return cleaned

    def _raw(self, line: bytes, raw: bytes) -> bytes:
        """What could not be read as JSON may hold words all the same, and files of a call of which some is
        silenced the sound."""
        if not self._hides_files and not self._words.find(raw.decode(errors="replace")):
            return line
        return _with(line, "raw", pybase64.b64encode(mark_of(_UNREADABLE).encode()).decode())


def _with(line: bytes, name: str, value: Any) -> bytes:
    entry = orjson.loads(line)
    entry[name] = value
    return orjson.dumps(entry) + b"\n"
