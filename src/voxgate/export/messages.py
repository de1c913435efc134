"""What a response was told and what it said, as messages with parts. GenAI takes them as they are
(`gen_ai.input.messages` and `gen_ai.output.messages`), OpenInference flattens them. Sound is a link.

    {"role": "user" | "assistant" | "system" | "tool", "parts": [
        {"type": "text", "content"}, {"type": "uri", "modality": "audio", "mime_type", "uri"},
        {"type": "tool_call", "id", "name", "arguments"}, {"type": "tool_call_response", "id", "response"}]}
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final

from voxgate.export.view import SessionView, clips
from voxgate.traces.events import Json, obj, objects, string

MOST_MESSAGES: Final = 50
"""Of the conversation before a response; how long it was is told beside them."""


class Messages:
    """Those of one session."""

    def __init__(self, view: SessionView) -> None:
        self._view = view

    def instructions(self, response: Json) -> str | None:
        own = string(response["input"], "instructions")
        return own or string(self._view.config_of(response), "instructions") or None

    def input(self, response: Json) -> list[Json]:
        """The conversation that the response saw, as far as it is recorded."""
        ids = obj(response, "input").get("context_item_ids") or []
        found = [self._of_item(item_id) for item_id in ids[-MOST_MESSAGES:]]
        return [message for message in found if message is not None and message["parts"]]

    def output(self, response: Json) -> list[Json]:
        parts = _text_parts(response["output"])
        parts += self._sound(response, "assistant")
        parts += [_call(tool) for tool in self._view.children(response, "tool")]
        return [{"role": "assistant", "parts": parts}] if parts else []

    def of_user(self, user: Json) -> list[Json]:
        parts = _text_parts(user["input"]) + self._sound(user, "user")
        return [{"role": "user", "parts": parts}] if parts else []

    def _sound(self, span: Json, name: str) -> list[Json]:
        return [
            {
                "type": "uri",
                "modality": "audio",
                "mime_type": clip["content_type"],
                "uri": self._view.clip_url(clip),
            }
            for clip in clips(span, name)
        ]

    # Items of the conversation

    @cached_property
    def _items(self) -> Mapping[str, Json]:
        return {item["id"]: item for item in objects(self._view.session, "items") if "id" in item}

    @cached_property
    def _users(self) -> Mapping[str, Json]:
        spans = self._view.of_type("user")
        return {span["input"]["item_id"]: span for span in spans if obj(span, "input").get("item_id")}

    @cached_property
    def _tools(self) -> Mapping[str, Json]:
        spans = self._view.of_type("tool")
        return {span["input"]["call_id"]: span for span in spans if obj(span, "input").get("call_id")}

    @cached_property
    def _answers(self) -> Mapping[str, Json]:
        """Of items that assistants made, the response: it knows the words of those that were cut off."""
        found: dict[str, Json] = {}
        for span in self._view.of_type("response"):
            for item_id in obj(span, "output").get("item_ids") or []:
                found.setdefault(item_id, span)
        return found

    def _of_item(self, item_id: str) -> Json | None:
        if (user := self._users.get(item_id)) is not None:
            return next(iter(self.of_user(user)), None)
        item = self._items.get(item_id, {})
        kind, text = string(item, "type"), string(item, "text")
        if kind == "function_call_output":
            return self._result(item)
        if kind in ("function_call", "mcp_call"):
            tool = self._tools.get(string(item, "call_id") or "")
            return {"role": "assistant", "parts": [_call(tool)] if tool else []}
        answer = self._answers.get(item_id)
        if answer is not None:
            return {
                "role": "assistant",
                "parts": _text_parts(answer["output"]) + self._sound(answer, "assistant"),
            }
        parts = [{"type": "text", "content": text}] if text else []
        return {"role": string(item, "role") or "user", "parts": parts} if item else None

    def _result(self, item: Json) -> Json:
        call_id = string(item, "call_id")
        tool = self._tools.get(call_id or "")
        response = obj(tool, "output").get("result") if tool else None
        result = {"type": "tool_call_response", "id": call_id, "response": response or item.get("text")}
        return {"role": "tool", "parts": [result]}


def _text_parts(said: Any) -> list[Json]:
    words = (string(said, "transcript"), string(said, "text"))
    return [{"type": "text", "content": word} for word in words if word]


def _call(tool: Json) -> Json:
    said = obj(tool, "input")
    arguments = said.get("arguments")
    return {"type": "tool_call", "id": said.get("call_id"), "name": tool["name"], "arguments": arguments}
