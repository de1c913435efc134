"""A request from its head to the end of its answer. What the provider says goes to the client byte by byte as
it comes; the gateway's own errors have the shape of the API that was called.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Mapping
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
    Forbidden,
    MissingModel,
    RateLimited,
    RequestTimeout,
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
from voxgate.gateway.requests.bodies import Wanted, check_unambiguous, read_form, read_json, with_model
from voxgate.gateway.requests.cache import AnswerCache
from voxgate.gateway.requests.cached import Asked, CachedAnswer, Plan
from voxgate.gateway.requests.counting import Counting
from voxgate.gateway.requests.endpoints import PASS_THROUGH, Endpoint
from voxgate.gateway.requests.estimate import estimate
from voxgate.gateway.requests.joining import joining
from voxgate.gateway.requests.logging import AnswerLog, put_request
from voxgate.gateway.requests.metering import Metering
from voxgate.gateway.requests.secrecy import is_told, without_secret
from voxgate.gateway.requests.sending import Answer, Sender
from voxgate.gateway.requests.shapes import error_body, limit_headers, retry_headers
from voxgate.gateway.spending import Spending
from voxgate.providers.targets import Target, Targets
from voxgate.realtime.screening import Screen
from voxgate.recording.screened import ScreenedLog
from voxgate.recording.spool import UNRECORDED, Log, Spool

_FORWARDED: Final = frozenset((
    b"content-type", b"accept", b"user-agent", b"openai-beta", b"openai-safety-identifier",
    b"idempotency-key", b"anthropic-version", b"anthropic-beta", b"http-referer", b"x-title",
    b"x-stainless-retry-count",
))  # fmt: skip
"""Of the client's headers, what says how to answer and nothing of who asks."""
_ACCOUNT: Final = frozenset({b"openai-organization", b"openai-project"})
_OURS: Final = frozenset((
    "connection", "keep-alive", "proxy-authenticate", "te", "trailer", "transfer-encoding", "upgrade",
    "set-cookie", "server", "date", "alt-svc", "strict-transport-security", "openai-organization",
    "openai-project",
))  # fmt: skip
"""Of the provider's headers, what is between it and us, and whose account it is."""
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


@dataclass(slots=True)
class _Work:
    """One request: what is known so far."""

    session_id: str
    endpoint: Endpoint
    request: Request
    grant: Grant | None = None
    model: str | None = None
    body: bytes = b""
    wanted: Wanted | None = None
    plan: Plan | None = None
    """With the cache; None where nobody wants one."""
    log: Log = UNRECORDED
    begun: bool = False
    """Whether the head of an answer went to the client."""
    status: int = 0
    priced_as: tuple[str, ...] = ()
    metering: Metering | None = None
    """Of what it may use, where that is limited."""
    is_closed: bool = False

    @property
    def recorded_as(self) -> str | None:
        return None if self.log is UNRECORDED else self.session_id

    def close(self, code: int, reason: str, side: str) -> None:
        """The log; the first one counts."""
        if not self.is_closed:
            self.is_closed = True
            self.log.close(code, reason, side)


