"""Mode `turn`: what the model knew before the turn is put back as it was, then the turn is said. Of a whole
call, turn after turn: what was answered is taken out again and what had been answered is put in its place, so
that no turn diverges from the recording.
"""

from __future__ import annotations

from collections.abc import Sequence

from voxgate.evals.protocols import TaskError
from voxgate.evals.replay import sound
from voxgate.evals.replay.context import Rebuilt, rebuild
from voxgate.evals.replay.exchange import Exchange
from voxgate.evals.replay.recorded import RecordedCall, RecordedTurn, Spoken
from voxgate.evals.replay.taking import Mouth, take_turn
from voxgate.traces.events import Json
from voxgate.traces.responses import Response


async def replay_turn(mouth: Mouth, call: RecordedCall, number: int) -> Rebuilt:
    """What was put back; TaskError if the call has no such turn."""
    turn = turn_of(call, number)
    known = await put_back(mouth, call, turn.context)
    await _take(mouth, call, turn)
    return known


async def replay_each_turn(mouth: Mouth, call: RecordedCall) -> Rebuilt:
    """All of them in one session. What was put back in all."""
    known, present, answered = Rebuilt(), set[str](), 0
    exchange = mouth.exchange
    for number, turn in enumerate(takeable(call)):
        if number:
            await _take_out(exchange, exchange.responses[answered:])
        missing = [item_id for item_id in turn.context if item_id not in present]
        known.extend(await put_back(mouth, call, missing))
        answered = len(exchange.responses)
        await _take(mouth, call, turn)
        present.update(turn.context, (one.item_id for one in turn.inputs if one.item_id))
    return known


def turn_of(call: RecordedCall, number: int) -> RecordedTurn:
    """From 0. People count from 1."""
    if not 0 <= number < len(call.turns):
        there = len(call.turns)
        turns = "1 turn" if there == 1 else f"{there} turns"
        raise TaskError(f"There is no turn {number + 1}: the recording has {turns}.", retryable=False)
    turn = call.turns[number]
    if not turn.can_be_taken:
        raise TaskError(f"Turn {number + 1} of the recording has no input.", retryable=False)
    return turn


def takeable(call: RecordedCall) -> list[RecordedTurn]:
    found = [turn for turn in call.turns if turn.can_be_taken]
    if not found:
        raise TaskError("The recording has no turn with an input.", retryable=False)
    return found


async def put_back(mouth: Mouth, call: RecordedCall, item_ids: Sequence[str]) -> Rebuilt:
    def sounding(spoken: Spoken) -> Json | None:
        if not spoken.has_sound:
            return None
        to = mouth.exchange.heard.layout.input_format
        return sound.input_audio(sound.encode(call.sound(spoken), call.rate, to))

    known = rebuild(call, item_ids, sounding, prefer_sound=mouth.plan.history == "audio")
    for item in known.items:
        await mouth.exchange.create(item)
    return known


async def _take(mouth: Mouth, call: RecordedCall, turn: RecordedTurn) -> None:
    own_words = None if mouth.plan.instructions is not None and turn.inputs else turn.instructions
    if not await take_turn(mouth, call, turn.inputs, own_words):
        mouth.exchange.notes.append(f"turn {turn.number} was not answered")
    await mouth.hear_out()


async def _take_out(exchange: Exchange, responses: Sequence[Response]) -> None:
    """What was answered, and what the tools answered to that."""
    conversation = exchange.heard.conversation
    made = {item_id for one in responses for item_id in one.item_ids}
    called = {tool.call_id for one in responses for tool in one.tools}
    for item_id in list(conversation.order):
        item = conversation.items[item_id]
        if item_id in made or (item.type == "function_call_output" and item.call_id in called):
            await exchange.send({"type": "conversation.item.delete", "item_id": item_id})
