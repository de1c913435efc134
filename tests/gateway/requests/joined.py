"""A voice call whose tool asks a model itself, as docs/requests.md says it: a whole Voxgate with a scripted
provider of calls and one of requests behind it.
"""

from __future__ import annotations

import asyncio
import base64
import io
import json
import re
import wave
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp
import numpy as np
from aiohttp import web
from openai import OpenAI
from tests.conftest import REPOSITORY
from tests.running import Voxgate, start_voxgate

from voxgate.testing.http_provider import HttpProvider, Received
from voxgate.testing.provider import ScriptedProvider, Upstreamed

SETTINGS: Final = """
[providers.calls]
base_url = "{calls}"

[providers.down]
base_url = "http://127.0.0.1:9/v1"

[providers.house]
base_url = "{requests}"

[[routes]]
model = "fake"
providers = ["calls"]

[[routes]]
model = "*"
providers = ["down", "house"]

[prices."gpt-5"]
text_input = 2
text_cached_input = 1
text_output = 8
"""
CALL: Final = {"type": "function_call", "id": "item_call", "call_id": "call_1", "name": "opening_hours"}
PIXEL: Final = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
HOURS: Final = "We open at nine."


def tone(seconds: float = 1.0) -> bytes:
    """A WAV file."""
    file, rate = io.BytesIO(), 24_000
    samples = 8000 * np.sin(2 * np.pi * 300 * np.arange(round(rate * seconds)) / rate)
    with wave.open(file, "wb") as target:
        target.setnchannels(1)
        target.setsampwidth(2)
        target.setframerate(rate)
        target.writeframes(samples.astype("<i2").tobytes())
    return file.getvalue()


async def answer(received: Received) -> web.StreamResponse:
    path = received.path.removeprefix("/v1/")
    if path == "audio/speech":
        return web.Response(body=tone(), content_type="audio/wav")
    if path == "audio/transcriptions":
        return web.json_response({"text": "Good day."})
    if path == "images/generations":
        return web.json_response({"created": 1, "data": [{"b64_json": PIXEL}]})
    usage = {"prompt_tokens": 1000, "completion_tokens": 50, "total_tokens": 1050}
    message = {"role": "assistant", "content": HOURS}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    whole = {"id": "c", "object": "chat.completion", "created": 1, "model": "gpt-5-2026", "usage": usage}
    return web.json_response({**whole, "choices": [choice]})


async def call_a_tool(call: Upstreamed) -> None:
    """The assistant calls a function, and answers when it has the result."""

    async def say(kind: str, **fields: Any) -> None:
        await call.send(json.dumps({"type": kind, "event_id": "event_x", **fields}))

    await say("session.created", session={"id": "sess_of_provider", "model": "fake", "type": "realtime"})
    await call.receive()
    user = {"id": "item_user", "type": "message", "role": "user"}
    content = [{"type": "input_text", "text": "When do you open?"}]
    await say("conversation.item.added", item={**user, "content": content}, previous_item_id=None)
    await say("response.created", response={"id": "resp_1", "status": "in_progress"})
    place = {"response_id": "resp_1", "output_index": 0}
    await say("response.output_item.added", **place, item={**CALL, "arguments": ""})
    done = {
        "item_id": CALL["id"],
        "call_id": "call_1",
        "name": CALL["name"],
        "arguments": '{"day": "Monday"}',
    }
    await say("response.function_call_arguments.done", **place, **done)
    output = [{**CALL, "status": "completed", "arguments": done["arguments"]}]
    await say("response.done", response={"id": "resp_1", "status": "completed", "output": output})
    async for message in call:
        if json.loads(message)["type"] == "response.create":
            await say("response.created", response={"id": "resp_2", "status": "in_progress"})
            text = {"response_id": "resp_2", "item_id": "item_a", "output_index": 0, "content_index": 0}
            await say("response.output_text.delta", **text, delta=HOURS)
            await say("response.done", response={"id": "resp_2", "status": "completed", "output": []})


@dataclass
class House:
    voxgate: Voxgate
    provider: HttpProvider

    def sdk(self, key: str | None = None) -> OpenAI:
        return OpenAI(base_url=f"{self.voxgate.url}/v1", api_key=key or self.voxgate.key, max_retries=0)

    def tool(self, key: str | None = None) -> Callable[[str, str, str], str]:
        """The function of docs/requests.md."""
        text = (REPOSITORY / "docs" / "requests.md").read_text().partition("## Joining a call")[2]
        example = re.search(r"```python\n(.*?)```", text, re.DOTALL)
        assert example is not None
        scope: dict[str, Any] = {"voxgate_url": self.voxgate.url, "voxgate_key": key or self.voxgate.key}
        exec(example[1], scope)
        found: Callable[[str, str, str], str] = scope["find_opening_hours"]
        return found

    async def trace(self, session_id: str, fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Of a session, as soon as it is as it should be."""
        found: dict[str, Any] = {}
        async with asyncio.timeout(90):
            while True:
                items = (await self.voxgate.request("GET", f"/api/sessions?q=id:{session_id}"))["items"]
                if items:
                    found = await self.voxgate.request("GET", f"/api/sessions/{session_id}")
                    if fits(found):
                        return found
                await asyncio.sleep(0.05)


@asynccontextmanager
async def house(folder: Path) -> AsyncIterator[House]:
    async with ScriptedProvider(call_a_tool) as calls, HttpProvider(answer) as requests:
        settings = SETTINGS.format(calls=calls.base_url, requests=requests.base_url)
        (folder / "voxgate.toml").write_text(settings)
        voxgate = await asyncio.to_thread(start_voxgate, folder, local=False)
        try:
            yield House(voxgate, requests)
        finally:
            await asyncio.to_thread(voxgate.stop)


@dataclass
class Running:
    """A call that waits for its tool."""

    session_id: str
    socket: aiohttp.ClientWebSocketResponse

    async def give_result(self) -> None:
        """And hear the answer out."""
        item = {"type": "function_call_output", "call_id": "call_1", "output": json.dumps({"hours": HOURS})}
        await self.socket.send_json({"type": "conversation.item.create", "item": item})
        await self.socket.send_json({"type": "response.create"})
        while (await self.socket.receive_json(timeout=60))["type"] != "response.done":
            pass


@asynccontextmanager
async def call(house: House) -> AsyncIterator[Running]:
    async with (
        aiohttp.ClientSession(headers=house.voxgate.auth) as http,
        http.ws_connect(f"{house.voxgate.ws_url}?model=fake") as socket,
    ):
        await socket.send_json({"type": "session.update", "session": {"type": "realtime"}})
        while (await socket.receive_json(timeout=60))["type"] != "response.done":
            pass
        session_id = socket._response.headers["x-voxgate-session-id"]
        yield Running(session_id, socket)


def picture_url() -> str:
    assert base64.b64decode(PIXEL).startswith(b"\x89PNG")
    return f"data:image/png;base64,{PIXEL}"
