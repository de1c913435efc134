"""The event log of a call that is over, put away: lines in, fewer bytes out, and the same lines back. Sound
that is in the tracks is taken out of its line; what is left is compressed with zstd (docs/formats.md).

Of each line it is tried whether it comes back as it was. One that does not is kept as a whole: base64 that is
written in another way, sound that is in no track or was resampled for it.
"""

from __future__ import annotations

import binascii
import hashlib
import io
import re
import sys
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from typing import BinaryIO, Final

import numpy as np
import orjson
import pybase64
from numpy.typing import NDArray

from voxgate.audio.g711 import decode_alaw, decode_ulaw, encode_alaw, encode_ulaw
from voxgate.audio.pcm import SAMPLE_BYTES, to_bytes, to_samples
from voxgate.realtime.peek import base64_bytes, begin_of_sound
from voxgate.recording.eventlog import read_event
from voxgate.recording.tracks import DamagedRecording, StoredTrack, Window
from voxgate.traces import AudioChunk, TrackLayout
from voxgate.traces.formats import AudioFormat
from voxgate.traces.tracks import Track

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

VERSION: Final = 1
_HEAD: Final = {"format": "voxgate.events", "version": VERSION}
_LEVEL: Final = 6
"""Higher ones take several times as long for less than a twentieth."""
_QUICK_LEVEL: Final = 3
"""Of the log of a request: it is no larger than a block of the disk, and takes a quarter of the time."""
_LINES_AT_ONCE: Final = 256
_READ_BYTES: Final = 1 << 16
_PROOF_BYTES: Final = 1 << 18
_LONGEST_LINE: Final = 256 << 20
"""More than the largest message in base64."""

_LETTERS: Final[dict[Track, bytes]] = {"user": b"u", "assistant": b"a"}
_NAMES: Final[dict[bytes, Track]] = {letter: name for name, letter in _LETTERS.items()}
_CODINGS: Final = {"pcm": b"p", "pcmu": b"m", "pcma": b"l"}
_SOUND: Final = re.compile(
    rb"~([ua])([pml])(\d{1,12}) (\d{1,9})(?: @(\d{1,15}))?(?: -([A-Za-z0-9+/]+={0,2}))? "
)
_SOUND_BEGINS: Final = re.compile(rb'"(audio|delta)"\s*:\s*"')
_SENDERS: Final[dict[bytes, tuple[Track, bytes, bytes]]] = {
    b"audio": ("user", b'"dir":"client"', b'"input_audio_buffer.append"'),
    b"delta": ("assistant", b'"dir":"server"', b'audio.delta"'),
}
_FORMAT_EVENTS: Final = frozenset((
    "gateway.opened", "session.created", "session.updated", "session.update", "error", "response.created",
    "response.done",
))  # fmt: skip
"""Those after which `TrackLayout` may take the same bytes for another format."""
_MINUS_ZERO: Final = 0x7F
"""Of mu-law: it sounds like 0xFF, so a track does not tell them apart."""
_KINDS: Final = b"=-~."
_IS_WHOLE, _HAS_NO_BREAK = _KINDS[0], _KINDS[1]

Tracks = Mapping[Track, StoredTrack]


def write_compact(lines: Iterable[bytes], tracks: Tracks, target: BinaryIO) -> Generator[int, None, bytes]:
    """Writes the log to `target`; gives the number of lines from time to time, so that others may have their
    turn, and at last the line that it ends with. `lines` have their line breaks; only the last one may be
    without."""
    with zstd.ZstdFile(target, "w", options=_OPTIONS) as file:
        file.write(orjson.dumps(_HEAD) + b"\n")
        compactor = _Compactor(tracks)
        digest, size, count = hashlib.sha256(), 0, 0
        written: list[bytes] = []
        for count, line in enumerate(lines, 1):
            written.append(compactor.line(line))
            digest.update(line)
            size += len(line)
            if not count % _LINES_AT_ONCE:
                file.write(b"".join(written))
                written.clear()
                yield count
        end = b"." + orjson.dumps({"lines": count, "bytes": size, "sha256": digest.hexdigest()}) + b"\n"
        file.write(b"".join(written) + end)
    return end


