"""Dialling: connects to a provider and opens its WebSocket, before the client's upgrade is answered. The
upstreams of a route are tried in order; the first that answers with a proper 101 carries the call.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, cast

from voxgate.core.errors import UpstreamRefused
from voxgate.providers.routes import Upstream
from voxgate.realtime.handshake import BadHandshake, new_key, parse_answer, upgrade_request

_LARGEST_HEAD: Final = 64 << 10
_SHOWN_BODY: Final = 300
_KEY: Final = re.compile(r"\b((?:sk|ek|vg)[-_])[\w.*-]+")
"""Providers like to quote the key that they refuse; it is ours and not the caller's to see."""


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
            detail = f": {exc}" if exc else ""
            self.head.set_exception(BadHandshake(f"The connection was closed before the answer{detail}."))


class Dialler:
    """Dials upstreams; one per worker, because a TLS context is costly to make."""

    def __init__(self) -> None:
        self._tls = ssl.create_default_context()

    async def dial(self, upstreams: list[Upstream], fact: Callable[[dict[str, Any]], None]) -> Dialled:
        """The first upstream that answers. `fact` is told of every try. UpstreamRefused when none did, with
        each one's reason."""
        reasons = []
        for upstream in upstreams:
            try:
                dialled = await self._dial_one(upstream)
            except (OSError, BadHandshake, TimeoutError) as error:
                reason = str(error) or f"no answer within {upstream.connect_timeout_seconds:g} s"
                reasons.append(f"{upstream.provider}: {reason}")
                fact({"type": "gateway.dial_failed", "provider": upstream.provider, "message": reason})
                continue
            fact(
                {
                    "type": "gateway.dialled",
                    "provider": upstream.provider,
                    "upstream_model": upstream.model,
                    "url": upstream.url,
                    "ms": round(dialled.elapsed_ms, 3),
                    "subprotocol": None,
                }
            )
            return dialled
        raise UpstreamRefused(f"The provider could not be reached. {'; '.join(reasons)}")

    async def _dial_one(self, upstream: Upstream) -> Dialled:
        began = time.monotonic()
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(upstream.connect_timeout_seconds):
            transport, answering = await loop.create_connection(
                _Answering,
                upstream.host,
                upstream.port,
                ssl=self._tls if upstream.tls else None,
                server_hostname=upstream.host if upstream.tls else None,
            )
            try:
                early = await self._shake_hands(upstream, transport, answering)
            except BaseException:
                transport.abort()
                raise
        return Dialled(upstream, transport, early, (time.monotonic() - began) * 1000)

    @staticmethod
    async def _shake_hands(upstream: Upstream, transport: asyncio.Transport, answering: _Answering) -> bytes:
        key = new_key()
        transport.write(upgrade_request(upstream.authority, upstream.target, key, upstream.headers))
        head, rest = await answering.head
        answer = parse_answer(head)
        try:
            answer.check(key)
        except BadHandshake as error:
            shown = _KEY.sub(r"\1…", rest[:_SHOWN_BODY].decode(errors="replace")).strip()
            raise BadHandshake(f"{error} {shown}".strip()) from None
        return rest
