"""Says in the store which running sessions somebody looks at, so that the recorder saves each change of them.
A note holds for some seconds and is made again as long as somebody looks; whoever vanished leaves none."""

from __future__ import annotations

import logging
import threading
import time
from typing import Final

from voxgate.store import WATCHED, Store

_NOTE_SECONDS: Final = 2.0
_HOLDS_SECONDS: Final = 6

logger = logging.getLogger(__name__)


class Watches:
    """Of one process. Safe to use from many threads."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._noted: dict[str, float] = {}
        self._lock = threading.Lock()

    def look_at(self, session_id: str) -> None:
        """Never waits: who looks must not be kept waiting by a database that others write to."""
        now = time.monotonic()
        with self._lock:
            if now - self._noted.get(session_id, float("-inf")) < _NOTE_SECONDS:
                return
            self._noted = {key: at for key, at in self._noted.items() if now - at < _NOTE_SECONDS}
            self._noted[session_id] = now
        threading.Thread(target=self._note, args=(session_id,), name="watch-note", daemon=True).start()

    def _note(self, session_id: str) -> None:
        try:
            self._store.refresh_leases([(WATCHED, session_id)], _HOLDS_SECONDS)
        except Exception as error:  # noqa: BLE001 - a database that is busy or full: then it is seen later
            logger.debug("that session %s is watched could not be noted: %s", session_id, error)
