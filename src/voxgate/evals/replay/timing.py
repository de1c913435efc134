"""Mode `timing`: everything is said when it was said, whatever the assistant does meanwhile; where it is
interrupted, the client stops playing as the recorded one did. For turn detection and interruption settings.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Final, NamedTuple

from voxgate.evals.model import Json
from voxgate.evals.replay import sound
from voxgate.evals.replay.context import input_item, rebuild
from voxgate.evals.replay.exchange import Heard
from voxgate.evals.replay.recorded import RecordedCall, RecordedTurn
from voxgate.evals.replay.taking import Mouth
from voxgate.evals.replay.turn import takeable

_ENDING_MS: Final = 200
_LEAST_ENDINGS: Final = 5
_MOST_ENDINGS: Final = 25
"""So 1 s of silence behind the recording, and 5 s if the provider still waits for the end of a turn."""


class Step(NamedTuple):
    at_ms: float
    do: Callable[[], Awaitable[None]]


async def replay_timing(mouth: Mouth, call: RecordedCall) -> Json:
    """How many turns there were then and are now, and how often the client was interrupted."""
    turns = takeable(call)
    hand = _Hand(mouth, call)
    steps = sorted(
        [*hand.sound_steps(), *hand.turn_steps(turns), *hand.stop_steps()], key=lambda one: one.at_ms
    )
    mouth.exchange.on_speech = hand.hear_speech if mouth.detects else None
    mouth.exchange.begin_turn()
    await _play(steps, hand)
    await hand.end()
    spoken = sum(1 for turn in turns for one in turn.inputs if one.has_sound)
    return {
        "turns_then": spoken,
        "turns_now": len(mouth.exchange.committed),
        "interruptions": hand.interruptions,
    }


async def _play(steps: list[Step], hand: _Hand) -> None:
    began, first_ms = time.monotonic(), steps[0].at_ms if steps else 0.0
    for step in steps:
        due = began + (step.at_ms - first_ms) / 1000
        await hand.until(due)
        await step.do()
    await hand.until(time.monotonic())


class _Hand:
    """Does what the recorded client did, with the sound of now."""

    def __init__(self, mouth: Mouth, call: RecordedCall) -> None:
        self._mouth = mouth
        self._exchange = mouth.exchange
        self._call = call
        self._cut: list[Heard] = []
        self._asked_for = 0
        self.interruptions = 0

    # The steps

    def sound_steps(self) -> Iterator[Step]:
        """The chunks as they were sent, cut from the whole sound in the format of now."""
        call, to = self._call, self._exchange.heard.layout.input_format
        worse = sound.worse(call.samples, call.rate, self._mouth.plan.perturb, self._mouth.seed)
        data = sound.encode(worse, call.rate, to)
        scale = to.rate / call.rate
        for mark in call.marks:
            start, end = (
                round(frame * scale) * to.sample_bytes for frame in (mark.start, mark.start + mark.frames)
            )
            if piece := data[start:end]:
                yield Step(mark.t_ms, self._sender(sound.append(piece)))

    def turn_steps(self, turns: list[RecordedTurn]) -> Iterator[Step]:
        for item_id, at_ms in self._call.brought.items():
            for item in rebuild(self._call, [item_id], lambda _: None).items:
                yield Step(at_ms, self._creator(item))
        for turn in turns:
            yield from self._turn(turn)

    def _turn(self, turn: RecordedTurn) -> Iterator[Step]:
        spoken = [one for one in turn.inputs if one.has_sound]
        for one in turn.inputs:
            if not one.has_sound and (item := input_item(one)) is not None:
                yield Step(one.at_ms, self._creator(item))
        if spoken and self._mouth.detects:
            return
        last_ms = max((one.committed_ms or one.at_ms for one in turn.inputs), default=0.0)
        for one in spoken:
            committed_ms = one.committed_ms if one.committed_ms is not None else one.at_ms
            yield Step(committed_ms, self._sender({"type": "input_audio_buffer.commit"}))
        asked_ms = turn.asked_ms if turn.asked_ms is not None else last_ms
        yield Step(asked_ms, lambda: self._ask(turn.instructions))

    def stop_steps(self) -> Iterator[Step]:
        """Where the provider hears interruptions, they come from it."""
        if not self._mouth.detects:
            yield from (Step(at_ms, self._stop) for at_ms in self._call.stopped_ms)

    def _sender(self, event: Json) -> Callable[[], Awaitable[None]]:
        return lambda: self._exchange.send(event)

    def _creator(self, item: Json) -> Callable[[], Awaitable[None]]:
        return lambda: self._exchange.create(item)

    async def _ask(self, instructions: str | None) -> None:
        self._exchange.begin_turn()
        await self._exchange.ask({"instructions": instructions} if instructions else None)

    async def _stop(self) -> None:
        if self._exchange.is_playing or not self._exchange.is_settled:
            await self._stop_playing(self._exchange.waiting_items())

    async def _stop_playing(self, cut: Sequence[Heard]) -> None:
        self.interruptions += 1
        truncates = self._call.truncates or not self._call.cancels
        await self._exchange.stop_playing(cut if truncates else (), cancel=self._call.cancels)

    # While it plays

    def hear_speech(self) -> None:
        """What was heard is known now: the provider cancels the response in the same moment."""
        self._cut = self._cut or self._exchange.waiting_items()

    async def until(self, due: float) -> None:
        """Waits, and does meanwhile what the provider's events ask a client for."""
        while True:
            await self._attend()
            left = due - time.monotonic()
            if left <= 0:
                return
            await self._exchange.within(lambda: bool(self._cut) or self._unasked, left)

    @property
    def _unasked(self) -> bool:
        detects_only = self._mouth.detects and not self._mouth.answers
        return detects_only and len(self._exchange.committed) > self._asked_for

    async def _attend(self) -> None:
        if cut := self._cut:
            self._cut = []
            await self._stop_playing(cut)
        if self._unasked:
            self._asked_for = len(self._exchange.committed)
            await self._ask(None)

    async def end(self) -> None:
        """Until the last turn is answered and heard."""
        if self._mouth.detects:
            quiet = sound.append(sound.silence(self._exchange.heard.layout.input_format, _ENDING_MS))
            for number in range(_MOST_ENDINGS):
                if number >= _LEAST_ENDINGS and not self._exchange.speaking:
                    break
                await self._exchange.send(quiet)
                await self.until(time.monotonic() + _ENDING_MS / 1000)
        if self._exchange.unanswered and self._mouth.answers:
            await self._mouth.answered()
        await self._exchange.settle()
        await self._exchange.played()
