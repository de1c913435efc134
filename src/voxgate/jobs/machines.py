"""This machine among others that record into the same database: who it is, that it lives, and who does not.

A machine lives as long as its recorder refreshes a lease. Another one counts as dead when its lease is
missing for so long that a database which was away for all cannot be the reason.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from voxgate.core.errors import SettingsError, StoreUnavailable
from voxgate.core.ids import new_id
from voxgate.jobs.shares import WHOLE, Share
from voxgate.store import Lease, Store

_ALL: Final = "machines"
_POLL_SECONDS: Final = 0.25

logger = logging.getLogger(__name__)


def machine_id(data_dir: Path) -> str:
    """Made at the first start, and kept in the data folder."""
    path = data_dir / "machine-id"
    try:
        with path.open("x") as file:
            file.write(new_id("machine") + "\n")
    except FileExistsError:
        pass
    found = path.read_text().strip()
    if not found.replace("_", "").isalnum():
        raise SettingsError(f"{path} is not what Voxgate made. Delete it: this machine gets a new id.")
    return found


class Machine:
    """`takeover_seconds` is the time from the last sign of life until others take over."""

    def __init__(
        self,
        store: Store,
        id_: str,
        takeover_seconds: float,
        share: Share = WHOLE,
        *,
        host: str | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.id = id_
        self.share = share
        self._host = host or socket.gethostname()
        self._now = now
        self._store = store
        self._lease_seconds = max(2, round(takeover_seconds / 2))
        self._missing_seconds = takeover_seconds / 2
        self._next_refresh = 0.0
        self._missing: dict[str, float] = {}
        """Machines without a lease, and since when that was seen."""
        self._answered_at = 0.0
        self._claims: set[Lease] = set()

    @property
    def _own(self) -> list[Lease]:
        return [(_ALL, self.id), self._recorder] if self.share.is_first else [self._recorder]

    @property
    def _recorder(self) -> Lease:
        """Who has the lease may take it again: the recorder after us on this host need not wait."""
        return f"recorder {self.share.number} of {self.id}", self._host

    def _logs_of(self, other: str) -> Lease:
        return f"logs of {other}", self.id

    def enter(self, stop: threading.Event) -> bool:
        """Waits while a recorder on another host has the same id. False when told to stop before."""
        told = False
        while not stop.is_set():
            try:
                if self._store.take_lease(self._recorder, 1, self._lease_seconds):
                    self.refresh()
                    return True
            except StoreUnavailable as error:
                logger.warning("whether another recorder has this machine's id is not known: %s", error)
            else:
                if not told:
                    logger.warning(
                        "a recorder on another host is machine %s too; waiting for its end. If this one is a"
                        " copy of it, delete machine-id in the data folder",
                        self.id,
                    )
                told = True
            stop.wait(_POLL_SECONDS)
        return False

    def refresh(self) -> None:
        """StoreUnavailable when nobody can know that we live."""
        now = self._now()
        if now >= self._next_refresh:
            self._store.refresh_leases([*self._own, *self._claims], self._lease_seconds)
            self._next_refresh = now + self._lease_seconds / 4

    def dead(self, others: Iterable[str]) -> list[str]:
        """Those of them that have been missing for long enough. Asked again and again; when there was no
        answer for so long, the waiting begins anew, but for those whose logs are ours already: nobody could
        say that he lives."""
        living = self._store.lease_holders(_ALL)
        now = self._now()
        if now - self._answered_at > self._missing_seconds:
            claimed = {other for other in self._missing if self._logs_of(other) in self._claims}
            self._missing = {other: self._missing[other] for other in claimed}
        self._answered_at = now
        gone = set(others) - living - {self.id}
        self._missing = {each: self._missing.get(each, now) for each in gone}
        return sorted(each for each, since in self._missing.items() if now - since >= self._missing_seconds)

    def claim(self, other: str) -> bool:
        """Whether it is ours to finish what that machine left."""
        lease = self._logs_of(other)
        if lease not in self._claims and self._store.take_lease(lease, 1, self._lease_seconds):
            logger.warning("machine %s is gone; its recordings are finished here", other)
            self._claims.add(lease)
        return lease in self._claims

    def give_up_claims(self, but: Iterable[str]) -> list[str]:
        """On all other machines; whose they were."""
        kept = {self._logs_of(each) for each in but}
        ended = self._claims - kept
        self._claims &= kept
        self._store.give_back_leases(ended)
        return [scope.removeprefix("logs of ") for scope, _ in ended]

    def leave(self) -> None:
        """What is not finished is begun by this machine's next recorder, or taken over."""
        try:
            self._store.give_back_leases([*self._own, *self._claims])
        except StoreUnavailable as error:
            logger.warning("that this machine's recorder ends could not be said: %s", error)
