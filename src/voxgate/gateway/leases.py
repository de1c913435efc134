"""Which calls a key may still have: running calls are counted over all workers through leases in the store.
A call that no such limit applies to never touches the database for it.

    opening → take → the call runs, its lease refreshed every few seconds → give_back

All of it happens in one thread of its own, in the order it was asked for, so that a database that is slow or
away keeps a call waiting for `_WAIT_SECONDS` at most.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from voxgate.auth.credentials import Grant
from voxgate.core.errors import LimitUnknown, TooManyCalls
from voxgate.core.settings import LimitSettings
from voxgate.store import Lease, Store

_LEASE_SECONDS: Final = 20
"""So long the calls of a worker that was killed still count."""
_WAIT_SECONDS: Final = 2.0
_SHORT_WAIT_SECONDS: Final = 0.2
"""When it did not answer the last time."""
_LOOK_AGAIN_SECONDS: Final = (0.1, 0.4)
"""A client that hangs up and calls again at once may reach another worker before its first call is over."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many calls at once a key may have. `scope` is what they are counted by."""

    scope: str
    most: int
    asked_for: bool
    """By the credential itself and not by the settings: then it holds although nobody can count."""


def allowance(grant: Grant, limits: LimitSettings) -> Allowance | None:
    """None when no such limit applies."""
    if grant.kind != "temporary":
        most = limits.calls_per_api_key
        return None if most is None else Allowance(key_scope(grant), most, asked_for=False)
    given = [most for most in (grant.max_concurrent, limits.calls_per_credential) if most is not None]
    if not given:
        return None
    return Allowance(f"credential:{grant.id}", min(given), asked_for=grant.max_concurrent is not None)


def key_scope(grant: Grant) -> str:
    """A provider's own key has no id here, and the key itself must not be written down."""
    if grant.provider_key is None:
        return f"api_key:{grant.id}"
    return f"provider_key:{hashlib.sha256(grant.provider_key.encode()).hexdigest()[:32]}"


class Leases:
    """The leases of this worker's calls."""

    def __init__(self, store: Store, limits: LimitSettings) -> None:
        self._store = store
        self._limits = limits
        self._held: dict[str, str] = {}
        """Scopes by session id."""
        self._ended: deque[Lease] = deque()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="leases")
        self._away = False

    async def take(self, session_id: str, grant: Grant) -> None:
        """TooManyCalls when the key has as many as it may; LimitUnknown when its credential has a limit of
        its own and nobody can say. From here to `give_back` the call counts."""
        allowed = allowance(grant, self._limits)
        if allowed is None:
            return
        lease = allowed.scope, session_id
        try:
            taken = await self._try(lease, allowed.most)
        except asyncio.CancelledError:
            self._return(lease)
            raise
        except Exception as error:
            # A database can fail in many ways. The limits of the settings wait until it is back.
            self._warn(error)
            if allowed.asked_for:
                self._return(lease)  # the answer may only have come late
                raise LimitUnknown("How many calls this credential has cannot be found out now.") from error
            taken = True
        if not taken:
            calls = "1 call" if allowed.most == 1 else f"{allowed.most} calls"
            raise TooManyCalls(f"This key may have {calls} at once, and it has.")
        self._held[session_id] = allowed.scope

    def give_back(self, session_id: str) -> None:
        """Does nothing for a call that holds none."""
        scope = self._held.pop(session_id, None)
        if scope is not None:
            self._return((scope, session_id))

    def refresh(self) -> None:
        if self._held:
            self._submit(self._refresh)

    def stop(self) -> None:
        """Waits until everything is given back, unless the database is away: then it expires."""
        self._thread.shutdown(cancel_futures=self._away)

    async def _try(self, lease: Lease, most: int) -> bool:
        for pause_seconds in _LOOK_AGAIN_SECONDS:
            if await self._take(lease, most):
                return True
            await asyncio.sleep(pause_seconds)
        return await self._take(lease, most)

    async def _take(self, lease: Lease, most: int) -> bool:
        work = self._thread.submit(self._store.take_lease, lease, most, _LEASE_SECONDS)
        seconds = _SHORT_WAIT_SECONDS if self._away else _WAIT_SECONDS
        taken = await asyncio.wait_for(asyncio.wrap_future(work), seconds)
        self._away = False
        return taken

    def _return(self, lease: Lease) -> None:
        self._ended.append(lease)
        self._submit(self._return_ended)

    def _submit(self, work: Callable[[], None]) -> None:
        def run() -> None:
            try:
                work()
            except Exception as error:  # noqa: BLE001 - the database is away: leases are refreshed later, or expire
                self._warn(error)

        with contextlib.suppress(RuntimeError):  # the worker stops
            self._thread.submit(run)

    def _return_ended(self) -> None:
        ended = []
        while self._ended:  # also those whose jobs still wait
            ended.append(self._ended.popleft())
        if ended:
            self._store.give_back_leases(ended)
            self._away = False

    def _refresh(self) -> None:
        # Now, and not when it was asked for: so that none that ended meanwhile comes back.
        held = self._held.copy()
        self._store.refresh_leases([(scope, session) for session, scope in held.items()], _LEASE_SECONDS)
        self._away = False

    def _warn(self, error: Exception) -> None:
        """Once, until it works again."""
        if not self._away:
            self._away = True
            logger.warning("running calls cannot be counted now: %s", str(error) or type(error).__name__)
