"""A whole Voxgate, OpenAI's SDK before it and a provider behind it: what a request leaves in the store."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from openai import AsyncOpenAI
from tests.gateway.requests.standin import StandIn
from tests.running import Voxgate, start_voxgate

from voxgate.testing.http_provider import HttpProvider, Received, say_hello

pytestmark = pytest.mark.anyio
SETTINGS = """
[providers.house]
base_url = "{url}"

[[routes]]
model = "gpt-*"
providers = ["house"]

[[routes]]
model = "endless"
providers = ["house"]

[prices."gpt-5"]
text_input = 2
text_cached_input = 1
text_output = 8
"""
MESSAGES: Any = [{"role": "user", "content": "What is the plan?"}]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def event(content: str | None = None, **more: Any) -> bytes:
    choices = [{"index": 0, "delta": {"content": content}}] if content is not None else []
    body = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-5", "choices": choices}
    return b"data: " + json.dumps({**body, **more}).encode() + b"\n\n"


stand_in = StandIn()


async def answer(received: Received) -> web.StreamResponse:
    if received.method == "GET":
        return await stand_in(received)  # on a socket
    body = json.loads(received.body)
    if body["model"] == "endless":
        return await stand_in(received)
    if not body.get("stream"):
        return await say_hello(received)
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(received.request)
    for piece in ("We ", "go ", "home."):
        await response.write(event(piece))
    await response.write(event(usage={"prompt_tokens": 5, "completion_tokens": 4, "total_tokens": 9}))
    await response.write(b"data: [DONE]\n\n")
    return response


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[tuple[Voxgate, HttpProvider]]:
    async with HttpProvider(answer) as provider:
        (folder / "voxgate.toml").write_text(SETTINGS.format(url=provider.base_url))
        voxgate = await asyncio.to_thread(start_voxgate, folder, local=False)
        try:
            yield voxgate, provider
        finally:
            await asyncio.to_thread(voxgate.stop)


async def finished(voxgate: Voxgate, count: int) -> list[dict[str, Any]]:
    """Their traces, the oldest first."""
    headers = {"authorization": f"Bearer {voxgate.key}"}
    async with aiohttp.ClientSession(voxgate.url, headers=headers) as http, asyncio.timeout(90):
        while True:
            async with http.get("/api/sessions") as listed:
                items = (await listed.json())["items"]
            if len(items) >= count and all(one["status"] != "live" for one in items):
                break
            await asyncio.sleep(0.05)
        found = []
        for one in reversed(items):
            async with http.get(f"/api/sessions/{one['id']}") as shown:
                found.append(await shown.json())
        return found


async def found(voxgate: Voxgate, text: str) -> list[dict[str, Any]]:
    headers = {"authorization": f"Bearer {voxgate.key}"}
    async with (
        aiohttp.ClientSession(voxgate.url, headers=headers) as http,
        http.get("/api/sessions", params={"q": text}) as listed,
    ):
        items: list[dict[str, Any]] = (await listed.json())["items"]
        return items


async def test_requests_of_the_official_sdk_are_traces_with_words_usage_and_cost(tmp_path: Path) -> None:
    async with running(tmp_path) as (voxgate, _):
        client = AsyncOpenAI(base_url=f"{voxgate.url}/v1", api_key=voxgate.key, max_retries=0)
        plain = await client.chat.completions.create(model="gpt-5", messages=MESSAGES)
        streamed = [
            chunk.choices[0].delta.content
            async for chunk in await client.chat.completions.create(
                model="gpt-5", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
            )
            if chunk.choices
        ]
        async with client.responses.connect() as connection:
            for words in ("Hi", "And you?"):
                await connection.response.create(model="gpt-5", input=words)
                while (await connection.recv()).type != "response.completed":
                    pass
        endless = await client.chat.completions.create(model="endless", messages=MESSAGES, stream=True)
        await anext(aiter(endless))
        await endless.close()
        await client.close()
        first, second, talk, left = await finished(voxgate, 4)
        listed = [await found(voxgate, f"endpoint:{name}") for name in ("chat*", "responses", "realtime")]
    assert [len(each) for each in listed] == [3, 1, 0]
    said = [span for span in talk["spans"] if span["type"] == "response"]
    assert [span["output"]["text"] for span in said] == ["Hello.", "Hello."]
    assert (talk["turns"], talk["transport"], talk["status"]) == (2, "ws", "complete")
    assert talk["cost_usd"] == pytest.approx(2 * (11 * 2 + 7 * 8) / 1e6)
    [abandoned] = [span for span in left["spans"] if span["type"] == "response"]
    assert abandoned["status"] == "cancelled"
    assert plain.choices[0].message.content == "Hello."
    assert streamed == ["We ", "go ", "home."]
    assert (first["status"], first["model"], first["provider"], first["turns"]) == (
        "complete",
        "gpt-5",
        "house",
        1,
    )
    assert (first["title"], first["cost_usd"]) == ("What is the plan?", pytest.approx((9 * 2 + 3 * 8) / 1e6))
    assert (first["transport"], second["transport"]) == ("http", "http")
    [response] = [span for span in second["spans"] if span["type"] == "response"]
    assert (response["output"]["text"], response["usage"]["total_tokens"]) == ("We go home.", 9)
    assert second["cost_usd"] == pytest.approx((5 * 2 + 4 * 8) / 1e6)
    assert response["metrics"]["ttft_text"] > 0


async def test_an_answer_from_the_cache_is_the_same_to_the_sdk_and_costs_nothing(tmp_path: Path) -> None:
    over = tmp_path / "blobs" / "cache" / "60" / "aa" / "aaold"
    over.parent.mkdir(parents=True)
    over.write_bytes(b"sealed long ago")
    os.utime(over, (1e9, 1e9))
    async with running(tmp_path) as (voxgate, provider):
        client = AsyncOpenAI(
            base_url=f"{voxgate.url}/v1",
            api_key=voxgate.key,
            max_retries=0,
            default_headers={"x-voxgate-cache": "auto"},
        )
        answers, told = [], ""
        async with asyncio.timeout(90):
            while told != "hit":  # a lookup that takes long is a miss
                raw = await client.chat.completions.with_raw_response.create(
                    model="gpt-5", messages=MESSAGES, temperature=0
                )
                answers.append(raw.parse())
                told = raw.headers["x-voxgate-cache"]
        await client.close()
        asked = len(provider.received)
        *first, hit = await finished(voxgate, len(answers))
        async with asyncio.timeout(90):
            while over.exists():
                await asyncio.sleep(0.05)
    assert answers[-1] == answers[0]
    assert asked == len(answers) - 1
    assert all(one["provider"] == "house" and one["cost_usd"] > 0 for one in first)
    assert (hit["provider"], hit["cost_usd"], hit["usage"]["total_tokens"]) == ("", 0, 0)
    [response] = [span for span in hit["spans"] if span["type"] == "response"]
    assert response["output"]["text"] == "Hello."
    cache = response["output"]["cache"]
    assert (cache["result"], cache["usage"]["total_tokens"]) == ("hit", 12)
    assert cache["answer_of"] in {one["id"] for one in first}
