"""A request from its head to the end of its answer. What the provider says goes to the client byte by byte as
it comes; the gateway's own errors have the shape of the API that was called.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from voxgate.auth.credentials import ExpiredCredential, Grant
from voxgate.auth.places import Places
from voxgate.core import clock
from voxgate.core.errors import (
    BodyTooLarge,
    ExpiredKey,
    Forbidden,
    InvalidRequest,
    MissingModel,
    RateLimited,
    RequestTimeout,
    SessionExpired,
    UpstreamLost,
    VoxgateError,
)
from voxgate.core.ids import new_id
from voxgate.core.settings import LimitSettings
from voxgate.gateway.admission import Admission
from voxgate.gateway.answers import SESSION_HEADER, Json
from voxgate.gateway.callers import request_key
from voxgate.gateway.calls import Calls
from voxgate.gateway.forwarded import Proxies
from voxgate.gateway.leases import Leases
from voxgate.gateway.rates import Rates, rate_limits
from voxgate.gateway.requests.bodies import check_unambiguous, read_form, read_json
from voxgate.gateway.requests.cache import AnswerCache
from voxgate.gateway.requests.cached import Asked, CachedAnswer
from voxgate.gateway.requests.counting import Counting
from voxgate.gateway.requests.endpoints import PASS_THROUGH, Endpoint
from voxgate.gateway.requests.estimate import estimate
from voxgate.gateway.requests.heads import answer_head, opened_by, own_headers, request_id, sent_headers
from voxgate.gateway.requests.logging import AnswerLog, put_request
from voxgate.gateway.requests.metering import Metering
from voxgate.gateway.requests.restrictions import Restrictions, check_endpoint
from voxgate.gateway.requests.secrecy import without_secret
from voxgate.gateway.requests.sending import Answer, Sender
from voxgate.gateway.requests.shapes import error_body, limit_headers, retry_headers
from voxgate.gateway.requests.work import Work
from voxgate.gateway.spending import Spending
from voxgate.providers.targets import Target, Targets
from voxgate.recording.screened import open_log
from voxgate.recording.spool import UNRECORDED, Spool

_HUNG_UP: Final = 499
_BAD: Final = 400
_CANCELLED_WAIT: Final = 1.0
_PIECE_BYTES: Final = 64 << 10
"""Of an answer that is there as a whole, at once."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Parts:
    """What all requests of this worker share."""

    admission: Admission
    places: Places
    proxies: Proxies
    targets: Targets
    sender: Sender
    spool: Spool
    calls: Calls
    leases: Leases
    spending: Spending
    cache: AnswerCache
    rates: Rates
    limits: LimitSettings
    largest_body_bytes: int
    body_seconds: float


