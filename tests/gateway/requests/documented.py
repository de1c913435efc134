"""What the documents of OpenAI and Anthropic say that each endpoint answers, whole and in events: words, tool
calls where the request brings tools, sound where it asks for sound, pictures.
"""

from __future__ import annotations

import base64
from typing import Any

Json = dict[str, Any]

PICTURE = base64.b64encode(b"\x89PNG not really").decode()
SOUND = bytes(range(256)) * 64
_SPOKEN = base64.b64encode(SOUND[:600]).decode()
USAGE: Any = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
_FUNCTION = {"name": "find", "arguments": '{"id":"A1"}'}
TOOL: Json = {"id": "call_1", "type": "function", "function": _FUNCTION}


def whole(path: str, body: Json) -> Json:
    """The body of an answer that is not streamed."""
    if path == "chat/completions":
        return _chat(body)
    if path == "responses":
        return _response(body)
    if path == "messages":
        return _message(body)
    return _WHOLE[path]


def events(path: str, body: Json) -> list[Json]:
    """Those of a streamed answer; none where the endpoint has no stream."""
    if path == "chat/completions":
        return _chat_events(body)
    if path == "responses":
        return response_events(body)
    if path == "messages":
        return _message_events(body)
    return _EVENTS.get(path, [])


# OpenAI's chat completions


def _chat(body: Json) -> Json:
    message: Json = {"role": "assistant", "content": "Hello.", "refusal": None}
    finish = "stop"
    if body.get("tools"):
        message, finish = {"role": "assistant", "content": None, "tool_calls": [TOOL]}, "tool_calls"
    if "audio" in body.get("modalities", ()):
        sound = {"id": "audio_1", "data": _SPOKEN, "expires_at": 9, "transcript": "Hello."}
        message = {"role": "assistant", "content": None, "audio": sound}
    choice = {"index": 0, "finish_reason": finish, "message": message, "logprobs": None}
    head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m"}
    return {**head, "usage": USAGE, "choices": [choice]}


def _chat_events(body: Json) -> list[Json]:
    if "audio" in body.get("modalities", ()):
        deltas: list[Json] = [
            {"role": "assistant", "audio": {"id": "audio_1", "transcript": "Hel"}},
            {"audio": {"id": "audio_1", "transcript": "lo.", "data": _SPOKEN[:400]}},
            {"audio": {"id": "audio_1", "data": _SPOKEN[400:]}},
            {"audio": {"id": "audio_1", "expires_at": 9}},
        ]
    elif body.get("tools"):
        name, arguments = _FUNCTION["name"], _FUNCTION["arguments"]
        begun = {"index": 0, "id": "call_1", "type": "function", "function": {"name": name, "arguments": ""}}
        deltas = [{"role": "assistant", "content": None, "tool_calls": [begun]}]
        deltas += [
            {"tool_calls": [{"index": 0, "function": {"arguments": part}}]}
            for part in (arguments[:5], arguments[5:])
        ]
    else:
        deltas = [{"role": "assistant", "content": ""}, {"content": "Hel"}, {"content": "lo."}]
    end = _chunk({}, "tool_calls" if body.get("tools") else "stop")
    return [*map(_chunk, deltas), end, _chunk(None, usage=USAGE)]


def _chunk(delta: Json | None, finish: str | None = None, usage: Any = None) -> Json:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return {**head, "choices": choices, "usage": usage}


# OpenAI's responses

_TEXT = {"type": "output_text", "text": "Hello.", "annotations": [], "logprobs": []}
_SAID = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [_TEXT]}
_CALLED = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "status": "completed", **_FUNCTION}


def _response(body: Json, number: int = 1) -> Json:
    return {
        "id": f"resp_{number}", "object": "response", "created_at": 1, "status": "completed", "model": "m",
        "output": [_CALLED if body.get("tools") else _SAID], "parallel_tool_calls": True,
        "tool_choice": "auto", "tools": [], "previous_response_id": body.get("previous_response_id"),
        "usage": {
            "input_tokens": 11, "output_tokens": 7, "total_tokens": 18,
            "input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0},
        },
    }  # fmt: skip


def response_events(body: Json, number: int = 1) -> list[Json]:
    """In server-sent events and on a WebSocket alike. `number` is in the response's id."""
    done = _response(body, number)
    begun = {**done, "output": [], "status": "in_progress", "usage": None}
    middle = _calling() if body.get("tools") else _saying()
    told: list[Json] = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
        *middle,
        {"type": "response.completed", "response": done},
    ]
    return [{**event, "sequence_number": place} for place, event in enumerate(told)]


