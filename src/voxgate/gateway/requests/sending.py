"""Sends a request to one target after the other until one answers, over connections that are kept open.

A target that cannot be reached, is overloaded or fails is followed by the next; the last one's answer goes to
the client whatever it is. One that failed rests, and one that says `Retry-After` for so long: the provider,
or of several keys the one that it does not take now.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Final

import aiohttp

from voxgate.core.clock import now_utc
from voxgate.core.errors import UpstreamRefused
from voxgate.gateway.metrics import Metrics
from voxgate.gateway.requests.pool import Pool
from voxgate.gateway.resting import Rests
from voxgate.providers.targets import Target
from voxgate.realtime.redaction import without_key

_OF_THE_KEY: Final = frozenset({401, 402, 429})
"""Answers that concern the key, or whose account it is."""
_ELSEWHERE: Final = frozenset({*_OF_THE_KEY, 408, 409, 425, 500, 502, 503, 504, 529})
"""Answers after which another provider, or another key, may have a better one."""
_OVERLOADED: Final = frozenset({429, 503, 529})
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_LONGEST_REST_SECONDS: Final = 60.0
_SHOWN_WORDS: Final = 300

Fact = Callable[[dict[str, Any]], None]
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    target: Target
    response: aiohttp.ClientResponse
    elapsed_ms: float


class _Failure(Exception):
    """`shown` continues a sentence that begins with the provider's name."""

    def __init__(self, shown: str, detail: str = "", *, is_unwell: bool = True) -> None:
        super().__init__(f"{shown}: {detail}" if detail else shown)
        self.shown = shown
        self.is_unwell = is_unwell


class Sender:
    """One per worker."""

    def __init__(self, metrics: Metrics) -> None:
        self._rests = Rests()
        self._pool = Pool()
        self._failures = metrics.counter(
            "voxgate_request_failures_total", "Tries of requests that a provider failed.", "provider"
        )

    async def send(
        self,
        targets: Sequence[Target],
        body_for: Callable[[Target], bytes],
        headers: Mapping[str, str],
        fact: Fact,
        method: str = "POST",
    ) -> Answer:
        """The head of an answer; its body is still to be read. `fact` is told of every try. UpstreamRefused,
        with each one's reason, when none answered at all."""
        reasons: list[str] = []
        ordered = self._order(targets)
        for number, target in enumerate(ordered):
            name, began = target.provider, time.monotonic()
            try:
                response = await self._try(target, method, body_for(target), headers)
            except _Failure as error:
                seconds = target.settings.rest_seconds if error.is_unwell else 0
                self._failed(target, target.provider, began, str(error), seconds)
                fact({"type": "gateway.dial_failed", "provider": name, "message": str(error)})
                reasons.append(f"{name} {error.shown}")
                continue
            if response.status in _ELSEWHERE and not target.callers_key:
                who = target.keyed_as if response.status in _OF_THE_KEY else name
                said, seconds = f"answered {response.status}", _rest_seconds(target, response)
                self._failed(target, who, began, said, seconds)
                if number + 1 < len(ordered):
                    message = await _words(target, response)
                    fact({"type": "gateway.dial_failed", "provider": name, "message": message})
                    reasons.append(f"{name} answered {response.status}")
                    continue
            else:
                self._answered(target)
            return Answer(target, response, (time.monotonic() - began) * 1000)
        raise UpstreamRefused(f"No provider answered: {'; '.join(reasons)}.")

    async def close(self) -> None:
        await self._pool.close()

    async def _try(
        self, target: Target, method: str, body: bytes, headers: Mapping[str, str]
    ) -> aiohttp.ClientResponse:
        settings = target.settings
        # Until the head is there the silence is an answer that takes its time.
        timeout = aiohttp.ClientTimeout(
            total=None, connect=settings.connect_timeout_seconds, sock_read=settings.answer_seconds
        )
        request = self._pool.request(
            method,
            target.url,
            data=body or None,
            headers={**target.headers, **headers, **target.key_header},
            timeout=timeout,
            allow_redirects=False,
        )
        try:
            async with asyncio.timeout(settings.answer_seconds):
                response = await request
        except aiohttp.ConnectionTimeoutError as error:
            shown = f"could not be connected to within {settings.connect_timeout_seconds:g} s"
            raise _Failure(shown) from error
        except TimeoutError as error:
            raise _Failure(f"did not answer within {settings.answer_seconds:g} s", str(error)) from error
        except aiohttp.InvalidURL as error:
            raise _Failure("has a base_url that cannot be used", str(error), is_unwell=False) from error
        except (OSError, aiohttp.ClientError, ValueError) as error:
            raise _Failure(_how(error), without_key(str(error), target.secret)) from error
        if response.status in _REDIRECTS and method != "GET":
            response.close()
            raise _Failure(f"answered {response.status}, and redirects are not followed", is_unwell=False)
        _watch_silence(response, settings.silence_seconds)
        return response

    def _order(self, targets: Sequence[Target]) -> list[Target]:
        """Those that rest at the end: a request never fails without a try. One that has rested long enough
        and comes before all that are well is tried again, by one request at a time."""
        well, resting = list[Target](), list[Target]()
        is_served = False
        for target in targets:
            rests = [who for who in {target.provider, target.keyed_as} if who in self._rests]
            is_tried = not is_served and all(map(self._rests.begin_trial, rests))
            (well if is_tried or not rests else resting).append(target)
            is_served = is_served or not rests
        return [*well, *resting]

    def _failed(self, target: Target, who: str, began: float, said: str, rest_seconds: float) -> None:
        self._failures.add(target.provider)
        if seconds := self._rests.failed(who, began, rest_seconds):
            logger.warning("provider %s %s; it rests for %g s", who, said, seconds)

    def _answered(self, target: Target) -> None:
        for who in {target.provider, target.keyed_as}:
            if self._rests.answered(who):
                logger.info("provider %s answers requests again", who)


