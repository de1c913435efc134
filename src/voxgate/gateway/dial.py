"""Dialling: connects to a provider and opens its WebSocket, before the client's upgrade is answered. The
upstreams of a route are tried in order; the first that answers with a proper 101 carries the call. One that
fails rests (see `resting`). When its time is up, a call that another one carries is also dialled there and
hung up at once, so that no caller waits to find out whether a provider is back.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from voxgate.core.clock import now_utc
from voxgate.core.errors import UpstreamRefused
from voxgate.gateway.metrics import Metrics
from voxgate.gateway.resting import Rests
from voxgate.gateway.tls import connect_tls
from voxgate.providers.health import Health
from voxgate.providers.routes import Upstream
from voxgate.realtime.frames import encode_close
from voxgate.realtime.handshake import BadHandshake, new_key, parse_answer, upgrade_request
from voxgate.realtime.redaction import without_key

_LARGEST_HEAD: Final = 64 << 10
_SHOWN_BODY: Final = 300
_TOO_MANY_REQUESTS: Final = 429

logger = logging.getLogger(__name__)


class DialFailure(Exception):
    """An upstream could not be dialled. `shown` continues a sentence that begins with the provider's name and
    is for the caller; the message has the details, such as addresses and the provider's words."""

    def __init__(self, shown: str, detail: str = "", *, is_unwell: bool = True) -> None:
        """`is_unwell` is false where the settings or the request are to blame, not the provider's health."""
        super().__init__(f"{shown}: {detail}" if detail else shown)
        self.shown = shown
        self.is_unwell = is_unwell


@dataclass(slots=True)
class Dialled:
    """An open upstream. Reading is paused; `early` holds what came right behind the 101."""

    upstream: Upstream
    transport: asyncio.Transport
    early: bytes
    elapsed_ms: float


class _Answering(asyncio.Protocol):
    """Collects the answer's head and then stops reading."""

    def __init__(self) -> None:
        self.head: asyncio.Future[tuple[bytes, bytes]] = asyncio.get_running_loop().create_future()
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are not of that class

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, end, rest = self._buffer.partition(b"\r\n\r\n")
        if self.head.done() or (not end and len(self._buffer) <= _LARGEST_HEAD):
            return
        if not end:
            self.head.set_exception(BadHandshake("The answer's head is too large."))
            return
        if self._transport is not None:
            self._transport.pause_reading()
        self.head.set_result((head, rest))

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.head.done():
            failure = DialFailure("closed the connection before it answered", str(exc or ""))
            self.head.set_exception(failure)


@functools.cache
def trusting_context() -> ssl.SSLContext:
    """For connections to upstreams; one for all, because to read whom the system trusts is costly."""
    context = ssl.create_default_context()
    context.options |= ssl.OP_NO_RENEGOTIATION
    return context


