"""The limits of running calls. Once a second one sweep over all of a worker's calls compares what they have
done with what they may, and ends those that are over: no limit costs anything per message.

    Call (its age, its legs' counters, since when a side is stalled) → CallLimits → Calls.end(call, error)
"""

from __future__ import annotations

import asyncio
import logging
import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from voxgate.auth.credentials import Grant
from voxgate.core import clock
from voxgate.core.errors import (
    ClientStalled,
    ExpiredKey,
    SessionExpired,
    SessionIdle,
    TooFast,
    UpstreamStalled,
    VoxgateError,
)
from voxgate.core.settings import LimitSettings
from voxgate.gateway.calls import Calls
from voxgate.gateway.leases import Leases
from voxgate.gateway.rates import Rates
from voxgate.gateway.relay import Call
from voxgate.gateway.spending import Spending

_SWEEP_SECONDS: Final = 1.0
_MOST_WAITING_SECONDS: Final = 3600.0
_SLICE: Final = 200
"""So many calls are looked at before others get their turn."""
_BURST_SECONDS: Final = 10.0
"""So many seconds' worth of messages or bytes may come at once."""
_SWEEPS_PER_REFRESH: Final = 5
_FILES_PER_CALL: Final = 2

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Rate:
    """A limit of messages or bytes per second in one direction."""

    per_second: float
    count: Callable[[Call], int]
    what: str

    def error(self) -> TooFast:
        return TooFast(f"{self.what} per second than this gateway lets through, {self.per_second:,.10g}.")


@dataclass(slots=True)
class _Seen:
    """What the last sweep saw of a call: messages of both sides, and for each rate its count and what of it
    has not yet run off."""

    messages: int
    quiet_since: float
    counts: list[int]
    levels: list[float]


class CallLimits:
    """The limits of one worker."""

    def __init__(
        self, limits: LimitSettings, calls: Calls, leases: Leases, spending: Spending, rates: Rates
    ) -> None:
        self.settings = limits
        self._calls = calls
        self._leases = leases
        self._spending = spending
        self._shared_rates = rates
        self._rates = list(_rates(limits))
        self._follows = bool(self._rates) or limits.idle_seconds is not None
        self._seen: dict[str, _Seen] = {}
        self._swept = time.monotonic()

    async def run(self) -> None:
        """For ever."""
        sweeps = 0
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            try:
                await self.sweep(time.monotonic())
            except Exception:  # whatever it is: the next sweep may do better, and calls go on
                logger.exception("a sweep over the running calls failed")
            self._spending.settle()
            self._shared_rates.sweep()
            sweeps += 1
            if sweeps % _SWEEPS_PER_REFRESH == 0:
                self._leases.refresh()

    async def sweep(self, now: float) -> None:
        elapsed, self._swept = now - self._swept, now
        calls, seen = self._calls.all(), {}
        for start in range(0, len(calls), _SLICE):
            for call in calls[start : start + _SLICE]:
                error = self._stalled(call, now) or self._expired(call, now)
                if self._follows:
                    follows = seen[call.session_id] = self._seen.get(call.session_id) or self._first(call)
                    error = error or self._idle(call, follows, now) or self._too_fast(call, follows, elapsed)
                if error is not None:
                    self._calls.end(call, error)
            await asyncio.sleep(0)
        self._seen = seen

    def _stalled(self, call: Call, now: float) -> VoxgateError | None:
        seconds = self.settings.stall_seconds
        if call.client.stalled_since is not None and now - call.client.stalled_since > seconds:
            return ClientStalled(f"The client has not read what was sent to it for {seconds:g} seconds.")
        if call.upstream.stalled_since is not None and now - call.upstream.stalled_since > seconds:
            return UpstreamStalled(f"The provider has not read what was sent to it for {seconds:g} seconds.")
        return None

    def most_waiting_seconds(self, grant: Grant) -> float:
        """How long a client may take to say what it wants, where it need not say so at once."""
        given = (self._longest_seconds(grant), self.settings.idle_seconds, _MOST_WAITING_SECONDS)
        return min(each for each in given if each is not None)

    def _longest_seconds(self, grant: Grant) -> float | None:
        given = (self.settings.max_session_seconds, grant.max_session_seconds)
        return min((each for each in given if each is not None), default=None)

    def _expired(self, call: Call, now: float) -> VoxgateError | None:
        if call.grant.ends_at is not None and clock.unix_seconds() >= call.grant.ends_at:
            return ExpiredKey("The temporary credential of this session has expired.")
        seconds = self._longest_seconds(call.grant)
        if seconds is None or now - call.started <= seconds:
            return None
        return SessionExpired(f"Your session hit the maximum duration of {_in_words(seconds)}.")

    def _idle(self, call: Call, seen: _Seen, now: float) -> VoxgateError | None:
        messages = call.client.follower.messages + call.upstream.follower.messages
        if messages != seen.messages:
            seen.messages, seen.quiet_since = messages, now
        seconds = self.settings.idle_seconds
        if seconds is None or now - seen.quiet_since <= seconds:
            return None
        return SessionIdle(f"Neither side has sent a message for {_in_words(seconds)}.")

    def _too_fast(self, call: Call, seen: _Seen, elapsed: float) -> VoxgateError | None:
        """A bucket that holds `_BURST_SECONDS` and runs off at the rate that is allowed."""
        found = None
        for number, rate in enumerate(self._rates):
            count = rate.count(call)
            came, seen.counts[number] = count - seen.counts[number], count
            level = max(0.0, seen.levels[number] - rate.per_second * elapsed) + came
            seen.levels[number] = level
            if level > rate.per_second * _BURST_SECONDS:
                found = rate.error()
        return found

    def _first(self, call: Call) -> _Seen:
        return _Seen(0, call.started, [0] * len(self._rates), [0.0] * len(self._rates))


def _rates(limits: LimitSettings) -> Iterator[_Rate]:
    if (most := limits.client_messages_per_second) is not None:
        yield _Rate(most, lambda call: call.client.follower.messages, "The client sends more messages")
    if (most := limits.client_bytes_per_second) is not None:
        yield _Rate(most, lambda call: call.client.received_bytes, "The client sends more bytes")
    if (most := limits.provider_messages_per_second) is not None:
        yield _Rate(most, lambda call: call.upstream.follower.messages, "The provider sends more messages")
    if (most := limits.provider_bytes_per_second) is not None:
        yield _Rate(most, lambda call: call.upstream.received_bytes, "The provider sends more bytes")


def _in_words(seconds: float) -> str:
    """As the live service says it, in minutes where they are whole ones."""
    if seconds % 60 == 0:
        return "1 minute" if seconds == 60 else f"{seconds / 60:,.0f} minutes"
    return "1 second" if seconds == 1 else f"{seconds:g} seconds"


def most_calls(limits: LimitSettings) -> int:
    """Calls per worker: what is set, or fewer if the files that this process may open do not suffice."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return limits.calls_per_worker
    others = max(100, files // 10)  # the listener, the database, requests, calls that are being refused
    possible = max(1, (files - others) // _FILES_PER_CALL)
    if "calls_per_worker" in limits.model_fields_set and possible < limits.calls_per_worker:
        logger.warning(
            "calls_per_worker is %d, but a limit of %d open files suffices for %d calls only",
            limits.calls_per_worker, files, possible,
        )  # fmt: skip
    return min(possible, limits.calls_per_worker)