def _how(error: Exception) -> str:
    """Continues a sentence that begins with the provider's name."""
    if isinstance(error, aiohttp.ClientSSLError):
        return "failed the TLS handshake"
    if isinstance(error, aiohttp.ClientResponseError | ValueError):
        return "did not answer in HTTP"
    if isinstance(error, aiohttp.ClientConnectorError):
        return "could not be reached"
    return "closed the connection before it answered"


def _watch_silence(response: aiohttp.ClientResponse, seconds: float) -> None:
    """From now on an answer may be silent for so long; one that is whole already has no connection."""
    connection = response.connection
    if connection is not None and connection.protocol is not None:
        connection.protocol.read_timeout = seconds
        connection.protocol.start_timeout()


def _rest_seconds(target: Target, response: aiohttp.ClientResponse) -> float:
    """As long as it asks for, where it does."""
    own = target.settings.rest_seconds
    if response.status in _OVERLOADED:
        asked = retry_after(response.headers)
        return min(own if asked is None else asked, _LONGEST_REST_SECONDS)
    return own if response.status >= 500 or response.status in _OF_THE_KEY else 0.0


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds, as a number, as a moment (RFC 9110, 10.2.3) or in OpenAI's and Azure's milliseconds."""
    for name, factor in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        asked = headers.get(name, "").strip()
        if asked.replace(".", "", 1).isdecimal():
            return float(asked) * factor
    try:
        moment = parsedate_to_datetime(headers.get("retry-after", ""))
        return max(0.0, (moment - now_utc()).total_seconds())
    except (TypeError, ValueError):  # no moment, or one without a time zone
        return None


async def _words(target: Target, response: aiohttp.ClientResponse) -> str:
    """What it said instead of an answer, for the trace; then its connection is free again."""
    try:
        async with asyncio.timeout(target.settings.connect_timeout_seconds):
            body = await response.content.read(_SHOWN_WORDS * 4)
    except (OSError, aiohttp.ClientError, TimeoutError):
        body = b""
    response.close()
    words = without_key(body.decode("utf-8", "replace"), target.secret)[:_SHOWN_WORDS].strip()
    return f"answered {response.status}: {words}".rstrip(": ")
