"""Requests that are over soon are recorded in one go, and many together: their event logs are written as they
stay, synced at once and saved in one transaction.

    wire logs → whole ones → traces → compact logs → a thread: on the disk → one save for all → wire logs gone

What does not fit goes to a `SessionRecording`, which can everything: a request that lasts, so that it is
shown while it runs; a large one; files and sound; projects with rules of redaction; whatever meets with an
error here. The wire log is there until the end, so each of them starts from its first byte.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import orjson

from voxgate.audio.files import decode_file
from voxgate.core.errors import StoreUnavailable
from voxgate.core.scheduling import step_aside
from voxgate.jobs.closing import close_trace, row_of
from voxgate.jobs.redaction import Redactions
from voxgate.recording.compact import compact_soundless
from voxgate.recording.eventlog import EventLogBuilder
from voxgate.recording.reading import COMPACT_LOG
from voxgate.recording.tracks import DamagedRecording
from voxgate.recording.wirelog import FACT, WireLogReader, WireRecord
from voxgate.store import Blobs, Store
from voxgate.traces import Trace, TraceBuilder
from voxgate.traces.changes import span_json
from voxgate.traces.events import Json, string

_SOON_SECONDS: Final = 1.0
_FIRST_BYTES: Final = 16 << 10
"""Whether it is a request is said by the first record; most are no longer than this."""
_MORE_BYTES: Final = 64 << 10
_LARGEST_BYTES: Final = 256 << 10
_MOST_TAKEN: Final = 1024
_MOST_TAKEN_BYTES: Final = 16 << 20
"""On their way to the store, and in memory."""
_MOST_TOGETHER: Final = 64
"""In one transaction, which keeps others from writing for some ms."""
_GATHER_SECONDS: Final = 0.1
"""So long those that are made wait for others of a backlog: many together cost half as much each."""
_SLICE_SECONDS: Final = 0.01
"""Running calls have to wait so long at most."""
_RECORDS_ASIDE: Final = 16
"""As in `recording`: after so many others may have the core."""
_SYNC_SECONDS: Final = 0.05
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 30.0

logger = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class _Log:
    """The wire log of a request. `taken` once it is whole; `left` where it is for a `SessionRecording`."""

    path: Path
    session_id: str
    reader: WireLogReader
    since: float
    records: list[WireRecord] = field(default_factory=list)
    taken: bool = False
    left: bool = False

    @property
    def prefix(self) -> str:
        return f"sessions/{self.session_id}"

    @property
    def key(self) -> str:
        return f"{self.prefix}/{COMPACT_LOG}"


@dataclass(frozen=True, slots=True, eq=False)
class _Made:
    """What is stored of a request."""

    log: _Log
    row: Json
    spans: list[Json]
    lines: bytes
    """The compact event log."""


class Requests:
    """`offer` and `step` do a bounded piece each."""

    def __init__(
        self,
        store: Store,
        blobs: Blobs,
        redactions: Redactions | None = None,
        on_finished: Callable[[Sequence[str]], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._blobs = blobs
        self._redactions = redactions
        self._on_finished = on_finished
        self._logs: dict[str, _Log] = {}
        """By the names of their files."""
        self._whole: deque[_Log] = deque()
        self._made: list[_Made] = []
        self._writing: tuple[list[_Made], Future[set[str]]] | None = None
        self._unsynced: list[_Made] = []
        self._synced: list[_Made] = []
        self._taken = self._taken_bytes = self._failures = 0
        self._next_sync = self._next_try = self._made_at = 0.0
        self._thread = ThreadPoolExecutor(1, "requests")

    # Which logs

    def waits_for(self, name: str) -> bool:
        """Whether the log of this name is in good hands, and need not be offered."""
        log = self._logs.get(name)
        return log is not None and not log.left and (log.taken or self._is_full)

    def offer(self, path: Path) -> bool:
        """Reads what is new of a log; whether that is done here, as far as is known now."""
        log = self._logs.pop(path.name, None)
        log = log or _Log(path, path.stem, WireLogReader(path), time.monotonic())
        try:
            is_ours = not log.left and self._look(log)
        except FileNotFoundError:
            return True  # somebody deleted it
        except (OSError, ValueError):
            return False  # a recording says what is wrong with it
        if is_ours:
            self._logs[path.name] = log
        return is_ours

    def has_any_of(self, folders: Iterable[Path]) -> bool:
        return any(log.path.parent in folders for log in self._logs.values())

    @property
    def _is_full(self) -> bool:
        return self._taken >= _MOST_TAKEN or self._taken_bytes >= _MOST_TAKEN_BYTES

    def _look(self, log: _Log) -> bool:
        while records := log.reader.read(_MORE_BYTES if log.records else _FIRST_BYTES):
            if not log.records and not self._is_request(records[0]):
                return False
            if self._is_full:
                log.records, log.reader = [], WireLogReader(log.path)
                return True  # it is read when there is room
            log.records += records
            if log.reader.offset > _LARGEST_BYTES:
                return False
            if log.reader.closed:
                self._take(log)
                return True
        return time.monotonic() < log.since + _SOON_SECONDS

    def _is_request(self, record: WireRecord) -> bool:
        """By `gateway.opened`; of a project whose words may stay as they are."""
        if record.kind != FACT or b'"http"' not in record.data:
            return False
        opened = orjson.loads(record.data)
        return string(opened, "transport") == "http" and not self._has_rules(string(opened, "project"))

    def _has_rules(self, project: str | None) -> bool:
        return self._redactions is not None and self._redactions.of(project or "") is not None

    def _take(self, log: _Log) -> None:
        log.taken = True
        self._taken += 1
        self._taken_bytes += log.reader.offset
        self._whole.append(log)

    # What is done with them

    def step(self) -> bool:
        """Whether there was anything to do."""
        if not self._taken or time.monotonic() < self._next_try:
            return False
        busy = self._make_some()
        try:
            self._save()
            self._write()
        except StoreUnavailable as error:
            self._failures += 1
            pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(self._failures, 10))
            self._next_try = time.monotonic() + pause
            logger.warning("%d requests were not saved (again in %g s): %s", self._taken, pause, error)
            return False
        self._failures = 0
        return self._collect() or busy

    def close(self) -> None:
        """What is not done is begun again by the next one."""
        self._thread.shutdown()

    def _make_some(self) -> bool:
        deadline = time.monotonic() + _SLICE_SECONDS
        was = len(self._made)
        while self._whole and len(self._made) < _MOST_TOGETHER and time.monotonic() < deadline:
            log = self._whole.popleft()
            try:
                made = self._make(log)
            except Exception:  # whatever it is, the recording meets it again and puts the log aside
                logger.exception("request %s is recorded by itself", log.session_id)
                made = None
            if made is None:
                self._leave(log)
                continue
            if not self._made:
                self._made_at = time.monotonic()
            self._made.append(made)
        return len(self._made) > was

    def _make(self, log: _Log) -> _Made | None:
        """None where it has more than words: sound, or a file."""
        builder, lines = TraceBuilder(log.session_id, decode_file), list[bytes]()
        entries = EventLogBuilder(self._redactions.secrets if self._redactions is not None else ()).entries
        is_behind = len(self._whole) >= _MOST_TOGETHER
        for number, record in enumerate(log.records):
            for line, event in entries(record):
                if event.raw is not None or builder.feed(event):
                    return None
                lines.append(line)
            if not is_behind and not number % _RECORDS_ASIDE:
                step_aside()
        trace = _closed(builder, self._blobs, log.prefix)
        return _Made(log, row_of(trace), [span_json(span) for span in trace.spans], compact_soundless(lines))

    def _write(self) -> None:
        """Writes what is made, and hands it over to the thread, or what was not synced yet."""
        if self._writing is not None:
            return
        if self._unsynced and time.monotonic() >= self._next_sync:
            some, self._unsynced = self._unsynced, []
            self._writing = some, self._thread.submit(self._sync, some)
        elif self._made and not self._gathers():
            known = self._store.saved_sessions([made.log.session_id for made in self._made])
            some, self._made = self._made, []
            for made in some:
                # One that is known was begun by an earlier recorder.
                if made.log.session_id in known or not self._put(made.log, made.lines):
                    self._leave(made.log)
            some = [made for made in some if not made.log.left]
            self._writing = some, self._thread.submit(self._sync, some)

    def _gathers(self) -> bool:
        """Whether more will be made at once."""
        is_enough = len(self._made) >= _MOST_TOGETHER or not self._whole
        return not is_enough and time.monotonic() < self._made_at + _GATHER_SECONDS

    def _put(self, log: _Log, lines: bytes) -> bool:
        """Not in the thread: it would have to wait for ours at every step."""
        try:
            self._blobs.clear(f"{log.prefix}/")
            self._blobs.append(log.key, lines)
            with self._blobs.open(log.key) as file:
                if file.read() != lines:
                    raise DamagedRecording(f"{log.key} is not what was written.")
        except Exception as error:  # noqa: BLE001 - whatever the disk says: a recording meets it by itself
            logger.warning("request %s is recorded by itself: %s", log.session_id, error)
            return False
        return True

    def _sync(self, some: list[_Made]) -> set[str]:
        """In the thread. The keys that are not on the disk."""
        return set(self._blobs.sync_all([made.log.key for made in some]))

    def _collect(self) -> bool:
        if self._writing is None or not self._writing[1].done():
            return False
        (some, future), self._writing = self._writing, None
        try:
            unsynced = future.result()
        except Exception as error:  # noqa: BLE001 - whatever the disk says: recordings wait for it, each by itself
            logger.warning("%d requests are recorded one by one: %s", len(some), error)
            for made in some:
                self._leave(made.log)
            return True
        self._unsynced += [made for made in some if made.log.key in unsynced]
        self._synced += [made for made in some if made.log.key not in unsynced]
        self._next_sync = time.monotonic() + _SYNC_SECONDS
        return True

    def _save(self) -> None:
        if not self._synced:
            return
        try:
            self._store.save_traces([(made.row, made.spans) for made in self._synced])
        except StoreUnavailable:
            raise
        except Exception:  # one that the database does not take must not keep the others
            logger.exception("%d requests are saved one by one", len(self._synced))
            for made in self._synced:
                self._leave(made.log)
        else:
            self._on_finished([made.log.session_id for made in self._synced])
            for made in self._synced:
                made.log.path.unlink(missing_ok=True)
                self._forget(made.log)
        self._synced = []

    def _leave(self, log: _Log) -> None:
        """For a recording: when it is offered again."""
        self._let_go(log)
        log.left = True
        log.records = []

    def _forget(self, log: _Log) -> None:
        self._let_go(log)
        del self._logs[log.path.name]

    def _let_go(self, log: _Log) -> None:
        self._taken -= 1
        self._taken_bytes -= log.reader.offset


def _closed(builder: TraceBuilder, blobs: Blobs, prefix: str) -> Trace:
    """The same as of a call, to the last step."""
    steps = close_trace(builder, blobs, prefix)
    while True:
        try:
            next(steps)
        except StopIteration as ended:
            closed: Trace = ended.value.trace
            return closed
