"""OpenAI's Agents SDK for Python: an agent with a tool, over its own WebSocket."""

from __future__ import annotations

import asyncio
from typing import Any

import talk
from agents import function_tool
from agents.realtime import RealtimeAgent, RealtimeRunner, RealtimeSession


@function_tool(name_override=talk.GET_WEATHER["name"], description_override=talk.GET_WEATHER["description"])
def get_weather(city: str) -> str:
    return talk.FORECAST


SETTINGS: Any = {
    "output_modalities": ["audio"],
    "audio": {"input": {"transcription": talk.TRANSCRIPTION, "turn_detection": talk.VAD}},
}


async def surface(session: RealtimeSession, account: talk.Account, happened: talk.Happenings) -> None:
    sound: dict[str, bytes] = {}
    words: dict[str, str] = {}
    async for event in session:
        if event.type == "audio":
            sound[event.audio.response_id] = sound.get(event.audio.response_id, b"") + event.audio.data
            account.sound = list(sound.values())
        elif event.type == "tool_start":
            account.tools.append({"name": event.tool.name, "arguments": event.arguments})
        elif event.type == "history_updated":
            account.heard = list(transcripts(event.history, "user").values())
            # Who speaks while an answer is being played cuts its words short: what counts is what they were.
            for item_id, text in transcripts(event.history, "assistant").items():
                words[item_id] = max(text, words.get(item_id, ""), key=len)
            account.words = list(words.values())
        elif event.type == "error":
            account.errors.append(repr(event.error))
        elif event.type == "raw_model_event" and event.data.type == "raw_server_event":
            account.note(event.data.data)
            happened.tell(event.data.data["type"])


def transcripts(history: list[Any], role: str) -> dict[str, str]:
    """By item."""
    spoken = [item for item in history if getattr(item, "role", "") == role]
    parts = [(item.item_id, getattr(part, "transcript", None)) for item in spoken for part in item.content]
    return {item_id: transcript for item_id, transcript in parts if transcript}


async def main() -> None:
    order, account = talk.Order(), talk.Account(events=[])
    happened = talk.Happenings(account)
    agent = RealtimeAgent(name="Host", instructions=talk.INSTRUCTIONS, tools=[get_weather])
    runner = RealtimeRunner(agent, config={"tracing_disabled": True})
    url = f"{order.ws_url}?model={order.model}"
    settings = {**SETTINGS, "model_name": order.model}
    try:
        session = await runner.run(
            model_config={"url": url, "api_key": order.key, "initial_model_settings": settings}
        )
        async with session:
            surfacing = asyncio.create_task(surface(session, account, happened))
            await happened.until("session.updated")
            await session.send_message(talk.COUNT)
            await happened.until("response.done", "rate_limits.updated")
            if order.whole:
                for piece in talk.pieces(order.speech):
                    await session.send_audio(piece)
                response = ("response.done", "rate_limits.updated")
                await happened.until(talk.HEARD, *response, *response)
        surfacing.cancel()
    except Exception:  # noqa: BLE001 - the account says how far it came, and why no further
        account.failed()
    account.give()


asyncio.run(main())
