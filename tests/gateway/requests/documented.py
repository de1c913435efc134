"""A provider that answers as the documents of OpenAI and Anthropic say, for what their SDKs ask: each
endpoint plain and streamed, and its errors. What to do is in the model's name: `fails-429`, `cuts`, else it
answers.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterable
from typing import Any

from aiohttp import web

from voxgate.testing.http_provider import Received

PICTURE = base64.b64encode(b"\x89PNG not really").decode()
SOUND = bytes(range(256)) * 64
USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
TOOL = {"id": "call_1", "type": "function", "function": {"name": "find", "arguments": '{"id":"A1"}'}}


async def answer(received: Received) -> web.StreamResponse:
    path = received.path.partition("?")[0].removeprefix("/v1/")
    model, streams = _asked(received)
    if model.startswith("fails-"):
        return _failure(path, int(model.removeprefix("fails-")))
    events = _EVENTS.get(path, _NO_EVENTS)
    if streams and events:
        return await _stream(received, events, named=path in ("responses", "messages"), cut=model == "cuts")
    if path == "audio/speech":
        return web.Response(body=SOUND, content_type="audio/mpeg", headers={"x-request-id": "req_9"})
    return web.json_response(_WHOLE[path], headers={"x-request-id": "req_9", "request-id": "req_9"})


def _asked(received: Received) -> tuple[str, bool]:
    if "json" in received.headers.get("content-type", ""):
        body = json.loads(received.body)
        return body.get("model", ""), bool(body.get("stream"))
    return "whisper-1", b'name="stream"\r\n\r\ntrue' in received.body


def _failure(path: str, status: int) -> web.Response:
    said: dict[str, Any] = {"message": f"refused with {status}", "type": "some_error"}
    body = (
        {"type": "error", "error": said}
        if path == "messages"
        else {"error": {**said, "code": "c", "param": None}}
    )
    return web.json_response(body, status=status, headers={"retry-after": "0", "x-should-retry": "false"})


async def _stream(
    received: Received, events: Iterable[dict[str, Any]], *, named: bool, cut: bool
) -> web.StreamResponse:
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    response.enable_chunked_encoding()
    await response.prepare(received.request)
    for number, event in enumerate(events):
        if cut and number == 2:
            if received.request.transport is not None:
                received.request.transport.abort()
            return response
        head = f"event: {event['type']}\n" if named else ""
        await response.write(f"{head}data: {json.dumps(event)}\n\n".encode())
        await asyncio.sleep(0)
    if not named:
        await response.write(b"data: [DONE]\n\n")
    return response


def _chunk(delta: dict[str, Any] | None, finish: str | None = None, usage: Any = None) -> dict[str, Any]:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return {**head, "choices": choices, "usage": usage}


_TEXT = {"type": "output_text", "text": "Hello.", "annotations": []}
_MESSAGE = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [_TEXT]}
_RESPONSE: dict[str, Any] = {
    "id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "model": "m",
    "output": [_MESSAGE], "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
    "usage": {
        "input_tokens": 11, "output_tokens": 7, "total_tokens": 18,
        "input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0},
    },
}  # fmt: skip
_CLAUDE: dict[str, Any] = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn",
    "stop_sequence": None, "content": [{"type": "text", "text": "Hello."}],
    "usage": {"input_tokens": 11, "output_tokens": 7},
}  # fmt: skip
_IMAGES = {"created": 1, "data": [{"b64_json": PICTURE}]}
_WHOLE: dict[str, Any] = {
    "chat/completions": {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m", "usage": USAGE,
        "choices": [{
            "index": 0, "finish_reason": "tool_calls",
            "message": {"role": "assistant", "content": "Hello.", "tool_calls": [TOOL]},
        }],
    },
    "responses": _RESPONSE,
    "messages": _CLAUDE,
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
_NO_EVENTS: tuple[dict[str, Any], ...] = ()
_EVENTS: dict[str, tuple[dict[str, Any], ...]] = {
    "chat/completions": (
        _chunk({"role": "assistant", "content": ""}), _chunk({"content": "Hel"}), _chunk({"content": "lo."}),
        _chunk({"tool_calls": [{"index": 0, **TOOL}]}), _chunk({}, "tool_calls"), _chunk(None, usage=USAGE),
    ),
    "responses": (
        {"type": "response.created", "sequence_number": 0, "response": {**_RESPONSE, "output": []}},
        {"type": "response.output_item.added", "sequence_number": 1, "output_index": 0,
         "item": {**_MESSAGE, "content": []}},
        {"type": "response.content_part.added", "sequence_number": 2, "item_id": "msg_1", "output_index": 0,
         "content_index": 0, "part": {**_TEXT, "text": ""}},
        {"type": "response.output_text.delta", "sequence_number": 3, "item_id": "msg_1", "output_index": 0,
         "content_index": 0, "delta": "Hello.", "logprobs": []},
        {"type": "response.completed", "sequence_number": 4, "response": _RESPONSE},
    ),
    "messages": (
        {"type": "message_start", "message": {**_CLAUDE, "content": [], "stop_reason": None}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello."}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None},
         "usage": {"output_tokens": 7}},
        {"type": "message_stop"},
    ),
    "audio/transcriptions": (
        {"type": "transcript.text.delta", "delta": "hello "},
        {"type": "transcript.text.done", "text": "hello there"},
    ),
}  # fmt: skip
