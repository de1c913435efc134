"""Deletes cached answers whose time is over, and the oldest of those that are too many, whatever is in them:
only their outsides are looked at. In a thread of the recorder's process, so that no recording waits.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

from voxgate.store import Cache, Cached

_PAUSE_SECONDS: Final = 60.0
_SHARE: Final = 20
"""Looking through all takes one part of so many of a thread's time at most."""
_BATCH: Final = 200
_BREATH_SECONDS: Final = 0.005
"""After each batch, for the recorder's own thread."""
_BAND_SECONDS: Final = 60
"""Answers of one minute are equally old."""

logger = logging.getLogger(__name__)


class CacheSweep:
    def __init__(self, cache: Cache, largest_bytes: int, now: Callable[[], float] = time.time) -> None:
        self._cache = cache
        self._largest_bytes = largest_bytes
        self._now = now
        self._stop = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._run, name="cache-sweep", daemon=True).start()

    def close(self) -> None:
        self._stop.set()

    def _run(self) -> None:
        is_away = False
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                self.sweep()
                is_away = False
            except Exception as error:  # noqa: BLE001 - whatever it is: the next look may go better
                if not is_away:  # said once, until it works again
                    logger.warning("cached answers are looked through later: %s", error)
                is_away = True
            self._stop.wait(max(_PAUSE_SECONDS, _SHARE * (time.monotonic() - began)))

    def sweep(self) -> int:
        """Once through all of them; how many were deleted."""
        sizes, now = Counter[int](), self._now()

        def is_over(one: Cached) -> bool:
            if one.since + one.ttl_seconds <= now:
                return True
            sizes[int(one.since // _BAND_SECONDS)] += one.size_bytes
            return False

        deleted = self._delete(is_over)
        if (newest := self._newest_to_go(sizes)) is None:
            return deleted
        return deleted + self._delete(lambda one: one.since // _BAND_SECONDS <= newest)

    def _newest_to_go(self, sizes: Counter[int]) -> int | None:
        """The band up to which they are too much; None where all fit."""
        excess, found = sum(sizes.values()) - self._largest_bytes, None
        for band in sorted(sizes):
            if excess <= 0:
                break
            excess, found = excess - sizes[band], band
        return found

    def _delete(self, is_due: Callable[[Cached], bool]) -> int:
        count = 0
        for batch in self._batches():
            due = [one.key for one in batch if is_due(one)]
            if due:
                self._cache.delete(due)
            count += len(due)
        return count

    def _batches(self) -> Iterator[list[Cached]]:
        batch: list[Cached] = []
        for one in self._cache.all():
            batch.append(one)
            if len(batch) == _BATCH:
                yield batch
                batch = []
                if self._stop.wait(_BREATH_SECONDS):
                    return
        yield batch
