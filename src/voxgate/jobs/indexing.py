"""Makes sessions searchable that a Voxgate of before has saved: after an upgrade, and while old and new run
beside each other. The newest first, a few at a time, beside the calls.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

from voxgate.core.errors import StoreUnavailable
from voxgate.store import Store

_PASS_SECONDS: Final = 3600.0
"""A look at all sessions takes a second or so; the first one after an upgrade finds all that is missing."""
_WAIT_SECONDS: Final = 30.0

logger = logging.getLogger(__name__)


class Indexing:
    def __init__(self, store: Store, now: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._now = now
        self._after: str | None = None
        self._next_step = now()

    def step(self) -> bool:
        """Looks at the next few sessions; whether there are more."""
        if self._now() < self._next_step:
            return False
        try:
            self._after = self._store.make_searchable(self._after)
        except StoreUnavailable as error:
            logger.warning("what is to be made searchable is left for later: %s", error)
            self._next_step = self._now() + _WAIT_SECONDS
            return False
        if self._after is None:
            self._next_step = self._now() + _PASS_SECONDS
        return self._after is not None
