"""A trace as the rows of Braintrust's log: one JSON object for each span, with input, output, metadata,
metrics and attachments, as `POST /v1/project_logs/{id}/insert` takes them. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from voxgate.core.clock import iso_utc
from voxgate.export.messages import Messages
from voxgate.export.view import SessionView
from voxgate.traces.events import Json, obj

_TYPES: Final = {"session": "task", "turn": "task", "user": "function", "response": "llm", "tool": "tool"}
_COUNTS: Final = {
    "input_tokens": "prompt_tokens",
    "output_tokens": "completion_tokens",
    "total_tokens": "tokens",
    "cached_tokens": "prompt_cached_tokens",
    "input_audio_tokens": "prompt_audio_tokens",
    "output_audio_tokens": "completion_audio_tokens",
}
Locate = Callable[[str], str]
"""From the link of a clip to where it is: a file of the export, or the link itself."""


def rows(view: SessionView, locate: Locate = lambda url: url) -> list[Json]:
    """In the order of the spans; the session is the root, unless it works for another one."""
    messages = Messages(view)
    return [_row(view, messages, span, locate) for span in view.spans]


def _row(view: SessionView, messages: Messages, span: Json, locate: Locate) -> Json:
    told, said = _content(messages, span, locate)
    start_ns, end_ns = view.times_ns(span)
    return {
        "id": span["id"],
        "span_id": span["id"],
        "root_span_id": view.top_id,
        "span_parents": _parents(view, span),
        "span_attributes": {"name": span["name"], "type": _TYPES.get(span["type"], "task")},
        "created": iso_utc(view.moment(start_ns)),
        "input": told,
        "output": said,
        "error": span["error"],
        "tags": view.session.get("tags") or [] if span["parent_id"] is None else None,
        "metadata": _metadata(view, span),
        "metrics": _metrics(span, start_ns, end_ns),
        "scores": _scores(view, span),
    }


def _parents(view: SessionView, span: Json) -> list[str]:
    if span["parent_id"]:
        return [span["parent_id"]]
    return [view.parent[1]["id"]] if view.parent else []


def _scores(view: SessionView, span: Json) -> Json:
    """Braintrust knows values from 0 to 1."""
    found = view.scores_of(span)
    return {one["name"]: one["value"] for one in found if one["value"] is not None and 0 <= one["value"] <= 1}


def _content(messages: Messages, span: Json, locate: Locate) -> tuple[Any, Any]:
    match span["type"]:
        case "response":
            instructions = messages.instructions(span)
            system = [{"role": "system", "content": instructions}] if instructions else []
            told = [_message(one, locate) for one in messages.input(span)]
            return system + told, [_message(one, locate) for one in messages.output(span)]
        case "user":
            return [_message(one, locate) for one in messages.of_user(span)], None
        case "tool":
            return obj(span, "input").get("arguments"), obj(span, "output").get("result")
    return span["input"], span["output"]


def _message(message: Json, locate: Locate) -> Json:
    """As chat completions have it, with attachments among the parts."""
    parts, calls = [], []
    for part in message["parts"]:
        match part["type"]:
            case "text":
                parts.append({"type": "text", "text": part["content"]})
            case "uri":
                src = locate(part["uri"])
                name = src.rsplit("/", 1)[-1]
                kind = part["mime_type"]
                parts.append(
                    {"type": "inline_attachment", "src": src, "content_type": kind, "filename": name}
                )
            case "tool_call":
                calls.append({"id": part["id"], "type": "function", "function": _function(part)})
            case "tool_call_response":
                return {"role": "tool", "tool_call_id": part["id"], "content": part["response"]}
    return {"role": message["role"], "content": parts, **({"tool_calls": calls} if calls else {})}


def _function(part: Json) -> Json:
    return {"name": part["name"], "arguments": part["arguments"]}


def _metadata(view: SessionView, span: Json) -> Json:
    shared: Json = {"voxgate_session_id": view.id, "status": span["status"], "span_type": span["type"]}
    if span["type"] == "response":
        said, output = obj(span, "input"), obj(span, "output")
        names = {name: output.get(name) for name in ("heard_transcript", "interrupted", "reason")}
        return {
            **shared,
            "model": view.actual_model or view.requested_model,
            **names,
            "trigger": said.get("trigger"),
        }
    if span["type"] != "session":
        return shared
    session = view.session
    known = ("project", "provider", "title", "voice", "transport", "close", "recorded", "imported")
    own = {name: session.get(name) for name in known}
    model = view.actual_model or view.requested_model
    return {**shared, "model": model, **own, "metadata": session.get("metadata"), "url": view.page_url}


def _metrics(span: Json, start_ns: int, end_ns: int) -> Json:
    """Seconds for the times that Braintrust knows; ours keep their names and are in ms."""
    measured: Mapping[str, Any] = span["metrics"] or {}
    counted = span["usage"] or {}
    found: Json = {"start": start_ns / 1e9, "end": end_ns / 1e9}
    found |= {name: counted[key] for key, name in _COUNTS.items() if key in counted}
    if measured.get("model_ttfa") is not None:
        found["time_to_first_token"] = measured["model_ttfa"] / 1000
    if span["cost_usd"] is not None:
        found["estimated_cost"] = span["cost_usd"]
    numbers = {name: value for name, value in measured.items() if _is_number(value)}
    return {**numbers, **found}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
