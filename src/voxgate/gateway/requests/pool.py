"""The connections to providers, which are kept open and used again.

A provider may close one just when the next request goes out on it. What was written then has reached nobody,
so where not a byte came back it is sent once more, on a connection of its own. aiohttp does so for methods
that change nothing; to ask a model is POST.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import time
from typing import Any, Final

import aiohttp
from aiohttp.client_proto import ResponseHandler

_KEPT_OPEN_SECONDS: Final = 30.0
_RACE_SECONDS: Final = 5.0
"""A close that was on its way as the request went out is here by then. One that comes later may be of a
provider that has worked on the request."""

logger = logging.getLogger(__name__)


class StaleConnection(aiohttp.ClientConnectionError):
    """It was used before, and closed without a byte in answer to this request."""


class Pool:
    """One per worker. Its connections are made with the first request, on the loop that serves."""

    def __init__(self) -> None:
        self._kept: aiohttp.ClientSession | None = None
        self._single: aiohttp.ClientSession | None = None
        """Whose connections serve one request each."""

    async def request(self, method: str, url: str, **options: Any) -> aiohttp.ClientResponse:
        """The body among the options must be such as can be sent twice."""
        if self._kept is None:
            connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEPT_OPEN_SECONDS)
            # aiohttp has no other place to say what its connections are; that it is heard is tested.
            made: Any = functools.partial(_Connection, loop=asyncio.get_running_loop())
            connector._factory = made  # noqa: SLF001
            self._kept = _session(connector)
        try:
            return await self._kept.request(method, url, **options)
        except StaleConnection:
            logger.info("%s closed a kept connection; the request is sent again", url.partition("?")[0])
        if self._single is None:
            self._single = _session(aiohttp.TCPConnector(limit=0, force_close=True))
        return await self._single.request(method, url, **options)

    async def close(self) -> None:
        for session in (self._kept, self._single):
            if session is not None:
                await session.close()


class _Connection(ResponseHandler):
    _requests = 0
    _began = 0.0
    _is_answering = False
    """Whether a byte came since the last request was put on it."""

    def set_response_params(self, **params: Any) -> None:
        self._requests += 1
        self._began, self._is_answering = time.monotonic(), False
        super().set_response_params(**params)

    def data_received(self, data: bytes) -> None:
        self._is_answering = True
        super().data_received(data)

    def set_exception(self, exc: BaseException, *cause: Any) -> None:
        is_lost = isinstance(exc, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError)
        if is_lost and self._is_stale:
            exc = StaleConnection(str(exc))
        super().set_exception(exc, *cause)

    @property
    def _is_stale(self) -> bool:
        is_soon = time.monotonic() - self._began < _RACE_SECONDS
        return self._requests > 1 and not self._is_answering and is_soon


def _session(connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
    )
