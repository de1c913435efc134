"""Spans as OpenInference names them, which Arize and Phoenix read. Pure: a span in, flat attributes out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from voxgate.export.gen_ai import finish_reason
from voxgate.export.messages import Messages
from voxgate.export.view import SessionView, clips, words_of
from voxgate.traces.events import Json, obj, string

_KINDS: Final = {"session": "AUDIO", "turn": "CHAIN", "user": "USER", "response": "LLM", "tool": "TOOL"}
_COUNTS: Final = {
    "input_tokens": "llm.token_count.prompt",
    "output_tokens": "llm.token_count.completion",
    "total_tokens": "llm.token_count.total",
    "cached_tokens": "llm.token_count.prompt_details.cache_read",
    "input_audio_tokens": "llm.token_count.prompt_details.audio",
    "output_audio_tokens": "llm.token_count.completion_details.audio",
}
_PARAMETERS: Final = (
    "voice",
    "output_modalities",
    "modalities",
    "temperature",
    "max_output_tokens",
    "max_response_output_tokens",
    "tool_choice",
    "audio",
    "turn_detection",
)
_JSON: Final = "application/json"
_TEXT: Final = "text/plain"
_WAV: Final = "audio/wav"


@dataclass(frozen=True)
class OpenInference:
    """`content`: whether words may be in the attributes."""

    content: bool = True

    def name(self, view: SessionView, span: Json) -> str:
        return str(span["name"] or span["type"])

    def attributes(self, view: SessionView, messages: Messages, span: Json) -> Json:
        shared: Json = {
            "openinference.span.kind": _KINDS.get(span["type"], "CHAIN"),
            "session.id": view.id,
            "user.id": view.user_id,
        }
        match span["type"]:
            case "session":
                return {**shared, **self._session(view)}
            case "turn":
                return {**shared, **self._values(span["input"], span["output"])}
            case "user":
                return {**shared, **self._user(view, span)}
            case "response":
                return {**shared, **self._response(view, messages, span)}
            case "tool":
                return {**shared, **self._tool(span)}
        return shared

    def _session(self, view: SessionView) -> Json:
        session = view.session
        mix = view.track_url("mix")
        return {
            "metadata": _dump(session.get("metadata")),
            "tag.tags": list(session.get("tags") or []),
            "end_reason": _end_reason(session),
            "audio.url": mix,
            "audio.mime_type": _WAV if mix else None,
            **_audio("input", view.track_url("user")),
            **_audio("output", view.track_url("heard")),
        }

    def _user(self, view: SessionView, span: Json) -> Json:
        words = words_of(span) if self.content else ""
        url = next((view.clip_url(clip) for clip in clips(span, "user")), None)
        value = {"input.value": words, "input.mime_type": _TEXT} if words else {}
        return {**value, **_audio("input", url, words if url else "")}

    def _response(self, view: SessionView, messages: Messages, span: Json) -> Json:
        words = words_of(span) if self.content else ""
        url = next((view.clip_url(clip) for clip in clips(span, "assistant")), None)
        config = view.config_of(span)
        parameters = {name: config[name] for name in _PARAMETERS if config.get(name) is not None}
        counted, metrics = span["usage"] or {}, span["metrics"]
        first_ms = metrics.get("model_ttfa")
        return {
            "llm.system": "openai",  # whose protocol it is
            "llm.provider": string(view.session, "provider"),
            "llm.model_name": view.actual_model or view.requested_model,
            "llm.request.model_name": view.requested_model,
            "llm.response.model_name": view.actual_model,
            "llm.invocation_parameters": _dump(parameters),
            "llm.finish_reason": finish_reason(span),
            "time_to_first_token_ms": first_ms if first_ms is not None else metrics.get("ttft_text"),
            **{name: int(counted[key]) for key, name in _COUNTS.items() if key in counted},
            **_costs(span),
            **({"output.value": words, "output.mime_type": _TEXT} if words else {}),
            **_audio("output", url, words if url else ""),
            **(self._messages(messages, span, config) if self.content else {}),
        }

    def _messages(self, messages: Messages, span: Json, config: Json) -> Json:
        instructions = messages.instructions(span)
        system = [{"role": "system", "parts": [{"type": "text", "content": instructions}]}]
        told = (system if instructions else []) + messages.input(span)
        tools = config.get("tools") if isinstance(config.get("tools"), list) else []
        return {
            **dict(_flat("llm.input_messages", told)),
            **dict(_flat("llm.output_messages", messages.output(span))),
            **{f"llm.tools.{n}.tool.json_schema": _dump(tool) for n, tool in enumerate(tools or [])},
        }

    def _tool(self, span: Json) -> Json:
        said = obj(span, "input")
        arguments, result = said.get("arguments"), obj(span, "output").get("result")
        shown = self._values_of("input", arguments) | self._values_of("output", result)
        return {"tool.name": span["name"], "tool.id": said.get("call_id"), **(shown if self.content else {})}

    def _values(self, told: Any, said: Any) -> Json:
        """Of a turn: its words on both sides."""
        if not self.content:
            return {}
        return self._values_of("input", string(told, "text")) | self._values_of(
            "output", string(said, "text")
        )

    @staticmethod
    def _values_of(side: str, value: Any) -> Json:
        if value is None or value == "":
            return {}
        mime_type = _TEXT if isinstance(value, str) else _JSON
        return {f"{side}.value": _dump(value), f"{side}.mime_type": mime_type}


def _flat(prefix: str, messages: list[Json]) -> Iterator[tuple[str, Any]]:
    for number, message in enumerate(messages):
        name = f"{prefix}.{number}.message"
        yield f"{name}.role", message["role"]
        contents = [part for part in message["parts"] if part["type"] in ("text", "uri")]
        for at, part in enumerate(contents):
            content = f"{name}.contents.{at}.message_content"
            if part["type"] == "text":
                yield f"{content}.type", "text"
                yield f"{content}.text", part["content"]
            else:
                yield f"{content}.type", "audio"
                yield f"{content}.audio.audio.url", part["uri"]
                yield f"{content}.audio.audio.mime_type", part["mime_type"]
        yield from _flat_tools(name, message["parts"])


def _flat_tools(name: str, parts: list[Json]) -> Iterator[tuple[str, Any]]:
    calls = [part for part in parts if part["type"] == "tool_call"]
    for at, call in enumerate(calls):
        tool = f"{name}.tool_calls.{at}.tool_call"
        yield f"{tool}.id", call["id"]
        yield f"{tool}.function.name", call["name"]
        yield f"{tool}.function.arguments", _dump(call["arguments"])
    for part in parts:
        if part["type"] == "tool_call_response":
            yield f"{name}.tool_call_id", part["id"]
            yield f"{name}.content", _dump(part["response"])


def _audio(side: str, url: str | None, transcript: str = "") -> Json:
    if url is None:
        return {}
    return {
        f"{side}.audio.url": url,
        f"{side}.audio.mime_type": _WAV,
        f"{side}.audio.transcript": transcript or None,
    }


def _costs(span: Json) -> Json:
    """A sum is only there where each part of it has a price."""
    parts = obj(span, "output", "cost")
    prompt = [value for name, value in parts.items() if name.endswith("input")]
    spoken = [value for name, value in parts.items() if name in ("audio_input", "audio_cached_input")]
    completion = [value for name, value in parts.items() if name.endswith("output")]
    return {
        "llm.cost.total": span["cost_usd"],
        "llm.cost.prompt": _sum(prompt),
        "llm.cost.completion": _sum(completion),
        "llm.cost.prompt_details.audio": _sum(spoken),
        "llm.cost.completion_details.audio": parts.get("audio_output"),
    }


def _sum(values: list[Any]) -> float | None:
    return None if not values or None in values else float(sum(values))


def _end_reason(session: Json) -> str | None:
    close = obj(session, "close")
    if not close:
        return string(session, "status")
    return string(close, "reason") or f"closed by the {close.get('side')} with {close.get('code')}"


def _dump(value: Any) -> str | None:
    if value is None or value == {}:
        return None
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
