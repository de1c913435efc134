"""One session on its way from the wire log to the store.

The life of a recording: `advance` reads what is new, until the log is closed or its writer has died; then
`finish` makes the tracks of the whole call, saves the final trace and deletes the wire log. While the call
runs, `refresh` saves the trace from time to time. A recording that is begun again, after a crash of the
recorder or an error, removes what the earlier one wrote and starts from the wire log's first byte.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from voxgate.audio.files import decode_file
from voxgate.core.errors import StoreUnavailable
from voxgate.core.scheduling import step_aside
from voxgate.jobs.closing import close_trace, row_of
from voxgate.jobs.live import LiveTrace
from voxgate.jobs.redaction import Redaction, Redactions
from voxgate.jobs.tracks import TrackWriter
from voxgate.recording.eventlog import EventLogBuilder
from voxgate.recording.wirelog import WireLogReader, WireRecord, writer_is_alive
from voxgate.store import Blobs, Store
from voxgate.traces import AudioChunk, Event, Trace, TraceBuilder
from voxgate.traces.events import Json

_CATCHING_UP_SECONDS: Final = 2.0
"""A call of which much is there when it is begun is mostly over: the final trace will do."""
_JUST_SECONDS: Final = 2.0
_ALIVE_SECONDS: Final = 0.5
_SYNC_SECONDS: Final = 0.05
"""How often it looks whether what is on its way has been stored."""

_RECORDS_ASIDE: Final = 8
"""After so many records others may have the core: reading them takes less than 0.2 ms. Calls come first; that
a trace comes a little later is not felt."""
_BEHIND_BYTES: Final = 1 << 20
"""When so much of a call waits to be read, the recorder steps aside no more: else it may never catch up."""

_PORTION_BYTES: Final = 256 << 10
_SMALL_BYTES: Final = 64 << 10
_GATHER_SECONDS: Final = 0.08
"""A call whose log was read to its end is left alone so long: opening files for each message would cost more
than the message."""
_WATCHED_GATHER_SECONDS: Final = 0.03

logger = logging.getLogger(__name__)


def has_just_begun(path: Path) -> bool:
    """Whether the log is short and still grows. One that waited longer to be read can wait on."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return False
    return found.st_size <= _BEHIND_BYTES and time.time() - found.st_mtime < _JUST_SECONDS


