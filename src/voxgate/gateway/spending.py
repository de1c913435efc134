"""What credentials with a budget or a number of uses have spent, over all workers: taken and looked up at the
opening of a call, and while calls run exchanged with the database once a second, in a thread of its own.

    opening → take → the call runs, its stage adds to the Account → finish
                   → it never opened                              → give_back

A credential without such a scope never touches the database for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final

from voxgate.auth.credentials import Grant
from voxgate.core.errors import (
    BudgetReserved,
    BudgetSpent,
    LimitUnknown,
    NoUseLeft,
    PriceUnknown,
    VoxgateError,
)
from voxgate.core.prices import PriceTable
from voxgate.gateway.account import Account
from voxgate.gateway.policies.budget import Budget, check_prices
from voxgate.store import Hold, Spent, Store
from voxgate.traces.costs import cost_of
from voxgate.traces.usage import flat_usage

_WAIT_SECONDS: Final = 2.0
_SHORT_WAIT_SECONDS: Final = 0.2
"""When it did not answer the last time."""

_LOOK_AGAIN_SECONDS: Final = (0.1, 0.4)
"""A request that has just ended may not have given back yet what it held."""

_BUDGETS: Final = ("max_tokens", "max_audio_seconds", "max_cost_usd")

_NANO: Final = 1e9
_NOTHING: Final = Spent()
_Taken = tuple[Spent | None, Spent]
"""What is held, None when there was nothing to take; and what is spent."""
logger = logging.getLogger(__name__)


class Spending:
    """The accounts of this worker's calls."""

    def __init__(self, store: Store, prices: PriceTable) -> None:
        self._store = store
        self.prices = prices
        self._held: dict[str, Grant] = {}
        """By session id."""
        self._accounts: dict[str, Account] = {}
        """By credential, of those with a budget."""
        self._holds: dict[str, Spent] = {}
        """What requests may still use, by session id."""
        self._returned: dict[str, Spent] = {}
        """Uses to give back, and what was held: both below 0."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="spending")
        self._settling = False
        self._again = False
        self._away = False

    def check_price(self, grant: Grant, models: Iterable[Sequence[str]]) -> None:
        """PriceUnknown when a budget in dollars could not be kept. Each model by the names that its price may
        have."""
        if grant.max_cost_usd is not None:
            check_prices(self.prices, map(self.prices.listed, models))

    def check_request_price(self, grant: Grant, models: Iterable[Sequence[str]]) -> None:
        """The same for a request that is no call: a model that does not speak needs no price for that."""
        if grant.max_cost_usd is None:
            return
        for names in models:
            price = self.prices.of(self.prices.listed(names))
            if price is None or price.text_input is None:
                raise PriceUnknown(
                    f"The price of the model {names[0][:200]!a} is not known, so no budget in dollars can be "
                    "kept. Set it in [prices] of voxgate.toml, or use max_tokens.",
                    param="max_cost_usd",
                )

    def hold(
        self, grant: Grant, usage: Mapping[str, Any], models: Iterable[Sequence[str]], *, is_stated: bool
    ) -> Hold:
        """What a request may use of its credential's budget: this usage, at the dearest of these models."""
        prices = [self.prices.of(self.prices.listed(names)) for names in models]
        dollars = max((cost_of(dict(usage), price).usd or 0.0 for price in prices), default=0.0)
        tokens = (flat_usage(dict(usage)) or {}).get("total_tokens", 0)
        most = None if grant.max_cost_usd is None else int(grant.max_cost_usd * _NANO)
        return Hold(int(tokens), int(dollars * _NANO), grant.max_tokens, most, is_stated)

    def charge(self, session_id: str, usage: Mapping[str, Any] | None, priced_as: Sequence[str]) -> None:
        """What a request used, in the form of a Realtime usage. Without it it counts as something whose price
        is not known."""
        grant = self._held.get(session_id)
        account = self._accounts.get(grant.id) if grant else None
        if account is None:
            return
        counted = dict(usage or {})
        usd = cost_of(counted, self.prices.of(self.prices.listed(priced_as))).usd if usage else None
        flat = flat_usage(counted) if usage else None
        tokens = (flat or {}).get("total_tokens", 0)
        account.add(tokens=tokens, nano_usd=(usd or 0) * _NANO, unpriced=int(usd is None))

    async def take(self, session_id: str, grant: Grant, hold: Hold | None = None) -> None:
        """One use, and what a request holds of the budget. NoUseLeft, BudgetSpent, BudgetReserved, or
        LimitUnknown when nobody can say."""
        if grant.max_uses is None and not grant.has_budget:
            return
        for pause_seconds in _LOOK_AGAIN_SECONDS:
            try:
                await self._try(session_id, grant, hold)
            except BudgetReserved:
                await asyncio.sleep(pause_seconds)
            else:
                return
        await self._try(session_id, grant, hold)

    async def _try(self, session_id: str, grant: Grant, hold: Hold | None) -> None:
        work = self._thread.submit(self._take, asyncio.get_running_loop(), grant, hold)
        try:
            seconds = _SHORT_WAIT_SECONDS if self._away else _WAIT_SECONDS
            taken, spent = await asyncio.wait_for(asyncio.wrap_future(work), seconds)
        except asyncio.CancelledError:
            self._return_when_taken(work, grant)
            raise
        except Exception as error:
            # A database can fail in many ways, and the answer may only come late.
            self._warn(error)
            self._return_when_taken(work, grant)
            raise LimitUnknown("What this credential has used cannot be found out now.") from error
        self._away = False
        if taken is None:
            raise _refusal(grant, hold, spent)
        self._holds[session_id] = taken
        self._hold(session_id, grant, spent)

    def _take(self, loop: asyncio.AbstractEventLoop, grant: Grant, hold: Hold | None) -> _Taken:
        """In the thread. What is read becomes known here in the order in which it was read."""
        if hold is not None:
            taken, spent = self._store.take_use_and_hold(grant.id, grant.max_uses, hold)
        else:
            is_taken, spent = self._store.take_use(grant.id, grant.max_uses)
            taken = Spent() if is_taken else None
        with contextlib.suppress(RuntimeError):  # the worker has stopped
            loop.call_soon_threadsafe(self._learn, grant.id, spent)
        return taken, spent

    def _learn(self, credential_id: str, spent: Spent) -> None:
        if credential_id in self._accounts:
            self._accounts[credential_id].known = spent

    def _hold(self, session_id: str, grant: Grant, spent: Spent) -> None:
        self._held[session_id] = grant
        if not grant.has_budget:
            return
        account = self._accounts.setdefault(grant.id, Account(grant, spent))
        account.calls += 1
        if (error := account.spent()) is not None:
            self.give_back(session_id)
            raise error

    def budget(self, session_id: str, model: Sequence[str]) -> Budget | None:
        """The stage that keeps it, for a call that is answered by the model of these names."""
        grant = self._held.get(session_id)
        account = self._accounts.get(grant.id) if grant else None
        return Budget(account, self.prices.listed(model), self.prices) if account else None

    def give_back(self, session_id: str) -> None:
        """Of a call that never opened. Does nothing for one that holds none."""
        if (grant := self._let_go(session_id)) is not None:
            self._return(grant)

    def finish(self, session_id: str) -> None:
        """Of a call that was open."""
        if self._let_go(session_id) is not None:
            self.settle()

    def _let_go(self, session_id: str) -> Grant | None:
        grant, held = self._held.pop(session_id, None), self._holds.pop(session_id, Spent())
        if grant is not None and held != Spent():
            self._owe(grant.id, -held)
        if grant is not None and grant.has_budget:
            self._accounts[grant.id].calls -= 1
        return grant

    def _return(self, grant: Grant, held: Spent = _NOTHING) -> None:
        self._owe(grant.id, -held + Spent(uses=-1))
        self.settle()

    def _owe(self, credential_id: str, spent: Spent) -> None:
        self._returned[credential_id] = self._returned.get(credential_id, _NOTHING) + spent

    def _return_when_taken(self, work: Future[_Taken], grant: Grant) -> None:
        loop = asyncio.get_running_loop()

        def done(work: Future[_Taken]) -> None:
            if work.cancelled() or work.exception() is not None:
                return
            if (held := work.result()[0]) is not None:
                with contextlib.suppress(RuntimeError):  # the worker has stopped
                    loop.call_soon_threadsafe(self._return, grant, held)

        work.add_done_callback(done)

    # With the other workers

    def settle(self) -> None:
        """Writes what was spent here and reads what was spent everywhere; at once, or when that is done which
        runs now. Never waits."""
        if self._settling:
            self._again = True
            return
        sent = self._collect()
        if not sent:
            return
        self._settling = True
        loop = asyncio.get_running_loop()

        def run() -> None:
            try:
                known = self._store.settle_spending(sent)
            except Exception as error:  # noqa: BLE001 - the database is away: it is written when it is back
                loop.call_soon_threadsafe(self._came_back, sent, error)
            else:
                loop.call_soon_threadsafe(self._arrived, known)

        with contextlib.suppress(RuntimeError):  # the worker stops, and settles then
            self._thread.submit(run)

    def _collect(self) -> dict[str, Spent]:
        returned, self._returned = self._returned, {}
        sent = {credential_id: account.send() for credential_id, account in self._accounts.items()}
        for credential_id, spent in returned.items():
            sent[credential_id] = sent.get(credential_id, _NOTHING) + spent
        return sent

    def _arrived(self, known: dict[str, Spent]) -> None:
        self._settling = self._away = False
        for credential_id in known.keys() & self._accounts.keys():
            account = self._accounts[credential_id]
            account.arrived(known[credential_id])
            if not account.calls and account.is_settled:
                del self._accounts[credential_id]
        if self._again:
            self._again = False
            self.settle()

    def _came_back(self, sent: dict[str, Spent], error: Exception) -> None:
        self._settling = self._again = False
        self._warn(error)
        for credential_id, spent in sent.items():
            held = {"held_tokens": spent.held_tokens, "held_nano_usd": spent.held_nano_usd}
            self._owe(credential_id, Spent(uses=spent.uses, **held))
            if credential_id in self._accounts:
                self._accounts[credential_id].came_back()

    def stop(self) -> None:
        """When no call runs any more: writes the rest, unless the database is away."""
        self._thread.shutdown(cancel_futures=self._away)
        if (sent := self._collect()) and not self._away:
            try:
                self._store.settle_spending(sent)
            except Exception as error:  # noqa: BLE001 - whatever it is: there is no later
                self._warn(error)

    def _warn(self, error: Exception) -> None:
        """Once, until it works again."""
        if not self._away:
            self._away = True
            logger.warning(
                "what credentials spend cannot be counted now: %s", str(error) or type(error).__name__
            )


