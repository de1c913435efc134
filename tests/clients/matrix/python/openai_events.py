"""OpenAI's own Python package: `openai_events.py ga|sync|beta|azure|azure-beta`."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import talk
from openai import AsyncAzureOpenAI, AsyncOpenAI, OpenAI

Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[Any]]


@dataclass
class Call:
    account: talk.Account
    send: Send
    receive: Receive

    async def until(self, *kinds: str) -> None:
        missing = set(kinds)
        while missing:
            event = await asyncio.wait_for(self.receive(), talk.STEP_SECONDS)
            self.account.take(event.to_dict())
            if event.type == "error":
                raise RuntimeError(event.error)
            missing.discard(event.type)

    async def hold(self, dialect: str, whole: bool, speech: bytes) -> None:
        await self.until("session.created")
        await self.send({"type": "session.update", "session": talk.SETTINGS[dialect]})
        await self.until("session.updated")
        await self.send({"type": "conversation.item.create", "item": talk.said(talk.COUNT)})
        await self.send({"type": "response.create"})
        await self.until("response.done", "rate_limits.updated")
        if not whole:
            return
        for piece in talk.pieces(speech):
            audio = base64.b64encode(piece).decode()
            await self.send({"type": "input_audio_buffer.append", "audio": audio})
        await self.until(talk.HEARD, "response.done", "rate_limits.updated")
        output = talk.forecast(self.account.tools[-1]["call_id"])
        await self.send({"type": "conversation.item.create", "item": output})
        await self.send({"type": "response.create"})
        await self.until("response.done", "rate_limits.updated")


def client_for(order: talk.Order) -> AsyncOpenAI:
    if not order.variant.startswith("azure"):
        return AsyncOpenAI(base_url=order.url, api_key=order.key)
    endpoint, version = order.url.removesuffix("/v1"), "2024-10-01-preview"
    return AsyncAzureOpenAI(azure_endpoint=endpoint, api_key=order.key, api_version=version)


@contextlib.asynccontextmanager
async def connected(variant: str, order: talk.Order, account: talk.Account) -> AsyncIterator[Call]:
    if variant == "sync":
        client = OpenAI(base_url=order.url, api_key=order.key)
        with client.realtime.connect(model=order.model) as blocking:

            async def send(event: Any) -> None:
                await asyncio.to_thread(blocking.send, event)

            yield Call(account, send, lambda: asyncio.to_thread(blocking.recv))
        return
    asynchronous = client_for(order)
    realtime: Any = asynchronous.beta.realtime if variant.endswith("beta") else asynchronous.realtime
    async with realtime.connect(model=order.model) as connection:
        yield Call(account, connection.send, connection.recv)


async def main() -> None:
    order, account = talk.Order(), talk.Account(events=[])
    try:
        async with connected(order.variant, order, account) as call:
            await call.hold("beta" if order.variant.endswith("beta") else "ga", order.whole, order.speech)
    except Exception:  # noqa: BLE001 - the account says how far it came, and why no further
        account.failed()
    account.give()


asyncio.run(main())