class Requests:
    """All `ENDPOINTS`, and what passes through, as ASGI applications."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def serve(self, endpoint: Endpoint, scope: Scope, receive: Receive, send: Send) -> None:
        work = Work(new_id("sess"), endpoint, Request(scope, receive))
        self._parts.calls.request_began(work)
        try:
            await self._prepare(work)
            await self._until_ended(work, receive, self._answer(work, send))
        except VoxgateError as error:
            await self._refuse(work, error, scope, receive, send)
        except asyncio.CancelledError:
            work.close(_HUNG_UP, "the gateway stopped", "gateway")
            raise
        finally:
            if work.metering is not None:
                work.metering.end()
            self._parts.leases.give_back(work.session_id)
            self._parts.calls.request_ended(work)

    async def pass_through(self, scope: Scope, receive: Receive, send: Send) -> None:
        """`/v1/providers/NAME/…`: whatever a provider has that lets everything pass, with its own key."""
        name, _, path = scope["path"].removeprefix(PASS_THROUGH).partition("/")
        await self.serve(Endpoint(path, provider=name), scope, receive, send)

    # Before the provider is asked

    async def _prepare(self, work: Work) -> None:
        parts, request = self._parts, work.request
        parts.calls.check_open()
        peer = request.client.host if request.client else None
        work.address = parts.proxies.caller(peer, request.headers.items())
        try:
            work.grant = await parts.admission.admit(request_key(request))
        except ExpiredCredential as error:
            work.grant = error.grant
            self._open_log(work)
            raise
        try:
            await self._read(work, work.grant)
        except VoxgateError:
            self._open_log(work)
            raise
        self._open_log(work)
        if not work.model and work.endpoint.provider is None:
            raise MissingModel("You must provide a model parameter: the name of a model in the body.")

    async def _read(self, work: Work, grant: Grant) -> None:
        """What it asks for, as far as its credential allows it."""
        request, endpoint = work.request, work.endpoint
        self._parts.places.check(grant, request.headers.get("origin"), work.address)
        check_endpoint(grant, endpoint.name)
        work.body = await self._read_body(request)
        if endpoint.provider is not None:
            _check_may_pass(grant)
            return
        if (encoding := request.headers.get("content-encoding", "identity")) != "identity":
            raise InvalidRequest(f"The body is compressed ({encoding[:20]!a}); send it as it is.")
        is_json = endpoint.body == "json"
        wanted = (
            read_json(work.body) if is_json else read_form(work.body, request.headers.get("content-type", ""))
        )
        work.wanted = wanted
        work.model = grant.choose_model(wanted.model or endpoint.default_model)
        if grant.models is not None:
            check_unambiguous(work.body, wanted)
        restrictions = Restrictions(grant)
        if is_json and restrictions.any:
            restrictions.check_text(endpoint.name, work.body)

    async def _read_body(self, request: Request) -> bytes:
        most, pieces, size = self._parts.largest_body_bytes, list[bytes](), 0
        try:
            async with asyncio.timeout(self._parts.body_seconds):
                async for piece in request.stream():
                    size += len(piece)
                    if size > most:
                        raise BodyTooLarge(f"The body is larger than {most:,} bytes.")
                    pieces.append(piece)
        except TimeoutError as error:
            raise RequestTimeout(f"The body was not whole after {self._parts.body_seconds:g} s.") from error
        return b"".join(pieces)

    def _open_log(self, work: Work) -> None:
        grant, request = work.grant, work.request
        if grant is None or grant.project is None:
            return
        recorded = self._parts.places.recorded(grant)
        work.log = open_log(self._parts.spool, work.session_id, recorded)
        work.log.fact(opened_by(work, grant, recorded))
        if work.wanted is not None:
            put_request(work.log, work.body, work.wanted, request.headers.get("content-type", ""))

    # The answer

    async def _answer(self, work: Work, send: Send) -> None:
        parts, grant = self._parts, work.grant
        assert grant is not None
        targets = self._targets(work, grant)
        priced_as = [target.priced_as for target in targets]
        if parts.cache.concerns(grant, work.request.scope["headers"]):
            work.plan = parts.cache.plan(self._asked(work, grant, targets))
        parts.spending.check_request_price(grant, priced_as)
        work.metering = self._metering(work, grant)
        if work.metering is not None:
            await work.metering.take_rates()
        await parts.leases.take(work.session_id, grant)
        hold = work.metering.hold(priced_as) if work.metering is not None else None
        await parts.spending.take(work.session_id, grant, hold)
        try:
            answer = await self._cached(work) or await parts.sender.send(
                targets,
                work.body_for,
                sent_headers(work, grant),
                work.log.fact,
                work.request.method,
            )
        except BaseException:
            parts.spending.give_back(work.session_id)
            raise
        try:
            if isinstance(answer, CachedAnswer):
                await self._give_again(work, answer, send)
            else:
                await self._pass_on(work, answer, send)
        finally:
            if isinstance(answer, Answer):
                answer.response.close() if not answer.response.content.at_eof() else answer.response.release()
            parts.spending.finish(work.session_id)

    def _metering(self, work: Work, grant: Grant) -> Metering | None:
        parts = self._parts
        route = parts.targets.route_of(work.model) if work.model else None
        limits = rate_limits(grant, parts.limits, route)
        if not limits and not grant.has_budget:
            return None
        guess = estimate(work.endpoint, work.body, work.wanted)
        return Metering(parts.rates, parts.spending, work.session_id, grant, limits, guess)

    def _targets(self, work: Work, grant: Grant) -> list[Target]:
        endpoint, targets = work.endpoint, self._parts.targets
        if endpoint.provider is None:
            return targets.of(work.model or "", endpoint.name, grant.provider_key)
        query = work.request.url.query
        path = f"{endpoint.name}?{query}" if query else endpoint.name
        return [targets.at(endpoint.provider, path, grant.provider_key)]

    async def _pass_on(self, work: Work, answer: Answer, send: Send) -> None:
        response = answer.response
        work.status = response.status
        self._tell(work, answer)
        content_type = response.headers.get("content-type", "")
        counting = self._counting(work)
        observer = AnswerLog(work.log, content_type, self._parts.largest_body_bytes, counting)
        is_watched = work.log is not UNRECORDED or counting is not None
        head, plan = answer_head(work, answer), work.plan
        pieces: AsyncIterator[bytes] = response.content.iter_any()
        if work.status >= _BAD and not answer.target.callers_key:
            pieces = await without_secret(answer)
        await send(head)
        work.begun = True
        try:
            async for piece in pieces:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                if is_watched:
                    observer.feed(piece)
                if plan is not None:
                    plan.feed(piece)
        except (OSError, aiohttp.ClientError, TimeoutError) as error:
            raise UpstreamLost(f"{answer.target.provider} broke off in the middle of its answer.") from error
        finally:
            if is_watched:
                observer.end()
            if work.metering is not None and counting is not None:
                work.metering.count(counting, work.priced_as)
        if plan is not None and plan.outcome == "miss":
            self._parts.cache.keep(plan, work.status, head["headers"], response.headers, work.recorded_as)
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        is_bad = work.status >= _BAD
        said = f"the provider answered {work.status}" if is_bad else ""
        work.close(work.status if is_bad else 1000, said, "provider")

    def _tell(self, work: Work, answer: Answer) -> None:
        target = answer.target
        work.priced_as = target.priced_as
        work.log.fact({
            "type": "gateway.dialled",
            "provider": target.provider,
            "live_model": target.live_model,
            "upstream_model": target.model,
            "url": target.url.partition("?")[0],
            "ms": round(answer.elapsed_ms, 3),
        })  # fmt: skip
        work.log.fact({"type": "gateway.prices", **self._parts.spending.prices.quote(target.priced_as)})
        work.log.fact({
            "type": "gateway.answered_http",
            "status": answer.response.status,
            "content_type": answer.response.headers.get("content-type"),
            "request_id": request_id(answer.response.headers),
        })  # fmt: skip

    @staticmethod
    def _counting(work: Work) -> Counting | None:
        """What was refused has used nothing."""
        metering = work.metering
        if metering is None or not metering.counts_tokens or work.status >= _BAD:
            return None
        return Counting(work.endpoint.name, metering.estimate)

    # From the cache

    def _asked(self, work: Work, grant: Grant, targets: list[Target]) -> Asked:
        return Asked(
            endpoint=work.endpoint,
            grant=grant,
            key=request_key(work.request),
            model=work.model,
            headers=work.request.headers,
            body=work.body,
            wanted=work.wanted,
            targets=targets,
            records_words=grant.project is not None and self._parts.places.recorded(grant)["text"],
        )

    async def _cached(self, work: Work) -> CachedAnswer | None:
        if work.plan is None:
            return None
        found = await self._parts.cache.find(work.plan)
        work.log.fact(work.plan.fact())
        return found

    async def _give_again(self, work: Work, answer: CachedAnswer, send: Send) -> None:
        """No provider is asked and nothing is spent; it is recorded as any other."""
        work.status = 200
        work.log.fact(
            {"type": "gateway.answered_http", "status": 200, "content_type": answer.content_type or None}
        )
        observer = AnswerLog(work.log, answer.content_type, self._parts.largest_body_bytes, None)
        kept = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
        await send({"type": "http.response.start", "status": 200, "headers": kept + own_headers(work)})
        work.begun = True
        for start in range(0, len(answer.body), _PIECE_BYTES):
            piece = answer.body[start : start + _PIECE_BYTES]
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            observer.feed(piece)
        observer.end()
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        work.close(1000, "", "gateway")

    async def _until_ended(self, work: Work, receive: Receive, answering: Any) -> None:
        """A client that hangs up is not answered any more, and its provider not asked; nor is one whose
        credential has been revoked, or has come to its time."""
        task = asyncio.ensure_future(answering)
        watcher = asyncio.ensure_future(_disconnected(receive))
        watched = {task, watcher, work.ended}
        try:
            await asyncio.wait(
                watched, timeout=_seconds_left(work.grant), return_when=asyncio.FIRST_COMPLETED
            )
            if task.done():
                task.result()
                return
            task.cancel()
            await asyncio.wait({task}, timeout=_CANCELLED_WAIT)
            if watcher.done():
                work.close(_HUNG_UP, "the client hung up", "client")
                return
            raise work.ended.result() if work.ended.done() else _out_of_time(work.grant)
        finally:
            watcher.cancel()
            task.cancel()

    # When it goes wrong

    async def _refuse(
        self, work: Work, error: VoxgateError, scope: Scope, receive: Receive, send: Send
    ) -> None:
        parts = self._parts
        parts.calls.count_refusal(error)
        logger.info("request %s failed: %s (%r)", work.session_id, error.close_reason, error.message)
        work.log.fact({"type": "gateway.error", **error.body(), "close_code": error.close_code})
        work.close(error.close_code, error.close_reason, "gateway")
        if work.begun:
            return  # uvicorn closes the connection: the client sees that its answer was cut off
        headers = {SESSION_HEADER: work.session_id} if work.log is not UNRECORDED else {}
        if error.status == 401:
            headers["www-authenticate"] = "Bearer"
        headers |= retry_headers(error)
        if isinstance(error, RateLimited) and work.metering is not None:
            headers |= limit_headers(work.metering.states, work.endpoint.errors)
        answer = Json(error_body(error, work.endpoint.errors), status_code=error.status, headers=headers)
        await answer(scope, receive, send)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _seconds_left(grant: Grant | None) -> float | None:
    """None for as long as it takes."""
    if grant is None or (grant.ends_at is None and grant.max_session_seconds is None):
        return None
    until = math.inf if grant.ends_at is None else grant.ends_at - clock.unix_seconds()
    return max(0.0, min(until, grant.max_session_seconds or math.inf))


def _out_of_time(grant: Grant | None) -> VoxgateError:
    if grant is not None and grant.ends_at is not None and clock.unix_seconds() >= grant.ends_at:
        return ExpiredKey("The temporary credential of this request has expired.")
    return SessionExpired(
        "The request took longer than its temporary credential allows ('max_session_seconds')."
    )


def _check_may_pass(grant: Grant) -> None:
    """What passes unread can keep no rule."""
    if grant.kind == "temporary":
        raise Forbidden(
            "A temporary credential cannot be used here: nobody reads what passes. Use an API key."
        )
