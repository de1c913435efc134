"""Deletes recordings whose time is over: blobs first, then the row with its spans. What says when is the
settings' `retention_days` and the credential's own, whichever is sooner, counted from the start of the call.
Also the sums of credentials that nobody can look at.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from voxgate.core import clock
from voxgate.core.errors import StoreUnavailable
from voxgate.core.ids import first_id
from voxgate.store import Blobs, Store

_LOOK_SECONDS: Final = 60.0
_USAGE_SECONDS: Final = 8 * 86_400
"""A temporary credential starts calls for a day at most, and a call lasts no week."""
_MOST_AT_ONCE: Final = 200
"""So many are looked up at a time, and deleted one in a step: the recorder does not keep calls waiting."""

logger = logging.getLogger(__name__)


class Retention:
    def __init__(
        self,
        store: Store,
        blobs: Blobs,
        default_days: int | None = None,
        now: Callable[[], datetime] = clock.now_utc,
    ) -> None:
        self._store = store
        self._blobs = blobs
        self._default_days = default_days
        self._now = now
        self._due: deque[str] = deque()
        self._more = False
        self._next_look = 0.0

    def step(self) -> bool:
        """Deletes one session, or looks for those to delete if that is due; whether there was anything."""
        try:
            if self._due:
                self._delete(self._due.popleft())
                return True
            if self._more or time.monotonic() >= self._next_look:
                self._look()
        except (OSError, StoreUnavailable) as error:
            logger.warning("what is to be deleted is left for later: %s", error)
            self._due.clear()
            self._more = False
        return bool(self._due)

    def _look(self) -> None:
        self._next_look = time.monotonic() + _LOOK_SECONDS
        now = self._now()
        before = now - timedelta(days=self._default_days) if self._default_days is not None else None
        self._due.extend(self._store.sessions_to_delete(now, started_before=before, limit=_MOST_AT_ONCE))
        self._more = len(self._due) == _MOST_AT_ONCE
        self._store.forget_usage_of_strangers(first_id("cred", int(now.timestamp()) - _USAGE_SECONDS))

    def _delete(self, session_id: str) -> None:
        """The row after the blobs: what could not be deleted stays in sight, and is tried again. Then what
        somebody was just adding."""
        self._blobs.delete_prefix(f"sessions/{session_id}/")
        self._store.delete_session(session_id)
        self._blobs.delete_prefix(f"sessions/{session_id}/")
        logger.info("session %s is deleted: its retention is over", session_id)
