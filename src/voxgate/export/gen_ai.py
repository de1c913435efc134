"""Spans as OpenTelemetry's semantic conventions for generative AI name them (semantic-conventions-genai,
1.42.0-dev). What they have no name for is under `voxgate.`. Pure: a span in, its name and attributes out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from voxgate.core.kinds import Kind
from voxgate.export.messages import Messages
from voxgate.export.view import SessionView
from voxgate.traces.events import Json, number, obj, string

SCHEMA_URL: Final = "https://opentelemetry.io/schemas/gen-ai-dev/1.42.0-dev"
EVALUATION: Final = "gen_ai.evaluation.result"
PROVIDERS: Final = {
    Kind.OPENAI: "openai",
    Kind.AZURE: "azure.ai.openai",
    Kind.AZURE_VOICE_LIVE: "azure.ai.inference",
    Kind.XAI: "x_ai",
}
"""`gen_ai.provider.name` of the kinds that it knows; of others it is the provider's name in the settings."""
_USAGE: Final = {
    "input_tokens": "gen_ai.usage.input_tokens",
    "output_tokens": "gen_ai.usage.output_tokens",
    "cached_tokens": "gen_ai.usage.cache_read.input_tokens",
    "input_text_tokens": "gen_ai.usage.text.input_tokens",
    "input_audio_tokens": "gen_ai.usage.audio.input_tokens",
    "input_image_tokens": "gen_ai.usage.image.input_tokens",
    "cached_text_tokens": "gen_ai.usage.text.cache_read.input_tokens",
    "cached_audio_tokens": "gen_ai.usage.audio.cache_read.input_tokens",
    "cached_image_tokens": "gen_ai.usage.image.cache_read.input_tokens",
    "output_text_tokens": "gen_ai.usage.text.output_tokens",
    "output_audio_tokens": "gen_ai.usage.audio.output_tokens",
}
_FINISHED: Final = {"max_output_tokens": "length", "content_filter": "content_filter"}


@dataclass(frozen=True)
class GenAI:
    """`content`: whether words may be in the attributes. `kinds` are those of the settings' providers."""

    content: bool = True
    kinds: Mapping[str, Kind] | None = None

    def name(self, view: SessionView, span: Json) -> str:
        match span["type"]:
            case "response":
                return f"chat {view.requested_model}".rstrip()
            case "tool":
                return f"execute_tool {span['name']}"
            case kind:
                return str(span["name"] or kind)

    def attributes(self, view: SessionView, messages: Messages, span: Json) -> Json:
        shared: Json = {"gen_ai.conversation.id": view.id, "gen_ai.provider.name": self._provider(view)}
        match span["type"]:
            case "session":
                return {**shared, **_session(view)}
            case "response":
                return {**shared, **self._response(view, messages, span)}
            case "tool":
                return {**shared, **self._tool(view, span)}
            case "user":
                said = messages.of_user(span) if self.content else None
                return {**shared, "gen_ai.input.messages": _dump(said)}
        return shared

    def _provider(self, view: SessionView) -> str | None:
        name = string(view.session, "provider") or None
        kind = (self.kinds or {}).get(name or "")
        return PROVIDERS.get(kind, name) if kind else name

    def _response(self, view: SessionView, messages: Messages, span: Json) -> Json:
        config = view.config_of(span)
        instructions = messages.instructions(span)
        words: Json = {}
        if self.content:
            words = {
                "gen_ai.input.messages": _dump(messages.input(span)),
                "gen_ai.output.messages": _dump(messages.output(span)),
                "gen_ai.system_instructions": _dump(
                    [{"type": "text", "content": instructions}] if instructions else None
                ),
                "gen_ai.tool.definitions": _dump(config.get("tools")),
            }
        first_ms = _earlier(span["metrics"].get("model_ttfa"), span["metrics"].get("ttft_text"))
        return {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": view.requested_model,
            "gen_ai.request.stream": True,
            "gen_ai.request.max_tokens": _max_tokens(config),
            "gen_ai.request.temperature": number(config, "temperature"),
            "gen_ai.response.model": view.actual_model,
            "gen_ai.response.id": obj(span, "input").get("response_id"),
            "gen_ai.response.finish_reasons": [finish_reason(span)],
            "gen_ai.response.time_to_first_chunk": None if first_ms is None else first_ms / 1000,
            "gen_ai.output.type": "text" if span["metrics"].get("audio_generated_ms") is None else "speech",
            **usage(span),
            **words,
        }

    def _tool(self, view: SessionView, span: Json) -> Json:
        said = obj(span, "input")
        output = obj(span, "output")
        definition = _definition(view, span["name"])
        in_client = said.get("ran_in") != "mcp"
        words: Json = {}
        if self.content:
            words = {
                "gen_ai.tool.call.arguments": _dump(said.get("arguments")),
                "gen_ai.tool.call.result": _dump(output.get("result")),
                "gen_ai.tool.description": string(definition, "description"),
            }
        return {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": span["name"],
            "gen_ai.tool.call.id": said.get("call_id"),
            "gen_ai.tool.type": "function" if in_client else "extension",
            **words,
        }


def usage(span: Json) -> Json:
    """The tokens of a response; those by modality are parts of the sums."""
    counted = span["usage"] or {}
    return {name: int(counted[key]) for key, name in _USAGE.items() if key in counted}


def finish_reason(span: Json) -> str:
    """Of a response that was interrupted the provider's reason, such as `turn_detected`."""
    output = obj(span, "output")
    reason = string(output, "reason")
    match span["status"]:
        case "completed":
            return "tool_call" if output.get("tool_calls") else "stop"
        case "incomplete":
            return _FINISHED.get(reason or "", reason or "length")
        case "cancelled":
            return reason or "error"
    return "error"


def evaluation(score: Json, *, content: bool) -> Json:
    """Of the event `gen_ai.evaluation.result`. Its explanation may repeat what was said in the call."""
    details = obj(score, "details")
    return {
        "gen_ai.evaluation.name": score["name"],
        "gen_ai.evaluation.score.value": score["value"],
        "gen_ai.evaluation.score.label": score["label"],
        "gen_ai.evaluation.explanation": score["comment"] if content else None,
        "voxgate.score.source": score["source"],
        "voxgate.score.author": score["author"],
        "voxgate.score.version": string(details, "scorer_version") or None,
        "voxgate.score.reason_missing": string(details, "reason_missing") or None,
    }


def _session(view: SessionView) -> Json:
    """The whole call has no operation of its own."""
    return {
        "gen_ai.request.model": view.requested_model,
        "gen_ai.response.model": view.actual_model,
        **usage(view.root or {"usage": None}),
    }


def _definition(view: SessionView, name: str) -> Json:
    tools = obj(view.session, "config").get("tools")
    found = (tool for tool in tools if isinstance(tool, dict) and tool.get("name") == name) if tools else ()
    return next(iter(found), {})


def _max_tokens(config: Json) -> int | None:
    """Without a limit the provider says `inf`."""
    most = number(config, "max_output_tokens")
    most = most if most is not None else number(config, "max_response_output_tokens")
    return None if most is None else int(most)


def _earlier(*values: Any) -> float | None:
    return min((value for value in values if value is not None), default=None)


def _dump(value: Any) -> str | None:
    """Structured attributes as JSON: hardly a backend takes others."""
    if not value and value != 0:
        return None
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
