"""Sends a request to one target after the other until one answers, over connections that are kept open.

A target that cannot be reached, is overloaded or fails is followed by the next; the last one's answer goes to
the client whatever it is. One that failed rests, and one that says `Retry-After` for so long.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import aiohttp

from voxgate.core.errors import UpstreamRefused
from voxgate.gateway.metrics import Metrics
from voxgate.gateway.resting import Rests
from voxgate.providers.targets import Target
from voxgate.realtime.redaction import without_key

_ELSEWHERE: Final = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
"""Answers after which another provider may have a better one."""
_OVERLOADED: Final = frozenset({429, 503, 529})
_LONGEST_REST_SECONDS: Final = 60.0
_KEPT_OPEN_SECONDS: Final = 30.0
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
    """One per worker. Its connections are made with the first request, on the loop that serves."""

    def __init__(self, metrics: Metrics) -> None:
        self._rests = Rests()
        self._session: aiohttp.ClientSession | None = None
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
        ordered = self._rests.order(targets)
        for number, target in enumerate(ordered):
            name, began = target.provider, time.monotonic()
            try:
                response = await self._try(target, method, body_for(target), headers)
            except _Failure as error:
                self._failed(
                    target, began, str(error), target.settings.rest_seconds if error.is_unwell else 0
                )
                fact({"type": "gateway.dial_failed", "provider": name, "message": str(error)})
                reasons.append(f"{name} {error.shown}")
                continue
            if response.status in _ELSEWHERE and not target.callers_key:
                self._failed(target, began, f"answered {response.status}", _rest_seconds(target, response))
                if number + 1 < len(ordered):
                    message = await _words(target, response)
                    fact({"type": "gateway.dial_failed", "provider": name, "message": message})
                    reasons.append(f"{name} answered {response.status}")
                    continue
            elif self._rests.answered(name):
                logger.info("provider %s answers requests again", name)
            return Answer(target, response, (time.monotonic() - began) * 1000)
        raise UpstreamRefused(f"No provider answered: {'; '.join(reasons)}.")

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def _try(
        self, target: Target, method: str, body: bytes, headers: Mapping[str, str]
    ) -> aiohttp.ClientResponse:
        settings = target.settings
        timeout = aiohttp.ClientTimeout(
            total=None, connect=settings.connect_timeout_seconds, sock_read=settings.silence_seconds
        )
        request = self._pool().request(
            method,
            target.url,
            data=body or None,
            headers={**target.headers, **headers, **target.key_header},
            timeout=timeout,
            allow_redirects=False,
        )
        try:
            async with asyncio.timeout(settings.answer_seconds):
                return await request
        except TimeoutError as error:
            raise _Failure(f"did not answer within {settings.answer_seconds:g} s", str(error)) from error
        except aiohttp.InvalidURL as error:
            raise _Failure("has a base_url that cannot be used", str(error), is_unwell=False) from error
        except (OSError, aiohttp.ClientError, ValueError) as error:
            raise _Failure("could not be reached", without_key(str(error), target.secret)) from error

    def _pool(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEPT_OPEN_SECONDS)
            self._session = aiohttp.ClientSession(
                connector=connector,
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            )
        return self._session

    def _failed(self, target: Target, began: float, said: str, rest_seconds: float) -> None:
        self._failures.add(target.provider)
        if seconds := self._rests.failed(target.provider, began, rest_seconds):
            logger.warning("provider %s %s; it rests for %g s", target.provider, said, seconds)


def _rest_seconds(target: Target, response: aiohttp.ClientResponse) -> float:
    """As long as it asks for, where it does."""
    if response.status not in _OVERLOADED:
        return target.settings.rest_seconds if response.status >= 500 else 0.0
    asked = response.headers.get("retry-after", "")
    seconds = float(asked) if asked.replace(".", "", 1).isdigit() else target.settings.rest_seconds
    return min(seconds, _LONGEST_REST_SECONDS)


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
