"""What other processes ask of all workers, through the database: that calls end, that credentials are no
longer good. A thread looks, and the event loop, which carries the calls, has to do only with what there is.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Mapping
from typing import Final

from voxgate.auth.revocation import MINTED_REVOKED, REVOKED
from voxgate.store import Store

_POLL_SECONDS: Final = 0.25
_LAST_ANSWER_SECONDS: Final = 5.0

logger = logging.getLogger(__name__)

Signal = tuple[int, str, str]
"""Its number, its kind and its target."""


class SignalFollower:
    """Follows signals from the one after `last` on. On the event loop `revoked` gets what may start no call
    any more, and what `actions` has for a kind of signal is called with its target."""

    def __init__(
        self, store: Store, last: int, revoked: set[str], actions: Mapping[str, Callable[[str], None]]
    ) -> None:
        self._store = store
        self._last = last
        self._revoked = revoked
        self._actions = actions
        self._loop = asyncio.get_running_loop()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="follow-signals", daemon=True)
        self._thread.start()

    async def stop(self) -> None:
        """Waits for a question that has been asked, but not for ever."""
        self._stopped.set()
        await asyncio.to_thread(self._thread.join, _LAST_ANSWER_SECONDS)

    def _follow(self) -> None:
        away = False
        while not self._stopped.wait(_POLL_SECONDS):
            try:
                self._ask()
            except Exception as error:  # noqa: BLE001 - the database is away: calls go on, and so does the asking
                if not away:  # said once, until it is back
                    logger.error("what others ask of the workers cannot be read now: %s", error)
                away = True
                continue
            if away:
                logger.info("what others ask of the workers can be read again")
            away = False

    def _ask(self) -> None:
        signals = self._store.signals_after(self._last)
        if not signals:
            return
        # One of these signals stands for many credentials.
        many = any(kind == MINTED_REVOKED for _, kind, _ in signals)
        revoked = self._store.revoked_credentials() if many else set()
        revoked.update(target for _, kind, target in signals if kind == REVOKED)
        self._last = signals[-1][0]
        with contextlib.suppress(RuntimeError):  # the worker has ended meanwhile
            self._loop.call_soon_threadsafe(self._obey, signals, revoked)

    def _obey(self, signals: list[Signal], revoked: set[str]) -> None:
        self._revoked.update(revoked)
        for _, kind, target in signals:
            if act := self._actions.get(kind):
                act(target)
