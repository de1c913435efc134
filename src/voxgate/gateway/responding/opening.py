"""The opening of a socket of `responses`: 101 → first message → model → upstreams, which then are dialled. A
first response that a limit per minute has no room for is answered, and the next one waited for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, ClassVar

import orjson

from voxgate.auth.credentials import Grant
from voxgate.core.errors import MissingModel, RateLimited, SessionIdle, VoxgateError
from voxgate.gateway.mediation import mediate_by
from voxgate.gateway.opening import Opening
from voxgate.gateway.policies.budget import Budget
from voxgate.gateway.rates import RateLimit
from voxgate.gateway.relay import Call
from voxgate.gateway.requests.restrictions import check_endpoint
from voxgate.gateway.responding.first import First, Waiting
from voxgate.gateway.responding.metering import Metering
from voxgate.gateway.responding.shapes import error_event, limited_event
from voxgate.gateway.responding.stages import stages_of
from voxgate.providers.routes import Upstream
from voxgate.realtime.frames import TEXT, encode_frame


class ResponsesOpening(Opening):
    endpoint: ClassVar[str | None] = "responses"

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._waiting: Waiting | None = None
        self._first = First(None, b"", b"")
        self._metering: Metering | None = None
        """Of limits per minute, where there are any."""

    # The client

    def feed(self, data: bytes) -> None:
        if self._waiting is None:
            super().feed(data)
            return
        self._waiting.feed(data)
        self.hold_up(self._waiting.held_bytes)

    def early(self) -> bytes:
        return self._first.frames + (bytes(self._waiting.rest) if self._waiting else b"")

    def told_as(self, error: VoxgateError) -> dict[str, Any]:
        return error_event(error)

    async def _next(self, grant: Grant) -> First:
        assert self._waiting is not None
        try:
            async with asyncio.timeout(self.gateway.limits.most_waiting_seconds(grant)):
                return await self._waiting.first(strictly=grant.models is not None)
        except TimeoutError as error:
            raise SessionIdle("Nothing was asked for on this socket.") from error

    # What it wants

    async def upstreams(self, grant: Grant) -> Sequence[Upstream]:
        gateway = self.gateway
        try:
            self.check_request(grant)
            check_endpoint(grant, "responses", is_socket=True)
            self._waiting = Waiting(gateway.largest_message_bytes, self.transport.write)
            self.accept()
            self._waiting.feed(self._early)
            self._first = await self._next(grant)
            self.model = grant.choose_model(self._first.model or self.model)
        except VoxgateError:
            self.open_log()
            raise
        self.open_log()
        if not self.model:
            raise MissingModel("You must provide a model in response.create.", param="model")
        gateway.admission.gatekeeper.check_not_revoked(grant)
        return gateway.targets.sockets(self.model, "responses", self.request.headers, grant.provider_key)

    def check_price(self, grant: Grant, models: Sequence[Sequence[str]]) -> None:
        self.gateway.spending.check_request_price(grant, models)

    async def take_rates(self, limits: tuple[RateLimit, ...]) -> None:
        """Of the first response; those behind it pass the same limits in the call."""
        if not limits:
            return
        metering = self._metering = Metering(self.gateway.rates, limits)
        while True:
            try:
                await metering.take_first(self._first.text)
            except RateLimited as error:
                await self._refuse_first(limited_event(error, metering.states))
            else:
                return

    async def _refuse_first(self, event: dict[str, Any]) -> None:
        """The socket stays: whoever waits as long as it was told may ask on it again."""
        assert self._waiting is not None
        assert self.grant is not None
        text = orjson.dumps(event)
        self.log.fact({"type": "gateway.answered", "message": orjson.Fragment(text)})
        self.transport.write(encode_frame(TEXT, text))
        self._waiting.again()
        self.transport.resume_reading()
        self._first = await self._next(self.grant)

    def mediate(self, call: Call, upstream: Upstream, budget: Budget | None) -> None:
        stages = stages_of(call.grant, self.model or "", upstream.model, budget, self._metering)
        mediate_by(call, stages, self.gateway.calls.end)

    # Its end

    def give_back(self) -> None:
        super().give_back()
        self._end_metering()

    def finish(self, call: Call) -> None:
        super().finish(call)
        self._end_metering()

    def _end_metering(self) -> None:
        if self._metering is not None:
            self._metering.end()
