"""A provider for the tests of budgets, which says what each response used, and calls to it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from voxgate.testing.provider import Upstreamed

PRICES = {
    "fake": {
        "text_input": 4,
        "text_cached_input": 0.4,
        "text_output": 16,
        "audio_input": 32,
        "audio_cached_input": 0.4,
        "audio_output": 64,
    }
}
USAGE = {
    "total_tokens": 100,
    "input_tokens": 60,
    "output_tokens": 40,
    "input_token_details": {"text_tokens": 10, "audio_tokens": 50, "cached_tokens": 0},
    "output_token_details": {"text_tokens": 10, "audio_tokens": 30},
}
RESPONSE_USD = (10 * 4 + 50 * 32 + 10 * 16 + 30 * 64) / 1e6
SESSION = {"type": "realtime", "audio": {"input": {"format": {"type": "audio/pcm", "rate": 24000}}}}


class Metered:
    """Answers `response.create`, and speaks by itself as VAD makes it do when told to `speak`. A response
    carries half a second of sound; with `hold` it does not end by itself, with `beside` the usage stands
    where xAI has it."""

    def __init__(
        self,
        usage: Any = USAGE,
        session: dict[str, Any] = SESSION,
        *,
        hold: bool = False,
        beside: bool = False,
    ) -> None:
        self.usage = usage
        self.beside = beside
        self.session = session
        self.hold = hold
        self.cancelled: list[str] = []
        self._count = 0

    async def __call__(self, call: Upstreamed) -> None:
        await call.send(json.dumps({"type": "session.created", "session": self.session}))
        async for message in call:
            event = json.loads(message)
            match event["type"]:
                case "response.create" | "speak":
                    await self._respond(call)
                case "response.cancel":
                    self.cancelled.append(event["response_id"])
                case "echo" | "session.updated" | "conversation.item.input_audio_transcription.completed":
                    await call.send(message)

    async def _respond(self, call: Upstreamed) -> None:
        self._count += 1
        response = {"id": f"resp_{self._count}", "object": "realtime.response", "status": "in_progress"}
        await call.send(json.dumps({"type": "response.created", "response": response}))
        await call.send(sound("response.output_audio.delta", 500, response_id=response["id"]))
        if not self.hold:
            done = {**response, "status": "completed", "usage": {} if self.beside else self.usage}
            event = {"type": "response.done", "response": done}
            await call.send(json.dumps({**event, "usage": self.usage} if self.beside else event))


def sound(kind: str, ms: float, rate: int = 48, **more: Any) -> str:
    """A message with that much sound; `rate` is in bytes per ms."""
    data = base64.b64encode(bytes(int(ms * rate))).decode()
    name = "audio" if kind.startswith("input") else "delta"
    return json.dumps({"type": kind, **more, name: data})


def call_to(url: str, key: str, model: str = "fake") -> connect:
    return connect(f"{url}?model={model}", additional_headers={"Authorization": f"Bearer {key}"})


async def say(call: ClientConnection, kind: str, **more: Any) -> None:
    await call.send(json.dumps({"type": kind, **more}))


async def until_type(call: ClientConnection, kind: str) -> dict[str, Any]:
    """The next event of that type; an error instead fails."""
    async with asyncio.timeout(60):
        while True:
            event: dict[str, Any] = json.loads(await call.recv())
            assert event["type"] == kind or event["type"] != "error", event
            if event["type"] == kind:
                return event


async def respond(call: ClientConnection, kind: str = "response.create") -> None:
    """One whole response."""
    await say(call, kind)
    await until_type(call, "response.done")


async def heard_to_the_end(call: ClientConnection) -> tuple[list[dict[str, Any]], int | None, str | None]:
    """All events until the call is closed, the close code and the reason."""
    events = []
    async with asyncio.timeout(60):
        with contextlib.suppress(ConnectionClosed):
            while True:
                events.append(json.loads(await call.recv()))
    return events, call.close_code, call.close_reason
