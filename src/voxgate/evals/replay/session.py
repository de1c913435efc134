"""Mode `session`: the user says everything again, each turn when the assistant has finished with the one
before. Where it did something else than in the recording, the conversation has diverged, which is told.
"""

from __future__ import annotations

from collections.abc import Sequence

from voxgate.evals.arguments import canonical, parsed
from voxgate.evals.model import Json
from voxgate.evals.replay.recorded import RecordedCall, RecordedTurn
from voxgate.evals.replay.taking import Mouth, take_turn
from voxgate.evals.replay.turn import put_back, takeable
from voxgate.traces.responses import ToolCall


async def replay_session(mouth: Mouth, call: RecordedCall) -> list[Json]:
    """Where it diverged, turn by turn; empty if nowhere."""
    exchange, diverged = mouth.exchange, list[Json]()
    brought = set[str]()
    for turn in takeable(call):
        news = [one for one in turn.context if one in call.brought and one not in brought]
        brought.update(news)
        await put_back(mouth, call, news)
        responses, commits = len(exchange.responses), len(exchange.committed)
        answered = await take_turn(mouth, call, turn.inputs, turn.instructions)
        await mouth.hear_out()
        calls = [tool for one in exchange.responses[responses:] for tool in one.tools]
        heard = len(exchange.committed) - commits
        diverged += differences(turn, calls, heard=heard, answered=answered)
    return diverged


def differences(
    turn: RecordedTurn, calls: Sequence[ToolCall], *, heard: int, answered: bool = True
) -> list[Json]:
    """Between a turn then and now. `heard`: how many turns the provider made of it."""
    found: list[Json] = []
    then, now = _shown(turn.calls), _shown(calls)
    if [_key(one) for one in then] != [_key(one) for one in now]:
        found.append({"turn": turn.number, "what": "tool_calls", "then": then, "now": now})
    spoken = sum(1 for one in turn.inputs if one.has_sound)
    if heard != spoken:
        found.append({"turn": turn.number, "what": "turns", "then": spoken, "now": heard})
    if not answered:
        found.append(
            {"turn": turn.number, "what": "answer", "then": bool(turn.said or turn.calls), "now": False}
        )
    return found


def _shown(calls: Sequence[ToolCall]) -> list[Json]:
    return [{"name": one.name, "arguments": parsed(one.arguments)} for one in calls]


def _key(one: Json) -> tuple[str, str]:
    return one["name"], canonical(one["arguments"])
