"""What the recorder does for online scoring: it puts the names of sessions that are over, and of runs that
somebody asks for, into the box of the process that scores.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Final

from voxgate.core.errors import StoreUnavailable
from voxgate.export.outbox import Outbox
from voxgate.store import RUN_RULE, Store

_LOOK_SECONDS: Final = 0.5

logger = logging.getLogger(__name__)


class ScoringWishes:
    def __init__(self, store: Store, box: Outbox, *, hears_runs: bool = True) -> None:
        self._store = store
        self._box = box
        self._hears_runs = hears_runs
        self._last_signal: int | None = None
        self._next_look = 0.0

    def add(self, session_ids: Sequence[str]) -> None:
        """Their traces are final. Nothing of this may hold up a recording."""
        for session_id in session_ids if self._is_wanted() else ():
            try:
                self._box.add(session_id)
            except (OSError, ValueError) as error:
                logger.error("session %s will not be scored: %s", session_id, error)

    def step(self) -> bool:
        """Never anything that takes time."""
        now = time.monotonic()
        if not self._hears_runs or now < self._next_look:
            return False
        self._next_look = now + _LOOK_SECONDS
        try:
            self._hear()
        except (OSError, StoreUnavailable) as error:
            logger.warning("runs of rules wait: %s", error)
        return False

    def _is_wanted(self) -> bool:
        """Whether there is any rule. A database that is away may have one."""
        try:
            return self._store.has_rules()
        except StoreUnavailable:
            return True

    def _hear(self) -> None:
        if self._last_signal is None:
            self._last_signal = self._store.last_signal_id()
            for run in self._store.list_rule_runs(status="running"):
                self._box.add(run["id"])
        for signal_id, kind, target in self._store.signals_after(self._last_signal):
            self._last_signal = signal_id
            if kind == RUN_RULE:
                self._box.add(target)
