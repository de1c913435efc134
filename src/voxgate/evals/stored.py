"""Sessions out of the store, for what runs where it is: the recorder."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import orjson

from voxgate.audio.wav import wav_header
from voxgate.core.errors import NotFound
from voxgate.evals.model import Json
from voxgate.evals.session import Session
from voxgate.evals.sound import Track
from voxgate.recording.reading import OpenSound, read_lines
from voxgate.store import Blobs, Store

_PIECE_BYTES: Final = 1 << 18


class StoreSource:
    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs

    def audio(self, session_id: str, track: Track) -> Iterator[bytes]:
        try:
            opened = OpenSound(self._blobs, f"sessions/{session_id}", track)
        except NotFound:
            return
        with opened as sound:
            yield wav_header(sound.rate, sound.channels, sound.size)
            for first in range(0, sound.size, _PIECE_BYTES):
                yield sound.read(first, min(first + _PIECE_BYTES, sound.size))

    def events(self, session_id: str) -> Iterator[Json]:
        yield from map(orjson.loads, read_lines(self._blobs, f"sessions/{session_id}"))


def stored_session(store: Store, blobs: Blobs, session_id: str) -> Session:
    """NotFound if there is none."""
    row = store.get_session(session_id, with_spans=True)
    if row is None:
        raise NotFound(f"There is no session {session_id!r}.", param="session_id")
    return Session(row_as_trace(row), StoreSource(blobs))


def row_as_trace(row: Json) -> Json:
    """The fields of the session and of its data side by side, as the API shows them."""
    data = row.get("data") or {}
    fields = {name: value for name, value in row.items() if name not in ("data", "errors")}
    return {**data, **fields, "errors": data.get("errors") or []}
