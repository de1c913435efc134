"""Who may call, without keeping the event loop or other callers waiting: a temporary credential and the admin
key are checked at once, whatever the database does. Other keys are looked up in threads of their own, and for
a limited time.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from voxgate.auth.credentials import Gatekeeper, Grant
from voxgate.core.errors import StoreUnavailable

_THREADS: Final = 8
_WAIT_SECONDS: Final = 5.0


class Admission:
    def __init__(self, gatekeeper: Gatekeeper) -> None:
        self.gatekeeper = gatekeeper
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="keys")

    async def admit(self, key: str | None) -> Grant:
        """As `Gatekeeper.admit`; StoreUnavailable when the key cannot be looked up in time."""
        if not self.gatekeeper.needs_store(key):
            return self.gatekeeper.admit(key)
        lookup = self._threads.submit(self.gatekeeper.admit, key)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(lookup), _WAIT_SECONDS)
        except TimeoutError as error:
            raise StoreUnavailable(
                "The database does not answer, so this API key cannot be looked up. Try again later; "
                "temporary credentials work meanwhile."
            ) from error

    def stop(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
