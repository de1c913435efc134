"""Which running calls somebody looks at: the API says so in the store, and the recorder that has the call
saves each change of it at once. Of the others lists get how long they have run, once a second, all together.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection
from typing import Final

from voxgate.core.errors import StoreUnavailable
from voxgate.jobs.recording import SessionRecording
from voxgate.store import WATCHED, Store

_ASK_SECONDS: Final = 0.2
_COUNT_SECONDS: Final = 1.0
_MOST_PAUSE: Final = 30.0

logger = logging.getLogger(__name__)


class Watching:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._next_ask = 0.0
        self._next_count = 0.0
        self._failures = 0
        self.watched: list[SessionRecording] = []

    def step(self, recordings: Collection[SessionRecording]) -> None:
        """A database that does not answer is asked less often: recording goes on without it."""
        now = time.monotonic()
        try:
            if now >= self._next_ask:
                self._next_ask = now + _ASK_SECONDS
                self._ask(recordings)
            if now >= self._next_count:
                self._next_count = now + _COUNT_SECONDS
                self._count(recordings)
            self._failures = 0
        except StoreUnavailable as error:
            self._failures += 1
            pause = min(_MOST_PAUSE, 0.5 * 2**self._failures)
            self._next_ask = self._next_count = time.monotonic() + pause
            logger.warning("who watches which call is not known (again in %g s): %s", pause, error)

    def _ask(self, recordings: Collection[SessionRecording]) -> None:
        ids = self._store.lease_holders(WATCHED) if recordings else set()
        for one in recordings:
            one.watch(one.session_id in ids)
        self.watched = [one for one in recordings if one.session_id in ids]

    def _count(self, recordings: Collection[SessionRecording]) -> None:
        counts = (one.counts() for one in recordings)
        self._store.save_counts([one for one in counts if one is not None])
