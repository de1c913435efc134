"""How the two sides take turns: segments of voice in, rates and times out, by the formulas of
docs/metrics.md. No model is asked; words only tell a backchannel ("mm-hmm") and a goodbye from a turn that
wants an answer.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, NamedTuple

from voxgate.traces.sound import Interval, common, gaps, merged, total

TURN_GAP_MS: Final = 1000.0
"""The user goes on after a pause as long as this, unless the assistant began meanwhile: one turn."""
DEADLINE_MS: Final = 5000.0
YIELD_MS: Final = 2000.0
DEAD_AIR_MS: Final = 3000.0
BACKCHANNEL_MS: Final = 700.0
"""As long as speech into the assistant's may be that it talks through, where nobody wrote down the words."""
_EDGE_MS: Final = 50.0
"""What sounds until so shortly before the end of the call was cut off by it."""
_BACKCHANNEL_WORDS: Final = 2
_BACKCHANNEL_TEXT: Final = """
    mm mmm hm hmm mhm mmhm mmhmm mm-hm mm-hmm uhhuh uh-huh uh huh ah aha oh okay ok yeah yep yes yup right
    sure see i good great fine cool really wow ja jaha genau gut oui si sí claro vale
"""
_GOODBYE_TEXT: Final = """
    bye goodbye bye-bye byebye goodnight farewell tschüss tschüß ciao adios adiós arrivederci
"""
_BACKCHANNELS: Final = frozenset(_BACKCHANNEL_TEXT.split())
_GOODBYES: Final = frozenset(_GOODBYE_TEXT.split())
_WORD: Final = re.compile(r"[\w'-]+")


class Said(NamedTuple):
    """What the provider wrote down of an interval of the user's speech; None: nobody wrote it down."""

    start_ms: float
    end_ms: float
    text: str | None


@dataclass(frozen=True, slots=True)
class Turn:
    start_ms: float
    end_ms: float
    is_backchannel: bool = False
    is_closing: bool = False


@dataclass(slots=True)
class TurnTaking:
    """What a call's segments come to. Rates are None where there was nothing to count."""

    responses: list[float] = field(default_factory=list)
    """`agent_start - user_end` of the answered turns."""
    yields: list[float] = field(default_factory=list)
    """How long the assistant went on, where it did stop."""
    response_rate: float | None = None
    yield_rate: float | None = None
    agent_interruption_rate: float | None = None
    reprompt_rate: float | None = None
    missed_last_turn: int | None = None


def is_backchannel(text: str) -> bool:
    """Nothing, or a word or two that ask for nothing."""
    words = words_of(text)
    return len(words) <= _BACKCHANNEL_WORDS and _BACKCHANNELS.issuperset(words)