class Requests:
    """All `ENDPOINTS`, and what passes through, as ASGI applications."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def serve(self, endpoint: Endpoint, scope: Scope, receive: Receive, send: Send) -> None:
        work = _Work(new_id("sess"), endpoint, Request(scope, receive))
        self._parts.calls.request_began()
        try:
            await self._prepare(work)
            await self._until_hung_up(work, receive, self._answer(work, send))
        except VoxgateError as error:
            await self._refuse(work, error, scope, receive, send)
        except asyncio.CancelledError:
            work.close(_HUNG_UP, "the gateway stopped", "gateway")
            raise
        finally:
            if work.metering is not None:
                work.metering.end()
            self._parts.leases.give_back(work.session_id)
            self._parts.calls.request_ended()

    async def pass_through(self, scope: Scope, receive: Receive, send: Send) -> None:
        """`/v1/providers/NAME/…`: whatever a provider has that lets everything pass, with its own key."""
        name, _, path = scope["path"].removeprefix(PASS_THROUGH).partition("/")
        await self.serve(Endpoint(path, provider=name), scope, receive, send)

    # Before the provider is asked

    async def _prepare(self, work: _Work) -> None:
        parts, request = self._parts, work.request
        parts.calls.check_open()
        try:
            work.grant = await parts.admission.admit(request_key(request))
        except ExpiredCredential as error:
            work.grant = error.grant
            self._open_log(work)
            raise
        peer = request.client.host if request.client else None
        address = parts.proxies.caller(peer, request.headers.items())
        parts.places.check(work.grant, request.headers.get("origin"), address)
        work.body = await self._read_body(request)
        if work.endpoint.provider is not None:
            _check_may_pass(work.grant)
            self._open_log(work)
            return
        try:
            work.wanted = _read(work)
            work.model = work.grant.choose_model(work.wanted.model or work.endpoint.default_model)
            if work.grant.models is not None:
                check_unambiguous(work.body, work.wanted)
        finally:
            self._open_log(work)
        if not work.model:
            raise MissingModel("You must provide a model parameter: the name of a model in the body.")

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

    def _open_log(self, work: _Work) -> None:
        grant, request = work.grant, work.request
        if grant is None or grant.project is None:
            return
        work.log = self._parts.spool.open(work.session_id)
        recorded = self._parts.places.recorded(grant)
        if not all(recorded.values()):
            work.log = ScreenedLog(work.log, Screen(**recorded))
        work.log.fact(_opened(work, grant, recorded))
        if work.wanted is not None:
            put_request(work.log, work.body, work.wanted, request.headers.get("content-type", ""))

    # The answer

    async def _answer(self, work: _Work, send: Send) -> None:
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
                lambda target: _body_for(work, target),
                _headers(work, grant),
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

    def _metering(self, work: _Work, grant: Grant) -> Metering | None:
        parts = self._parts
        route = parts.targets.route_of(work.model) if work.model else None
        limits = rate_limits(grant, parts.limits, route)
        if not limits and not grant.has_budget:
            return None
        guess = estimate(work.endpoint, work.body, work.wanted)
        return Metering(parts.rates, parts.spending, work.session_id, grant, limits, guess)

    def _targets(self, work: _Work, grant: Grant) -> list[Target]:
        endpoint, targets = work.endpoint, self._parts.targets
        if endpoint.provider is None:
            return targets.of(work.model or "", endpoint.name, grant.provider_key)
        query = work.request.url.query
        path = f"{endpoint.name}?{query}" if query else endpoint.name
        return [targets.at(endpoint.provider, path, grant.provider_key)]

    async def _pass_on(self, work: _Work, answer: Answer, send: Send) -> None:
        response = answer.response
        work.status = response.status
        self._tell(work, answer)
        content_type = response.headers.get("content-type", "")
        counting = self._counting(work)
        observer = AnswerLog(work.log, content_type, self._parts.largest_body_bytes, counting)
        is_watched = work.log is not UNRECORDED or counting is not None
        head, plan = _head(work, answer), work.plan
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

    def _tell(self, work: _Work, answer: Answer) -> None:
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
            "request_id": _request_id(answer.response.headers),
        })  # fmt: skip

    @staticmethod
    def _counting(work: _Work) -> Counting | None:
        """What was refused has used nothing."""
        metering = work.metering
        if metering is None or not metering.counts_tokens or work.status >= _BAD:
            return None
        return Counting(work.endpoint.name, metering.estimate)

    # From the cache

    def _asked(self, work: _Work, grant: Grant, targets: list[Target]) -> Asked:
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

    async def _cached(self, work: _Work) -> CachedAnswer | None:
        if work.plan is None:
            return None
        found = await self._parts.cache.find(work.plan)
        work.log.fact(work.plan.fact())
        return found

    async def _give_again(self, work: _Work, answer: CachedAnswer, send: Send) -> None:
        """No provider is asked and nothing is spent; it is recorded as any other."""
        work.status = 200
        work.log.fact(
            {"type": "gateway.answered_http", "status": 200, "content_type": answer.content_type or None}
        )
        observer = AnswerLog(work.log, answer.content_type, self._parts.largest_body_bytes, None)
        kept = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
        await send({"type": "http.response.start", "status": 200, "headers": kept + _ours(work)})
        work.begun = True
        for start in range(0, len(answer.body), _PIECE_BYTES):
            piece = answer.body[start : start + _PIECE_BYTES]
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            observer.feed(piece)
        observer.end()
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        work.close(1000, "", "gateway")

    async def _until_hung_up(self, work: _Work, receive: Receive, answering: Any) -> None:
        """A client that hangs up is not answered any more, and its provider not asked."""
        task = asyncio.ensure_future(answering)
        watcher = asyncio.ensure_future(_disconnected(receive))
        try:
            await asyncio.wait({task, watcher}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                task.result()
                return
            task.cancel()
            await asyncio.wait({task}, timeout=_CANCELLED_WAIT)
            work.close(_HUNG_UP, "the client hung up", "client")
        finally:
            watcher.cancel()
            task.cancel()

    # When it goes wrong

    async def _refuse(
        self, work: _Work, error: VoxgateError, scope: Scope, receive: Receive, send: Send
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


def _request_id(headers: Mapping[str, str]) -> str | None:
    return headers.get("x-request-id") or headers.get("request-id")


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _read(work: _Work) -> Wanted:
    if work.endpoint.body == "json":
        return read_json(work.body)
    return read_form(work.body, work.request.headers.get("content-type", ""))


def _check_may_pass(grant: Grant) -> None:
    """What passes unread can keep no rule."""
    if grant.kind == "temporary":
        raise Forbidden(
            "A temporary credential cannot be used here: nobody reads what passes. Use an API key."
        )


def _body_for(work: _Work, target: Target) -> bytes:
    if work.wanted is None:
        return work.body
    is_free = work.grant is not None and work.grant.models is None
    named = work.wanted.model or (work.endpoint.default_model if is_free else None)
    if named == target.model:
        return work.body
    return with_model(work.body, work.wanted, target.model)


def _headers(work: _Work, grant: Grant) -> dict[str, str]:
    allowed = _FORWARDED | _ACCOUNT if grant.provider_key is not None else _FORWARDED
    raw: Iterable[tuple[bytes, bytes]] = work.request.scope["headers"]
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in raw if name in allowed}


def _head(work: _Work, answer: Answer) -> dict[str, Any]:
    ours = [(b"x-voxgate-provider", answer.target.provider.encode()), *_ours(work)]
    replaced = {name.decode() for name, _ in ours} | _OURS
    kept = [
        (name.lower().encode("latin-1"), value.encode("latin-1", "replace"))
        for name, value in answer.response.headers.items()
        if name.lower() not in replaced and not is_told(value, answer.target)
    ]
    return {"type": "http.response.start", "status": answer.response.status, "headers": kept + ours}


def _ours(work: _Work) -> list[tuple[bytes, bytes]]:
    """What every answer says of itself, and of the limits that held for it."""
    told = {} if work.plan is None else work.plan.headers()
    if work.metering is not None:
        told |= limit_headers(work.metering.states, work.endpoint.errors)
    if work.recorded_as is not None:
        told[SESSION_HEADER] = work.session_id
    return [(name.encode(), value.encode()) for name, value in told.items()]


def _opened(work: _Work, grant: Grant, recorded: Mapping[str, bool]) -> dict[str, Any]:
    request = work.request
    return {
        "type": "gateway.opened",
        "version": 1,
        "session_id": work.session_id,
        "started_at": clock.iso_utc(clock.now_utc()),
        "project": grant.project,
        "model": work.model,
        "transport": "http",
        "endpoint": work.endpoint.name,
        "credential": {"id": grant.id, "kind": grant.kind},
        "recorded": dict(recorded),
        "retention_days": grant.retention_days,
        "audio_retention_days": grant.audio_retention_days,
        "metadata": {key: value for key, value in grant.metadata.items() if key != "tags"},
        "tags": grant.metadata.get("tags", []),
        "client": {
            "address": request.client.host if request.client else None,
            "user_agent": request.headers.get("user-agent"),
            "origin": request.headers.get("origin"),
        },
        "request": {"path": request.url.path, "headers": joining(request.scope["headers"])},
    }
