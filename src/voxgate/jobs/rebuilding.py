"""Builds traces again from what is stored, when somebody asks for it: after a fix, or for metrics that a
former Voxgate did not have. It is asked and answered by signals through the database.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from typing import Final, NamedTuple

from voxgate.audio.files import decode_file
from voxgate.core.errors import NotFound, StoreUnavailable
from voxgate.jobs.closing import close_trace, row_of
from voxgate.jobs.compaction import Compactor
from voxgate.jobs.redaction import Redaction, Redactions
from voxgate.jobs.tracks import TrackWriter
from voxgate.recording.eventlog import read_event
from voxgate.recording.reading import read_lines
from voxgate.store import REBUILD, REBUILD_FAILED, REBUILT, Blobs, Store
from voxgate.traces import TraceBuilder
from voxgate.traces.changes import span_json
from voxgate.traces.tracks import TRACKS

_LOOK_SECONDS: Final = 0.5
_SLICE_SECONDS: Final = 0.01
"""Running calls have to wait so long at most."""
_LINES_PER_STEP: Final = 128
_MADE_OF_THE_CALL: Final = ("heard.ogg", "heard.flac", "mix.ogg", "mix.flac", "heard.pcm", "mix.pcm")
"""What was encoded of the sound as it was heard, which may be another now."""

logger = logging.getLogger(__name__)


class _Wish(NamedTuple):
    session_id: str
    then: Callable[[bool], None]
    """Told whether it was done."""
    is_inner: bool = False
    """Whether nobody but us was asked."""


class Rebuilder:
    """`step` does a bounded piece."""

    def __init__(
        self,
        store: Store,
        blobs: Blobs,
        is_ours: Callable[[str], bool] = lambda _: True,
        redactions: Redactions | None = None,
        compactor: Compactor | None = None,
    ) -> None:
        """`is_ours` says whether it is us, of several recorders, who have the session. With `redactions` the
        rules that projects have now are followed in their older calls too."""
        self._is_ours = is_ours
        self._redactions = redactions
        self._compactor = compactor
        self._store = store
        self._blobs = blobs
        self._asked: deque[_Wish] = deque()
        self._last_signal: int | None = None
        self._next_look = 0.0
        self._work: tuple[_Wish, Iterator[None]] | None = None

    def ask(self, session_id: str, then: Callable[[bool], None]) -> None:
        """From within this process; `then` is told whether it was done."""
        self._asked.append(_Wish(session_id, then, is_inner=True))

    def step(self) -> bool:
        """Whether there was anything to do."""
        try:
            self._look()
            if self._work is None and self._asked:
                wish = self._asked.popleft()
                self._work = wish, self._rebuild(wish.session_id)
            return self._work is not None and self._advance(*self._work)
        except StoreUnavailable as error:
            logger.warning("rebuilding waits for the database: %s", error)
            self._next_look = time.monotonic() + 10 * _LOOK_SECONDS
            return False

    def _look(self) -> None:
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + _LOOK_SECONDS
        if self._last_signal is None:
            self._last_signal = self._store.last_signal_id()
        for signal_id, kind, target in self._store.signals_after(self._last_signal):
            self._last_signal = signal_id
            if kind == REBUILD and self._is_ours(target):
                self._asked.append(_Wish(target, self._answer(target)))

    def _answer(self, session_id: str) -> Callable[[bool], None]:
        return lambda is_done: self._store.add_signal(REBUILT if is_done else REBUILD_FAILED, session_id)

    def _advance(self, wish: _Wish, work: Iterator[None]) -> bool:
        deadline = time.monotonic() + _SLICE_SECONDS
        try:
            while time.monotonic() < deadline:
                if next(work, work) is work:
                    self._work = None
                    wish.then(True)
                    return True
        except StoreUnavailable:
            self._work = None
            self._asked.appendleft(wish)
            raise
        except NotFound:
            # Its blobs are on another machine, whose recorder was asked as well; or it was just deleted.
            logger.info("session %s cannot be rebuilt here: it has no event log", wish.session_id)
            self._work = None
            if wish.is_inner:
                wish.then(False)
        except Exception:
            # Whatever it is, the trace stays as it was, and the others go on.
            logger.exception("session %s cannot be rebuilt", wish.session_id)
            self._work = None
            wish.then(False)
        return True

    def _rebuild(self, session_id: str) -> Generator[None, None, None]:
        prefix = f"sessions/{session_id}"
        row = self._store.get_session(session_id, with_spans=False)
        if row is None or row["status"] == "live":
            raise NotFound(f"There is no session {session_id!r} that has ended.")
        builder, redaction = TraceBuilder(session_id, decode_file), self._redaction(row["project"])
        while (
            redaction is not None and self._compactor is not None and not self._compactor.release(session_id)
        ):
            yield  # another recorder is just putting it away
        # Those of before have no tracks of the sound in requests.
        writes = row["data"].get("transport") == "http" and not self._has_tracks(prefix)
        writer = TrackWriter(self._blobs, prefix, builder.layout) if writes else None
        yield from self._read(builder, redaction, prefix, writer)
        closed = yield from close_trace(builder, self._blobs, prefix, redaction)
        for key in closed.keys:
            while not self._blobs.sync(key):
                yield
        for name in _MADE_OF_THE_CALL:
            self._blobs.delete_prefix(f"{prefix}/{name}")
        if self._store.session_revision(session_id) is None:  # deleted meanwhile: nothing may be left
            self._blobs.delete_prefix(f"{prefix}/")
            return
        if redaction is not None:
            redaction.add_former(closed.trace, row["data"].get("redaction"))
        self._store.save_trace(row_of(closed.trace), [span_json(span) for span in closed.trace.spans])
        if redaction is not None and self._compactor is not None:
            self._compactor.add(session_id)

    def _has_tracks(self, prefix: str) -> bool:
        names = (f"{prefix}/{track}.{kind}" for track in TRACKS for kind in ("pcm", "flac"))
        return any(self._blobs.size(name) is not None for name in names)

    def _read(
        self, builder: TraceBuilder, redaction: Redaction | None, prefix: str, writer: TrackWriter | None
    ) -> Iterator[None]:
        for number, line in enumerate(read_lines(self._blobs, prefix)):
            event = read_event(line)
            if event is not None:
                chunks = builder.feed(event)
                if writer is not None:
                    writer.write(chunks)
                if redaction is not None:
                    redaction.see(event, builder.layout)
            if not number % _LINES_PER_STEP:
                yield

    def _is_released(self, session_id: str) -> bool:
        return self._compactor is None or self._compactor.release(session_id)

    def _redaction(self, project: str) -> Redaction | None:
        return self._redactions.of(project) if self._redactions is not None else None
