"""Plays a script to one live client: its messages and the time in, the provider's messages out. Pure.

receive(text, now)   a message of the client; what it is told at once comes back
due(now)             the provider's messages whose time has come
next_at              when the next one is due; None as long as the client has to do something first
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from voxgate.core.errors import InvalidEvent, ReplayDiverged, VoxgateError
from voxgate.core.ids import new_id
from voxgate.evals.playback.matching import Matcher, Matching, difference
from voxgate.evals.playback.rewriting import Rewriter
from voxgate.evals.playback.script import APPEND, Json, Script, Sent, name_of_message, shown
from voxgate.evals.playback.sound import SoundCount
from voxgate.traces.events import CLIENT, Event, name_of

_MOST_EXPECTED: Final = 3
_ROUNDING_MS: Final = 1.0
_NS: Final = 1e9

ReadMessage = Callable[[int], Json]
"""The message at that line of the event log."""


@dataclass(slots=True)
class _State:
    """Of a step: how much it waits for, and how far it is."""

    unmet: int
    first: int
    """Its first message's place in the script."""
    due_at: float = 0.0
    """Of its next message, as far as is known."""
    played: int = 0
    followers: list[int] = field(default_factory=list)
    """Steps that begin behind some of its messages, the first to begin last."""


class Player:
    """`speed` divides the recorded pauses; None leaves none."""

    def __init__(
        self, script: Script, read: ReadMessage, *, speed: float | None = 1.0, matching: Matching = "strict"
    ) -> None:
        self.diverged: list[str] = []
        """What the client was told because the recording has no answer to what it sent."""
        self._script = script
        self._read = read
        self._speed = speed
        self._matching = matching
        self._sound = SoundCount()
        self._rewriter = Rewriter()
        self._matcher = Matcher(script, self._is_begun)
        self._states = [_State(0, step.answers[0] if step.answers else -1) for step in script.steps]
        self._ready: set[int] = set()
        self._by_message: dict[int, list[int]] = {}
        self._by_sound: list[int] = []
        self._begun: set[str] = set()

    def open(self, now: float) -> None:
        """The client is there."""
        for number, step in enumerate(self._script.steps):
            state = self._states[number]
            if state.first < 0:
                continue
            state.unmet = len(step.after)
            state.due_at = now if step.after or step.message or step.sound else now + self._pause(0, number)
            for before in step.after:
                self._states[before].followers.append(number)
            if step.message is not None:
                self._by_message.setdefault(step.message.number, []).append(number)
                state.unmet += 1
            elif step.sound is not None:
                self._by_sound.append(number)
                state.unmet += 1
            if not state.unmet:
                self._ready.add(number)
        for state in self._states:
            state.followers.sort(key=lambda number: -self._states[number].first)
        self._by_sound.reverse()

    # The client

    def receive(self, text: str | bytes, now: float) -> list[VoxgateError]:
        """What the client is told; with a strict matching that is the end of the call."""
        try:
            msg: Any = orjson.loads(text)
        except orjson.JSONDecodeError:
            return [InvalidEvent("The message is no JSON object.")]
        if not isinstance(msg, dict):
            return [InvalidEvent("The message is no JSON object.")]
        name = Event(0, CLIENT, msg).type or name_of_message(msg)
        self._sound.client(name, msg)
        self._hear(now)
        return [] if name == APPEND else self._take(name, msg, now)

    def _take(self, name: str, msg: Json, now: float) -> list[VoxgateError]:
        sent = self._matcher.find(name, msg, self._rewriter.recorded_item_id(msg))
        if sent is None:
            return [self._diverge(f"The recording has no answer to {shown(name, msg)}.", msg)]
        found = difference(sent, msg) if self._matching == "strict" else None
        self._rewriter.learn(sent, msg)
        for step in self._by_message.pop(sent.number, ()):
            self._meet(step, sent.t_ns, now)
        return [self._diverge(f"{shown(name, msg)} is not the recorded one: {found}.", msg)] if found else []

    def _hear(self, now: float) -> None:
        epoch, ms = self._sound.total
        while self._by_sound:
            wanted = self._script.steps[self._by_sound[-1]].sound
            assert wanted is not None
            if (epoch, ms + _ROUNDING_MS) < wanted:
                return
            number = self._by_sound.pop()
            self._meet(number, self._script.steps[number].cause_ns, now)

    def _diverge(self, what: str, msg: Json) -> ReplayDiverged:
        expected = list(self._expected())
        told = f"{what} What it expects next: {'; or '.join(expected) or 'nothing more'}."
        self.diverged.append(told)
        return ReplayDiverged(told, event_id=name_of(msg, "event_id"))

    def _expected(self) -> Iterator[str]:
        """What only the client is missing for, the first first."""
        if self._ready:
            yield "that what it plays now is waited for"
        waiting = [
            number
            for number, step in enumerate(self._script.steps)
            if self._states[number].unmet == 1 and self._is_owed(number, step.message)
        ]
        for number in sorted(waiting, key=lambda number: self._states[number].first)[:_MOST_EXPECTED]:
            yield self._shown(number)

    def _is_owed(self, number: int, message: Sent | None) -> bool:
        return message.number in self._by_message if message is not None else number in self._by_sound

    def _shown(self, number: int) -> str:
        step, (epoch, ms) = self._script.steps[number], self._sound.total
        if step.sound is None:
            return str(step)
        missing = step.sound.ms - (ms if epoch == step.sound.epoch else 0.0)
        return f"{missing:,.0f} ms more of sound (then {step.name})"

    # The provider

    @property
    def next_at(self) -> float | None:
        return min((self._states[number].due_at for number in self._ready), default=None)

    @property
    def missing(self) -> list[str]:
        """What the client has not done although the recorded one did."""
        left = (
            number for number, step in enumerate(self._script.steps) if self._is_owed(number, step.message)
        )
        return [self._shown(number) for number in left]

    @property
    def is_over(self) -> bool:
        """Whether all is played."""
        steps = zip(self._states, self._script.steps, strict=True)
        return all(state.played == len(step.answers) for state, step in steps)

    def due(self, now: float) -> Iterator[bytes]:
        """As many as the caller takes: each counts as sent when the next one is asked for."""
        while self._ready:
            number = min(self._ready, key=self._place)
            if self._states[number].due_at > now:
                return
            yield self._play(number, now)

    def _place(self, number: int) -> tuple[float, int]:
        state = self._states[number]
        due_at = state.due_at if self._speed is not None else 0.0
        return due_at, self._script.steps[number].answers[state.played]

    def _play(self, number: int, now: float) -> bytes:
        step, state = self._script.steps[number], self._states[number]
        answer = self._script.answers[step.answers[state.played]]
        played_at = state.due_at if self._speed is not None else now
        state.played += 1
        following = step.answers[state.played] if state.played < len(step.answers) else None
        if following is None:
            self._ready.discard(number)
        else:
            state.due_at = played_at + self._pause(answer.t_ns, number)
        while state.followers and (following is None or self._states[state.followers[-1]].first < following):
            self._meet(state.followers.pop(), answer.t_ns, played_at)
        return self._message(answer.line)

    def _message(self, line: int) -> bytes:
        msg = self._read(line)
        self._sound.server(name_of_message(msg), msg)
        if msg.get("type") == "response.created":
            self._begun.add(str((msg.get("response") or {}).get("id")))
        return orjson.dumps(self._rewriter.live(msg))

    def _is_begun(self, response_id: str) -> bool:
        return response_id in self._begun

    def _meet(self, number: int, cause_ns: int, now: float) -> None:
        """One of the things that the step waits for has happened."""
        state = self._states[number]
        state.unmet -= 1
        state.due_at = max(state.due_at, now + self._pause(cause_ns, number))
        if not state.unmet:
            self._ready.add(number)

    def _pause(self, from_ns: int, number: int) -> float:
        """Until the step's next message, from a moment of the recording on."""
        state, answers = self._states[number], self._script.steps[number].answers
        if self._speed is None:
            return 0.0
        until_ns = self._script.answers[answers[state.played]].t_ns
        return max(0.0, (until_ns - from_ns) / _NS / self._speed)


def event_of(error: VoxgateError) -> bytes:
    """The `error` event that tells a client."""
    return orjson.dumps(error.event(new_id("event")))
