"""The calls that run in this worker: counted, found by session or credential, ended together at a drain."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Final, Protocol

from voxgate.auth.credentials import Grant
from voxgate.core.errors import Draining, Overloaded, SessionEnded, VoxgateError
from voxgate.gateway.leg import Leg, is_compiled
from voxgate.gateway.metrics import Metrics
from voxgate.gateway.relay import Call

_POLL_SECONDS: Final = 0.02


class RunningRequest(Protocol):
    """One that is no call."""

    session_id: str
    grant: Grant | None

    def end(self, error: VoxgateError) -> None: ...


class Calls:
    def __init__(self, metrics: Metrics, most: int) -> None:
        self._most = most
        self._running: dict[str, Call] = {}
        self._empty = asyncio.Event()
        self._empty.set()
        self._requests: dict[str, RunningRequest] = {}
        self._no_requests = asyncio.Event()
        self._no_requests.set()
        self._openings: set[asyncio.Task[None]] = set()
        self._leaving: list[asyncio.Transport] = []
        """Clients that were told to go while draining: the process must not end before they have read it."""
        self.draining = False
        self._impatient = False
        """Whether nobody waits for clients any more to read why they were closed."""
        self._started = metrics.counter("voxgate_calls_started_total", "Calls that were opened.")
        self._refused = metrics.counter(
            "voxgate_calls_refused_total", "Calls that were refused, by error code.", "code"
        )
        self._ended = metrics.counter(
            "voxgate_calls_ended_total", "Calls that the gateway ended, by error code.", "code"
        )
        self._told: set[str] = set()
        """Those that the gateway ends now: their last bytes may take a moment."""
        metrics.gauge("voxgate_calls_running", "Calls that this worker relays now.", lambda: self.running)
        metrics.gauge(
            "voxgate_requests_running", "Requests that are being answered.", lambda: len(self._requests)
        )
        self._answered = metrics.counter("voxgate_requests_total", "Requests that are no calls.")
        metrics.gauge("voxgate_relay_compiled", "Whether the relay's compiled part was built.", is_compiled)
        metrics.gauge("voxgate_draining", "Whether this worker takes no new calls.", lambda: self.draining)
        self._messages = _Relayed(self, lambda leg: leg.follower.messages)
        metrics.counted(
            "voxgate_relayed_messages_total",
            "Messages that were relayed, by the side they came from.",
            self._messages.read,
            "side",
        )
        self._bytes = _Relayed(self, lambda leg: leg.received_bytes)
        metrics.counted(
            "voxgate_relayed_bytes_total",
            "Bytes that were relayed, by the side they came from.",
            self._bytes.read,
            "side",
        )

    @property
    def running(self) -> int:
        return len(self._running)

    def opening(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Runs the opening of a call, so that a drain knows of it."""
        task = asyncio.get_running_loop().create_task(work)
        self._openings.add(task)
        task.add_done_callback(self._openings.discard)
        return task

    def request_began(self, request: RunningRequest) -> None:
        """One that is no call: a drain waits for it too, and it ends with its credential."""
        self._answered.add()
        self._requests[request.session_id] = request
        self._no_requests.clear()

    def request_ended(self, request: RunningRequest) -> None:
        del self._requests[request.session_id]
        if not self._requests:
            self._no_requests.set()

    def check_open(self) -> None:
        """Draining when no new call may start."""
        if self.draining:
            raise stopping()

    def check_room(self) -> None:
        """Overloaded when this worker has as many calls as it takes, the one that asks included."""
        if self.running + self.being_opened > self._most:
            raise Overloaded(f"This gateway has {self._most:,} calls and takes no more; try again later.")

    @property
    def being_opened(self) -> int:
        return len(self._openings)

    def add(self, call: Call) -> None:
        self._started.add()
        self._running[call.session_id] = call
        self._empty.clear()

    def get(self, session_id: str) -> Call:
        return self._running[session_id]

    def all(self) -> list[Call]:
        return list(self._running.values())

    def remove(self, call: Call) -> None:
        if self._running.pop(call.session_id, None) is not None:
            self._messages.add(call)
            self._bytes.add(call)
        self._told.discard(call.session_id)
        self.see_off(call.client.transport)
        if not self._running:
            self._empty.set()

    def see_off(self, client: asyncio.Transport) -> None:
        """The end of a drain waits until this client is gone, for a while."""
        if self.draining:
            self._leaving = [each for each in self._leaving if not _is_gone(each)] + [client]

    def count_refusal(self, error: VoxgateError) -> None:
        self._refused.add(error.code or error.type)

    def end(self, call: Call, error: VoxgateError) -> None:
        """May be called again for a call that is still being ended."""
        if call.session_id not in self._running or call.session_id in self._told:
            return
        self._told.add(call.session_id)
        self._ended.add(error.code or error.type)
        call.end(error)

    def end_session(self, session_id: str) -> None:
        error = SessionEnded("This session was ended by an operator.")
        if call := self._running.get(session_id):
            self.end(call, error)
        if request := self._requests.get(session_id):
            request.end(error)

    def end_credential(self, credential_id: str) -> None:
        """Of a temporary credential or an API key."""
        self._end_revoked(lambda grant: grant.id == credential_id)

    def end_minted_by(self, api_key_id: str) -> None:
        self._end_revoked(lambda grant: grant.minted_by == api_key_id)

    def _end_revoked(self, is_revoked: Callable[[Grant], bool]) -> None:
        error = SessionEnded("The credential of this session was revoked.")
        self._end_all([call for call in self.all() if is_revoked(call.grant)], error)
        for request in list(self._requests.values()):
            if request.grant is not None and is_revoked(request.grant):
                request.end(error)

    async def drain(self, seconds: float) -> None:
        """No new calls, those that are being opened are refused; those that run may go on for `seconds`."""
        self.draining = True
        await asyncio.sleep(0)  # a task that has not begun could not answer
        for task in list(self._openings):
            task.cancel()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._all_over(), seconds)

    async def _all_over(self) -> None:
        await self._empty.wait()
        await self._no_requests.wait()

    async def close_rest(self, seconds: float) -> None:
        """Closes what still runs with 1001 and waits until the clients have read it, `seconds` at most."""
        self.draining = True
        self._end_all(self.all(), Draining("This gateway is stopping."))
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self._all_gone and not self._impatient:  # noqa: ASYNC110
            await asyncio.sleep(_POLL_SECONDS)  # transports tell nobody when they are gone
        for call in self.all():  # in the middle of a message
            call.give_up()

    def cut_farewell(self) -> None:
        self._impatient = True

    @property
    def _all_gone(self) -> bool:
        return not self._running and not self._openings and all(map(_is_gone, self._leaving))

    def _end_all(self, calls: Iterable[Call], error: VoxgateError) -> None:
        for call in calls:
            self.end(call, error)


class _Relayed:
    """What all calls have relayed: added up when a call ends, and looked up in those that run."""

    def __init__(self, calls: Calls, of: Callable[[Leg], int]) -> None:
        self._calls = calls
        self._of = of
        self._client = 0
        self._provider = 0

    def add(self, call: Call) -> None:
        self._client += self._of(call.client)
        self._provider += self._of(call.upstream)

    def read(self) -> dict[str, float]:
        running = self._calls.all()
        return {
            "client": self._client + sum(self._of(call.client) for call in running),
            "provider": self._provider + sum(self._of(call.upstream) for call in running),
        }


def stopping() -> Draining:
    """For those who want a call now."""
    return Draining("This gateway is stopping; connect again to reach another one.")


def _is_gone(client: asyncio.Transport) -> bool:
    return client.is_closing() and not client.get_write_buffer_size()
