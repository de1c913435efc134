"""How one recorded user turn is put into a call under test, spoken or written, and waited for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from voxgate.audio.pcm import Samples
from voxgate.evals.protocols import TaskError
from voxgate.evals.replay import sound
from voxgate.evals.replay.context import input_item
from voxgate.evals.replay.exchange import Exchange
from voxgate.evals.replay.plan import Plan
from voxgate.evals.replay.recorded import RecordedCall, Spoken
from voxgate.traces.events import Json

_REAL_MS: Final = 20
_FAST_MS: Final = 1000
_SILENCE_MS: Final = 200
_MOST_SILENCES: Final = 50
"""So 10 s of silence, in which the provider may find the end of the turn."""
_GRACE_SECONDS: Final = 0.05
_AFTERWARDS_SECONDS: Final = 0.2
_ANSWER_SECONDS: Final = 30.0
"""How long a provider that answers by itself may take to begin."""


@dataclass(frozen=True, slots=True)
class Speech:
    """Sound to be said as one turn."""

    samples: Samples
    rate: int


@dataclass(frozen=True, slots=True)
class Mouth:
    """Says things in a call: in its format, at the plan's pace, made worse as the plan says."""

    exchange: Exchange
    plan: Plan
    seed: int
    detects: bool
    """Whether the provider says where turns end."""
    answers: bool = True
    """Whether it answers by itself then."""

    def wire(self, speech: Speech) -> bytes:
        worse = sound.worse(speech.samples, speech.rate, self.plan.perturb, self.seed)
        to = self.exchange.heard.layout.input_format
        return sound.at_least(sound.encode(worse, speech.rate, to), to)

    async def write(self, item: Json) -> None:
        await self.exchange.create(item)

    async def speak(self, speech: Speech) -> bool:
        """Whether the provider answers it by itself."""
        data = self.wire(speech)
        commits = len(self.exchange.committed)
        await self._stream(data)
        if self.detects and await self._wait_for_end(commits):
            return self.answers
        await self.exchange.send({"type": "input_audio_buffer.commit"})
        return False

    async def _stream(self, data: bytes) -> None:
        to = self.exchange.heard.layout.input_format
        real = self.plan.pace == "real"
        due = time.monotonic()
        for event in sound.appends(data, to, _REAL_MS if real else _FAST_MS):
            await self.exchange.send(event)
            if real:
                due += _REAL_MS / 1000
                await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def _wait_for_end(self, commits: int) -> bool:
        """Silence until the provider has found the end of what was said; False if it never does."""
        to = self.exchange.heard.layout.input_format
        quiet = sound.append(sound.silence(to, _SILENCE_MS))
        seconds = _SILENCE_MS / 1000 if self.plan.pace == "real" else _GRACE_SECONDS
        for _ in range(_MOST_SILENCES):
            await self.exchange.send(quiet)
            if (
                await self.exchange.within(lambda: self._has_ended(commits), seconds)
                and await self._is_over()
            ):
                return True
        if await self.exchange.within(lambda: self._has_ended(commits), _ANSWER_SECONDS / 10):
            return True
        self.exchange.notes.append("turn detection did not find the end of the turn: it was committed")
        return False

    def _has_ended(self, commits: int) -> bool:
        return len(self.exchange.committed) > commits and not self.exchange.speaking

    async def _is_over(self) -> bool:
        """Whether nothing more is heard of it: one turn of the recording may be two now, and what was sent at
        once is not heard at once."""
        return not await self.exchange.within(lambda: self.exchange.speaking, _AFTERWARDS_SECONDS)

    async def answered(self) -> bool:
        """Waits for what the provider says by itself; False if it says nothing."""
        if not await self.exchange.within(lambda: not self.exchange.unanswered, _ANSWER_SECONDS):
            self.exchange.unanswered = 0
            return False
        await self.exchange.until(lambda: self.exchange.is_answered, "end of the response")
        return True

    async def hear_out(self) -> None:
        """In real time the answer sounds to its end before anybody goes on or hangs up."""
        if self.plan.pace == "real":
            await self.exchange.played()


async def take_turn(
    mouth: Mouth, call: RecordedCall, inputs: Sequence[Spoken], instructions: str | None = None
) -> bool:
    """Puts the inputs in, in their order, and waits until the turn has been answered; False if it was not."""
    exchange, answers_itself = mouth.exchange, False
    exchange.begin_turn()
    for one in inputs:
        if one.has_sound:
            answers_itself = await mouth.speak(Speech(call.sound(one), call.rate))
        elif (item := input_item(one)) is not None:
            await mouth.write(item)
        elif one.kind == "speech":
            raise TaskError("The recording has neither sound nor words of this turn.", retryable=False)
    if answers_itself:
        return await mouth.answered()
    await exchange.ask({"instructions": instructions} if instructions else None)
    await exchange.settle()
    return True
