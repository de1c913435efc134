"""The recorder: finds the wire logs of all workers, makes a recording of each and keeps them going.

It runs in one thread. A session that cannot be recorded is put aside and never stops the others.
"""

from __future__ import annotations

import errno
import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from voxgate.core.errors import StoreUnavailable
from voxgate.jobs.compaction import Compactor
from voxgate.jobs.giving_way import GivingWay
from voxgate.jobs.indexing import Indexing
from voxgate.jobs.memory import give_back
from voxgate.jobs.rebuilding import Rebuilder
from voxgate.jobs.recording import SessionRecording, has_just_begun
from voxgate.jobs.redaction import Redactions
from voxgate.jobs.requests import Requests
from voxgate.jobs.retention import Retention
from voxgate.jobs.scoring_wishes import ScoringWishes
from voxgate.jobs.shares import WHOLE, Share
from voxgate.jobs.sharing import Sharing
from voxgate.jobs.transcriptions import Transcriptions
from voxgate.jobs.watching import Watching
from voxgate.recording.wirelog import LOCK_NAME, log_names, remove_left_folders, wire_logs, writer_is_alive
from voxgate.store import Blobs, Store

_MOST_ATTEMPTS: Final = 6
_PASSING: Final = frozenset(
    {
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EROFS,
        errno.EACCES,
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOMEM,
        errno.ESTALE,
    }
)
"""What is wrong with the machine and not with a log: it is tried again until somebody has put it right."""
_LONGEST_PAUSE: Final = 10.0
_FIND_SECONDS: Final = 0.1
_FIND_RUNNING_SECONDS: Final = 0.5
"""While sessions are behind: each look at all of thousands of logs takes tens of ms."""
_TIDY_SECONDS: Final = 30.0
_MOST_BEHIND: Final = 8
"""While so many sessions are behind, no others are begun but calls that run: they are finished, oldest first,
with little memory, and a recorder that is killed begins these few again and not hundreds."""
_PORTIONS_PER_STEP: Final = 4
"""So many portions of one session in a row; then the others have their turn."""
_BETWEEN_WATCHED: Final = 16
_LATER_SECONDS: Final = 0.03
_LATER_ALONE_SECONDS: Final = 0.5
"""In each step, for the calls that have ended or are far behind: beside calls that run, or with none."""

DRAIN_SECONDS: Final = 5.0
"""What is not finished then is finished by the next recorder."""

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Setback:
    """A session whose files could not be written, and when it is begun again."""

    attempts: int
    again_at: float


