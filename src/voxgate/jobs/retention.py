"""Deletes recordings whose time is over: blobs first, then the row with its spans; and of others the sound
alone. What says when are the settings, the project's and the credential's own days, the soonest of them,
counted from the start of the call. Also the sums of credentials that nobody can look at.
"""

from __future__ import annotations

import logging
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from voxgate.core import clock
from voxgate.core.errors import StoreUnavailable
from voxgate.core.ids import first_id
from voxgate.jobs.compaction import Compactor
from voxgate.jobs.scratch import scratch_folder
from voxgate.recording.soundless import delete_all_but_log, remove_sound
from voxgate.store import Blobs, Kept, Store

_LOOK_SECONDS: Final = 60.0
_SLICE_SECONDS: Final = 0.01
_ERASE_SECONDS: Final = 3600.0
"""So often what was deleted, here or by somebody, is taken out of the database's file."""
_USAGE_SECONDS: Final = 8 * 86_400
"""A temporary credential starts calls for a day at most, and a call lasts no week."""
_MOST_AT_ONCE: Final = 200
"""So many are looked up at a time, and deleted one in a step: the recorder does not keep calls waiting."""

logger = logging.getLogger(__name__)


class Retention:
    """`kept` says how long recordings are kept, `sound_kept` their sound. Without a compactor, nothing that
    has lost its sound is put away again."""

    def __init__(
        self,
        store: Store,
        blobs: Blobs,
        kept: Kept | None = None,
        sound_kept: Kept | None = None,
        *,
        compactor: Compactor | None = None,
        scratch: Path | None = None,
        now: Callable[[], datetime] = clock.now_utc,
    ) -> None:
        self._store = store
        self._blobs = blobs
        self._kept = kept or Kept()
        self._sound_kept = sound_kept or Kept()
        self._compactor = compactor
        self._scratch = scratch or Path(tempfile.gettempdir())
        self._now = now
        self._due: deque[str] = deque()
        self._sound_due: deque[str] = deque()
        self._removal: Iterator[None] | None = None
        self._more = False
        self._next_look = 0.0
        self._erasing: Iterator[None] | None = None
        self._next_erasing = 0.0

    def step(self) -> bool:
        """Deletes one session, or a bit of one's sound, or looks for those to delete if that is due; whether
        there was anything."""
        try:
            if self._removal is not None:
                self._remove_some(self._removal)
                return True
            if self._due:
                self._delete(self._due.popleft())
                return True
            if self._sound_due:
                self._removal = self._silence(self._sound_due.popleft())
                return True
            if self._more or time.monotonic() >= self._next_look:
                self._look()
            if not self._due and not self._sound_due and self._erases():
                return True
        except (OSError, StoreUnavailable) as error:
            logger.warning("what is to be deleted is left for later: %s", error)
            self._due.clear()
            self._sound_due.clear()
            self._removal, self._more, self._erasing = None, False, None
        return bool(self._due or self._sound_due)

    def _look(self) -> None:
        self._next_look = time.monotonic() + _LOOK_SECONDS
        now = self._now()
        self._due.extend(self._store.sessions_to_delete(now, kept=self._kept, limit=_MOST_AT_ONCE))
        silenced = self._store.sessions_to_silence(now, kept=self._sound_kept, limit=_MOST_AT_ONCE)
        self._sound_due.extend(one for one in silenced if one not in self._due)
        self._more = _MOST_AT_ONCE in (len(self._due), len(self._sound_due))
        self._store.forget_usage_of_strangers(first_id("cred", int(now.timestamp()) - _USAGE_SECONDS))

    def _delete(self, session_id: str) -> None:
        """The row after the blobs: what could not be deleted stays in sight, and is tried again. Then what
        somebody was just adding."""
        self._blobs.delete_prefix(f"sessions/{session_id}/")
        self._store.delete_session(session_id)
        self._blobs.delete_prefix(f"sessions/{session_id}/")
        logger.info("session %s is deleted: its retention is over", session_id)

    # Out of the file

    def _erases(self) -> bool:
        """A bit of it, if it is time; whether there was anything to do."""
        if self._erasing is None:
            if time.monotonic() < self._next_erasing:
                return False
            self._erasing = self._erase()
        deadline = time.monotonic() + _SLICE_SECONDS
        while time.monotonic() < deadline:
            if next(self._erasing, self) is self:
                self._erasing = None
                return False
        return True

    def _erase(self) -> Iterator[None]:
        self._next_erasing = time.monotonic() + _LOOK_SECONDS  # if it fails
        while self._store.merge_words():
            yield
        if self._store.empty_log():
            self._next_erasing = time.monotonic() + _ERASE_SECONDS

    # The sound alone

    def _remove_some(self, removal: Iterator[None]) -> None:
        deadline = time.monotonic() + _SLICE_SECONDS
        while time.monotonic() < deadline:
            if next(removal, self) is self:
                self._removal = None
                return

    def _silence(self, session_id: str) -> Iterator[None]:
        """The row after the blobs, as above. Whoever else works on it just now goes first."""
        if self._compactor is not None and not self._compactor.release(session_id):
            return
        prefix, at = f"sessions/{session_id}", clock.iso_utc(self._now())
        with scratch_folder(self._scratch, session_id) as folder:
            yield from remove_sound(self._blobs, prefix, folder / "events.jsonl", at)
        row = self._store.get_session(session_id)
        if row is None:
            self._blobs.delete_prefix(f"{prefix}/")
            return
        spans = [{**span, "attachments": []} for span in row["spans"]]
        self._store.save_trace(_without_sound(row, at), spans)
        delete_all_but_log(self._blobs, prefix)  # what somebody was just adding
        if self._compactor is not None:
            self._compactor.add(session_id)
        logger.info("the sound of session %s is deleted: its retention is over", session_id)


def _without_sound(row: dict[str, Any], at: str) -> dict[str, Any]:
    recorded = {**(row["data"].get("recorded") or {"text": True}), "audio": False}
    return {
        **row,
        "audio_deleted_at": at,
        "data": {**row["data"], "tracks": {}, "wave": None, "recorded": recorded, "audio_deleted_at": at},
    }
