"""A client's WebSocket upgrade, from uvicorn's port to a running call:

    request head → key → grant → model → upstreams → dialled → 101 → the two legs of a `Call`

On a socket of `responses` the 101 comes before the model, which the first message names. A failure at any
step looks as the live service's: 101, an `error` event, a close code and reason.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final, cast

import orjson

from voxgate.auth.credentials import ExpiredCredential
from voxgate.core.errors import NotFound, RequestError, VoxgateError
from voxgate.gateway.calls import stopping
from voxgate.gateway.dial import Dialled
from voxgate.gateway.farewell import say_farewell
from voxgate.gateway.opening import Gateway, Opening, RealtimeOpening
from voxgate.gateway.rates import rate_limits
from voxgate.gateway.relay import Call
from voxgate.gateway.responding.first import ClientLeft
from voxgate.gateway.responding.opening import ResponsesOpening
from voxgate.gateway.sockets import take_over
from voxgate.realtime.handshake import BadHandshake, Request, parse_request

REALTIME_PATHS: Final = frozenset(
    {"/v1/realtime", "/openai/v1/realtime", "/openai/realtime", "/voice-live/realtime"}
)
RESPONSES_PATHS: Final = frozenset({"/v1/responses", "/openai/v1/responses"})
_OTHER_APIS: Final = ("/v1/realtime/translations", "/openai/v1/realtime/translations", "/v1/live/")
"""Whose clients are told so in the way that they understand."""

logger = logging.getLogger(__name__)


class UpgradeProtocol(asyncio.Protocol):
    """What uvicorn hands an upgrade request to (`ws=`). Uvicorn calls `data_received` with the request's head
    and points the transport here only afterwards, so everything that re-points it happens in a later tick."""

    def __init__(self, gateway: Gateway, **_: Any) -> None:
        self._gateway = gateway
        self._transport: asyncio.Transport
        self._task: asyncio.Task[None] | None = None
        self._early = b""
        """What came behind the head before that was read."""
        self._opening: Opening | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are not of that class

    def data_received(self, data: bytes) -> None:
        if self._task is None:
            head, _, self._early = data.partition(b"\r\n\r\n")
            self._task = self._gateway.calls.opening(self._open(head + b"\r\n\r\n"))
        elif self._opening is None:
            self._early += data
        else:
            self._opening.feed(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _open(self, head: bytes) -> None:
        try:
            request = parse_request(head)
        except BadHandshake as error:
            self._answer_http(400, str(error))
            return
        if request.path not in REALTIME_PATHS | RESPONSES_PATHS:
            self._answer_elsewhere(request)
            return
        kind = ResponsesOpening if request.path in RESPONSES_PATHS else RealtimeOpening
        opening = self._opening = self._opening_of(kind, request)
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
            opening.give_back()
            opening.log.close(1000, "", "client")
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

    def _opening_of(self, kind: type[Opening], request: Request) -> Opening:
        peer = self._transport.get_extra_info("peername")
        address = self._gateway.proxies.caller(peer[0] if peer else None, request.headers)
        return kind(self._gateway, self._transport, request, address, self._early)

    async def _authorise_and_dial(self, opening: Opening) -> Dialled:
        gateway = self._gateway
        gateway.calls.check_open()
        gateway.calls.check_room()
        try:
            opening.grant = await gateway.admission.admit(opening.request.key)
        except ExpiredCredential as error:
            opening.grant = error.grant
            opening.open_log()
            raise
        grant = opening.grant
        upstreams = await opening.upstreams(grant)
        opening.check_price(grant, [upstream.priced_as for upstream in upstreams])
        route, _ = gateway.router.resolve(opening.model or "")
        await opening.take_rates(rate_limits(grant, gateway.limits.settings, route))
        await gateway.leases.take(opening.session_id, grant)
        await gateway.spending.take(opening.session_id, grant)
        return await gateway.dialler.dial(upstreams, opening.log.fact)

    def _start(self, opening: Opening, dialled: Dialled) -> None:
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
            opening.finish,
            opening.told_as,
        )
        gateway.calls.add(call)
        opening.transport = client
        opening.accept()
        priced_as = dialled.upstream.priced_as
        opening.log.fact({"type": "gateway.prices", **gateway.spending.prices.quote(priced_as)})
        opening.mediate(call, dialled.upstream, gateway.spending.budget(opening.session_id, priced_as))
        call.start(from_client=opening.early(), from_provider=dialled.early)

    def _refuse(self, opening: Opening, error: VoxgateError) -> None:
        self._gateway.calls.count_refusal(error)
        opening.give_back()
        logger.info("call %s refused: %s (%r)", opening.session_id, error.close_reason, error.message)
        opening.log.fact({"type": "gateway.error", **error.body(), "close_code": error.close_code})
        opening.log.close(error.close_code, error.close_reason, "gateway")
        if not self._transport.is_closing():
            opening.accept()
            say_farewell(self._transport, error, told_as=opening.told_as)
            self._gateway.calls.see_off(self._transport)

    def _abandon(self, opening: Opening, reason: str) -> None:
        opening.give_back()
        opening.log.close(1006, reason, "client")

    def _answer_elsewhere(self, request: Request) -> None:
        message = f"There is no WebSocket endpoint at {request.path}; use /v1/realtime or /v1/responses."
        if request.path.startswith(_OTHER_APIS):
            opening = self._opening_of(RealtimeOpening, request)
            self._refuse(opening, NotFound(f"This gateway does not serve that API. {message}"))
        else:
            self._answer_http(404, message)

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