class Recorder:
    def __init__(
        self,
        *,
        wire_dir: Path,
        store: Store,
        blobs: Blobs,
        share: Share = WHOLE,
        poll_ms: float = 50,
        retention: Retention | None = None,
        compactor: Compactor | None = None,
        transcriptions: Transcriptions | None = None,
        rebuilder: Rebuilder | None = None,
        indexing: Indexing | None = None,
        scoring: ScoringWishes | None = None,
        redactions: Redactions | None = None,
        on_finished: Callable[[Sequence[str]], None] = lambda _: None,
        sharing: Sharing | None = None,
    ) -> None:
        """`on_finished` is told the ids of sessions whose final traces are in the store; it never waits."""
        self._wire_dir = wire_dir
        self._store = store
        self._blobs = blobs
        self._share = share
        self._redactions = redactions
        self._poll_seconds = poll_ms / 1000
        self._recordings: dict[Path, SessionRecording] = {}
        self._setbacks: dict[Path, _Setback] = {}
        self._next_tidying = 0.0
        self._compactor = compactor
        self._transcriptions = transcriptions
        beside = (transcriptions, scoring, retention, rebuilder, indexing, compactor)
        self._beside = [work for work in beside if work is not None]
        self._on_finished = on_finished
        self._sharing = sharing
        self._next_find = self._next_find_running = 0.0
        self._watching = Watching(store)
        self._giving_way = GivingWay(wire_dir)
        self._requests = Requests(store, blobs, redactions, on_finished)

    def run(self, stop: threading.Event, at_once: threading.Event) -> None:
        """Records until `stop`, then finishes what has ended, unless `at_once` is set. Only one recorder
        works on a share of a folder, and as one machine: a second one waits."""
        with self._share.held(self._wire_dir, stop, self._poll_seconds) as is_alone, ExitStack() as stack:
            is_mine = is_alone
            if is_alone and self._sharing is not None:
                is_mine = stack.enter_context(self._sharing.running(stop))
            while is_mine and not stop.is_set():
                if not self.step():
                    stop.wait(self._poll_seconds)
            if is_mine:
                self._drain(at_once)
            self._requests.close()

    def step(self) -> bool:
        """Does a bounded piece of what there is to do; whether there was anything."""
        self._find()
        self._tidy()
        self._watching.step(self._recordings.values())
        busy = self._advance_running()
        busy = self._advance_others() or busy
        busy = self._requests.step() or busy
        # A little of what has time: each of them does a bounded piece, and the first that has one.
        return any(work.step() for work in self._beside) or busy

    def _advance_running(self) -> bool:
        """All that are said now: none waits for what another one's end takes."""
        now, busy = time.monotonic(), False
        running = [path for path, one in self._recordings.items() if not one.has_time]
        for number, path in enumerate(running):
            if number % _BETWEEN_WATCHED == 0:
                busy = self._advance_watched() or busy
            if path in self._recordings and not self._recordings[path].rests(now):
                busy = self._advance(path, _PORTIONS_PER_STEP) or busy
        return busy

    def _advance_others(self) -> bool:
        """The oldest first: each is brought to its end before the next has much memory."""
        later = [path for path, one in self._recordings.items() if one.has_time]
        is_alone = len(later) == len(self._recordings)
        deadline = time.monotonic() + (_LATER_ALONE_SECONDS if is_alone else _LATER_SECONDS)
        busy = False
        for path in later:
            while path in self._recordings and self._advance(path):
                busy = True
                if time.monotonic() >= deadline:
                    return True
        return busy

    def _advance_watched(self) -> bool:
        """Calls that somebody looks at do not wait for all the others."""
        now, busy = time.monotonic(), False
        for recording in self._watching.watched:
            if recording.path in self._recordings and not recording.rests(now):
                busy = self._advance(recording.path, _PORTIONS_PER_STEP) or busy
        return busy

    def _find(self) -> None:
        """New logs; at once where one was finished, since others may wait for its place."""
        now = time.monotonic()
        if now < self._next_find:
            return
        self._next_find = now + _FIND_SECONDS
        behind = sum(recording.behind for recording in self._recordings.values())
        for name, worker in log_names(self._wire_dir):
            if behind >= _MOST_BEHIND and now < self._next_find_running:
                return
            if self._requests.waits_for(name):
                continue
            path = self._wire_dir / worker / name
            if path in self._recordings or (behind >= _MOST_BEHIND and not has_just_begun(path)):
                continue
            if self._is_to_begin(path, now):
                try:
                    self._recordings[path] = self._begin(path)
                    behind += self._recordings[path].behind
                except OSError as error:
                    self._begin_again_later(path, error)
                except StoreUnavailable as error:
                    self._begin_again_later(path, error)
                    return  # the next one would wait for an answer as long
        if behind >= _MOST_BEHIND:
            self._next_find_running = now + _FIND_RUNNING_SECONDS

    def _is_to_begin(self, path: Path, now: float) -> bool:
        if not self._share.has(path.stem):
            return False
        if (setback := self._setbacks.get(path)) is not None:
            return now >= setback.again_at
        return not self._requests.offer(path)

    def _logs(self) -> list[Path]:
        return [path for path in wire_logs(self._wire_dir) if self._share.has(path.stem)]

    def _begin(self, path: Path) -> SessionRecording:
        if self._compactor is not None:
            self._compactor.forget(path.stem)
        if self._transcriptions is not None:
            self._transcriptions.forget(path.stem)
        return SessionRecording(path, self._store, self._blobs, self._finished, self._redactions)

    def _finished(self, session_id: str) -> None:
        if self._compactor is not None:
            self._compactor.add(session_id)
        self._on_finished([session_id])

    def _tidy(self) -> None:
        now = time.monotonic()
        if now >= self._next_tidying:
            self._next_tidying = now + _TIDY_SECONDS
            if self._share.is_first:
                remove_left_folders(self._wire_dir)
            self._blobs.tidy()
            give_back()

    def _advance(self, path: Path, portions: int = 1) -> bool:
        recording = self._recordings[path]
        busy = False
        self._giving_way.wait()
        try:
            for _ in range(portions):
                if not recording.advance():
                    break
                busy = True
            recording.refresh(len(self._recordings))
        except FileNotFoundError:
            self._forget(path)  # somebody deleted the log: there is nothing left to record
        except (OSError, StoreUnavailable) as error:
            self._begin_again_later(path, error)
        except Exception as error:
            # Whatever it is, the same log would meet it again: it is put aside and the others go on.
            logger.exception("session %s cannot be recorded and is put aside", recording.session_id)
            self._quarantine(path, error)
        else:
            if recording.finished:
                self._forget(path)
        return busy

    def _begin_again_later(self, path: Path, error: OSError | StoreUnavailable) -> None:
        """A store did not do its part, which may pass; what was written is of unknown length."""
        attempts = self._setbacks[path].attempts + 1 if path in self._setbacks else 1
        passing = isinstance(error, StoreUnavailable) or error.errno in _PASSING
        lasting = attempts >= _MOST_ATTEMPTS and not passing
        if lasting and path in self._recordings:
            logger.error("session %s is put aside after %d attempts: %s", path.stem, attempts, error)
            self._quarantine(path, error)
            return
        pause = min(_LONGEST_PAUSE, 2.0 ** min(attempts - 1, 5))
        logger.warning("session %s is begun again in %g s: %s", path.stem, pause, error)
        self._recordings.pop(path, None)
        self._setbacks[path] = _Setback(attempts, time.monotonic() + pause)

    def _quarantine(self, path: Path, error: Exception) -> None:
        try:
            self._recordings[path].quarantine(error)
        except Exception:  # not even that: it is tried again from the start later
            logger.exception("session %s could not be put aside", path.stem)
            self._setbacks[path] = _Setback(1, time.monotonic() + 30.0)
            del self._recordings[path]
        else:
            self._forget(path)

    def _forget(self, path: Path) -> None:
        self._next_find = 0.0
        self._recordings.pop(path, None)
        self._setbacks.pop(path, None)

    def _drain(self, at_once: threading.Event) -> None:
        """The workers have ended, or are about to: all their sessions can be finished. The next recorder
        begins those again for which the time was too short, or whose worker came after our time."""
        locks = list(self._wire_dir.glob(f"*/{LOCK_NAME}"))
        folders = {lock.parent for lock in locks}
        deadline = time.monotonic() + DRAIN_SECONDS
        while time.monotonic() < deadline and not at_once.is_set():
            may_grow = any(writer_is_alive(lock) for lock in locks)
            self._next_find = 0.0  # what a writer began just before its end
            busy = self.step()
            is_left = any(path.parent in folders for path in self._recordings)
            if not may_grow and not is_left and not self._requests.has_any_of(folders):
                return
            if not busy:
                at_once.wait(self._poll_seconds)
        if left := self._logs():
            logger.warning(
                "%d sessions are not finished: %.1f MB stay in %s, and the next start goes on with them",
                len(left),
                sum(path.stat().st_size for path in left) / 1e6,
                self._wire_dir,
            )
