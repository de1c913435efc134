"""What one side's lines sound like to a model that transcribes, compared with the words that the provider
gave for them: a session in, scores with the seconds that differ out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from voxgate.evals import spoken_words, wording
from voxgate.evals.asking import NoAnswer
from voxgate.evals.fidelity import Block, Compared, compare_words
from voxgate.evals.model import Evidence, Json, Score
from voxgate.evals.reading import Line, Role
from voxgate.evals.returned import Manner
from voxgate.evals.scoring import FunctionScorer, scorer
from voxgate.evals.session import Session
from voxgate.evals.transcribing import Ears, Heard

TIMEOUT_SECONDS: Final = 900.0
_MARGIN_MS: Final = 250.0
_MOST_TOLD: Final = 8


@dataclass(frozen=True, slots=True)
class HeardLine:
    line: Line
    compared: Compared
    cost_usd: float | None

    def evidence(self, block: Block) -> Evidence:
        """As if all words took the same time."""
        line, words = self.line, max(self.compared.words, 1)
        per_word = (line.end_ms - line.start_ms) / words
        start = line.start_ms + block.first * per_word - _MARGIN_MS
        end = line.start_ms + max(block.last, block.first + 1) * per_word + _MARGIN_MS
        return Evidence(max(start, line.start_ms), max(min(end, line.end_ms), line.start_ms), line.span_id)


async def heard_lines(session: Session, of: Role, ears: Ears) -> tuple[list[HeardLine], list[str], int]:
    """Those of a side whose sound was recorded; why others were not heard; and how many there are in all."""
    lines = [line for line in session.lines if line.role == of and line.is_spoken]
    room = asyncio.Semaphore(ears.model.wanted.concurrency)  # of a long call not all its sound at once
    heard = (_heard(session, line, ears, room) for line in lines)
    answers = await asyncio.gather(*heard, return_exceptions=True)
    found, failed = list[HeardLine](), list[str]()
    for line, answer in zip(lines, answers, strict=True):
        if isinstance(answer, NoAnswer):
            failed.append(answer.message)
        elif isinstance(answer, BaseException):
            raise answer
        elif answer is not None:
            found.append(HeardLine(line, _compared(line, of, answer), answer.cost_usd))
    return found, failed, len(lines)


async def _heard(session: Session, line: Line, ears: Ears, room: asyncio.Semaphore) -> Heard | None:
    """None where its sound was not recorded."""
    async with room:
        sound = session.clip(line.span_id, "user" if line.role == "user" else "heard")
        return await ears.hear(sound) if len(sound.samples) else None


def _compared(line: Line, of: Role, heard: Heard) -> Compared:
    """What the assistant's transcript says is what should be heard; of the user what a better model hears is
    what the transcript should say."""
    if of == "user":
        return compare_words(heard.text, line.text)
    is_cut = line.heard_text is not None and line.heard_text != line.text
    return compare_words(str(line.heard_text) if is_cut else line.text, heard.text, is_cut=is_cut)


def transcript_scorer(of: Role, ears: Ears, name: str, version: str) -> FunctionScorer:
    """A scorer of how true the transcript of a side is to its sound."""
    normalisation = f"{wording.VERSION}, spoken words {spoken_words.VERSION}"
    params = {**ears.params(), "normalisation": normalisation}
    manner = Manner(name, "min", "share", version, params)

    async def compared(session: Session) -> list[Score]:
        return await difference_in_words(session, of, ears, manner)

    made = scorer(
        name=name,
        direction="min",
        unit="share",
        version=version,
        params=params,
        timeout_seconds=TIMEOUT_SECONDS,
    )
    return made(compared)


async def difference_in_words(session: Session, of: Role, ears: Ears, manner: Manner) -> list[Score]:
    """Two scores: the word error rate over all lines, with what it cost, and `NAME.entities`, the share of
    numbers and names that are the same."""
    found, failed, lines = await heard_lines(session, of, ears)
    params = {**manner.params, "cost_usd": _sum([one.cost_usd for one in found])}
    if failed:
        params["not_transcribed"] = len(failed)
    reason = _why_none(found, failed, lines, of)
    entities = {"name": f"{manner.name}.entities", "unit": "share", "direction": "max"}
    if reason is not None:
        missing: Json = {"n": 0, "reason_missing": reason}
        return [manner.score(None, **missing, params=params), manner.score(None, **entities, **missing)]
    return [_errors(found, manner, params), _entities(found, manner, entities)]


def _why_none(found: Sequence[HeardLine], failed: Sequence[str], lines: int, of: Role) -> str | None:
    if not lines:
        return f"there are no spoken words of the {of}"
    if not found:
        return f"nothing was transcribed: {failed[0]}" if failed else f"there is no sound of the {of}"
    if not sum(one.compared.words + one.compared.errors for one in found):
        return "there are no words in it"
    return None


def _errors(found: Sequence[HeardLine], manner: Manner, params: Json) -> Score:
    words = sum(one.compared.words for one in found)
    errors = sum(one.compared.errors for one in found)
    places = [(one, block) for one in found for block in one.compared.blocks]
    return manner.score(
        errors / words if words else 1.0,
        n=words,
        evidence=tuple(one.evidence(block) for one, block in places),
        explanation=_told([block for _, block in places]) or "no difference",
        params=params,
    )


def _entities(found: Sequence[HeardLine], manner: Manner, more: Json) -> Score:
    count = sum(one.compared.entities for one in found)
    if not count:
        reason = "there is no number and no name in it"
        return manner.score(None, n=0, reason_missing=reason, **more)
    wrong = [(one, block) for one in found for block in one.compared.wrong_entities]
    return manner.score(
        1 - len(wrong) / count,
        n=count,
        evidence=tuple(one.evidence(block) for one, block in wrong),
        explanation=_told([block for _, block in wrong]) or "all numbers and names are the same",
        **more,
    )


def _told(blocks: Sequence[Block]) -> str:
    told = [f"{block.wanted or 'nothing'} → {block.heard or 'nothing'}" for block in blocks[:_MOST_TOLD]]
    rest = len(blocks) - len(told)
    return "; ".join([*told, f"and {rest} more"] if rest > 0 else told)


def _sum(costs: Sequence[Any]) -> float | None:
    known = [cost for cost in costs if cost is not None]
    return sum(known) if len(known) == len(costs) else None