class SessionRecording:
    def __init__(
        self,
        path: Path,
        store: Store,
        blobs: Blobs,
        on_finished: Callable[[str], None] = lambda _: None,
        redactions: Redactions | None = None,
    ) -> None:
        self.path = path
        self._on_finished = on_finished
        self.session_id = path.stem
        self.finished = False
        self.behind = path.stat().st_size > _BEHIND_BYTES
        """Whether much of it waits to be read, or to be finished."""
        self._store = store
        self._blobs = blobs
        self._prefix = f"sessions/{self.session_id}"
        self._reader = WireLogReader(path)
        self._log = EventLogBuilder(redactions.secrets if redactions is not None else ())
        self._builder = TraceBuilder(self.session_id, decode_file)
        self._tracks = TrackWriter(blobs, self._prefix, self._builder.layout)
        self._size = -1
        self._next_look = 0.0
        self._gather_seconds = _GATHER_SECONDS
        self._live = LiveTrace(store, self.session_id)
        if self.behind:
            self._live.rest(_CATCHING_UP_SECONDS)
        self._next_step = 0.0
        """Of finishing."""
        self._next_alive_check = 0.0
        self._finishing: Iterator[None] | None = None
        self._redactions = redactions
        self._redaction: Redaction | None = None
        """Once the log has said whose call it is, and that there are rules."""
        self._catches_up = self._says_begun_again()
        """Whether it was begun before, and has not read again what that one had."""
        blobs.clear(f"{self._prefix}/")

    def _says_begun_again(self) -> bool:
        """Before anything that is stored goes. A database that is away lets a new call begin, and one that
        was begun before wait: nobody could be told."""
        try:
            return self._store.begin_again(self.session_id)
        except StoreUnavailable:
            if self._blobs.unsynced(f"{self._prefix}/"):
                raise
            return False

    # While the call runs

    @property
    def has_time(self) -> bool:
        """Whether others come first: it has ended, or so much of it waits that it is not live any more."""
        return self._finishing is not None or self.behind

    def rests(self, now: float) -> bool:
        """Whether there is nothing to do for it yet."""
        return now < self._next_look and self._finishing is None

    def advance(self) -> bool:
        """Takes a portion of what is new, or a step of finishing; whether there was anything to do."""
        if self.finished:
            return False
        if self._finishing is not None:
            self.finished = next(self._finishing, self) is self
            return self.finished or time.monotonic() >= self._next_step
        if self._read():
            return True
        if self._reader.closed or self._is_abandoned():
            self._finishing, self.behind = self._finish(), True
            return True
        return False

    def _read(self) -> bool:
        now = time.monotonic()
        if now < self._next_look:
            return False
        size = self.path.stat().st_size
        if size == self._size:
            self._next_look = now + self._gather_seconds
            return False
        before = self._reader.offset
        records = self._reader.read(_PORTION_BYTES)
        if not records:
            self._size = size  # what there is beyond them is half a record
            self._caught_up()
            return False
        # Once behind, until all is read, and finished where it has ended: or others would be begun before.
        left = size - self._reader.offset
        caught_up = left <= _SMALL_BYTES and not self._reader.closed
        self.behind = left > _BEHIND_BYTES or (self.behind and not caught_up)
        if self._reader.offset - before < _SMALL_BYTES and not self._reader.closed:
            self._next_look = now + self._gather_seconds
            self._caught_up()
        self._take(records)
        return True

    def _caught_up(self) -> None:
        """With one that was begun before: its trace is saved at once, and what is stored can be read."""
        if self._catches_up:
            self._catches_up, self._live.next_save = False, 0.0

    def _take(self, records: list[WireRecord]) -> None:
        lines: list[bytes] = []
        chunks: list[AudioChunk] = []
        entries, feed = self._log.entries, self._builder.feed
        for number, record in enumerate(records):
            for line, event in entries(record):
                lines.append(line)
                chunks += feed(event)
                if event.sound is None:
                    self._live.changed = True
                    if self._redactions is not None:
                        self._heed(event, self._redactions)
            if not self.behind and number % _RECORDS_ASIDE == 0:
                step_aside()
        self._live.sounded = self._live.sounded or bool(chunks)
        self._blobs.append(f"{self._prefix}/events.jsonl", b"".join(lines))
        self._tracks.write(chunks)

    def _heed(self, event: Event, redactions: Redactions) -> None:
        if event.type == "gateway.opened":
            self._redaction = redactions.of(row_of(self._builder.snapshot())["project"])
        if self._redaction is not None:
            self._redaction.see(event, self._builder.layout)

    def _snapshot(self, *, live: bool = True) -> Trace:
        trace = self._builder.snapshot(live=live)
        if self._redaction is not None:
            self._redaction.clean(trace)
        return trace

    def _is_abandoned(self) -> bool:
        """Whether the worker is gone and nothing of what it wrote is left to read."""
        now = time.monotonic()
        if now < self._next_alive_check:
            return False
        self._next_alive_check = now + _ALIVE_SECONDS
        if writer_is_alive(self.path):
            return False
        self._size, self._next_look = -1, 0.0  # it may have written between the last look and its end
        return not self._read()

    def refresh(self, running: int = 1) -> None:
        """Saves what is new of a running call, for one of so many that run. A trace does not go back: one
        that is begun again stays as it is until as much was read."""
        if self._finishing is None and not self._catches_up and self._live.refresh(self._snapshot, running):
            step_aside()

    def watch(self, is_watched: bool) -> None:
        """Whether somebody looks at it: then it is read, and saved, as soon as something is new."""
        self._gather_seconds = _WATCHED_GATHER_SECONDS if is_watched else _GATHER_SECONDS
        self._live.watch(is_watched)

    def counts(self) -> Json | None:
        """What lists show of a call that runs; None if the store has that."""
        if self._finishing is not None or self._catches_up:
            return None
        return self._live.counts(self._builder.counts())

    # At the end

    def _finish(self) -> Iterator[None]:
        """One step at a time: tracks, everything on the disk, the final trace, and only then the wire log.
        So a session that is shown as complete has all its sound."""
        self._tracks.finish()
        trace, _ = yield from close_trace(self._builder, self._blobs, self._prefix, self._redaction)
        for key in self._blobs.unsynced(f"{self._prefix}/"):
            yield from self._sync(key)
        self._live.forget_saved()  # the final trace is written as a whole
        while not self._live.save(trace):
            self._next_step = self._live.next_save
            while time.monotonic() < self._next_step:
                yield
        self._on_finished(self.session_id)
        self.path.unlink(missing_ok=True)

    def _sync(self, key: str) -> Iterator[None]:
        """Meanwhile there is nothing to read, and others need not wait for this one."""
        while not self._blobs.sync(key):
            self.behind, self._next_step = False, time.monotonic() + _SYNC_SECONDS
            yield
        yield

    # When it cannot be done

    def quarantine(self, error: BaseException) -> None:
        """Puts the log aside for people to look at, beside what else there is of the session, and says so in
        the session's row."""
        row = row_of(self._snapshot(live=False))
        message = f"The recorder could not make the trace: {type(error).__name__}: {error}"
        row["status"] = "failed"
        row["data"] = {**row["data"], "error": {"type": "recorder_error", "message": message}}
        try:
            self._store.save_session(row)
        except Exception:  # the log is put aside all the same, and the reason stands in ours
            logger.exception("session %s: its failure could not be saved", self.session_id)
        self._blobs.put_file(f"{self._prefix}/failed.vgw", self.path)
        self.path.unlink()
        for key in self._blobs.unsynced(f"{self._prefix}/"):
            self._blobs.sync(key)
