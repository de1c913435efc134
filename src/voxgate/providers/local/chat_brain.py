"""A brain elsewhere: any endpoint with OpenAI's `POST /chat/completions`, streamed, tools included."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson

from voxgate.core.errors import UpstreamError
from voxgate.providers.local.brain import Call, Prompt, Say, Thought, Turn
from voxgate.providers.local.endpoints import Endpoint


@dataclass
class _GrowingCall:
    id: str | None = None
    name: str = ""
    arguments: str = ""


class ChatBrain:
    def __init__(self, endpoint: Endpoint, seed: int) -> None:
        self._endpoint = endpoint
        self._seed = seed

    async def think(self, prompt: Prompt) -> AsyncIterator[Thought]:
        calls: dict[int, _GrowingCall] = {}
        async with self._endpoint.post("/chat/completions", json=self._body(prompt)) as answer:
            async for delta in _deltas(answer):
                if delta.get("content"):
                    yield Say(delta["content"])
                _gather(calls, delta.get("tool_calls") or ())
        for call in calls.values():
            yield Call(call.name, call.arguments or "{}", call.id)

    async def close(self) -> None:
        await self._endpoint.close()

    def _body(self, prompt: Prompt) -> dict[str, Any]:
        body = {
            "model": self._endpoint.model or "default",
            "messages": messages_of(prompt),
            "stream": True,
            "seed": self._seed,
        }
        functions = [tool for tool in prompt.tools if tool["type"] == "function"]
        if functions:
            body["tools"] = [_function(tool) for tool in functions]
            body["tool_choice"] = _tool_choice(prompt.tool_choice)
        return body


def messages_of(prompt: Prompt) -> list[dict[str, Any]]:
    """The instructions, then the turns; calls that follow each other become one message."""
    messages: list[dict[str, Any]] = []
    if prompt.instructions:
        messages.append({"role": "system", "content": prompt.instructions})
    for turn in prompt.turns:
        if turn.role == "call" and messages and "tool_calls" in messages[-1]:
            messages[-1]["tool_calls"].append(_tool_call(turn))
        else:
            messages.append(_message(turn))
    return messages


def _message(turn: Turn) -> dict[str, Any]:
    if turn.role == "call":
        return {"role": "assistant", "content": None, "tool_calls": [_tool_call(turn)]}
    if turn.role == "result":
        return {"role": "tool", "tool_call_id": turn.call_id, "content": turn.text}
    return {"role": turn.role, "content": turn.text}


def _tool_call(turn: Turn) -> dict[str, Any]:
    return {
        "id": turn.call_id,
        "type": "function",
        "function": {"name": turn.name, "arguments": turn.text},
    }


def _function(tool: dict[str, Any]) -> dict[str, Any]:
    fields = {
        name: tool[name] for name in ("name", "description", "parameters") if tool.get(name) is not None
    }
    return {"type": "function", "function": fields}


def _tool_choice(choice: Any) -> Any:
    return {"type": "function", "function": {"name": choice["name"]}} if isinstance(choice, dict) else choice


async def _deltas(answer: aiohttp.ClientResponse) -> AsyncIterator[dict[str, Any]]:
    """The `delta` objects of a stream of server-sent events."""
    async for line in answer.content:
        data = line.strip().removeprefix(b"data:").strip()
        if not line.startswith(b"data:") or data == b"[DONE]":
            continue
        try:
            chunk = orjson.loads(data)
            choices = chunk.get("choices") or []
        except (orjson.JSONDecodeError, AttributeError) as error:
            raise UpstreamError(f"{answer.url} sent what is not a chat completion: {error}") from error
        for choice in choices:
            yield choice.get("delta") or {}


def _gather(calls: dict[int, _GrowingCall], pieces: Iterable[dict[str, Any]]) -> None:
    for piece in pieces:
        call = calls.setdefault(piece.get("index", len(calls)), _GrowingCall())
        function = piece.get("function") or {}
        call.id = piece.get("id") or call.id
        call.name += function.get("name") or ""
        call.arguments += function.get("arguments") or ""
