"""A call that lasts: a provider that hears when its user speaks and answers each time, and a user who speaks
again and again at the pace of speech. Both tell turns by the count of the user's chunks, so that a turn is as
long as it was ordered, on a full machine too.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from websockets.asyncio.client import ClientConnection, connect

from voxgate.client.realtime import SESSION_HEADER
from voxgate.testing.provider import ScriptedProvider, Upstreamed
from voxgate.testing.server import Server

RATE: Final = 24_000
CHUNK_SECONDS: Final = 0.1
MODEL: Final = "gpt-realtime"
"""By this name, so that the call has a cost."""
_SPEAKS: Final = (0.05, 0.45)
"""From when to when of a turn its user speaks; an answer is as long."""
_TOOL_EACH: Final = 5
_CUT_EACH: Final = 8
_APPEND: Final = '{"type":"input_audio_buffer.append"'
_HISS: Final = 20.0
_SAID: Final = (
    "Good morning, I am calling about the order that I made last week, I would like to know where it is.",
    "Could you send it to another address instead, please? It is number twelve, Station Road.",
)
_ANSWERED: Final = (
    "Certainly. I have found it: it left our house on Monday, and it is expected on Thursday before noon.",
    "Of course. I have changed the address, and you will have a message as soon as it is on its way.",
)
Samples = NDArray[np.int16]
_TOOL: Final = {
    "type": "function",
    "name": "get_order_status",
    "description": "The status of an order",
    "parameters": {"type": "object", "properties": {"order_id": {"type": "string"}}},
}
_SESSION: Final = {
    "type": "realtime",
    "model": MODEL,
    "instructions": "You are the help desk of a shop.",
    "output_modalities": ["audio"],
    "audio": {
        "input": {
            "format": {"type": "audio/pcm", "rate": RATE},
            "transcription": {"model": "gpt-4o-transcribe"},
            "turn_detection": {"type": "server_vad", "threshold": 0.5, "silence_duration_ms": 500},
        },
        "output": {"format": {"type": "audio/pcm", "rate": RATE}, "voice": "marin"},
    },
    "tools": [_TOOL],
}
_USAGE: Final = {
    "total_tokens": 620, "input_tokens": 480, "output_tokens": 140,
    "input_token_details": {"text_tokens": 200, "audio_tokens": 280, "cached_tokens": 256,
                            "cached_tokens_details": {"text_tokens": 128, "audio_tokens": 128}},
    "output_token_details": {"text_tokens": 30, "audio_tokens": 110},
}  # fmt: skip


@dataclass(slots=True)
class Plan:
    """What a turn is: so many chunks of the user, and who speaks in them. Sound is in base64."""

    every: int
    starts: int
    stops: int
    said: list[list[str]]
    answered: list[list[str]]

    @property
    def seconds(self) -> float:
        return self.every * CHUNK_SECONDS


def plan(every_seconds: float, speak: Callable[[str], Samples]) -> Plan:
    """Turns of so many seconds, three tenths at the least. `speak` makes 24 kHz samples of a text."""
    every = max(3, round(every_seconds / CHUNK_SECONDS))
    starts = max(1, round(every * _SPEAKS[0]))
    stops = max(starts + 1, round(every * _SPEAKS[1]))
    said, answered = (
        [_chunks(speak(text), stops - starts) for text in texts] for texts in (_SAID, _ANSWERED)
    )
    return Plan(every, starts, stops, said, answered)


def _chunks(speech: Samples, count: int) -> list[str]:
    size = round(RATE * CHUNK_SECONDS)
    whole = np.resize(speech, count * size).astype("<i2")
    return [base64.b64encode(piece.tobytes()).decode() for piece in np.split(whole, count)]


@dataclass(slots=True)
class Answering:
    """The provider's side of one call."""

    plan: Plan
    turns: int = 0
    """As many as it has answered."""
    _names: itertools.count[int] = field(default_factory=itertools.count)

    async def __call__(self, call: Upstreamed) -> None:
        session = {**_SESSION, "id": "sess_live", "object": "realtime.session"}
        await _send(call, "session.created", session=session)
        chunks, item = 0, ""
        # Not by `receive`, which keeps every message.
        async for message in call.socket:
            if isinstance(message, str) and message.startswith(_APPEND):
                at = chunks % self.plan.every
                chunks += 1
                if at == self.plan.starts:
                    item = self._name("item")
                    marks = {"item_id": item, "audio_start_ms": self._ms(chunks)}
                    await _send(call, "input_audio_buffer.speech_started", **marks)
                elif at == self.plan.stops:
                    await self._heard(call, item, self._ms(chunks))
                continue
            told = json.loads(message)
            if told["type"] == "session.update":
                await _send(call, "session.updated", session={**session, **told["session"]})
            elif told["type"] == "response.create":
                await self._speak(call)

    def _name(self, kind: str) -> str:
        return f"{kind}_{next(self._names)}"

    def _ms(self, chunks: int) -> int:
        return round((chunks - 1) * CHUNK_SECONDS * 1000)

    async def _heard(self, call: Upstreamed, item: str, at_ms: int) -> None:
        await _send(call, "input_audio_buffer.speech_stopped", item_id=item, audio_end_ms=at_ms)
        await _send(call, "input_audio_buffer.committed", item_id=item)
        words = f"Number {self.turns}: {_SAID[self.turns % len(_SAID)]}"
        usage = {"type": "duration", "seconds": self.plan.seconds * 0.4}
        ids = {"item_id": item, "content_index": 0}
        done = "conversation.item.input_audio_transcription.completed"
        await _send(call, done, **ids, transcript=words, usage=usage)
        if self.turns % _TOOL_EACH == 0:
            await self._ask_tool(call)
        else:
            await self._speak(call)

    async def _ask_tool(self, call: Upstreamed) -> None:
        response, item, called = (self._name(kind) for kind in ("resp", "item", "call"))
        await self._created(call, response)
        names = {"name": _TOOL["name"], "call_id": called}
        added = {"id": item, "type": "function_call", **names, "arguments": ""}
        await _send(call, "response.output_item.added", response_id=response, output_index=0, item=added)
        arguments = json.dumps({"order_id": f"A{self.turns:05}"})
        ids = {"response_id": response, "item_id": item, "output_index": 0, **names}
        await _send(call, "response.function_call_arguments.done", **ids, arguments=arguments)
        await self._done(call, response)

    async def _speak(self, call: Upstreamed) -> None:
        response, item = self._name("resp"), self._name("item")
        await self._created(call, response)
        ids = {"response_id": response, "item_id": item, "output_index": 0, "content_index": 0}
        words = f"Answer {self.turns}: {_ANSWERED[self.turns % len(_ANSWERED)]}".split(" ")
        pieces = self.plan.answered[self.turns % len(_ANSWERED)]
        for number, piece in enumerate(pieces):
            said = words[number * len(words) // len(pieces) : (number + 1) * len(words) // len(pieces)]
            if said:
                delta = "".join(f"{word} " for word in said)
                await _send(call, "response.output_audio_transcript.delta", **ids, delta=delta)
            await _send(call, "response.output_audio.delta", **ids, delta=piece)
        await _send(call, "response.output_audio.done", **ids)
        transcript = " ".join(words)
        await _send(call, "response.output_audio_transcript.done", **ids, transcript=transcript)
        await self._done(call, response)
        self.turns += 1

    async def _created(self, call: Upstreamed, response: str) -> None:
        begun = {"id": response, "object": "realtime.response", "status": "in_progress"}
        await _send(call, "response.created", response=begun)

    async def _done(self, call: Upstreamed, response: str) -> None:
        finished = {"id": response, "status": "completed", "output": [], "usage": _USAGE}
        await _send(call, "response.done", response=finished)


async def _send(call: Upstreamed, kind: str, **fields: Any) -> None:
    await call.send(json.dumps({"type": kind, **fields}))


def settings(provider: ScriptedProvider) -> str:
    """`voxgate.toml` of a gateway that leads to this provider."""
    return (
        f'local_enabled = false\n[providers.standin]\nbase_url = "{provider.base_url}"\n'
        f'[[routes]]\nmodel = "{MODEL}"\nproviders = ["standin"]\n'
    )


@asynccontextmanager
async def calling(server: Server, planned: Plan) -> AsyncIterator[str]:
    """The id of a call that goes on. What breaks it is raised at the end."""
    url = server.url.replace("http", "ws", 1) + f"/v1/realtime?model={MODEL}"
    headers = {"Authorization": f"Bearer {server.key}"}
    async with connect(url, additional_headers=headers, max_size=None, compression=None) as call:
        assert call.response is not None
        await call.send(json.dumps({"type": "session.update", "session": _SESSION}))
        tasks = [asyncio.create_task(_talk(call, planned)), asyncio.create_task(_hear(call, planned))]
        try:
            yield call.response.headers[SESSION_HEADER]
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
    for problem in ended:
        if isinstance(problem, Exception):
            raise problem


async def _talk(call: ClientConnection, planned: Plan) -> None:
    hiss = np.random.default_rng(1).normal(0, _HISS, RATE).astype(np.int16)
    silence = _chunks(hiss, 10)
    began = time.monotonic()
    for number in itertools.count():
        turn, at = divmod(number, planned.every)
        audio = silence[number % len(silence)]
        if planned.starts <= at < planned.stops:
            audio = planned.said[turn % len(planned.said)][at - planned.starts]
        await call.send(f'{_APPEND},"audio":"{audio}"}}')
        await asyncio.sleep(max(0.0, began + (number + 1) * CHUNK_SECONDS - time.monotonic()))


async def _hear(call: ClientConnection, planned: Plan) -> None:
    """Answers what tools were asked for, and cuts an answer now and then."""
    answers = 0
    async with asyncio.TaskGroup() as later:
        async for message in call:
            if "response.function_call_arguments.done" in message[:200]:
                output = {"type": "function_call_output", "call_id": json.loads(message)["call_id"]}
                result = json.dumps({"status": "In transit", "eta": "Thursday"})
                told = {"type": "conversation.item.create", "item": {**output, "output": result}}
                later.create_task(_after(planned.seconds * 0.1, call, [told, {"type": "response.create"}]))
            elif "response.output_audio.done" in message[:200]:
                answers += 1
                if answers % _CUT_EACH == 0:
                    cut = _cut(json.loads(message)["item_id"], planned)
                    later.create_task(_after(planned.seconds * 0.2, call, [cut]))


def _cut(item: str, planned: Plan) -> dict[str, Any]:
    heard_ms = round(planned.seconds * 200)
    return {
        "type": "conversation.item.truncate",
        "item_id": item,
        "content_index": 0,
        "audio_end_ms": heard_ms,
    }


async def _after(seconds: float, call: ClientConnection, messages: Sequence[dict[str, Any]]) -> None:
    await asyncio.sleep(seconds)
    for message in messages:
        await call.send(json.dumps(message))
