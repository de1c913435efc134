"""Pipecat with its OpenAI Realtime service: a pipeline without a transport; the program is its sound card."""

from __future__ import annotations

import asyncio
import json

import talk
from pipecat.frames.frames import (
    EndFrame,
    ErrorFrame,
    Frame,
    InputAudioRawFrame,
    LLMFullResponseEndFrame,
    LLMRunFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    TTSTextFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.llm_service import FunctionCallParams
from pipecat.services.openai.realtime import events
from pipecat.services.openai.realtime.llm import OpenAIRealtimeLLMService
from pipecat.workers.runner import WorkerRunner


class Listener(FrameProcessor):
    """Notes what passes it: answers on their way down, transcripts on their way up."""

    def __init__(self, account: talk.Account, happened: talk.Happenings) -> None:
        super().__init__()
        self._account, self._happened = account, happened
        self._sound, self._words = b"", ""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, TTSAudioRawFrame):
            self._sound += frame.audio
        elif isinstance(frame, TTSTextFrame):
            self._words += frame.text
        elif isinstance(frame, LLMFullResponseEndFrame):
            self._answered()
        elif isinstance(frame, TranscriptionFrame):
            self._account.heard = [*(self._account.heard or []), frame.text]
            self._happened.tell("heard")
        elif isinstance(frame, ErrorFrame):
            self._account.errors.append(frame.error)
            self._happened.tell("error")
        await self.push_frame(frame, direction)

    def _answered(self) -> None:
        if self._sound:
            self._account.sound.append(self._sound)
            self._account.words.append(self._words)
            self._happened.tell("answered")
        self._sound, self._words = b"", ""


def service_for(order: talk.Order, account: talk.Account) -> OpenAIRealtimeLLMService:
    heard = events.AudioInput(
        transcription=events.InputAudioTranscription(**talk.TRANSCRIPTION),
        turn_detection=events.TurnDetection(**talk.VAD),
    )
    service = OpenAIRealtimeLLMService(
        api_key=order.key,
        base_url=order.ws_url,
        settings=OpenAIRealtimeLLMService.Settings(
            model=order.model,
            session_properties=events.SessionProperties(
                instructions=talk.INSTRUCTIONS,
                output_modalities=["audio"],
                audio=events.AudioConfiguration(input=heard),
                tools=[talk.GET_WEATHER],
            ),
        ),
    )

    async def get_weather(params: FunctionCallParams) -> None:
        call = {"name": params.function_name, "call_id": params.tool_call_id}
        account.tools.append({**call, "arguments": json.dumps(params.arguments)})
        await params.result_callback(json.loads(talk.FORECAST))

    service.register_function(talk.GET_WEATHER["name"], get_weather)
    return service


async def main() -> None:
    order, account = talk.Order(), talk.Account(heard=[])
    happened = talk.Happenings(account)
    context = LLMContext([{"role": "user", "content": talk.COUNT}])
    pair = LLMContextAggregatorPair(context)
    above, below = Listener(account, happened), Listener(account, happened)
    service = service_for(order, account)
    pipeline = Pipeline([pair.user(), above, service, below, pair.assistant()])
    worker = PipelineWorker(pipeline, params=PipelineParams(audio_in_sample_rate=talk.RATE))
    runner = WorkerRunner(handle_sigint=False)
    try:
        await runner.add_workers(worker)
        running = asyncio.create_task(runner.run())
        await worker.queue_frame(LLMRunFrame())
        await happened.until("answered")
        if order.whole:
            for piece in talk.pieces(order.speech):
                await worker.queue_frame(InputAudioRawFrame(piece, talk.RATE, 1))
            await happened.until("heard", "answered")
        await worker.queue_frame(EndFrame())
        await asyncio.wait_for(running, talk.STEP_SECONDS)
    except Exception:  # noqa: BLE001 - the account says how far it came, and why no further
        account.failed()
    account.give()


asyncio.run(main())
