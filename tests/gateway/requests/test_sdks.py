"""The official SDKs get the same through Voxgate as from the provider itself, whatever they ask, and the
provider is asked the same. (`tests/clients/test_sdks_node.py` has those for Node.)"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import openai
import pytest
from openai import AsyncOpenAI
from tests.gateway.conftest import ADMIN_KEY, RunningGateway, StartGateway
from tests.gateway.requests.documented import PICTURE, SOUND
from tests.gateway.requests.standin import StandIn, asked

from voxgate.testing.http_provider import HttpProvider

pytestmark = pytest.mark.anyio
MESSAGES: Any = [{"role": "user", "content": "Hi"}]
FUNCTION: Any = {"name": "find", "parameters": {"type": "object", "properties": {}}}
CHAT_TOOLS: Any = [{"type": "function", "function": FUNCTION}]
TOOLS: Any = [{"type": "function", "strict": False, **FUNCTION}]
CLAUDE_TOOLS: Any = [{"name": "find", "input_schema": {"type": "object"}}]
CALL: Any = {"id": "call_1", "type": "function", "function": {"name": "find", "arguments": "{}"}}
PNG = f"data:image/png;base64,{PICTURE}"
Asking = Callable[[Any], Awaitable[Any]]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@dataclass
class Both:
    provider: HttpProvider
    gateway: RunningGateway
    stand_in: StandIn

    @property
    def through(self) -> str:
        return f"http://127.0.0.1:{self.gateway.port}/v1"

    async def same(self, questions: Mapping[str, Asking], client_at: Callable[[str, str], Any]) -> None:
        """Asks each directly and through the gateway."""
        async with (
            client_at(self.provider.base_url, "k") as direct,
            client_at(self.through, ADMIN_KEY) as ours,
        ):
            for name, ask in questions.items():
                expected, sent = await self._asked(ask, direct)
                found, sent_by_us = await self._asked(ask, ours)
                assert found == expected, name
                assert sent_by_us == sent, name
                assert sent, name

    async def _asked(self, ask: Asking, client: Any) -> tuple[Any, list[Any]]:
        """What came of it, and what the provider was asked."""
        self.provider.received.clear()
        found = await outcome(ask, client)
        return found, [asked(each) for each in self.provider.received]


@asynccontextmanager
async def both(start_gateway: StartGateway, pattern: str = "*") -> AsyncIterator[Both]:
    stand_in = StandIn()
    async with HttpProvider(stand_in) as provider:
        known = {"house": {"base_url": provider.base_url, "api_key": "k", "rest_seconds": 0}}
        routes = [{"model": name, "providers": ["house"]} for name in ("m", pattern)]
        async with start_gateway(providers=known, routes=routes) as gateway:
            yield Both(provider, gateway, stand_in)


async def outcome(ask: Asking, client: Any) -> Any:
    """What came, or which error of the SDK, as plain data."""
    try:
        found = await ask(client)
    except (_root_error(client), httpx2.TransportError) as error:  # the latter where a stream breaks off
        return type(error).__name__, getattr(error, "status_code", None), getattr(error, "body", None)
    return [_plain(each) for each in found] if isinstance(found, list) else _plain(found)


def _root_error(client: Any) -> type[Exception]:
    if isinstance(client, AsyncOpenAI):
        return openai.OpenAIError
    import anthropic

    return anthropic.AnthropicError


def _plain(found: Any) -> Any:
    return found.model_dump() if hasattr(found, "model_dump") else found


async def gathered(stream: Any) -> list[Any]:
    return [event async for event in await stream]


async def left(stream: Any) -> list[Any]:
    """The first three, and then the client hangs up."""
    opened, came = await stream, []
    async for event in opened:
        came.append(event)
        if len(came) == 3:
            break
    await opened.close()
    return came


async def spoken(create: Any) -> bytes:
    async with create(model="tts-1", voice="alloy", input="Hello") as answered:
        return b"".join([piece async for piece in answered.iter_bytes()])


async def put_together(client: AsyncOpenAI) -> Any:
    """By the SDK itself, out of a stream with a tool call."""
    async with client.chat.completions.stream(model="m", messages=MESSAGES, tools=CHAT_TOOLS) as stream:
        return await stream.get_final_completion()


async def message_put_together(client: Any) -> Any:
    async with client.messages.stream(
        model="m", max_tokens=9, messages=MESSAGES, tools=CLAUDE_TOOLS
    ) as stream:
        return await stream.get_final_message()


def chat(c: AsyncOpenAI, model: str = "m", **more: Any) -> Any:
    return c.chat.completions.create(**{"model": model, "messages": MESSAGES, **more})


def respond(c: AsyncOpenAI, model: str = "m", **more: Any) -> Any:
    return c.responses.create(**{"model": model, "input": "Hi", **more})


def write(c: Any, model: str = "m", **more: Any) -> Any:
    return c.messages.create(**{"model": model, "max_tokens": 9, "messages": MESSAGES, **more})


def transcribe(c: AsyncOpenAI, model: str = "whisper-1", **more: Any) -> Any:
    return c.audio.transcriptions.create(model=model, file=FILE, **more)


FILE = ("a.wav", SOUND, "audio/wav")
TOLD: Any = [*MESSAGES, {"role": "assistant", "tool_calls": [CALL]},
             {"role": "tool", "tool_call_id": "call_1", "content": "A1"}]  # fmt: skip
SEEN: Any = [{"role": "user", "content": [{"type": "text", "text": "What is it?"},
                                          {"type": "image_url", "image_url": {"url": PNG}}]}]  # fmt: skip
LOOKED: Any = [{"role": "user", "content": [{"type": "input_image", "image_url": PNG, "detail": "low"}]}]
CLAUDE_SEEN: Any = [{"role": "user", "content": [
    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PICTURE}}
]}]  # fmt: skip
HEARD: Any = [{"role": "user", "content": [
    {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}
]}]  # fmt: skip
VOICE: Any = {"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "pcm16"}}
STATUSES = (400, 401, 403, 404, 409, 422, 429, 500, 503)

OPENAI: dict[str, Asking] = {
    "chat": chat,
    "chat streamed": lambda c: gathered(chat(c, stream=True)),
    "chat with tools": lambda c: chat(c, tools=CHAT_TOOLS),
    "chat with tools streamed": lambda c: gathered(chat(c, tools=CHAT_TOOLS, stream=True)),
    "chat put together by the SDK": put_together,
    "chat with a tool's answer": lambda c: chat(c, messages=TOLD),
    "chat with a picture": lambda c: chat(c, messages=SEEN),
    "chat with sound": lambda c: chat(c, messages=HEARD, **VOICE),
    "chat with sound streamed": lambda c: gathered(chat(c, messages=HEARD, stream=True, **VOICE)),
    "responses": respond,
    "responses streamed": lambda c: gathered(respond(c, stream=True)),
    "responses with tools": lambda c: respond(c, tools=TOOLS),
    "responses with tools streamed": lambda c: gathered(respond(c, tools=TOOLS, stream=True)),
    "responses with a picture": lambda c: respond(c, input=LOOKED),
    "embeddings": lambda c: c.embeddings.create(model="m", input="Hi"),
    "moderations": lambda c: c.moderations.create(input="Hi"),
    "speech": lambda c: spoken(c.audio.speech.with_streaming_response.create),
    "speech as events": lambda c: spoken(
        lambda **more: c.audio.speech.with_streaming_response.create(stream_format="sse", **more)
    ),
    "transcription": transcribe,
    "transcription streamed": lambda c: gathered(transcribe(c, "gpt-4o-transcribe", stream=True)),
    "translation": lambda c: c.audio.translations.create(model="whisper-1", file=FILE),
    "image": lambda c: c.images.generate(model="m", prompt="A cat"),
    "image streamed": lambda c: gathered(
        c.images.generate(model="m", prompt="A cat", stream=True, partial_images=1)
    ),
    "edited image": lambda c: c.images.edit(model="m", image=("a.png", b"png", "image/png"), prompt="A dog"),
    **{f"refused with {n}": lambda c, n=n: chat(c, f"fails-{n}") for n in STATUSES},  # type: ignore[misc]
    "a stream refused": lambda c: gathered(chat(c, "fails-400", stream=True)),
    "a file refused": lambda c: transcribe(c, "fails-400"),
    "tried again": lambda c: chat(c.with_options(max_retries=2), "tries-429"),
    "a stream tried again": lambda c: gathered(
        respond(c.with_options(max_retries=2), "tries-500", stream=True)
    ),
    "stream cut": lambda c: gathered(chat(c, "cuts", stream=True)),
}
LEFT: dict[str, Asking] = {
    "chat/completions": lambda c: left(chat(c, "endless", stream=True)),
    "responses": lambda c: left(respond(c, "endless", stream=True)),
    "audio/transcriptions": lambda c: left(transcribe(c, "endless", stream=True)),
}
ANTHROPIC: dict[str, Asking] = {
    "messages": write,
    "messages streamed": lambda c: gathered(write(c, stream=True)),
    "messages with tools": lambda c: write(c, tools=CLAUDE_TOOLS),
    "messages with tools streamed": lambda c: gathered(write(c, tools=CLAUDE_TOOLS, stream=True)),
    "messages put together by the SDK": message_put_together,
    "messages with a picture": lambda c: write(c, messages=CLAUDE_SEEN),
    "count of tokens": lambda c: c.messages.count_tokens(model="m", messages=MESSAGES),
    **{f"refused with {n}": lambda c, n=n: write(c, f"fails-{n}") for n in (*STATUSES, 529)},  # type: ignore[misc]
    "tried again": lambda c: write(c.with_options(max_retries=2), "tries-429"),
    "stream cut": lambda c: gathered(write(c, "cuts", stream=True)),
}
CLAUDE_LEFT: dict[str, Asking] = {"messages": lambda c: left(write(c, "endless", stream=True))}


def openai_at(base: str, key: str) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=base, api_key=key, max_retries=0)


def anthropic_at(base: str, key: str) -> Any:
    # Its thousands of modules take two seconds, which every process would spend that only collects tests.
    import anthropic

    return anthropic.AsyncAnthropic(base_url=base.removesuffix("/v1"), api_key=key, max_retries=0)


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")  # translations, in the SDK
async def test_openais_sdk_gets_the_same(start_gateway: StartGateway) -> None:
    async with both(start_gateway) as house:
        await house.same(OPENAI, openai_at)


async def test_anthropics_sdk_gets_the_same(start_gateway: StartGateway) -> None:
    async with both(start_gateway) as house:
        await house.same(ANTHROPIC, anthropic_at)


@pytest.mark.parametrize(
    ("questions", "client_at"), [(LEFT, openai_at), (CLAUDE_LEFT, anthropic_at)], ids=["openai", "anthropic"]
)
async def test_a_stream_that_is_left_ends_at_the_provider(
    start_gateway: StartGateway, questions: dict[str, Asking], client_at: Any
) -> None:
    async with both(start_gateway) as house:
        await house.same(questions, client_at)
        async with asyncio.timeout(60):
            while any(house.stand_in.hung_up[path] < 2 for path in questions):
                await asyncio.sleep(0.01)


async def test_the_sdks_models_are_those_of_the_routes(start_gateway: StartGateway) -> None:
    async with both(start_gateway, "x-*") as house, openai_at(house.through, ADMIN_KEY) as client:
        listed = [model.id async for model in client.models.list()]
        assert "m" in listed
        for name in ("m", "x-of/a-pattern"):
            model = await client.models.retrieve(name)
            assert (model.id, model.object, model.owned_by) == (name, "model", "house")
        with pytest.raises(openai.NotFoundError, match="'nothing/like it'"):
            await client.models.retrieve("nothing/like it")
