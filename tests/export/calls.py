"""A call with speech, a tool and an interruption, as the store gives it after it was recorded."""

from __future__ import annotations

import json
from typing import Any

from tests.traces.calls import Call, pcm
from voxgate.traces import Trace

PRICE = {
    "text_input": 4.0, "text_cached_input": 0.4, "text_output": 16.0,
    "audio_input": 32.0, "audio_cached_input": 0.4, "audio_output": 64.0,
}  # fmt: skip
USAGE = {
    "input_tokens": 100,
    "output_tokens": 50,
    "total_tokens": 150,
    "input_token_details": {
        "text_tokens": 40,
        "audio_tokens": 60,
        "cached_tokens": 30,
        "cached_tokens_details": {"text_tokens": 20, "audio_tokens": 10},
    },
    "output_token_details": {"text_tokens": 10, "audio_tokens": 40},
}
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TOOLS = [{"type": "function", "name": "get_weather", "description": "Looks outside.", "parameters": {}}]


def tool_call(**opened: Any) -> Call:
    """The user asks, a tool answers, the assistant speaks and is interrupted."""
    call = Call(**opened)
    call.gateway(1, "gateway.dialled", provider="openai", ms=3)
    call.gateway(1, "gateway.prices", model="gpt-realtime", price=PRICE, transcription={})
    call.session(10, instructions="Be brief.", tools=TOOLS)
    call.append(100, pcm(1000)).speech("item_u", 300, 1200, audio=(100, 1100))
    call.transcript(1300, "item_u", "How is the weather in London?")
    call.created(1400, "resp_1").call_tool(1500, "resp_1", "call_1", "get_weather", '{"city":"London"}')
    item = {"id": "item_call_1", "type": "function_call", "name": "get_weather", "call_id": "call_1"}
    call.server(1550, "conversation.item.added", item=item, previous_item_id="item_u")
    call.done(1600, "resp_1", usage=USAGE, output=[{**item, "arguments": '{"city":"London"}'}])
    call.tool_result(1900, "call_1", '{"sky":"foggy"}')
    result = {
        "id": "item_out",
        "type": "function_call_output",
        "call_id": "call_1",
        "output": '{"sky":"foggy"}',
    }
    call.server(1910, "conversation.item.added", item=result, previous_item_id="item_call_1")
    call.client(1920, "response.create")
    call.created(2000, "resp_2").words(2100, "resp_2", "item_a", "It is foggy in London today my friend.")
    call.audio(2200, "resp_2", "item_a", pcm(2000))
    call.server(2600, "input_audio_buffer.speech_started", item_id="item_u2", audio_start_ms=1100)
    call.cancelled(2700, "resp_2", "turn_detected")
    call.server(
        2800, "error", error={"type": "invalid_request_error", "code": "odd", "message": "Odd words."}
    )
    return call.close(3000)


def row_of(trace: Trace) -> dict[str, Any]:
    """As `Store.get_session` gives it."""
    row = trace.row() | {"spans": [span.to_json() for span in trace.spans], "metrics": trace.metrics}
    read: dict[str, Any] = json.loads(json.dumps(row))
    return read
