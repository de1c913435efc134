"""LiveKit Agents with OpenAI's plugin: an AgentSession without a room; the program is its sound card."""

from __future__ import annotations

import asyncio
from typing import Any

import talk
from livekit import rtc
from livekit.agents import Agent, AgentSession, function_tool
from livekit.agents.voice import io
from livekit.plugins import openai
from openai.types.realtime import AudioTranscription
from openai.types.realtime.realtime_audio_input_turn_detection import ServerVad


class Microphone(io.AudioInput):
    def __init__(self) -> None:
        super().__init__(label="microphone")
        self._frames: asyncio.Queue[rtc.AudioFrame] = asyncio.Queue()

    def speak(self, pcm: bytes) -> None:
        for piece in talk.pieces(pcm):
            self._frames.put_nowait(rtc.AudioFrame(piece, talk.RATE, 1, len(piece) // 2))

    async def __anext__(self) -> rtc.AudioFrame:
        return await self._frames.get()


class Loudspeaker(io.AudioOutput):
    """Plays at once."""

    def __init__(self, account: talk.Account) -> None:
        super().__init__(label="loudspeaker", capabilities=io.AudioOutputCapabilities(pause=False))
        self._account = account
        self._playing = b""

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        await super().capture_frame(frame)
        self._playing += bytes(frame.data)

    def flush(self) -> None:
        super().flush()
        played, self._playing = self._playing, b""
        if played:
            self._account.sound.append(played)
            self.on_playback_finished(playback_position=len(played) / talk.RATE / 2, interrupted=False)

    def clear_buffer(self) -> None:
        self.flush()


class Host(Agent):
    def __init__(self, account: talk.Account) -> None:
        super().__init__(instructions=talk.INSTRUCTIONS)
        self._account = account

    @function_tool(name=talk.GET_WEATHER["name"], description=talk.GET_WEATHER["description"])
    async def get_weather(self, city: str) -> str:
        return talk.FORECAST


def listen(session: AgentSession[Any], account: talk.Account, happened: talk.Happenings) -> None:
    def transcribed(event: Any) -> None:
        if event.is_final:
            account.heard = [*(account.heard or []), event.transcript]
            happened.tell("heard")

    def added(event: Any) -> None:
        if event.item.type == "message" and event.item.role == "assistant":
            account.words.append(event.item.text_content)
            happened.tell("answered")

    def executed(event: Any) -> None:
        for call in event.function_calls:
            account.tools.append({"name": call.name, "arguments": call.arguments, "call_id": call.call_id})

    session.on("user_input_transcribed", transcribed)
    session.on("conversation_item_added", added)
    session.on("function_tools_executed", executed)
    session.on("error", lambda event: account.errors.append(repr(event.error)))


async def main() -> None:
    order, account = talk.Order(), talk.Account(heard=[])
    happened, microphone = talk.Happenings(account), Microphone()
    model = openai.realtime.RealtimeModel(
        base_url=order.url,
        api_key=order.key,
        model=order.model,
        input_audio_transcription=AudioTranscription(**talk.TRANSCRIPTION),
        turn_detection=ServerVad(**talk.VAD),
    )
    session: AgentSession[Any] = AgentSession(llm=model)
    session.input.audio = microphone
    session.output.audio = Loudspeaker(account)
    listen(session, account, happened)
    try:
        await session.start(Host(account))
        session.generate_reply(user_input=talk.COUNT)
        await happened.until("answered")
        if order.whole:
            microphone.speak(order.speech)
            await happened.until("heard", "answered")
        await session.aclose()
        await model.aclose()
    except Exception:  # noqa: BLE001 - the account says how far it came, and why no further
        account.failed()
    account.give()


asyncio.run(main())
