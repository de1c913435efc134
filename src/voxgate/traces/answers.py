"""What an answer says, whichever API it comes from and whether it comes as a whole or in events: words, tool
calls, why it ended, usage. Nothing is assumed of its shape; what is not known is passed over.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from voxgate.traces.events import Json, number, obj, objects, string


@dataclass(slots=True)
class Call:
    """A tool call; `key` is its place in the answer."""

    key: str
    call_id: str
    name: str
    arguments: str = ""

    def item(self, arguments: str) -> Json:
        named = {
            "id": f"call_{self.key}",
            "type": "function_call",
            "call_id": self.call_id,
            "name": self.name,
        }
        return {**named, "arguments": arguments}


@dataclass(frozen=True, slots=True)
class Said:
    """What one message of the provider adds."""

    text: str = ""
    new_calls: tuple[Call, ...] = ()


_NOTHING: Final = Said()
_TELLING: Final = frozenset(("error", "type", "data"))
"""Members of a message that may say more than its choices do."""
_ELSEWHERE: Final = frozenset(("error", "choices", "object"))
"""The same beside a type that says what the message is."""


@dataclass(slots=True)
class Answer:
    """Grows message by message."""

    read: Callable[[Answer, Json], Said]
    words: Callable[[Json], str | None]
    """Of a message that brings a piece of the text and nothing else, as nearly all of a stream do: the same
    that `take` would find. None of any other."""
    calls: list[Call] = field(default_factory=list)
    usage: Json = field(default_factory=dict)
    error: Json | None = None
    finish: str | None = None

    def take(self, msg: Json) -> Said:
        if (error := _error(msg)) is not None:
            self.error = error
            return _NOTHING
        return self.read(self, msg)

    def add_usage(self, usage: Json) -> None:
        """Anthropic says it in two parts."""
        self.usage = {**self.usage, **{name: value for name, value in usage.items() if value is not None}}

    def call(self, key: object, call_id: Any, name: Any) -> Call | None:
        """A new one; None if it is known by its key."""
        if any(each.key == str(key) for each in self.calls):
            return None
        call = Call(
            str(key), call_id if isinstance(call_id, str) else "", name if isinstance(name, str) else ""
        )
        self.calls.append(call)
        return call

    def add_arguments(self, key: object, text: Any) -> None:
        for each in self.calls:
            if each.key == str(key) and isinstance(text, str):
                each.arguments += text


def answer_of(endpoint: str) -> Answer:
    return Answer(*_READERS.get(endpoint.partition("/")[0], (_plain, _no_words)))


def _error(msg: Json) -> Json | None:
    """OpenAI's and Anthropic's bodies, and their events of the same name."""
    error = msg.get("error")
    if isinstance(error, dict):
        return {key: error.get(key) for key in ("type", "code", "message", "param") if key in error}
    if msg.get("type") == "error" or isinstance(error, str):
        return {"message": error if isinstance(error, str) else string(msg, "message") or "error"}
    return None


# OpenAI's chat completions


def _chat(answer: Answer, msg: Json) -> Said:
    answer.add_usage(obj(msg, "usage"))
    text, new = "", list[Call]()
    for choice in objects(msg, "choices")[:1]:
        answer.finish = string(choice, "finish_reason") or answer.finish
        part = obj(choice, "delta") or obj(choice, "message")
        text += string(part, "content") or string(part, "refusal") or string(choice, "text") or ""
        text += string(obj(part, "audio"), "transcript") or ""
        for number_, one in enumerate(objects(part, "tool_calls")):
            function, key = obj(one, "function"), one.get("index", number_)
            call = answer.call(key, one.get("id"), function.get("name"))
            new += [call] if call is not None else []
            answer.add_arguments(key, function.get("arguments"))
    return Said(text, tuple(new))


def _chat_words(msg: Json) -> str | None:
    choices = msg.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(first, dict) or not _TELLING.isdisjoint(msg) or msg.get("usage"):
        return None
    delta = first.get("delta")
    if not isinstance(delta, dict) or first.get("finish_reason") is not None:
        return None
    text = delta.get("content")
    is_plain = isinstance(text, str) and not delta.get("tool_calls") and not delta.get("audio")
    return text or None if is_plain else None


# OpenAI's responses


def _responses(answer: Answer, msg: Json) -> Said:
    kind = string(msg, "type") or ""
    if msg.get("object") == "response":
        return _whole_response(answer, msg, with_text=True)
    if kind in ("response.completed", "response.incomplete", "response.failed"):
        return _whole_response(answer, obj(msg, "response"), with_text=False)
    if kind in ("response.output_text.delta", "response.refusal.delta"):
        return Said(string(msg, "delta") or "")
    if kind == "response.output_item.added":
        item = obj(msg, "item")
        if string(item, "type") == "function_call":
            call = answer.call(msg.get("output_index"), item.get("call_id"), item.get("name"))
            return Said(new_calls=(call,)) if call else _NOTHING
    if kind == "response.function_call_arguments.delta":
        answer.add_arguments(msg.get("output_index"), msg.get("delta"))
    return _NOTHING


def _response_words(msg: Json) -> str | None:
    is_plain = msg.get("type") == "response.output_text.delta" and _ELSEWHERE.isdisjoint(msg)
    return string(msg, "delta") or None if is_plain else None


def _whole_response(answer: Answer, response: Json, *, with_text: bool) -> Said:
    answer.add_usage(obj(response, "usage"))
    status = string(response, "status")
    answer.finish = string(obj(response, "incomplete_details"), "reason") or status
    if status == "failed":
        answer.error = obj(response, "error") or {"message": "The response failed."}
    text, new = list[str](), list[Call]()
    for place, item in enumerate(objects(response, "output")):
        if string(item, "type") == "function_call":
            call = answer.call(place, item.get("call_id"), item.get("name"))
            if call is not None:
                new.append(call)
                answer.add_arguments(place, item.get("arguments"))
        text += [string(part, "text") or string(part, "refusal") or "" for part in objects(item, "content")]
    return Said("".join(text) if with_text else "", tuple(new))


# Anthropic's messages


def _messages(answer: Answer, msg: Json) -> Said:
    kind = string(msg, "type") or ""
    if kind == "message":
        return _whole_message(answer, msg)
    if kind == "message_start":
        answer.add_usage(obj(msg, "message", "usage"))
    elif kind == "message_delta":
        answer.add_usage(obj(msg, "usage"))
        answer.finish = string(obj(msg, "delta"), "stop_reason") or answer.finish
    elif kind == "content_block_start":
        block = obj(msg, "content_block")
        if string(block, "type") == "tool_use":
            call = answer.call(msg.get("index"), block.get("id"), block.get("name"))
            return Said(new_calls=(call,)) if call else _NOTHING
        return Said(string(block, "text") or "")
    elif kind == "content_block_delta":
        delta = obj(msg, "delta")
        answer.add_arguments(msg.get("index"), delta.get("partial_json"))
        return Said(string(delta, "text") or "")
    elif "input_tokens" in msg:  # of count_tokens
        answer.add_usage(msg)
    return _NOTHING


def _message_words(msg: Json) -> str | None:
    if msg.get("type") != "content_block_delta" or not _ELSEWHERE.isdisjoint(msg):
        return None
    delta = obj(msg, "delta")
    return string(delta, "text") or None if "partial_json" not in delta else None


def _whole_message(answer: Answer, msg: Json) -> Said:
    answer.add_usage(obj(msg, "usage"))
    answer.finish = string(msg, "stop_reason")
    text, new = "", list[Call]()
    for place, block in enumerate(objects(msg, "content")):
        if string(block, "type") == "tool_use":
            if (call := answer.call(place, block.get("id"), block.get("name"))) is not None:
                call.arguments = json.dumps(block.get("input"), ensure_ascii=False)
                new.append(call)
        else:
            text += string(block, "text") or ""
    return Said(text, tuple(new))


# Everything else


def _plain(answer: Answer, msg: Json) -> Said:
    """Transcriptions have words; of embeddings, pictures and judgements how many there are."""
    answer.add_usage(obj(msg, "usage"))
    if number(msg, "duration") is not None and not answer.usage:
        answer.add_usage({"seconds": msg["duration"]})
    if (text := string(msg, "text")) is not None and not string(msg, "type"):
        return Said(text)
    return Said(string(msg, "delta") or "")


def _no_words(_: Json) -> None:
    """Whatever it is, it may be something else."""


_READERS: Final[Mapping[str, tuple[Callable[[Answer, Json], Said], Callable[[Json], str | None]]]] = {
    "chat": (_chat, _chat_words),
    "completions": (_chat, _chat_words),
    "responses": (_responses, _response_words),
    "messages": (_messages, _message_words),
}
"""By the first part of the endpoint's name."""
