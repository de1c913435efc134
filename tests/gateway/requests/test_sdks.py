"""The official SDKs get the same through Voxgate as from the provider itself, whatever they ask."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import openai
import pytest
from openai import AsyncOpenAI
from tests.gateway.conftest import ADMIN_KEY, StartGateway
from tests.gateway.requests.documented import SOUND, answer

from voxgate.testing.http_provider import HttpProvider

pytestmark = pytest.mark.anyio
MESSAGES: Any = [{"role": "user", "content": "Hi"}]
TOOLS: Any = [{"type": "function", "function": {"name": "find", "parameters": {"type": "object"}}}]
Asking = Callable[[Any], Awaitable[Any]]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def both(start_gateway: StartGateway) -> AsyncIterator[tuple[str, str]]:
    """The provider's base, and the gateway's before it."""
    async with HttpProvider(answer) as provider:
        known = {"house": {"base_url": provider.base_url, "api_key": "k", "rest_seconds": 0}}
        async with start_gateway(providers=known, routes=[{"model": "*", "providers": ["house"]}]) as gateway:
            yield provider.base_url, f"http://127.0.0.1:{gateway.port}/v1"


async def outcome(ask: Asking, client: Any, errors: tuple[type[Exception], ...]) -> Any:
    """What came, or which error of the SDK, as plain data."""
    async with client:
        try:
            found = await ask(client)
        except errors as error:
            return type(error).__name__, getattr(error, "status_code", None), getattr(error, "body", None)
    return [_plain(each) for each in found] if isinstance(found, list) else _plain(found)


def _plain(found: Any) -> Any:
    return found.model_dump() if hasattr(found, "model_dump") else found


async def gathered(stream: Any) -> list[Any]:
    return [event async for event in await stream]


async def speech(client: AsyncOpenAI) -> bytes:
    return (await client.audio.speech.create(model="tts-1", voice="alloy", input="Hello")).read()


async def streamed_speech(client: AsyncOpenAI) -> bytes:
    create = client.audio.speech.with_streaming_response.create
    async with create(model="tts-1", voice="alloy", input="Hello") as answered:
        return b"".join([piece async for piece in answered.iter_bytes()])


async def cancelled(client: AsyncOpenAI) -> Any:
    stream = await client.chat.completions.create(model="m", messages=MESSAGES, stream=True)
    first = await anext(aiter(stream))
    await stream.close()
    return first


FILE = ("a.wav", SOUND, "audio/wav")
OPENAI: dict[str, Asking] = {
    "chat": lambda c: c.chat.completions.create(model="m", messages=MESSAGES),
    "chat with tools": lambda c: c.chat.completions.create(model="m", messages=MESSAGES, tools=TOOLS),
    "chat streamed": lambda c: gathered(c.chat.completions.create(model="m", messages=MESSAGES, stream=True)),
    "chat cancelled": cancelled,
    "responses": lambda c: c.responses.create(model="m", input="Hi"),
    "responses streamed": lambda c: gathered(c.responses.create(model="m", input="Hi", stream=True)),
    "embeddings": lambda c: c.embeddings.create(model="m", input="Hi"),
    "moderations": lambda c: c.moderations.create(input="Hi"),
    "speech": speech,
    "speech streamed": streamed_speech,
    "transcription": lambda c: c.audio.transcriptions.create(model="whisper-1", file=FILE),
    "transcription streamed": lambda c: gathered(
        c.audio.transcriptions.create(model="whisper-1", file=FILE, stream=True)
    ),
    "translation": lambda c: c.audio.translations.create(model="whisper-1", file=FILE),
    "image": lambda c: c.images.generate(model="m", prompt="A cat"),
    "edited image": lambda c: c.images.edit(model="m", image=("a.png", b"png", "image/png"), prompt="A dog"),
    **{
        f"refused with {status}": lambda c, status=status: c.chat.completions.create(  # type: ignore[misc]
            model=f"fails-{status}", messages=MESSAGES
        )
        for status in (400, 401, 403, 404, 422, 429, 500, 503)
    },
    "stream cut": lambda c: gathered(c.chat.completions.create(model="cuts", messages=MESSAGES, stream=True)),
}
ANTHROPIC: dict[str, Asking] = {
    "messages": lambda c: c.messages.create(model="m", max_tokens=9, messages=MESSAGES),
    "messages streamed": lambda c: gathered(
        c.messages.create(model="m", max_tokens=9, messages=MESSAGES, stream=True)
    ),
    "count of tokens": lambda c: c.messages.count_tokens(model="m", messages=MESSAGES),
    **{
        f"refused with {status}": lambda c, status=status: c.messages.create(  # type: ignore[misc]
            model=f"fails-{status}", max_tokens=9, messages=MESSAGES
        )
        for status in (400, 401, 404, 429, 529)
    },
}


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")  # translations, in the SDK
async def test_openais_sdk_gets_the_same(start_gateway: StartGateway) -> None:
    async with both(start_gateway) as (direct, through):
        for name, ask in OPENAI.items():
            clients = [
                AsyncOpenAI(base_url=base, api_key=key, max_retries=0)
                for base, key in ((direct, "k"), (through, ADMIN_KEY))
            ]
            errors = (openai.OpenAIError, httpx2.TransportError)  # the latter where a stream breaks off
            expected, found = [await outcome(ask, client, errors) for client in clients]
            assert found == expected, name


async def test_anthropics_sdk_gets_the_same(start_gateway: StartGateway) -> None:
    # Its thousands of modules take two seconds, which every process would spend that only collects tests.
    import anthropic

    async with both(start_gateway) as (direct, through):
        for name, ask in ANTHROPIC.items():
            clients = [
                anthropic.AsyncAnthropic(base_url=base.removesuffix("/v1"), api_key=key, max_retries=0)
                for base, key in ((direct, "k"), (through, ADMIN_KEY))
            ]
            expected, found = [await outcome(ask, client, (anthropic.AnthropicError,)) for client in clients]
            assert found == expected, name
