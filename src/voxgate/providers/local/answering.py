"""Generates one response: waits until its context is heard, has the brain think and the voice speak.

The audio leaves faster than it plays, but not all at once: so a call can be interrupted, as a live one can.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from voxgate.core.errors import VoxgateError
from voxgate.providers.local.brain import Brain, Call, Say, Thought, prompt_of
from voxgate.providers.local.ears import Ear
from voxgate.providers.local.responses import Event, Response
from voxgate.providers.local.settings import LocalSettings
from voxgate.providers.local.speech import Piece, Sentences, pieces_of
from voxgate.providers.local.voices import Voice


@dataclass(frozen=True)
class Parts:
    """What all calls of one server share."""

    settings: LocalSettings
    ear: Ear
    brain: Brain
    voice: Voice

    async def close(self) -> None:
        for part in (self.ear, self.brain, self.voice):
            await part.close()


@dataclass(frozen=True)
class Outcome:
    """How generation ended; for `Session.finish`."""

    status: str
    reason: str | None = None
    error: VoxgateError | None = None


class Pace:
    """Lets a burst of audio go at once and the rest at a multiple of real time."""

    def __init__(self, burst_ms: int, pace: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._burst_ms = burst_ms
        self._pace = pace
        self._clock = clock
        self._started: float | None = None
        self._sent_ms = 0

    def delay_seconds(self, duration_ms: int) -> float:
        """How long to wait before sending the next piece; counts it as sent."""
        now = self._clock()
        if self._started is None:
            self._started = now
        self._sent_ms += duration_ms
        ahead_ms = self._sent_ms - self._burst_ms - (now - self._started) * 1000 * self._pace
        return max(0.0, ahead_ms / 1000 / self._pace)


class Answering:
    """`send` takes the events of one step and waits while the client is slow."""

    def __init__(
        self, response: Response, parts: Parts, send: Callable[[list[Event]], Awaitable[None]]
    ) -> None:
        self._response = response
        self._parts = parts
        self._send = send
        self._pace = Pace(parts.settings.output_burst_ms, parts.settings.output_pace)

    async def run(self, heard: Callable[[], Awaitable[None]]) -> Outcome:
        """`heard` waits until everything said so far was transcribed."""
        try:
            await heard()
            await self._think()
        except VoxgateError as error:
            return Outcome("failed", error=error)
        if self._response.out_of_tokens:
            return Outcome("incomplete", reason="max_output_tokens")
        return Outcome("completed")

    async def _think(self) -> None:
        sentences = Sentences()
        async for thought in self._parts.brain.think(prompt_of(self._response)):
            for ready in self._ready(thought, sentences):
                await self._utter(ready)
            if isinstance(thought, Call):
                await self._send(self._response.call(thought.name, thought.arguments, thought.call_id))
            if self._response.out_of_tokens:
                return
        for sentence in sentences.rest():
            await self._utter(sentence)

    def _ready(self, thought: Thought, sentences: Sentences) -> list[str]:
        """A text response is written as it comes, a spoken one sentence by sentence."""
        if isinstance(thought, Call):
            return sentences.rest()
        if self._response.config.output_modality == "text":
            return _word_by_word(thought)
        return sentences.push(thought.text)

    async def _utter(self, words: str) -> None:
        if self._response.out_of_tokens:
            return
        if self._response.config.output_modality == "text":
            await self._send(self._response.write(words))
            return
        config = self._response.config
        voice = config.voice if isinstance(config.voice, str) else config.voice["id"]
        samples = await self._parts.voice.speak(words, voice, config.speed)
        for piece in pieces_of(words, samples, config.format_type):
            await self._say(piece)
            if self._response.out_of_tokens:
                return

    async def _say(self, piece: Piece) -> None:
        await asyncio.sleep(self._pace.delay_seconds(piece.duration_ms))
        events = self._response.say(piece.words) if piece.words else []
        if piece.audio:
            events += self._response.sound(piece.audio)
        await self._send(events)


def _word_by_word(thought: Say) -> list[str]:
    """The same text in pieces that begin with their space, as a live model's tokens do."""
    words = thought.text.split(" ")
    return [word if index == 0 else f" {word}" for index, word in enumerate(words)]
