"""A small voice application, to have something to test: a desk that looks orders up. Text in, text out, over
OpenAI's own Realtime client.
"""

from __future__ import annotations

import json

from openai import AsyncOpenAI

ORDERS = {"4711": "shipped"}
SESSION = {
    "type": "realtime",
    "output_modalities": ["text"],
    "instructions": "You are the order desk. Look orders up before you say anything of them.",
    "tools": [
        {
            "type": "function",
            "name": "look_up_order",
            "description": "The state of an order.",
            "parameters": {"type": "object", "properties": {"order_id": {"type": "string"}}},
        }
    ],
}


async def ask(client: AsyncOpenAI, question: str, model: str = "gpt-realtime") -> str:
    """The desk's answer."""
    words: list[str] = []
    async with client.realtime.connect(model=model) as connection:
        await connection.session.update(session=SESSION)
        content = [{"type": "input_text", "text": question}]
        await connection.conversation.item.create(
            item={"type": "message", "role": "user", "content": content}
        )
        await connection.response.create()
        async for event in connection:
            if event.type == "error":
                raise RuntimeError(event.error.message)
            if event.type == "response.output_text.delta":
                words.append(event.delta)
            if event.type == "response.done" and not await answer_calls(connection, event.response):
                return "".join(words)
    raise RuntimeError("The call ended before there was an answer.")


async def answer_calls(connection, response) -> bool:
    """Whether there were tool calls in the response: then they are answered, and another response follows."""
    calls = [item for item in response.output if item.type == "function_call"]
    for call in calls:
        result = {"state": ORDERS.get(json.loads(call.arguments)["order_id"], "unknown")}
        output = {"type": "function_call_output", "call_id": call.call_id, "output": json.dumps(result)}
        await connection.conversation.item.create(item=output)
    if calls:
        await connection.response.create()
    return bool(calls)
