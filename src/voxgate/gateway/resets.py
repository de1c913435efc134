"""Connections that a peer has reset. uvloop tells of that once, lets the reader run once, and looks there no
more: where more than one portion was unread, nobody would hear that it is over. So once a second the system
is asked, in one call for all connections, which of them are broken, and those are read to their end.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable
from typing import Final
from weakref import WeakKeyDictionary

_LOOK_SECONDS: Final = 1.0
_BROKEN: Final = select.POLLERR | select.POLLHUP | select.POLLNVAL

_watches: WeakKeyDictionary[asyncio.AbstractEventLoop, ResetWatch] = WeakKeyDictionary()


class ResetWatch:
    """Of one event loop, for the connections that are being read now."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._poll = select.poll()
        self._broken: dict[int, Callable[[], None]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, descriptor: int, on_broken: Callable[[], None]) -> None:
        self._poll.register(descriptor, 0)
        self._broken[descriptor] = on_broken
        if self._timer is None:
            self._timer = self._loop.call_later(_LOOK_SECONDS, self._look)

    def forget(self, descriptor: int) -> None:
        if self._broken.pop(descriptor, None) is not None:
            self._poll.unregister(descriptor)

    def _look(self) -> None:
        for descriptor, events in self._poll.poll(0):
            if events & _BROKEN:
                self._loop.call_soon(self._broken[descriptor])  # one that fails keeps no other from it
        self._timer = self._loop.call_later(_LOOK_SECONDS, self._look) if self._broken else None


def reset_watch(loop: asyncio.AbstractEventLoop) -> ResetWatch:
    """The one of this loop."""
    if (watch := _watches.get(loop)) is None:
        watch = _watches[loop] = ResetWatch(loop)
    return watch
