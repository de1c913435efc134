"""What one request takes of the limits that apply to it, and what it leaves when it is over: of limits per
minute, and of its credential's budget. A request without any has no Metering.

    take_rates, hold  before the provider is asked, by what it may use at most
    count             when it was answered, by what it did use
    end               at its end, whatever it was
"""

from __future__ import annotations

from collections.abc import Sequence

from voxgate.auth.credentials import Grant
from voxgate.gateway.rates import RateLimit, Rates, RateState, Taken
from voxgate.gateway.requests.counting import Counting
from voxgate.gateway.requests.estimate import Estimate
from voxgate.gateway.spending import Spending
from voxgate.store import Hold


class Metering:
    def __init__(
        self,
        rates: Rates,
        spending: Spending,
        session_id: str,
        grant: Grant,
        limits: tuple[RateLimit, ...],
        estimate: Estimate,
    ) -> None:
        self._rates = rates
        self._spending = spending
        self._session_id = session_id
        self._grant = grant
        self._limits = limits
        self.estimate = estimate
        self._taken: Taken | None = None
        self._used_tokens = 0.0

    @property
    def counts_tokens(self) -> bool:
        return self._grant.has_budget or any(each.kind == "tokens" for each in self._limits)

    @property
    def states(self) -> list[RateState]:
        return self._rates.states(self._limits)

    async def take_rates(self) -> None:
        """RateLimited when there is no room."""
        if self._limits:
            self._taken = await self._rates.take(self._limits, self.estimate.tokens)

    def hold(self, models: Sequence[Sequence[str]]) -> Hold | None:
        """Of the budget; each model by the names that its price may have."""
        if not self._grant.has_budget:
            return None
        is_stated = self.estimate.output_tokens is not None
        return self._spending.hold(self._grant, self.estimate.usage(), models, is_stated=is_stated)

    def count(self, counting: Counting, priced_as: Sequence[str]) -> None:
        """Before the client hears that it was all: its next request must find it counted."""
        self._used_tokens = counting.tokens
        if self._grant.has_budget:
            self._spending.charge(self._session_id, counting.usage, priced_as)
        self.end()

    def end(self) -> None:
        """What nobody answered has used no tokens; a request it was all the same."""
        if self._taken is not None:
            self._rates.settle(self._taken, self._used_tokens)
            self._taken = None
