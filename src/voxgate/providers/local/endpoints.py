"""An OpenAI-compatible HTTP endpoint: base URL, model, the key from the environment, one connection pool."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from voxgate.core.errors import SettingsError, UpstreamError, UpstreamRefused

_TIMEOUT = aiohttp.ClientTimeout(total=120, sock_connect=10)
_SHOWN = 300


class Endpoint:
    """`base_url` ends in `/v1`, `key_env` is the name of the variable with the key."""

    def __init__(self, base_url: str, model: str | None, key_env: str | None) -> None:
        self.base_url = base_url.rstrip("/")
        self.model = model
        self._headers = {"Authorization": f"Bearer {_key(key_env)}"} if key_env else {}
        self._session: aiohttp.ClientSession | None = None

    @asynccontextmanager
    async def post(self, path: str, **body: Any) -> AsyncIterator[aiohttp.ClientResponse]:
        """Raises UpstreamRefused if there is no connection or no status 200."""
        if self._session is None:
            self._session = aiohttp.ClientSession(headers=self._headers, timeout=_TIMEOUT)
        url = self.base_url + path
        try:
            async with self._session.post(url, **body) as answer:
                if answer.status != 200:
                    text = (await answer.text())[:_SHOWN]
                    raise UpstreamRefused(f"{url} answered with status {answer.status}: {text}")
                yield answer
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise UpstreamError(f"{url} failed: {error or type(error).__name__}") from error

    async def close(self) -> None:
        if self._session:
            await self._session.close()


def _key(name: str) -> str:
    key = os.environ.get(name)
    if not key:
        raise SettingsError(f"The environment variable {name} is not set.", param="providers.local")
    return key
