"""A client's WebSocket upgrade, from uvicorn's port to a running call:

    request head → key → grant → model → upstreams → dialled → 101 → the two legs of a `Call`

On a socket of `responses` the 101 comes before the model, which the first message names. A failure at any
step looks as the live service's: 101, an `error` event, a close code and reason.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import orjson

from voxgate.auth.credentials import ExpiredCredential, Grant
from voxgate.auth.places import Places
from voxgate.core import clock
from voxgate.core.errors import (
    InvalidRequest,
    MissingModel,
    NotFound,
    RequestError,
    SessionIdle,
    VoxgateError,
)
from voxgate.core.ids import new_id
from voxgate.core.networks import Address
from voxgate.gateway.admission import Admission
from voxgate.gateway.answers import SESSION_HEADER
from voxgate.gateway.calls import Calls, stopping
from voxgate.gateway.dial import Dialled, Dialler
from voxgate.gateway.farewell import ToldAs, realtime_event, say_farewell
from voxgate.gateway.forwarded import Proxies
from voxgate.gateway.leases import Leases
from voxgate.gateway.limits import CallLimits
from voxgate.gateway.mediation import mediate, mediate_by
from voxgate.gateway.rates import Rates, rate_limits
from voxgate.gateway.relay import Call
from voxgate.gateway.requests.sending import Sender
from voxgate.gateway.responding.opening import ClientLeft, First, Waiting
from voxgate.gateway.responding.shapes import error_event
from voxgate.gateway.responding.stages import stages_of
from voxgate.gateway.sockets import take_over
from voxgate.gateway.spending import Spending
from voxgate.providers.openai import TRANSCRIPTION
from voxgate.providers.routes import Router, Upstream
from voxgate.providers.targets import Targets
from voxgate.realtime.dialects import Dialect, detect
from voxgate.realtime.handshake import BadHandshake, Request, accept_answer, parse_request
from voxgate.realtime.screening import Screen
from voxgate.recording.screened import ScreenedLog
from voxgate.recording.spool import UNRECORDED, Log, Spool

REALTIME_PATHS: Final = frozenset(
    {"/v1/realtime", "/openai/v1/realtime", "/openai/realtime", "/voice-live/realtime"}
)
RESPONSES_PATHS: Final = frozenset({"/v1/responses", "/openai/v1/responses"})
_RESPONSES: Final = "responses"
_OTHER_APIS: Final = ("/v1/realtime/translations", "/openai/v1/realtime/translations", "/v1/live/")
"""Whose clients are told so in the way that they understand."""
_MOST_EARLY_BYTES: Final = 256 << 10

logger = logging.getLogger(__name__)


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


@dataclass(slots=True)
class _Opening:
    """A call that is being opened: what is known so far, and its log once it is known that there is one."""

    session_id: str
    request: Request
    address: Address | None
    """The caller's, as far as it is known."""
    grant: Grant | None = None
    model: str | None = None
    log: Log = UNRECORDED
    is_accepted: bool = False
    """Whether it has its 101."""

    @property
    def is_of_responses(self) -> bool:
        return self.request.path in RESPONSES_PATHS

    @property
    def told_as(self) -> ToldAs:
        return error_event if self.is_of_responses else realtime_event


