"""Where recordings come from, and what is made of one before it is played: lines of an event log in, a
`Recording` out. What they say stays in a file meanwhile, however long the call was.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import IO, Any, Final, Protocol

import orjson

from voxgate.core.errors import NotFound, NotReplayable, SettingsError
from voxgate.core.kinds import Kind, kind_of_url
from voxgate.evals.playback.cutting import Cutter
from voxgate.evals.playback.script import Json, Script
from voxgate.evals.playback.sound import is_missing
from voxgate.providers.adapters import ADAPTERS
from voxgate.realtime.dialects import Dialect, MessageTranslator, Translator
from voxgate.recording.eventlog import read_event
from voxgate.recording.reading import read_lines
from voxgate.recording.tracks import DamagedRecording
from voxgate.store import Blobs, Store
from voxgate.traces.events import GATEWAY, SERVER, Event, name_of, string

_IN_MEMORY_BYTES: Final = 4 << 20
_DELTA: Final = "response.output_audio.delta"


class Recordings(Protocol):
    """Where the event logs are."""

    def lines(self, model: str, project: str | None) -> Iterator[bytes]:
        """Of the recording that a model means. `project`: only of this one. NotFound, NotReplayable."""
        ...


class StoredSessions:
    """The sessions of a Voxgate, as `replay:<session id>`."""

    def __init__(self, store: Store, blobs: Blobs) -> None:
        self._store = store
        self._blobs = blobs

    def lines(self, model: str, project: str | None) -> Iterator[bytes]:
        session_id = model.partition(":")[2]
        row = self._store.get_session(session_id, with_spans=False)
        if row is None or project not in (None, row["project"]):
            raise NotFound(
                f"There is no session {session_id[:100]!r} that this key may replay.", param="model"
            )
        if row["status"] == "live":
            raise NotReplayable(
                f"The session {session_id} is still running; it can be replayed when it is over."
            )
        return read_lines(self._blobs, f"sessions/{session_id}")


class LogFile:
    """One event log in a file, for every model."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def lines(self, model: str, project: str | None) -> Iterator[bytes]:
        try:
            with self._path.open("rb") as file:
                yield from file
        except OSError as error:
            raise SettingsError(f"The recording {self._path} cannot be read: {error.strerror}.") from error


class Recording:
    """A call that is ready to be played; to be closed afterwards."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        """NotReplayable when there is nothing to play, or not all of it."""
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES)  # noqa: SIM115 - see close
        self._places: list[tuple[int, int]] = []
        self._is_beta = False
        self._dialled: Json = {}
        self._opened: Json = {}
        self._is_silent = False
        cutter = Cutter()
        try:
            for line in lines:
                if (event := read_event(line)) is not None:
                    self._take(cutter, line, event)
        except DamagedRecording as error:
            self.close()
            raise NotReplayable(f"This recording is damaged: {error}") from error
        self.script: Script = cutter.script
        try:
            self._check()
        except NotReplayable:
            self.close()
            raise

    def _take(self, cutter: Cutter, line: bytes, event: Event) -> None:
        place = (0, 0)
        if event.dir == SERVER:
            place = self._file.tell(), len(line)
            self._file.write(line)
            self._is_silent |= event.type == _DELTA and is_missing(string(event.msg, "delta") or "")
        elif event.dir == GATEWAY and event.type == "gateway.dialled":
            self._dialled = event.msg or {}
        elif event.dir == GATEWAY and event.type == "gateway.opened":
            self._opened = event.msg or {}
        self._is_beta |= event.msg is not None and event.type != (string(event.msg, "type") or "")
        cutter.feed(len(self._places), event)
        self._places.append(place)

    def _check(self) -> None:
        if self._is_silent:
            deleted = string(self._opened, "audio_deleted_at")
            how = f"was deleted ({deleted})" if deleted else "was not recorded"
            raise NotReplayable(f"The sound of this session {how}, so its answers cannot be played back.")
        if not self.script.answers:
            raise NotReplayable(
                "In this recording no provider says anything, so there is nothing to play back."
            )

    def message(self, line: int) -> Json:
        start, size = self._places[line]
        self._file.seek(start)
        entry: Any = orjson.loads(self._file.read(size))
        found: Json = entry["msg"]
        return found

    @property
    def dialect(self) -> Dialect:
        """What the recorded provider spoke."""
        if (named := name_of(self._dialled, "dialect")) is not None:
            return Dialect(named)
        return Dialect.BETA if self._is_beta else Dialect.GA

    def translators(self, client: Dialect) -> list[MessageTranslator]:
        """What stands between a client of that dialect and the recording, from the client's side on."""
        between = Translator(client, self.dialect)
        found: list[MessageTranslator] = [] if between.transparent else [between]
        kind = kind_of_url(string(self._dialled, "url") or "")
        own = ADAPTERS[kind or Kind.COMPATIBLE].translator
        return [*found, own()] if own is not None else found

    def close(self) -> None:
        self._file.close()


def load(recordings: Recordings, model: str, project: str | None) -> Recording:
    lines = recordings.lines(model, project)
    with closing(lines):  # type: ignore[type-var]
        return Recording(lines)
