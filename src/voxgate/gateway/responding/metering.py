"""What the responses of one socket take of the limits per minute. Each is a request of its own: taken when it
is asked for, by what it may use at most, and corrected when it has ended, by what it did use.

    response.create → take → response.created → its events → completed, failed … → settled
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from voxgate.gateway.rates import RateLimit, Rates, RateState, Taken
from voxgate.gateway.requests.bodies import Wanted
from voxgate.gateway.requests.counting import Counting
from voxgate.gateway.requests.endpoints import ENDPOINTS
from voxgate.gateway.requests.estimate import Estimate, estimate
from voxgate.traces.dialogue import ENDS, lane_of

_RESPONSES: Final = ENDPOINTS["/v1/responses"]
_UNASKED: Final = Estimate(0, 0)


@dataclass(slots=True)
class _Response:
    """`lane` is the stream on which its events come, one response after the other."""

    lane: str
    taken: Taken
    counting: Counting


class Metering:
    def __init__(self, rates: Rates, limits: tuple[RateLimit, ...]) -> None:
        self._rates = rates
        self._limits = limits
        self.counts_tokens = any(each.kind == "tokens" for each in limits)
        self._asked = deque[_Response]()
        self._running: dict[str, _Response] = {}
        """By lane."""
        self._has_taken = False
        """Whether there was room for a first response before the call."""
        self._is_over = False

    @property
    def states(self) -> Sequence[RateState]:
        return self._rates.states(self._limits)

    # From the client

    async def take_first(self, text: bytes) -> None:
        """Before there is a call; RateLimited as for all others."""
        await self.take(text, orjson.loads(text))
        self._has_taken = True

    def has_taken(self) -> bool:
        """Whether there is room already for the response that is asked for now."""
        has_taken, self._has_taken = self._has_taken, False
        return has_taken

    async def take(self, text: bytes, body: dict[str, Any]) -> None:
        """RateLimited when there is no room for this response."""
        guess = estimate(_RESPONSES, text, Wanted(None, body))
        taken = await self._rates.take(self._limits, guess.tokens)
        if self._is_over:  # the socket has closed meanwhile
            self._rates.settle(taken, 0)
        elif self.counts_tokens:
            self._asked.append(_Response(lane_of(body), taken, Counting(_RESPONSES.name, guess)))

    # From the provider

    def follow(self, event: dict[str, Any]) -> None:
        kind, lane = str(event.get("type")), lane_of(event)
        if kind == "response.created":
            self._running[lane] = self._begun(lane)
        elif kind == "error":
            self._failed(lane)
        elif (running := self._running.get(lane)) is not None:
            running.counting.add(event)
            if kind in ENDS:
                self._settle(self._running.pop(lane))

    def _begun(self, lane: str) -> _Response:
        for response in self._asked:
            if response.lane == lane:
                self._asked.remove(response)
                return response
        # Its place was given back, since an error came that looked like its end. It counts all the same.
        return _Response(lane, Taken(self._limits, 0), Counting(_RESPONSES.name, _UNASKED))

    def _failed(self, lane: str) -> None:
        """What runs in its lane, else what waits longest: it was never begun, and uses nothing."""
        if (running := self._running.pop(lane, None)) is not None:
            self._settle(running)
        elif (waiting := next((each for each in self._asked if each.lane == lane), None)) is not None:
            self._asked.remove(waiting)
            self._rates.settle(waiting.taken, 0)

    def _settle(self, response: _Response) -> None:
        self._rates.settle(response.taken, response.counting.tokens)

    def end(self) -> None:
        """Of the socket: what still runs counts by what was seen of it."""
        self._is_over = True
        for response in self._asked:
            self._rates.settle(response.taken, 0)
        for response in self._running.values():
            self._settle(response)
        self._asked.clear()
        self._running.clear()