class UpgradeProtocol(asyncio.Protocol):
    """What uvicorn hands an upgrade request to (`ws=`). Uvicorn calls `data_received` with the request's head
    and points the transport here only afterwards, so everything that re-points it happens in a later tick."""

    def __init__(self, gateway: Gateway, **_: Any) -> None:
        self._gateway = gateway
        self._transport: asyncio.Transport
        self._task: asyncio.Task[None] | None = None
        self._early = b""
        """What an impatient client sent before our 101. Reading goes on, so that we see it hang up."""
        self._waiting: Waiting | None = None
        """For the first message of a client that has its 101."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are not of that class

    def data_received(self, data: bytes) -> None:
        if self._task is None:
            head, _, self._early = data.partition(b"\r\n\r\n")
            self._task = self._gateway.calls.opening(self._open(head + b"\r\n\r\n"))
            return
        if self._waiting is not None:
            self._waiting.feed(data)
            held_bytes = self._waiting.held_bytes
        else:
            self._early += data
            held_bytes = len(self._early)
        if held_bytes > _MOST_EARLY_BYTES:
            self._transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _open(self, head: bytes) -> None:
        try:
            request = parse_request(head)
        except BadHandshake as error:
            self._answer_http(400, str(error))
            return
        opening = _Opening(new_id("sess"), request, self._address(request))
        if request.path not in REALTIME_PATHS | RESPONSES_PATHS:
            message = f"There is no WebSocket endpoint at {request.path}; use /v1/realtime or /v1/responses."
            if request.path.startswith(_OTHER_APIS):
                self._refuse(opening, NotFound(f"This gateway does not serve that API. {message}"))
            else:
                self._answer_http(404, message)
            return
        try:
            dialled = await self._authorise_and_dial(opening)
            try:
                self._gateway.calls.check_open()
                assert opening.grant is not None
                self._gateway.admission.gatekeeper.check_not_revoked(opening.grant)
                self._start(opening, dialled)
            except BaseException:
                dialled.transport.abort()
                raise
        except ClientLeft:
            self._transport.close()
        except VoxgateError as error:
            self._refuse(opening, error)
        except asyncio.CancelledError:
            if self._gateway.calls.draining and not self._transport.is_closing():
                self._refuse(opening, stopping())
            else:
                self._abandon(opening, "the call was given up before the provider answered")
            raise
        except Exception:
            # Whatever it is: the caller gets an answer, and the log its end.
            logger.exception("call %s could not be opened", opening.session_id)
            self._refuse(opening, VoxgateError("The gateway failed to open this call; its log says why."))

    def _address(self, request: Request) -> Address | None:
        peer = self._transport.get_extra_info("peername")
        return self._gateway.proxies.caller(peer[0] if peer else None, request.headers)

    async def _authorise_and_dial(self, opening: _Opening) -> Dialled:
        gateway, request = self._gateway, opening.request
        gateway.calls.check_open()
        gateway.calls.check_room()
        opening.model = next(iter(request.models), None)
        try:
            opening.grant = await gateway.admission.admit(request.key)
        except ExpiredCredential as error:
            opening.grant = error.grant
            self._open_log(opening)
            raise
        if opening.is_of_responses:
            upstreams = await self._upstreams_of_first_message(opening, opening.grant)
        else:
            upstreams = self._upstreams(opening, opening.grant)
        names = [upstream.priced_as for upstream in upstreams]
        if opening.is_of_responses:
            gateway.spending.check_request_price(opening.grant, names)
        else:
            gateway.spending.check_price(opening.grant, names)
        route, _ = gateway.router.resolve(opening.model or "")
        if limits := rate_limits(opening.grant, gateway.limits.settings, route):
            await gateway.rates.take(limits)
        await gateway.leases.take(opening.session_id, opening.grant)
        await gateway.spending.take(opening.session_id, opening.grant)
        return await gateway.dialler.dial(upstreams, opening.log.fact)

    def _upstreams(self, opening: _Opening, grant: Grant) -> list[Upstream]:
        gateway, request = self._gateway, opening.request
        try:
            gateway.places.check(grant, request.header("origin"), opening.address)
            self._check_request(request)
            opening.model = grant.choose_model(opening.model)
            query = _query(request, grant)
            if opening.model is None and ("intent", TRANSCRIPTION) in query:
                opening.model = grant.choose_model(TRANSCRIPTION)
        finally:
            self._open_log(opening)
        if not opening.model:
            raise MissingModel(
                "You must provide a model parameter, for example "
                f"ws://{request.header('host')}{request.path}?model=local"
            )
        return gateway.router.upstreams(opening.model, query, request.headers, grant.provider_key, grant.home)

    async def _upstreams_of_first_message(self, opening: _Opening, grant: Grant) -> list[Upstream]:
        gateway, request = self._gateway, opening.request
        try:
            gateway.places.check(grant, request.header("origin"), opening.address)
            self._check_request(request)
            first = await self._first_message(opening, grant)
            opening.model = grant.choose_model(first.model or opening.model)
            self._early, self._waiting = first.frames, None
        except VoxgateError:
            self._open_log(opening)
            raise
        self._open_log(opening)
        if not opening.model:
            raise MissingModel("You must provide a model in response.create.", param="model")
        gateway.admission.gatekeeper.check_not_revoked(grant)
        return gateway.targets.sockets(opening.model, _RESPONSES, request.headers, grant.provider_key)

    async def _first_message(self, opening: _Opening, grant: Grant) -> First:
        self._waiting = Waiting(self._gateway.largest_message_bytes, self._transport.write)
        self._transport.write(accept_answer(opening.request, [(SESSION_HEADER, opening.session_id)]))
        opening.is_accepted = True
        self._waiting.feed(self._early)
        try:
            async with asyncio.timeout(self._gateway.limits.most_waiting_seconds(grant)):
                return await self._waiting.first(strictly=grant.models is not None)
        except TimeoutError as error:
            raise SessionIdle("Nothing was asked for on this socket.") from error

    @staticmethod
    def _check_request(request: Request) -> None:
        """What this gateway does not do is refused, so that nobody believes it happened."""
        if len(request.models) > 1:
            raise InvalidRequest(f"The query names several models: {request.models}.", param="model")
        if request.parameter("call_id"):
            raise InvalidRequest("Attaching to a call by its call_id is not supported.", param="call_id")

    def _open_log(self, opening: _Opening) -> None:
        grant, request = opening.grant, opening.request
        if grant is None or grant.project is None:
            return
        opening.log = self._gateway.spool.open(opening.session_id)
        recorded = self._gateway.places.recorded(grant)
        if not all(recorded.values()):
            opening.log = ScreenedLog(opening.log, Screen(**recorded))
        opening.log.fact(
            {
                "type": "gateway.opened",
                "version": 1,
                "session_id": opening.session_id,
                "started_at": clock.iso_utc(clock.now_utc()),
                "project": grant.project,
                "model": opening.model,
                "dialect": (detect(request) or Dialect.GA).value,
                "transport": "ws",
                **({"endpoint": _RESPONSES} if opening.is_of_responses else {}),
                "credential": {"id": grant.id, "kind": grant.kind},
                "recorded": recorded,
                "retention_days": grant.retention_days,
                "audio_retention_days": grant.audio_retention_days,
                "metadata": {key: value for key, value in grant.metadata.items() if key != "tags"},
                "tags": grant.metadata.get("tags", []),
                "client": {
                    "address": str(opening.address) if opening.address else None,
                    "user_agent": request.header("user-agent"),
                    "origin": request.header("origin"),
                },
                "request": {
                    "path": request.path,
                    "query": request.public_query(),
                    "headers": request.public_headers(),
                },
            }
        )

    def _start(self, opening: _Opening, dialled: Dialled) -> None:
        gateway, grant = self._gateway, opening.grant
        assert grant is not None
        client = take_over(self._transport, gateway.held_bytes)
        upstream = take_over(dialled.transport, gateway.held_bytes)
        call = Call(
            opening.session_id,
            grant,
            client,
            upstream,
            gateway.largest_message_bytes,
            opening.log,
            gateway.finish,
            opening.told_as,
        )
        gateway.calls.add(call)
        if not opening.is_accepted:
            client.write(accept_answer(opening.request, [(SESSION_HEADER, opening.session_id)]))
        priced_as = dialled.upstream.priced_as
        opening.log.fact({"type": "gateway.prices", **gateway.spending.prices.quote(priced_as)})
        budget = gateway.spending.budget(opening.session_id, priced_as)
        if opening.is_of_responses:
            stages = stages_of(grant, opening.model or "", dialled.upstream.model, budget)
            mediate_by(call, stages, gateway.calls.end)
        else:
            mediate(call, opening.request, opening.model or "", dialled.upstream, gateway.calls.end, budget)
        call.start(from_client=self._early, from_provider=dialled.early)

    def _refuse(self, opening: _Opening, error: VoxgateError) -> None:
        self._gateway.calls.count_refusal(error)
        self._give_back(opening)
        logger.info("call %s refused: %s (%r)", opening.session_id, error.close_reason, error.message)
        opening.log.fact({"type": "gateway.error", **error.body(), "close_code": error.close_code})
        opening.log.close(error.close_code, error.close_reason, "gateway")
        if not self._transport.is_closing():
            if not opening.is_accepted:
                self._transport.write(accept_answer(opening.request, [(SESSION_HEADER, opening.session_id)]))
            say_farewell(self._transport, error, told_as=opening.told_as)
            self._gateway.calls.see_off(self._transport)

    def _give_back(self, opening: _Opening) -> None:
        self._gateway.leases.give_back(opening.session_id)
        self._gateway.spending.give_back(opening.session_id)

    def _abandon(self, opening: _Opening, reason: str) -> None:
        self._give_back(opening)
        opening.log.close(1006, reason, "client")

    def _answer_http(self, status: int, message: str) -> None:
        """For requests that are no call at all: an HTTP answer in OpenAI's shape."""
        body = orjson.dumps(RequestError(message).body())
        reason = "Bad Request" if status == 400 else "Not Found"
        self._transport.write(
            f"HTTP/1.1 {status} {reason}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n".encode()
            + body
        )
        self._transport.close()


def _query(request: Request, grant: Grant) -> Sequence[tuple[str, str]]:
    """The client's; a credential for transcription says so by itself."""
    if grant.session.get("type") != TRANSCRIPTION or request.parameter("intent"):
        return request.query
    return (*request.query, ("intent", TRANSCRIPTION))
