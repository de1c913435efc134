"""The provider of the matrix: the embedded one, and in front of it a witness that keeps every message.

What a client surfaced is held against what the witness saw, so nothing that Voxgate says of itself counts.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from voxgate.testing.provider import ScriptedProvider, Upstreamed

PROVIDER_KEY = "sk-key-of-the-matrix"


@dataclass
class Seen:
    """One call, as the provider had it."""

    call: Upstreamed
    said: list[dict[str, Any]] = field(default_factory=list)
    """The provider's own events."""
    close_code: int | None = None
    """With which the call was ended from Voxgate's side."""

    @property
    def asked(self) -> list[dict[str, Any]]:
        """The client events that arrived."""
        return [orjson.loads(message) for message in self.call.messages]

    def asked_for(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.asked if event.get("type") == kind]


class Witness:
    def __init__(self, local_url: str) -> None:
        self._local_url = local_url
        self.seen: list[Seen] = []
        self._ended = asyncio.Condition()

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[ScriptedProvider]:
        async with ScriptedProvider(self._relay) as provider:
            yield provider

    async def ended(self, since: int) -> list[Seen]:
        """The calls since then, once each has come to its end; one that does not has no close code."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(20), self._ended:
                await self._ended.wait_for(
                    lambda: all(seen.close_code is not None for seen in self.seen[since:])
                )
        return self.seen[since:]

    async def _relay(self, call: Upstreamed) -> None:
        seen = Seen(call)
        self.seen.append(seen)
        url = f"{self._local_url}?{call.path.partition('?')[2]}"
        # What the live service would refuse, the embedded provider refuses too.
        headers = {name: value for name, value in call.headers if name in ("authorization", "openai-beta")}
        async with connect(url, additional_headers=headers, compression=None, max_size=None) as local:
            back = asyncio.create_task(self._bring_back(local, seen))
            with contextlib.suppress(ConnectionClosed):
                async for message in call:
                    await local.send(message)
        await back
        async with self._ended:
            seen.close_code = call.socket.close_code or 1006
            self._ended.notify_all()

    @staticmethod
    async def _bring_back(local: ClientConnection, seen: Seen) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for message in local:
                seen.said.append(orjson.loads(message))
                await seen.call.send(message)
            await seen.call.socket.close(local.close_code or 1000, local.close_reason or "")
