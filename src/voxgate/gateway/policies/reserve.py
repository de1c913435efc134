"""What the responses that one call has asked for may still use of a budget of tokens or dollars. How much one
uses is known when it has ended, so each of those that run or are asked for counts as the largest so far; as
long as none has ended, nobody knows how much that is, and a second one does not begin beside the first.

    response.create → ask → response.created → begun → response.done → ended
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from voxgate.core.errors import BudgetReserved
from voxgate.gateway.account import Account

_ANSWER_SECONDS: Final = 5.0
"""What a provider has not begun by then, it has refused. Its errors are no proof of that: a client can
provoke one that looks like the answer to what it asked for."""
_TAKEN: Final = "The responses that run may use up what is left of this credential's budget"


@dataclass(slots=True)
class Use:
    tokens: float
    nano_usd: float


class Reserve:
    def __init__(self, account: Account) -> None:
        self._account = account
        self._asked: deque[float] = deque()
        """When (monotonic seconds), of those that have not begun."""
        self._largest: Use | None = None

    def ask(self, running: Iterable[Use]) -> BudgetReserved | None:
        """Why there may be no further response beside these, which the account has with what they are known
        to have used so far; None, and it is on its way."""
        now = time.monotonic()
        while self._asked and self._asked[0] < now - _ANSWER_SECONDS:
            self._asked.popleft()
        if (error := self._refusal(list(running))) is None:
            self._asked.append(now)
        return error

    def begun(self) -> None:
        if self._asked:
            self._asked.popleft()

    def ended(self, used: Use) -> None:
        before = self._largest or used
        self._largest = Use(max(before.tokens, used.tokens), max(before.nano_usd, used.nano_usd))

    def _refusal(self, running: list[Use]) -> BudgetReserved | None:
        account, others = self._account, len(self._asked) + len(running)
        held_tokens, held_nano_usd = account.held
        most_nano_usd = None if account.max_cost_usd is None else account.max_cost_usd * 1e9
        bounds = [
            ("max_tokens", account.max_tokens, account.tokens, held_tokens, "tokens"),
            ("max_cost_usd", most_nano_usd, account.cost_usd * 1e9, held_nano_usd, "nano_usd"),
        ]
        for scope, most, used, held, name in bounds:
            if most is not None and held and used + held >= most:
                return BudgetReserved(f"{_TAKEN}; ask again when they have ended.", param=scope)
            if not others or most is None:
                continue
            if self._largest is None:
                said = "How much a response uses is not known before the first has ended."
                return BudgetReserved(
                    f"{said} With this credential's budget, ask for the next one then.", param=scope
                )
            counted = sum(getattr(each, name) for each in running)
            if used + held - counted + (others + 1) * getattr(self._largest, name) > most:
                return BudgetReserved(f"{_TAKEN}; ask again when they have ended.", param=scope)
        return None