def compact_soundless(lines: Sequence[bytes]) -> bytes:
    """What `write_compact` writes of a log that nothing is to be taken out of, but packed less tightly; read
    back and compared."""
    text = b"".join(lines)
    said = {"lines": len(lines), "bytes": len(text), "sha256": hashlib.sha256(text).hexdigest()}
    written = [orjson.dumps(_HEAD), b"\n", *map(_whole, lines), b".", orjson.dumps(said), b"\n"]
    whole = b"".join(written)
    stored = zstd.compress(whole, options=_QUICK_OPTIONS)
    if zstd.decompress(stored) != whole:
        raise DamagedRecording("The log would come back as another one.")
    return stored


def read_compact(source: BinaryIO, tracks: Tracks) -> Iterator[bytes]:
    """The lines as they were. DamagedRecording as soon as that is known, at the latest at the end: without it
    nothing is left out and every byte is as it was."""
    digest, size, count = hashlib.sha256(), 0, 0
    windows = {name: Window(track) for name, track in tracks.items()}
    positions: dict[bytes, int] = {}
    for line in _stored_lines(source):
        if line[:1] == b".":
            _check_end(line, {"lines": count, "bytes": size, "sha256": digest.hexdigest()})
            return
        restored = b"".join(_restored(line, windows, positions))
        digest.update(restored)
        size, count = size + len(restored), count + 1
        yield restored
    raise DamagedRecording("The log has no end: it was cut off.")


def _options(level: int) -> Mapping[int, int]:
    return {zstd.CompressionParameter.compression_level: level, zstd.CompressionParameter.checksum_flag: 1}


_OPTIONS: Final = _options(_LEVEL)
_QUICK_OPTIONS: Final = _options(_QUICK_LEVEL)


# Writing


class _Place:
    """Where a track's next chunk lies, counted as `audio.pcm.TrackDecoder` and `traces.tracks` count."""

    def __init__(self, track: StoredTrack) -> None:
        self.window = Window(track)
        self.format: AudioFormat | None = None
        self.coding = b""
        self._rate = track.rate
        self._is_as_it_came = False
        self._scale = 1
        self._first_byte = 0
        self._bytes = 0

    @property
    def at(self) -> int | None:
        """The byte of the track; None where the track has sound of this format resampled."""
        return self._first_byte + self._bytes * self._scale if self._is_as_it_came else None

    def begin(self, chunk_format: AudioFormat) -> None:
        """In the format of the chunk that comes now."""
        before = self.format
        if chunk_format == before:
            return
        if before is not None:
            samples = self._bytes // before.sample_bytes
            self._first_byte += samples * self._rate // before.rate * SAMPLE_BYTES
            self._bytes = 0
        self.format = chunk_format
        self.coding = _CODINGS[chunk_format.kind]
        self._is_as_it_came = chunk_format.rate == self._rate
        self._scale = SAMPLE_BYTES // chunk_format.sample_bytes

    def go_on(self, size: int) -> None:
        self._bytes += size