class Dialler:
    """Dials upstreams."""

    def __init__(self, metrics: Metrics) -> None:
        self._tls = trusting_context()
        self._rests = Rests()
        self._health: dict[str, Health] = {}
        self._trials: dict[str, asyncio.Task[Dialled]] = {}
        """By provider: tries that no call waits for, made only to learn how the provider is."""
        self._failures = metrics.counter(
            "voxgate_dial_failures_total", "Tries to open a call at a provider that failed.", "provider"
        )
        metrics.gauge(
            "voxgate_providers_resting",
            "Providers that could not be dialled and are tried after the others of a route.",
            lambda: len(self._rests),
        )

    async def dial(self, upstreams: Sequence[Upstream], fact: Callable[[dict[str, Any]], None]) -> Dialled:
        """The first upstream that answers. `fact` is told of every try. UpstreamRefused when none did, with
        each one's reason."""
        reasons = []
        for upstream in self._rests.order(upstreams):
            name, resting = upstream.provider, upstream.provider in self._rests
            try:
                dialled = await self._try(upstream)
            except DialFailure as error:
                reasons.append(f"{name} {error.shown}")
                message = str(error)
                fact(
                    {"type": "gateway.dial_failed", "provider": name, "message": message, "resting": resting}
                )
                continue
            fact(
                {
                    "type": "gateway.dialled",
                    "provider": name,
                    "live_model": upstream.live_model,
                    "upstream_model": upstream.model,
                    "dialect": upstream.dialect.value,
                    "url": upstream.place,
                    "ms": round(dialled.elapsed_ms, 3),
                    "subprotocol": None,
                }
            )
            self._start_trials(upstreams, upstream)
            return dialled
        raise UpstreamRefused(f"The provider could not be reached: {'; '.join(reasons)}.")

    def health(self) -> dict[str, Health]:
        """Of the providers that were tried, by name."""
        for name, health in self._health.items():
            health.rests_for_seconds = self._rests.seconds_left(name)
        return self._health

    def close(self) -> None:
        """Gives up the tries that no call waits for."""
        for trial in list(self._trials.values()):
            trial.cancel()

    async def _try(self, upstream: Upstream) -> Dialled:
        attempt = asyncio.get_running_loop().create_task(self._attempt(upstream))
        try:
            await asyncio.wait([attempt])
        except asyncio.CancelledError:
            # Callers that lose patience before the provider's time is up would never let it rest.
            self._let_go_on(upstream.provider, attempt)
            raise
        return attempt.result()

    def _start_trials(self, upstreams: Sequence[Upstream], carrying: Upstream) -> None:
        """Sees whether providers that come before the one that carries the call are back."""
        for upstream in upstreams[: upstreams.index(carrying)]:
            if self._rests.is_due(upstream.provider) and upstream.provider not in self._trials:
                self._let_go_on(upstream.provider, asyncio.create_task(self._attempt(upstream)))

    def _let_go_on(self, provider: str, attempt: asyncio.Task[Dialled]) -> None:
        """At most one for each provider goes on without a call."""
        if provider in self._trials:
            attempt.cancel()
        else:
            self._trials[provider] = attempt
        attempt.add_done_callback(lambda done: self._end_trial(provider, done))

    def _end_trial(self, provider: str, attempt: asyncio.Task[Dialled]) -> None:
        if self._trials.get(provider) is attempt:
            del self._trials[provider]
        if attempt.cancelled():
            return
        error = attempt.exception()
        if error is None:
            transport = attempt.result().transport
            transport.write(encode_close(1000, "", masked=True))
            transport.close()
        elif not isinstance(error, DialFailure):
            logger.error("the provider %s could not be tried", provider, exc_info=error)

    async def _attempt(self, upstream: Upstream) -> Dialled:
        """One try, after which it is known better how the provider is."""
        name, began = upstream.provider, time.monotonic()
        health = self._health.setdefault(name, Health())
        try:
            dialled = await self._dial_one(upstream)
        except DialFailure as error:
            self._failures.add(name)
            health.failed_at, health.failure = now_utc(), str(error)
            if not error.is_unwell:
                logger.warning("provider %s %s", name, error)
            elif seconds := self._rests.failed(name, began, upstream.rest_seconds):
                logger.warning("provider %s %s; it rests for %g s", name, error, seconds)
            raise
        health.answered_at = now_utc()
        if self._rests.answered(name):
            logger.info("provider %s answers again", name)
        return dialled

    async def _dial_one(self, upstream: Upstream) -> Dialled:
        began = time.monotonic()
        key = new_key()
        try:
            request = upgrade_request(upstream.authority, upstream.target, key, upstream.headers)
        except BadHandshake as error:
            raise DialFailure("cannot be sent this request", str(error), is_unwell=False) from error
        try:
            async with asyncio.timeout(upstream.connect_timeout_seconds):
                transport, answering = await self._connect(upstream)
                try:
                    transport.write(request)
                    early = await _read_answer(upstream, answering, key)
                except BaseException:
                    transport.abort()
                    raise
        except TimeoutError as error:
            shown = f"timed out after {upstream.connect_timeout_seconds:g} s"
            raise DialFailure(shown, str(error)) from error
        except ssl.SSLError as error:
            raise DialFailure("failed the TLS handshake", str(error)) from error
        except (OSError, UnicodeError) as error:  # UnicodeError: a host that is no name for a resolver
            raise DialFailure("could not be connected to", str(error)) from error
        except BadHandshake as error:
            raise DialFailure("did not answer as a WebSocket", str(error)) from error
        return Dialled(upstream, transport, early, (time.monotonic() - began) * 1000)

    async def _connect(self, upstream: Upstream) -> tuple[asyncio.Transport, _Answering]:
        if upstream.tls:
            return await connect_tls(_Answering, upstream.host, upstream.port, self._tls)
        loop = asyncio.get_running_loop()
        return await loop.create_connection(_Answering, upstream.host, upstream.port)


async def _read_answer(upstream: Upstream, answering: _Answering, key: str) -> bytes:
    """What came right behind a proper 101."""
    head, rest = await answering.head
    answer = parse_answer(head)
    if answer.status == 101:
        answer.check(key)
        return rest
    words = without_key(rest.decode(errors="replace"), upstream.secret)[:_SHOWN_BODY].strip()
    overloaded = answer.status == _TOO_MANY_REQUESTS and not upstream.callers_key
    raise DialFailure(
        f"answered {answer.status}",
        f"{answer.reason} {words}".strip(),
        is_unwell=overloaded or answer.status >= 500,
    )