def words_of(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def user_turns(user: Sequence[Interval], heard: Sequence[Interval], said: Sequence[Said]) -> list[Turn]:
    starts = [start for start, _ in heard]
    joined: list[Interval] = []
    for start, end in user:
        if joined and start - joined[-1][1] <= TURN_GAP_MS and not _any_within(starts, joined[-1][0], start):
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return [_turn(one, heard, said) for one in joined]


def _any_within(ordered: Sequence[float], from_ms: float, to_ms: float) -> bool:
    return bisect_left(ordered, from_ms) < bisect_left(ordered, to_ms)


def _turn(one: Interval, heard: Sequence[Interval], said: Sequence[Said]) -> Turn:
    start, end = one
    texts = [each.text for each in said if each.start_ms < end and each.end_ms > start]
    text = None if not texts or None in texts else " ".join(map(str, texts))
    into = _voiced_at(heard, start)
    if text is not None:
        is_closing = not _GOODBYES.isdisjoint(words_of(text))
        return Turn(start, end, into is not None and is_backchannel(text), is_closing)
    through = into is not None and into[1] > end
    return Turn(start, end, through and end - start <= BACKCHANNEL_MS)


def _voiced_at(segments: Sequence[Interval], at_ms: float) -> Interval | None:
    """The segment that began before and still sounds."""
    index = bisect_left(segments, (at_ms,)) - 1
    return segments[index] if index >= 0 and segments[index][1] > at_ms else None


def take_turns(
    user: Sequence[Interval], heard: Sequence[Interval], said: Sequence[Said], end_ms: float
) -> TurnTaking:
    turns = user_turns(user, heard, said)
    real = [turn for turn in turns if not turn.is_backchannel]
    eligible = [turn for turn in real if not turn.is_closing and _voiced_at(heard, turn.end_ms) is None]
    found = TurnTaking()
    _answers(found, eligible, heard, end_ms)
    _yields(found, real, heard, end_ms)
    into_user = sum(_voiced_at(user, start) is not None for start, _ in heard)
    if eligible:
        found.agent_interruption_rate = into_user / len(eligible)
    if real:
        starts = [start for start, _ in heard]
        again = sum(
            not _any_within(starts, before.start_ms, turn.start_ms) for before, turn in pairwise(real)
        )
        found.reprompt_rate = again / len(real)
        wanting = [turn for turn in real if not turn.is_closing]
        is_answered = not wanting or bool(heard and heard[-1][1] > wanting[-1].end_ms)
        found.missed_last_turn = int(not is_answered)
    return found


def _answers(found: TurnTaking, eligible: Sequence[Turn], heard: Sequence[Interval], end_ms: float) -> None:
    """Answered, missed or censored: what the end of the call cut off is neither."""
    starts, missed = [start for start, _ in heard], 0
    for position, turn in enumerate(eligible):
        deadline = turn.end_ms + DEADLINE_MS
        following = eligible[position + 1].start_ms if position + 1 < len(eligible) else None
        limit = deadline if following is None else min(deadline, following)
        index = bisect_left(starts, turn.end_ms)
        if index < len(starts) and starts[index] <= limit:
            found.responses.append(starts[index] - turn.end_ms)
        elif limit <= end_ms:
            missed += 1
    if found.responses or missed:
        found.response_rate = len(found.responses) / (len(found.responses) + missed)


def _yields(found: TurnTaking, turns: Sequence[Turn], heard: Sequence[Interval], end_ms: float) -> None:
    """An answer that the end of the call cut short says nothing of yielding."""
    interrupted = 0
    for turn in turns:
        segment = _voiced_at(heard, turn.start_ms)
        if segment is None:
            continue
        went_on = segment[1] - turn.start_ms
        if went_on <= YIELD_MS and segment[1] < end_ms - _EDGE_MS:
            found.yields.append(went_on)
        elif turn.start_ms + YIELD_MS > end_ms:
            continue
        interrupted += 1
    found.yield_rate = len(found.yields) / interrupted if interrupted else None


# Silence and speaking at once


def talk_ratio(user: Sequence[Interval], heard: Sequence[Interval]) -> float | None:
    """The assistant's share of the speech."""
    spoken = total(user) + total(heard)
    return total(heard) / spoken if spoken else None


@dataclass(slots=True)
class DeadAir:
    """`total_ms` is the sum of the others: who should have spoken, or whether a tool was running."""

    total_ms: float = 0.0
    longest_ms: float = 0.0
    agent_ms: float = 0.0
    user_ms: float = 0.0
    tool_ms: float = 0.0


def dead_air(
    user: Sequence[Interval], heard: Sequence[Interval], tools: Sequence[Interval], end_ms: float
) -> DeadAir | None:
    """Silences of both longer than `DEAD_AIR_MS`, from the first voice to the end of the call. None if nobody
    spoke."""
    voiced = merged([*user, *heard])
    if not voiced:
        return None
    found = DeadAir()
    running = merged(tools)
    for start, end in gaps(voiced, voiced[0][0], end_ms):
        length = end - start
        if length <= DEAD_AIR_MS:
            continue
        found.total_ms += length
        found.longest_ms = max(found.longest_ms, length)
        if common([(start, end)], running):
            found.tool_ms += length
        elif _ended_last(user, start) > _ended_last(heard, start):
            found.agent_ms += length
        else:
            found.user_ms += length
    return found


def _ended_last(segments: Sequence[Interval], before_ms: float) -> float:
    """When the last segment that began before this time ended."""
    index = bisect_left(segments, (before_ms,)) - 1
    return segments[index][1] if index >= 0 else -1.0
