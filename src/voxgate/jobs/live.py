"""What the store has of a running call: the whole trace now and then, and of a call that somebody watches
each change at once. How often the whole is saved depends on what that takes; a change costs the same in the
first minute and in the last.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

from voxgate.jobs.closing import row_of
from voxgate.store import Change, Store
from voxgate.traces import Span, Trace
from voxgate.traces.changes import COUNTED, Told, span_json
from voxgate.traces.events import Json

_REFRESH_SECONDS: Final = 0.25
_REFRESH_SHARE: Final = 20
"""A save that cost much is repeated later: saving the running calls takes at most a twentieth of a core."""
_WAIT_SHARE: Final = 4
"""Nor does it wait for the database more than a quarter of the time."""
_SOUND_REFRESH: Final = 4
"""So many times as long where there is nothing new but the length of the sound."""
_MOST_SAVE_PAUSE: Final = 30.0
_CHANGE_SECONDS: Final = 0.05
_CHANGE_SHARE: Final = 10
_CHANGE_WAIT_SHARE: Final = 2
_SOUND_CHANGE_SECONDS: Final = 0.1
_WHOLE_SECONDS: Final = 10.0
"""So long the changes of a call that is watched add up at least: who reads it applies them all."""

logger = logging.getLogger(__name__)


class _Cost:
    """What something takes, from now on: of the core, and of the time, which is more where others have the
    core or the database is far away."""

    def __init__(self) -> None:
        self._cpu, self._began = time.thread_time(), time.monotonic()

    def pause(self, cpu_share: float, share: float) -> float:
        cpu, seconds = time.thread_time() - self._cpu, time.monotonic() - self._began
        return max(cpu * cpu_share, seconds * share)


class LiveTrace:
    def __init__(self, store: Store, session_id: str) -> None:
        self.changed = True
        self.sounded = False
        """Whether there is more than what was saved: anything else, or sound."""
        self.is_watched = False
        self.next_save = 0.0
        self._store = store
        self._session_id = session_id
        self._next_sound_save = 0.0
        self._next_whole = 0.0
        self._whole_pause = 0.0
        self._failed_saves = 0
        self._saved: dict[str, tuple[Span, Json]] = {}
        """The spans of the last whole save, and as they were saved."""
        self._told: Told | None = None
        """What the store has, changes included. None if that is not known."""
        self._counted: Json = {}

    def refresh(self, snapshot: Callable[[], Trace], running: int = 1) -> bool:
        """Saves what is new, if the last save is long enough ago, of one of so many calls that run; whether
        it did. Where only the sound went on, that may take longer."""
        now = time.monotonic()
        if not (self.changed or self.sounded):
            return False
        if now < (self.next_save if self.changed else self._next_sound_save):
            return False
        cost = _Cost()
        trace = snapshot()
        told = self._told if self.is_watched else None
        if told is None or not self._save_change(trace, told, running, cost):
            self.save(trace, running, cost)
        return True

    def watch(self, is_watched: bool) -> None:
        if is_watched and not self.is_watched and not self._failed_saves:
            self.next_save = self._next_sound_save = 0.0
        self.is_watched = is_watched

    def counts(self, counted: Json) -> Json | None:
        """What lists show of a call that nobody watches, if that is another than the last time."""
        if self.is_watched or self._told is None or counted == self._counted:
            return None
        self._counted = counted
        return {"id": self._session_id, **counted}

    def save(self, trace: Trace, running: int = 1, cost: _Cost | None = None) -> bool:
        """The whole; whether the store took it."""
        if self._save_whole(trace, running, cost or _Cost(), is_told=False):
            if self.is_watched:  # what comes next is a change
                self.rest(_CHANGE_SECONDS, _SOUND_CHANGE_SECONDS)
            else:
                pause = max(_REFRESH_SECONDS, self._whole_pause)
                self.rest(pause, _SOUND_REFRESH * pause)
        return self._told is not None

    def _save_whole(self, trace: Trace, running: int, cost: _Cost, *, is_told: bool) -> bool:
        """A store that fails, such as a database that is away, must not cost the recording: the wire log
        stays, and it is tried again."""
        spans = {span.id: self._as_json(span) for span in trace.spans}
        unchanged = {key for key, (_, shown) in spans.items() if self._saved.get(key, (0, 0))[1] is shown}
        try:
            shown = [shown for _, shown in spans.values()]
            self._store.save_trace(row_of(trace), shown, unchanged, is_told=is_told)
        except Exception as error:  # noqa: BLE001 - whatever the database's driver raises; tried again later
            self._fail(error)
            return False
        self._failed_saves, self._saved, self._told = 0, spans, Told(trace)
        self.changed = self.sounded = False
        now = time.monotonic()
        self._whole_pause = running * cost.pause(_REFRESH_SHARE, _WAIT_SHARE)
        self._next_whole = now + max(_WHOLE_SECONDS, self._whole_pause)
        return True

    def forget_saved(self) -> None:
        """The next save writes everything."""
        self._saved = {}

    def _as_json(self, span: Span) -> tuple[Span, Json]:
        known = self._saved.get(span.id)
        return known if known is not None and known[0] == span else (span, span_json(span))

    def _save_change(self, trace: Trace, told: Told, running: int, cost: _Cost) -> bool:
        """False if it has to be saved as a whole."""
        body = told.changes(trace)
        if body is None:
            return False
        try:
            if body:
                row = {name: trace.summary[name] for name in COUNTED}
                self._store.save_changes([Change(self._session_id, row, body)])
        except Exception as error:  # noqa: BLE001 - as in `save`
            self._fail(error)
            return True
        self._failed_saves = 0
        self.changed = self.sounded = False
        now = time.monotonic()
        self.rest(max(_CHANGE_SECONDS, cost.pause(_CHANGE_SHARE, _CHANGE_WAIT_SHARE)), _SOUND_CHANGE_SECONDS)
        if now >= self._next_whole:
            self._save_whole(trace, running, _Cost(), is_told=True)
        return True

    def rest(self, seconds: float, sound_seconds: float | None = None) -> None:
        """Nothing is saved for so long; where only the sound goes on, for another time."""
        now = time.monotonic()
        self.next_save = now + seconds
        self._next_sound_save = now + (seconds if sound_seconds is None else sound_seconds)

    def _fail(self, error: Exception) -> None:
        self._failed_saves, self._saved, self._told = self._failed_saves + 1, {}, None
        self.changed = True
        pause = min(_MOST_SAVE_PAUSE, 0.5 * 2**self._failed_saves)
        self.rest(pause)
        logger.warning("session %s was not saved (again in %g s): %s", self._session_id, pause, error)
