"""The two tracks of a session, the user's and the assistant's, as they are stored: raw samples while the call
runs and just after it, FLAC once the recording was put away. Bytes of s16le in, the same bytes out.
"""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Protocol, Self

import soundfile

from voxgate.audio.pcm import SAMPLE_BYTES
from voxgate.core.errors import NotFound
from voxgate.store import Blobs

FLAC_LEVEL: Final = 0.375
"""Of libsndfile's scale: level 3 of 8. Those above it take no more than a hundredth off a voice."""


class DamagedRecording(ValueError):
    """What is stored of a session is not what was put away: cut off, changed, or of a later Voxgate."""


class StoredTrack(Protocol):
    rate: int
    size: int
    """In bytes of samples."""

    def read(self, start: int, end: int) -> bytes:
        """The bytes `[start:end]` as far as they are there."""

    def close(self) -> None: ...


class PcmTrack:
    """Raw samples. A track that still grows has the size that it had when it was opened."""

    def __init__(self, file: BinaryIO, size: int, rate: int) -> None:
        self.rate = rate
        self.size = size
        self._file = file

    def read(self, start: int, end: int) -> bytes:
        self._file.seek(start)
        return self._file.read(max(min(end, self.size) - start, 0))

    def close(self) -> None:
        self._file.close()


class FlacTrack:
    """Anything that is no whole FLAC file is a DamagedRecording."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        try:
            self._sound = soundfile.SoundFile(_quickest(file))
        except (soundfile.SoundFileError, OSError) as error:
            raise DamagedRecording(f"The FLAC file of a track cannot be read: {error}") from error
        self.rate = self._sound.samplerate
        self.size = self._sound.frames * SAMPLE_BYTES
        self._at = 0

    def read(self, start: int, end: int) -> bytes:
        first = start // SAMPLE_BYTES
        frames = -(-min(end, self.size) // SAMPLE_BYTES) - first
        if frames <= 0:
            return b""
        try:
            data = self._read(first, frames)
        except soundfile.SoundFileError as error:
            raise DamagedRecording(f"The FLAC file of a track is damaged: {error}") from error
        skipped = start - first * SAMPLE_BYTES
        return data[skipped : skipped + end - start]

    def _read(self, first: int, frames: int) -> bytes:
        if first != self._at:
            self._sound.seek(first)
        buffer = bytearray(frames * SAMPLE_BYTES)
        found = self._sound.buffer_read_into(buffer, "int16")
        self._at = first + found
        return bytes(memoryview(buffer)[: found * SAMPLE_BYTES])

    def close(self) -> None:
        self._sound.close()
        self._file.close()


def _quickest(file: BinaryIO) -> BinaryIO | int:
    """A descriptor of its own where it is a file: through Python each frame would ask a dozen times where it
    is. `file` has not been read from."""
    try:
        return os.dup(file.fileno())
    except OSError:  # it is no file of this machine
        return file


def open_track(blobs: Blobs, prefix: str, name: str, rate: int) -> StoredTrack:
    """`rate` is for raw samples, which do not say it. NotFound when there is no such track."""
    key = f"{prefix}/{name}.pcm"
    size = blobs.size(key)
    if size is not None:
        try:
            return PcmTrack(blobs.open(key), size, rate)
        except NotFound:  # put away between the two
            pass
    return FlacTrack(blobs.open(f"{prefix}/{name}.flac"))


class _UnsyncedFile(soundfile.SoundFile):  # type: ignore[misc]  # it has no types
    def flush(self) -> None:
        """It would wait for the disk when it is closed: that is for whoever puts the file where it stays."""


class FlacWriter:
    """Writes a mono FLAC file of 16-bit samples; `with` closes it, which makes it whole. A rate that FLAC
    does not take is a ValueError of the first `write`; what comes later is the disk's, an OSError."""

    def __init__(self, path: Path, rate: int) -> None:
        self._rate = rate
        self._begun = False
        self._sound = _UnsyncedFile(
            path, "w", rate, 1, format="FLAC", subtype="PCM_16", compression_level=FLAC_LEVEL
        )

    def write(self, data: bytes) -> None:
        try:
            self._sound.buffer_write(data, "int16")
        except soundfile.SoundFileError as error:
            if self._begun:
                raise OSError(f"A FLAC file could not be written: {error}") from error
            raise ValueError(f"Sound at {self._rate} Hz cannot be written as FLAC: {error}") from error
        self._begun = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._sound.close()


class Window:
    """Reads a track piece by piece from its beginning to its end, in large steps. Going back a little is
    possible."""

    _STEP: Final = 1 << 17

    def __init__(self, track: StoredTrack) -> None:
        self._track = track
        self._start = 0
        self._data = b""

    def read(self, start: int, size: int) -> bytes:
        """So many bytes; fewer at the end."""
        at = start - self._start
        if at < 0 or at + size > len(self._data):
            self._start, at = start, 0
            self._data = self._track.read(start, start + max(size, self._STEP))
        return self._data[at : at + size]