class _Compactor:
    """Nearly all lines carry sound in the format of the one before, which lies in its track just behind it:
    those are only compared. The others are read as events, for the formats."""

    def __init__(self, tracks: Tracks) -> None:
        self._layout = TrackLayout()
        self._places = {name: _Place(track) for name, track in tracks.items()}
        self._known: dict[Track, _Place] = {}
        """Where no event since the track's last chunk may have changed its format."""
        self._next: dict[Track, int] = {}

    def line(self, line: bytes) -> bytes:
        return self._known_sound(line) or self._read(line) or _whole(line)

    def _known_sound(self, line: bytes) -> bytes | None:
        if (found := begin_of_sound(line)) is None:
            return None
        member, start = found
        track, direction, kind = _SENDERS[member]
        place = self._known.get(track)
        if place is None or (end := line.find(b'"', start)) < 0:
            return None
        head = line[:start]
        if direction not in head or (kind not in head and kind not in line[end:]):
            return None
        return self._without_sound(line, track, place, start, end)

    def _read(self, line: bytes) -> bytes | None:
        event = read_event(line)
        if event is None:
            return None
        for chunk in self._layout.feed(event):
            return self._unknown_sound(line, chunk)
        if event.type in _FORMAT_EVENTS:
            self._known.clear()
        return None

    def _unknown_sound(self, line: bytes, chunk: AudioChunk) -> bytes | None:
        begin, place = _SOUND_BEGINS.search(line), self._places.get(chunk.track)
        if place is None:
            return None
        place.begin(chunk.format)
        if place.at is not None:
            self._known[chunk.track] = place
        found = None
        if begin is not None and place.at is not None:
            end = line.find(b'"', begin.end())
            found = self._without_sound(line, chunk.track, place, begin.end(), end)
        if found is None:
            place.go_on(len(chunk.data))
        return found

    def _without_sound(self, line: bytes, track: Track, place: _Place, start: int, end: int) -> bytes | None:
        """The line without what is between the two places, if that is the track's sound at its place."""
        at, size = place.at, base64_bytes(line, start, end)
        if at is None or not line.endswith(b"\n"):
            return None
        coding, zeros = place.coding, b""
        if coding == b"p":
            stored = place.window.read(at, size)
            encoded = pybase64.b64encode(stored)
        else:
            stored = place.window.read(at, _stored_size(coding, size))
            encoded, zeros = _companded(coding, line[start:end], stored)
        if len(encoded) != end - start or not line.startswith(encoded, start):
            return None
        place.go_on(size)
        moved = b"" if at == self._next.get(track, 0) else b" @%d" % at
        self._next[track] = at + len(stored)
        head = b"~%b%b%d %d%b%b " % (_LETTERS[track], coding, size, start, moved, zeros)
        return head + line[:start] + line[end:]


def _whole(line: bytes) -> bytes:
    return b"=" + line if line.endswith(b"\n") else b"-" + line + b"\n"


def _companded(coding: bytes, text: bytes, stored: bytes) -> tuple[bytes, bytes]:
    """The text as it would come back from the track's samples, and the mark of its negative zeros, which they
    do not tell from others; no text if it would not come back."""
    try:
        data = pybase64.b64decode(text, validate=True)
    except binascii.Error:
        return b"", b""
    if to_bytes(decode_alaw(data) if coding == b"l" else decode_ulaw(data)) != stored:
        return b"", b""
    return pybase64.b64encode(data), _minus_zeros(data) if coding == b"m" else b""


def _stored_size(coding: bytes, size: int) -> int:
    return size if coding == b"p" else size * SAMPLE_BYTES


def _minus_zeros(data: bytes) -> bytes:
    """Which of the zeros are negative ones, a bit for each, in base64; nothing if none is."""
    if _MINUS_ZERO not in data:
        return b""
    codes = np.frombuffer(data, np.uint8)
    zeros = codes[(codes == _MINUS_ZERO) | (codes == 0xFF)]
    return b" -" + pybase64.b64encode(np.packbits(zeros == _MINUS_ZERO).tobytes())


def _sound(coding: bytes, stored: bytes, zeros: bytes | None) -> bytes:
    """The bytes that crossed the wire, from those of the track."""
    if coding == b"p":
        return stored
    samples = to_samples(stored)
    if coding == b"l":
        return encode_alaw(samples)
    encoded = encode_ulaw(samples)
    if zeros is None:
        return encoded
    codes = np.frombuffer(encoded, np.uint8).copy()
    places = np.flatnonzero(codes == 0xFF)
    negative = _bits(zeros)
    if len(negative) < len(places):
        raise DamagedRecording("A line has fewer signs than zeros.")
    codes[places[negative[: len(places)] == 1]] = _MINUS_ZERO
    return codes.tobytes()


def _bits(encoded: bytes) -> NDArray[np.uint8]:
    try:
        return np.unpackbits(np.frombuffer(pybase64.b64decode(encoded, validate=True), np.uint8))
    except binascii.Error as error:
        raise DamagedRecording(f"The signs of a line's zeros cannot be read: {error}") from error


