"""What a brain is given and what it gives back: a prompt goes in, words and function calls come out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from voxgate.providers.local.items import Item
from voxgate.providers.local.responses import Response


@dataclass(frozen=True)
class Turn:
    """One item in words. `call` has name, arguments (in `text`) and call_id; `result` has call_id."""

    role: Literal["system", "user", "assistant", "call", "result"]
    text: str
    name: str = ""
    call_id: str = ""
    has_image: bool = False
    has_audio: bool = False


@dataclass(frozen=True)
class Prompt:
    instructions: str
    own_instructions: bool  # given for this response alone
    turns: Sequence[Turn]
    tools: Sequence[dict[str, Any]]
    tool_choice: Any  # none, auto, required, or {"type": "function", "name"}


@dataclass(frozen=True)
class Say:
    """Some words; they need not end where a sentence ends."""

    text: str


@dataclass(frozen=True)
class Call:
    name: str
    arguments: str  # JSON
    call_id: str | None = None


Thought = Say | Call


class Brain(Protocol):
    def think(self, prompt: Prompt) -> AsyncIterator[Thought]:
        """Raises VoxgateError if it cannot."""
        ...

    async def close(self) -> None: ...


def prompt_of(response: Response) -> Prompt:
    """Everything in the context must have been heard."""
    config = response.config
    return Prompt(
        instructions=config.instructions,
        own_instructions=config.own_instructions,
        turns=[_turn(item) for item in response.context],
        tools=config.tools,
        tool_choice=config.tool_choice,
    )


def _turn(item: Item) -> Turn:
    body = item.body
    if body["type"] == "function_call":
        return Turn("call", body["arguments"], name=body["name"], call_id=body.get("call_id") or body["id"])
    if body["type"] == "function_call_output":
        return Turn("result", body["output"], call_id=body["call_id"])
    kinds = {part["type"] for part in body["content"]}
    words = [_part_text(part, item) for part in body["content"]]
    return Turn(
        body["role"],
        " ".join(word for word in words if word),
        has_image="input_image" in kinds,
        has_audio="input_audio" in kinds,
    )


def _part_text(part: dict[str, Any], item: Item) -> str:
    if part["type"] == "input_audio":
        return item.heard or ""
    return str(part.get("text") or part.get("transcript") or "")