def _refusal(grant: Grant, hold: Hold | None, spent: Spent) -> VoxgateError:
    """Why there is nothing to take."""
    if grant.max_uses is not None and spent.uses >= grant.max_uses:
        calls = "1 call" if grant.max_uses == 1 else f"{grant.max_uses} calls"
        return NoUseLeft(f"This temporary credential is good for {calls}, and they were made.")
    if hold is None or (error := Account(grant, spent).spent()) is not None:
        return error or BudgetSpent("This temporary credential has spent its budget.")
    free = spent.free(hold.max_tokens, hold.max_nano_usd)
    is_short_of_tokens = free is not None and hold.tokens > free[0]
    scope = "max_tokens" if is_short_of_tokens else "max_cost_usd"
    if spent.held_tokens or spent.held_nano_usd:
        said = "The requests that run may use up what is left of this credential's budget"
        return BudgetReserved(f"{said}; ask again when they have ended.", param=scope)
    if is_short_of_tokens and free is not None:
        may, left = f"{hold.tokens:,} tokens", f"{free[0]:,.0f}"
    else:
        may, left = f"${hold.nano_usd / _NANO:.6f}", f"${(free or (0, 0))[1] / _NANO:.6f}"
    said = f"This request may use {may}, and of this credential's budget {left} are left."
    return BudgetSpent(f"{said} Let it be answered with fewer tokens.", param=scope)


def used(credential: Mapping[str, Any], spent: Spent | None) -> dict[str, Any] | None:
    """What a credential has used, as it is shown; None for what is not counted, or of which the price is not
    known. `credential` has its scopes by their names."""
    has_budget = any(credential.get(scope) is not None for scope in _BUDGETS)
    if not has_budget and credential.get("max_uses") is None:
        return None
    spent = spent or Spent()
    counted = {
        "tokens": spent.tokens,
        "audio_seconds": round(spent.audio_ms / 1e3, 3),
        "cost_usd": None if spent.unpriced else spent.nano_usd / 1e9,
    }
    return {"uses": spent.uses, **(counted if has_budget else dict.fromkeys(counted))}