def _saying() -> list[Json]:
    at = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    begun = {**_SAID, "content": [], "status": "in_progress"}
    return [
        {"type": "response.output_item.added", "output_index": 0, "item": begun},
        {"type": "response.content_part.added", **at, "part": {**_TEXT, "text": ""}},
        {"type": "response.output_text.delta", **at, "delta": "Hel", "logprobs": []},
        {"type": "response.output_text.delta", **at, "delta": "lo.", "logprobs": []},
        {"type": "response.output_text.done", **at, "text": "Hello.", "logprobs": []},
        {"type": "response.content_part.done", **at, "part": _TEXT},
        {"type": "response.output_item.done", "output_index": 0, "item": _SAID},
    ]


def _calling() -> list[Json]:
    at, arguments = {"item_id": "fc_1", "output_index": 0}, _FUNCTION["arguments"]
    delta = "response.function_call_arguments.delta"
    begun = {**_CALLED, "arguments": "", "status": "in_progress"}
    return [
        {"type": "response.output_item.added", "output_index": 0, "item": begun},
        {"type": delta, **at, "delta": arguments[:5]},
        {"type": delta, **at, "delta": arguments[5:]},
        {"type": "response.function_call_arguments.done", **at, "name": "find", "arguments": arguments},
        {"type": "response.output_item.done", "output_index": 0, "item": _CALLED},
    ]


# Anthropic's messages


def _message(body: Json) -> Json:
    used = {"type": "tool_use", "id": "toolu_1", "name": "find", "input": {"id": "A1"}}
    content = used if body.get("tools") else {"type": "text", "text": "Hello.", "citations": None}
    return {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m",
        "stop_reason": "tool_use" if body.get("tools") else "end_turn", "stop_sequence": None,
        "content": [content], "usage": {"input_tokens": 11, "output_tokens": 7},
    }  # fmt: skip


def _message_events(body: Json) -> list[Json]:
    whole_one = _message(body)
    [content] = whole_one["content"]
    if body.get("tools"):
        block: Json = {**content, "input": {}}
        deltas = [{"type": "input_json_delta", "partial_json": part} for part in ('{"id"', ':"A1"}')]
    else:
        block = {**content, "text": ""}
        deltas = [{"type": "text_delta", "text": part} for part in ("Hel", "lo.")]
    end = {"stop_reason": whole_one["stop_reason"], "stop_sequence": None}
    return [
        {"type": "message_start", "message": {**whole_one, "content": [], "stop_reason": None}},
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "ping"},
        *({"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": end, "usage": {"output_tokens": 7}},
        {"type": "message_stop"},
    ]


# Everything else

_IMAGE_USAGE = {"input_tokens": 9, "output_tokens": 90, "total_tokens": 99}
_IMAGES = {"created": 1, "data": [{"b64_json": PICTURE}], "usage": _IMAGE_USAGE}
_WHOLE: dict[str, Json] = {
    "messages/count_tokens": {"input_tokens": 11},
    "embeddings": {
        "object": "list", "model": "m", "usage": {"prompt_tokens": 3, "total_tokens": 3},
        "data": [{"object": "embedding", "index": 0, "embedding": [0.25, -0.5]}],
    },
    "moderations": {"id": "modr_1", "model": "m", "results": [{"flagged": False, "categories": {},
                                                              "category_scores": {},
                                                              "category_applied_input_types": {}}]},
    "audio/transcriptions": {"text": "hello there", "usage": {"type": "duration", "seconds": 2}},
    "audio/translations": {"text": "hello there"},
    "images/generations": _IMAGES,
    "images/edits": _IMAGES,
}  # fmt: skip


def _image_events(kind: str) -> list[Json]:
    shape = {"background": "opaque", "created_at": 1, "output_format": "png", "quality": "low"}
    shape |= {"size": "1024x1024", "b64_json": PICTURE}
    return [
        {"type": f"{kind}.partial_image", "partial_image_index": 0, **shape},
        {"type": f"{kind}.completed", "usage": _IMAGE_USAGE, **shape},
    ]


_EVENTS: dict[str, list[Json]] = {
    "audio/transcriptions": [
        {"type": "transcript.text.delta", "delta": "hello "},
        {"type": "transcript.text.delta", "delta": "there"},
        {"type": "transcript.text.done", "text": "hello there"},
    ],
    "audio/speech": [
        {"type": "speech.audio.delta", "audio": _SPOKEN},
        {"type": "speech.audio.done", "usage": _IMAGE_USAGE},
    ],
    "images/generations": _image_events("image_generation"),
    "images/edits": _image_events("image_edit"),
}
