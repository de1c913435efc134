"""A call that is being opened: who asks, for which model, and with which upstreams to try. What differs
between the Realtime API and the other one that speaks WebSocket (`responding`) is said by kinds of `Opening`.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from voxgate.auth.credentials import Grant
from voxgate.auth.places import Places
from voxgate.core.errors import InvalidRequest, MissingModel, VoxgateError
from voxgate.core.ids import new_id
from voxgate.core.networks import Address
from voxgate.gateway.admission import Admission
from voxgate.gateway.answers import SESSION_HEADER
from voxgate.gateway.calls import Calls
from voxgate.gateway.dial import Dialler
from voxgate.gateway.farewell import realtime_event
from voxgate.gateway.forwarded import Proxies
from voxgate.gateway.leases import Leases
from voxgate.gateway.limits import CallLimits
from voxgate.gateway.mediation import mediate
from voxgate.gateway.opened import opened
from voxgate.gateway.policies.budget import Budget
from voxgate.gateway.rates import RateLimit, Rates
from voxgate.gateway.relay import Call
from voxgate.gateway.requests.sending import Sender
from voxgate.gateway.spending import Spending
from voxgate.providers.openai import TRANSCRIPTION
from voxgate.providers.routes import Router, Upstream
from voxgate.providers.targets import Targets
from voxgate.realtime.dialects import Dialect, detect
from voxgate.realtime.handshake import Request, accept_answer
from voxgate.recording.screened import open_log
from voxgate.recording.spool import UNRECORDED, Log, Spool

_MOST_EARLY_BYTES: Final = 256 << 10


@dataclass(frozen=True, slots=True)
class Gateway:
    """What every call of this worker shares."""

    admission: Admission
    places: Places
    proxies: Proxies
    router: Router
    targets: Targets
    dialler: Dialler
    sender: Sender
    """Of requests that are no calls."""
    spool: Spool
    calls: Calls
    limits: CallLimits
    leases: Leases
    spending: Spending
    rates: Rates
    largest_message_bytes: int
    held_bytes: int

    def finish(self, call: Call) -> None:
        """What a call that is over gives back."""
        self.calls.remove(call)
        self.leases.give_back(call.session_id)
        self.spending.finish(call.session_id)


class Opening(ABC):
    """What is known so far, and its log once it is known that there is one."""

    endpoint: ClassVar[str | None] = None

    def __init__(
        self,
        gateway: Gateway,
        transport: asyncio.Transport,
        request: Request,
        address: Address | None,
        early: bytes,
    ) -> None:
        """`address` is the caller's, as far as it is known; `early` what an impatient client sent before our
        101. Reading goes on, so that we see it hang up."""
        self.session_id = new_id("sess")
        self.gateway = gateway
        self.transport = transport
        self.request = request
        self.address = address
        self.grant: Grant | None = None
        self.model = next(iter(request.models), None)
        self.log: Log = UNRECORDED
        self._early = early
        self._is_accepted = False

    # The client, until it is a call's

    def feed(self, data: bytes) -> None:
        self._early += data
        self.hold_up(len(self._early))

    def hold_up(self, held_bytes: int) -> None:
        """A client that sends more before anybody can take it."""
        if held_bytes > _MOST_EARLY_BYTES:
            self.transport.pause_reading()

    def early(self) -> bytes:
        """What it has sent for the provider."""
        return self._early

    def accept(self) -> None:
        """The 101, if it has none yet."""
        if not self._is_accepted:
            self._is_accepted = True
            self.transport.write(accept_answer(self.request, [(SESSION_HEADER, self.session_id)]))

    def told_as(self, error: VoxgateError) -> dict[str, Any]:
        """As its API says it."""
        return realtime_event(error)

    # What it wants

    @abstractmethod
    async def upstreams(self, grant: Grant) -> Sequence[Upstream]:
        """To be tried in this order. From then on the model is known, and the log open."""

    @abstractmethod
    def check_price(self, grant: Grant, models: Sequence[Sequence[str]]) -> None:
        """PriceUnknown when a budget in dollars could not be kept."""

    @abstractmethod
    async def take_rates(self, limits: tuple[RateLimit, ...]) -> None:
        """Of the limits per minute, before the provider is dialled."""

    @abstractmethod
    def mediate(self, call: Call, upstream: Upstream, budget: Budget | None) -> None:
        """Before the call starts: puts between its sides what it needs."""

    def check_request(self, grant: Grant) -> None:
        """What this gateway does not do is refused, so that nobody believes it happened."""
        request = self.request
        self.gateway.places.check(grant, request.header("origin"), self.address)
        if len(request.models) > 1:
            raise InvalidRequest(f"The query names several models: {request.models}.", param="model")
        if request.parameter("call_id"):
            raise InvalidRequest("Attaching to a call by its call_id is not supported.", param="call_id")

    # Its end, of the opening or of the call

    def give_back(self) -> None:
        """What an opening that failed has taken."""
        self.gateway.leases.give_back(self.session_id)
        self.gateway.spending.give_back(self.session_id)

    def finish(self, call: Call) -> None:
        """What a call that is over has."""
        self.gateway.finish(call)

    def open_log(self) -> None:
        grant, request = self.grant, self.request
        if grant is None or grant.project is None:
            return
        recorded = self.gateway.places.recorded(grant)
        self.log = open_log(self.gateway.spool, self.session_id, recorded)
        kind: dict[str, Any] = {
            "model": self.model,
            "dialect": (detect(request) or Dialect.GA).value,
            "transport": "ws",
        }
        if self.endpoint is not None:
            kind["endpoint"] = self.endpoint
        client = {
            "address": str(self.address) if self.address else None,
            "user_agent": request.header("user-agent"),
            "origin": request.header("origin"),
        }
        shown = {
            "path": request.path,
            "query": request.public_query(),
            "headers": request.public_headers(),
        }
        fact = opened(self.session_id, grant, recorded, kind=kind, client=client, request=shown)
        self.log.fact(fact)


class RealtimeOpening(Opening):
    """Of the Realtime API: the URL names the model, or the credential does; dialled before the 101."""

    async def upstreams(self, grant: Grant) -> Sequence[Upstream]:
        request = self.request
        try:
            self.check_request(grant)
            self.model = grant.choose_model(self.model)
            query = _query(request, grant)
            if self.model is None and ("intent", TRANSCRIPTION) in query:
                self.model = grant.choose_model(TRANSCRIPTION)
        finally:
            self.open_log()
        if not self.model:
            raise MissingModel(
                "You must provide a model parameter, for example "
                f"ws://{request.header('host')}{request.path}?model=local"
            )
        router = self.gateway.router
        return router.upstreams(self.model, query, request.headers, grant.provider_key, grant.home)

    def check_price(self, grant: Grant, models: Sequence[Sequence[str]]) -> None:
        self.gateway.spending.check_price(grant, models)

    async def take_rates(self, limits: tuple[RateLimit, ...]) -> None:
        """The call is one request."""
        if limits:
            await self.gateway.rates.take(limits)

    def mediate(self, call: Call, upstream: Upstream, budget: Budget | None) -> None:
        mediate(call, self.request, self.model or "", upstream, self.gateway.calls.end, budget)


def _query(request: Request, grant: Grant) -> Sequence[tuple[str, str]]:
    """The client's; a credential for transcription says so by itself."""
    if grant.session.get("type") != TRANSCRIPTION or request.parameter("intent"):
        return request.query
    return (*request.query, ("intent", TRANSCRIPTION))
