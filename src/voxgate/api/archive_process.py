"""The process of an `Archive`: questions on its standard input, a socket, and an answer to each. It ends with
whoever asks, or when nobody has asked for a while.
"""

from __future__ import annotations

import os
import signal
from collections import OrderedDict
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any, Final

from voxgate.core.errors import BlobsUnavailable, NotFound
from voxgate.realtime.peek import without_sound
from voxgate.recording.images import Images
from voxgate.recording.listening import Listener, LiveCall, no_peaks, peaks_of, stored_peaks
from voxgate.recording.reading import OpenSound, read_lines
from voxgate.store import Blobs

_MOST_OPEN: Final = 16
"""Of each kind: the one that was asked for longest ago is forgotten."""


class _Log:
    """The bytes of an event log, read forwards."""

    def __init__(self, lines: Iterator[bytes]) -> None:
        self._lines = lines
        self._rest = b""
        self.at = 0

    def read(self, most: int) -> bytes:
        pieces, size = [self._rest], len(self._rest)
        while size < most and (line := next(self._lines, b"")):
            pieces.append(line)
            size += len(line)
        data = b"".join(pieces)
        self._rest = data[most:]
        self.at += min(most, size)
        return data[:most]


class _Answers:
    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._sounds: OrderedDict[tuple[str, str, str], OpenSound] = OrderedDict()
        self._logs: OrderedDict[tuple[str, int, bool], _Log] = OrderedDict()
        self._calls: OrderedDict[str, LiveCall] = OrderedDict()
        self._listeners: OrderedDict[str, Listener] = OrderedDict()
        self._images = Images()

    def sound(self, session_id: str, track: str, stamp: str) -> tuple[int, int, int]:
        found = self._open(session_id, track, stamp)
        return found.rate, found.channels, found.size

    def read_sound(self, session_id: str, track: str, stamp: str, start: int, end: int) -> bytes:
        return self._open(session_id, track, stamp).read(start, end)

    def read_events(self, session_id: str, start: int, most: int, sound: bool) -> bytes:
        """Several may read the same log; each goes on where the log was left for it. Without sound, bytes are
        counted as they come out here."""
        log = self._logs.pop((session_id, start, sound), None)
        if log is None:
            lines = read_lines(self._blobs, f"sessions/{session_id}")
            log = _Log(lines if sound else map(without_sound, lines))
            while log.at < start and log.read(min(most, start - log.at)):
                pass
        data = log.read(most)
        if data:
            _keep(self._logs, (session_id, log.at, sound), log)
        return data

    def listen(self, session_id: str, listener: str) -> tuple[float, bytes] | None:
        """Where on the call's clock the listener has begun, and what was heard since it last asked; None
        while the log of the call is still being read."""
        call = self._call(session_id)
        if not call.follow():
            return None
        ear = self._listeners.pop(listener, None) or Listener(call)
        _keep(self._listeners, listener, ear)
        return ear.start_ms, ear.hear()

    def peaks(self, session_id: str, start: int, live: bool) -> bytes | None:
        """None while the log of the call is still being read. A call that has no log or no peaks is about to
        have them, or has just ended: who draws it asks again, and it is no error until then."""
        try:
            if live:
                call = self._call(session_id)
                return peaks_of(call, start) if call.follow() else None
            with self._blobs.open(f"sessions/{session_id}/peaks.json") as file:
                return stored_peaks(file.read(), start)
        except NotFound:
            return no_peaks(start)

    def no_peaks(self, start: int) -> bytes:
        return no_peaks(start)

    def image(self, session_id: str, stamp: str, digest: str) -> tuple[str, bytes]:
        found = self._images.find(self._blobs, f"sessions/{session_id}", stamp, digest)
        return found.content_type, found.data

    def _call(self, session_id: str) -> LiveCall:
        call = self._calls.pop(session_id, None) or LiveCall(self._blobs, f"sessions/{session_id}")
        _keep(self._calls, session_id, call)
        return call

    def _open(self, session_id: str, track: str, stamp: str) -> OpenSound:
        found = self._sounds.pop((session_id, track, stamp), None)
        found = found or OpenSound(self._blobs, f"sessions/{session_id}", track)
        self._sounds[session_id, track, stamp] = found
        if len(self._sounds) > _MOST_OPEN:
            self._sounds.popitem(last=False)[1].close()
        return found


def _keep(kept: OrderedDict[Any, Any], key: Any, value: Any) -> None:
    kept[key] = value
    if len(kept) > _MOST_OPEN:
        kept.popitem(last=False)


def answer(answers: _Answers, question: tuple[Any, ...]) -> tuple[str, Any]:
    name, *arguments = question
    try:
        return "answer", getattr(answers, name)(*arguments)
    except NotFound as error:
        return "not found", str(error)
    except BlobsUnavailable as error:
        return "unavailable", str(error)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told to the one who asked
        return "failed", f"The recording cannot be read: {error}"


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it ends with the worker, which the terminal interrupts too
    os.nice(10)  # running calls go before playing
    connection: Connection[Any, Any] = Connection(os.dup(0))
    blobs, idle_seconds = connection.recv()
    answers = _Answers(blobs)
    try:
        while connection.poll(idle_seconds):
            connection.send(answer(answers, connection.recv()))
    except (EOFError, ConnectionError):
        pass


if __name__ == "__main__":
    main()
