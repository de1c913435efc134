"""New connections, shared out between the workers. All listen on one socket, so none is lost when one of them
dies or leaves; but the kernel wakes them in no fair order, and a call stays where it began. So a worker that
has more calls than another holds back for a moment, in which the other can take the connection.

    listening socket is readable → all workers wake → those with most look away → one accepts one connection
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Awaitable, Callable
from typing import Any, Final

from voxgate.gateway.scoreboard import Place

_HOLD_BACK_SECONDS: Final = 0.004
_SLACK: Final = 2
_SLACK_SHARE: Final = 0.02
"""So many calls more than the worker with the fewest are no reason to hold back."""
_EXHAUSTED_SECONDS: Final = 0.5
_AGAIN: Final = (BlockingIOError, InterruptedError, ConnectionAbortedError)

Connect = Callable[[Callable[[], asyncio.Protocol], socket.socket], Awaitable[Any]]

logger = logging.getLogger(__name__)


class Acceptor:
    """Takes connections from one listening socket. `load` says how many this worker has; `connect` gives one
    to a new protocol, as the event loop's `connect_accepted_socket`."""

    def __init__(
        self,
        listener: socket.socket,
        make_protocol: Callable[[], asyncio.Protocol],
        *,
        place: Place,
        load: Callable[[], int],
        connect: Connect,
    ) -> None:
        self._listener = listener
        self._make_protocol = make_protocol
        self._place = place
        self._load = load
        self._connect = connect
        self._loop = asyncio.get_running_loop()
        self._handshakes: set[asyncio.Task[None]] = set()
        self._pause: asyncio.TimerHandle | None = None
        self._held_back = False
        self._closed = False

    def start(self) -> None:
        self._listener.setblocking(False)
        self._resume()

    def close(self) -> None:
        """What is in the kernel's queue goes to the other workers."""
        if self._closed:
            return
        self._closed = True
        if self._pause is not None:
            self._pause.cancel()
        self._loop.remove_reader(self._listener.fileno())
        self._listener.close()
        self._place.tell_load(None)

    async def wait_closed(self) -> None:
        if self._handshakes:
            await asyncio.wait(self._handshakes)

    def _resume(self) -> None:
        self._pause = None
        self._place.tell_load(self._load() + len(self._handshakes))
        self._loop.add_reader(self._listener.fileno(), self._readable)

    def _look_away(self, seconds: float) -> None:
        self._loop.remove_reader(self._listener.fileno())
        self._pause = self._loop.call_later(seconds, self._resume)

    def _readable(self) -> None:
        load = self._load() + len(self._handshakes)
        self._place.tell_load(load)
        if not self._held_back and self._has_more(load):
            self._held_back = True  # once: the others may be too busy
            self._look_away(_HOLD_BACK_SECONDS)
            return
        self._held_back = False
        self._accept()

    def _has_more(self, load: int) -> bool:
        fewest = self._place.fewest_load_of_others()
        return fewest is not None and load > fewest + _SLACK + int(fewest * _SLACK_SHARE)

    def _accept(self) -> None:
        """One connection: the next may be another worker's."""
        try:
            connection, _ = self._listener.accept()
        except _AGAIN:
            return
        except OSError as error:  # no descriptor or no memory is left
            logger.error("no connection can be accepted: %s; trying again in %g s", error, _EXHAUSTED_SECONDS)
            self._look_away(_EXHAUSTED_SECONDS)
            return
        connection.setblocking(False)
        task = self._loop.create_task(self._welcome(connection))
        self._handshakes.add(task)
        task.add_done_callback(self._handshakes.discard)

    async def _welcome(self, connection: socket.socket) -> None:
        # A client whose TLS handshake fails or takes too long hears it from TLS.
        with contextlib.suppress(OSError):
            await self._connect(self._make_protocol, connection)
