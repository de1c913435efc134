"""Mode `simulate`: a model plays the user of a scenario in a session of its own, and hears and speaks to the
assistant under test in another. What one says is the other's input, as sound, turn by turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from voxgate.audio.pcm import TrackDecoder, to_samples
from voxgate.evals.model import Json
from voxgate.evals.replay.exchange import Exchange
from voxgate.evals.replay.taking import Mouth, Speech
from voxgate.evals.scenario import Scenario
from voxgate.traces.formats import AudioFormat
from voxgate.traces.responses import Response

Ending = Literal["end_token", "max_turns", "silence"]
_SAY: Final = "Say exactly: {words}"


@dataclass(slots=True)
class Said:
    """What one side said in its turn: words, and the sound where it was spoken."""

    words: str
    sound: bytes
    format: AudioFormat

    @property
    def speech(self) -> Speech:
        decoder = TrackDecoder(self.format.rate)
        frames = len(self.sound) // self.format.sample_bytes
        track = decoder.feed(self.format.kind, self.format.rate, self.sound, frames) + decoder.flush()
        return Speech(to_samples(track), self.format.rate)


@dataclass(slots=True)
class Simulated:
    ended: Ending = "max_turns"
    dialogue: list[Json] = field(default_factory=list)

    def add(self, speaker: str, words: str) -> None:
        self.dialogue.append({"speaker": speaker, "text": words})


async def simulate(scenario: Scenario, assistant: Mouth, user: Mouth) -> Simulated:
    """Both sessions are configured. Ends at the end token, at the turn limit, or when a side says nothing."""
    found = Simulated()
    for one in (assistant, user):
        one.exchange.keeps_sound = True
    said = await _first(scenario, user)
    for number in range(scenario.max_turns):
        if scenario.is_end(said.words):
            found.ended = "end_token"
            return found
        found.add("user", said.words)
        answer = await _turn(assistant, said)
        found.add("assistant", answer.words)
        if number + 1 == scenario.max_turns:
            return found
        said = await _turn(user, answer)
        if not said.words and not said.sound:
            found.ended = "silence"
            return found
    return found


async def _first(scenario: Scenario, user: Mouth) -> Said:
    """The fixed first words, spoken by the one who plays the user."""
    words = scenario.first_turn
    await user.exchange.ask({"instructions": _SAY.format(words=words)} if words else None)
    await user.exchange.settle()
    return await _said(user, user.exchange.responses)


async def _turn(mouth: Mouth, said: Said) -> Said:
    """What is answered to it."""
    exchange = mouth.exchange
    exchange.begin_turn()
    before = len(exchange.responses)
    if said.sound:
        answers_itself = await mouth.speak(said.speech)
    else:
        content = [{"type": "input_text", "text": said.words or "…"}]
        await mouth.write({"type": "message", "role": "user", "content": content})
        answers_itself = False
    if answers_itself:
        await mouth.answered()
    else:
        await exchange.ask()
        await exchange.settle()
    return await _said(mouth, exchange.responses[before:])


async def _said(mouth: Mouth, responses: Sequence[Response]) -> Said:
    await mouth.hear_out()
    words = " ".join(one.transcript or one.text for one in responses if one.transcript or one.text)
    exchange: Exchange = mouth.exchange
    return Said(words, exchange.spoken_by(responses), exchange.heard.layout.output_format)