# Reading


def _stored_lines(source: BinaryIO) -> Iterator[bytes]:
    try:
        # Its own `readline` takes longer than most of the lines.
        with zstd.ZstdFile(source) as stored, io.BufferedReader(stored, _READ_BYTES) as file:
            _check_head(file.readline(_LONGEST_LINE))
            while line := file.readline(_LONGEST_LINE):
                if not line.endswith(b"\n") or line[0] not in _KINDS:
                    raise DamagedRecording("The log has a line that is none.")
                yield line
    except (zstd.ZstdError, EOFError) as error:
        raise DamagedRecording(f"The log is damaged or cut off: {error}") from error


def _check_head(line: bytes) -> None:
    try:
        head = orjson.loads(line)
    except orjson.JSONDecodeError:
        head = None
    if not isinstance(head, dict) or head.get("format") != _HEAD["format"]:
        raise DamagedRecording("The file is no event log that was put away.")
    if head.get("version") != VERSION:
        raise DamagedRecording(f"The log has version {head.get('version')}; this Voxgate reads {VERSION}.")


def _check_end(line: bytes, found: dict[str, int | str]) -> None:
    try:
        expected = orjson.loads(line[1:])
    except orjson.JSONDecodeError:
        expected = None
    if expected != found:
        raise DamagedRecording("The log is not what was put away: its lines or its tracks were changed.")


def _restored(line: bytes, windows: Mapping[Track, Window], positions: dict[bytes, int]) -> tuple[bytes, ...]:
    """The line as it was, in pieces."""
    kind = line[0]
    if kind == _IS_WHOLE:
        return (line[1:],)
    if kind == _HAS_NO_BREAK:
        return (line[1:-1],)
    head = _SOUND.match(line)
    if head is None:
        raise DamagedRecording("The log has a line that is none.")
    letter, coding, count, place, moved, zeros = head.groups()
    size = _stored_size(coding, int(count))
    at = positions.get(letter, 0) if moved is None else int(moved)
    positions[letter] = at + size
    window = windows.get(_NAMES[letter])
    stored = window.read(at, size) if window is not None else b""
    if len(stored) != size:
        raise DamagedRecording(f"The track {_NAMES[letter]} is shorter than its log says.")
    begin = head.end()
    middle = begin + int(place)
    return line[begin:middle], pybase64.b64encode(_sound(coding, stored, zeros)), line[middle:]


# Proof


def prove_compact(raw: BinaryIO, source: BinaryIO, tracks: Tracks, end: bytes) -> Iterator[int]:
    """That the log in `source` gives back the lines in `raw`, byte by byte, and ends with `end`, as
    `write_compact` said. Gives the number of lines from time to time; DamagedRecording if it is not so. What
    `end` says of the lines was said of these very bytes, so it need not be summed up again."""
    expected = _Expected(raw)
    windows = {name: Window(track) for name, track in tracks.items()}
    positions: dict[bytes, int] = {}
    for number, line in enumerate(_stored_lines(source)):
        if line[:1] == b".":
            if line != end or not expected.is_over():
                raise DamagedRecording("The end of the log would not come back.")
            return
        if not expected.goes_on_with(_restored(line, windows, positions)):
            raise DamagedRecording(f"Line {number} of the log would come back as another one.")
        if not number % _LINES_AT_ONCE:
            yield number
    raise DamagedRecording("The log has no end.")


class _Expected:
    """Compares pieces with what a file holds, in large steps."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._data = b""
        self._at = 0

    def goes_on_with(self, pieces: Iterable[bytes]) -> bool:
        for piece in pieces:
            end = self._at + len(piece)
            if end > len(self._data):
                self._data = self._data[self._at :] + self._file.read(max(len(piece), _PROOF_BYTES))
                self._at, end = 0, len(piece)
            if not self._data.startswith(piece, self._at):
                return False
            self._at = end
        return True

    def is_over(self) -> bool:
        return self._at == len(self._data) and not self._file.read(1)
