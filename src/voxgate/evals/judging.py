"""A model that judges: a rubric and a call in, a score out. It votes as often as it is told to, and what it
answers is checked: the verdict must be a choice, the lines it cites must be there.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

import orjson

from voxgate.core.errors import InvalidRequest
from voxgate.evals.asking import Model, NoAnswer
from voxgate.evals.model import Json, Score
from voxgate.evals.prompting import Prompt
from voxgate.evals.protocols import Subject
from voxgate.evals.returned import Manner
from voxgate.evals.sheets import Sheet
from voxgate.evals.verdicts import Majority, Vote, majority_of, verdict_schema, vote_of
from voxgate.providers.refusals import Refusal

Manners = Literal["auto", "json_schema", "tool", "text"]
PASS_OR_FAIL: Final[Mapping[str, float]] = {"pass": 1.0, "fail": 0.0}
VERSION: Final = "1"
_LADDER: Final = ("json_schema", "tool", "text")
_MOST_VOTES: Final = 25
_TRIES_OF_A_VOTE: Final = 2
"""An answer that cannot be read is asked for once more."""
_LONGEST_CALL: Final = 400_000
"""Characters: about four hours."""
_OPTIONAL: Final = ("temperature", "seed")
_SLUG: Final = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Ruling:
    """What is asked, and how."""

    rubric: str
    choices: Mapping[str, float]
    votes: int
    temperature: float | None
    """None: 0 for one vote; several have to be able to differ."""
    seed: int | None
    output: Manners
    prompt: Prompt
    more: Json = field(default_factory=dict)
    """What else decides what comes out."""

    def __post_init__(self) -> None:
        if not self.rubric.strip():
            raise InvalidRequest(
                "The rubric is empty: say in words what a call must do to pass.", param="rubric"
            )
        if len(self.choices) < 2:
            raise InvalidRequest("A judge needs two choices at least.", param="choices")
        if not 1 <= self.votes <= _MOST_VOTES:
            raise InvalidRequest(f"votes must be from 1 to {_MOST_VOTES}, not {self.votes}.", param="votes")

    @property
    def warmth(self) -> float:
        return self.temperature if self.temperature is not None else (0.0 if self.votes == 1 else 0.7)

    def params(self, model: Model) -> Json:
        return {
            "rubric": self.rubric,
            "choices": dict(self.choices),
            "votes": self.votes,
            "model": model.name,
            "base_url": model.wanted.base_url,
            "temperature": self.warmth,
            "seed": self.seed,
            "output": self.output,
            "prompt": self.prompt.name,
            "prompt_version": self.prompt.version,
            **self.more,
        }


class Judge:
    """`manner` has the scores' name and parameters."""

    def __init__(self, model: Model, ruling: Ruling, manner: Manner) -> None:
        self._model = model
        self._ruling = ruling
        self._manner = manner
        self._output: Manners = "json_schema" if ruling.output == "auto" else ruling.output
        self._left_out: set[str] = set()
        """Parameters that the endpoint does not take."""

    async def scores(self, system: str, content: str | list[Json], sheet: Sheet) -> list[Score]:
        """`content` is the user's message: a text, or parts with sound."""
        if len(sheet.text) > _LONGEST_CALL:
            return [self._missing(f"the call is too long to be judged: {len(sheet.text)} characters")]
        messages: list[Json] = [
            {"role": "system", "content": system},
            {"role": "user", "content": content},
        ]
        asked = (self._vote(messages, number) for number in range(self._ruling.votes))
        return self._counted(await asyncio.gather(*asked), sheet)

    # Asking

    async def _vote(self, messages: Sequence[Json], number: int) -> Vote:
        vote = Vote(None, "it was not asked")
        usage: list[Json] = []
        cost: float | None = 0.0
        for attempt in range(_TRIES_OF_A_VOTE):
            try:
                vote = await self._ask(messages, number * _TRIES_OF_A_VOTE + attempt)
            except NoAnswer as error:
                return Vote(None, f"the judge did not answer: {error.message}", cost_usd=cost)
            usage.append(vote.usage)
            own = self._model.cost_usd(vote.usage)
            cost = None if own is None or cost is None else cost + own
            if not vote.is_bad:
                break
        return replace(vote, cost_usd=cost)

    async def _ask(self, messages: Sequence[Json], number: int) -> Vote:
        """As often as the endpoint refuses something that can be left out."""
        while True:
            left_out, output = set(self._left_out), self._output
            body = orjson.dumps(self._body(messages, number))
            try:
                answer = await self._model.post("/chat/completions", "application/json", body)
                return vote_of(answer, list(self._ruling.choices))
            except NoAnswer as error:
                if not self._can_do_without(error.refusal, left_out, output):
                    raise

    def _can_do_without(self, refusal: Refusal, left_out: set[str], output: Manners) -> bool:
        """Whether something was left out, by this vote or another one, that the endpoint did not take."""
        if refusal.status not in (400, 404, 415, 422, 501):
            return False
        if (self._left_out, self._output) != (left_out, output):
            return True
        words = f"{refusal.param or ''} {refusal.message}".casefold()
        for name in _OPTIONAL:
            if name in words and name not in self._left_out:
                self._left_out.add(name)
                return True
        if self._ruling.output != "auto" or output == _LADDER[-1] or not _is_about_the_output(words):
            return False
        self._output = "tool" if output == "json_schema" else "text"
        return True

    def _body(self, messages: Sequence[Json], number: int) -> Json:
        ruling = self._ruling
        seed = None if ruling.seed is None else ruling.seed + number
        optional = {"temperature": ruling.warmth, "seed": seed}
        body = {name: value for name, value in optional.items() if value is not None}
        body = {name: value for name, value in body.items() if name not in self._left_out}
        schema = verdict_schema(list(ruling.choices))
        return {"model": self._model.name, "messages": messages, **body, **_shape(self._output, schema)}

    # Counting

    def _counted(self, votes: Sequence[Vote], sheet: Sheet) -> list[Score]:
        valid = [vote for vote in votes if vote.label is not None]
        params = {**self._manner.params, **self._spent(votes)}
        if self._ruling.votes > 1:
            params["labels"] = [vote.label for vote in votes]
        if self._left_out:
            params["left_out"] = sorted(self._left_out)
        if not valid:
            return [self._missing(votes[0].reasons, params=params)]
        majority = majority_of([str(vote.label) for vote in valid], self._ruling.choices)
        score = self._score(majority, valid, sheet, params)
        if self._ruling.votes == 1:
            return [score]
        name = f"{self._manner.name}.agreement"
        agreement = self._manner.score(
            majority.agreement, name=name, n=majority.votes, unit="share", direction="max", source="judge"
        )
        return [score, agreement]

    def _score(self, majority: Majority, valid: Sequence[Vote], sheet: Sheet, params: Json) -> Score:
        agreeing = [vote for vote in valid if majority.label in (None, vote.label)]
        evidence, unknown = sheet.cited(one for vote in agreeing for one in vote.cited)
        if unknown:
            params["cited_unknown"] = unknown[:20]
        told = agreeing[0].reasons
        if self._ruling.votes > 1:
            count = sum(1 for vote in valid if vote.label == majority.label)
            what = (
                f"{count} of {self._ruling.votes} votes for {majority.label}" if majority.label else "a tie"
            )
            told = f"{what}: {told}"
        return self._manner.score(
            majority.value,
            n=majority.votes,
            label=majority.label,
            evidence=tuple(evidence),
            explanation=told,
            params=params,
            source="judge",
        )

    def _missing(self, reason: str, **more: Any) -> Score:
        return self._manner.missing(reason or "the judge gave no reason", source="judge", **more)

    @staticmethod
    def _spent(votes: Sequence[Vote]) -> Json:
        costs = [vote.cost_usd for vote in votes]
        known = [cost for cost in costs if cost is not None]
        return {"cost_usd": sum(known) if len(known) == len(costs) else None}


def values_for(ruling: Ruling, subject: Subject, sheet: Sheet, *, with_expected: bool) -> dict[str, str]:
    """What belongs in the places of a prompt."""
    expected = _expected(subject) if with_expected else ""
    choices = ", ".join(f"`{label}`" for label in ruling.choices)
    return {
        "rubric": ruling.rubric.strip(),
        "choices": choices,
        "expected": expected,
        "fence": sheet.fence(ruling.rubric),
        "call": sheet.text,
    }


def _expected(subject: Subject) -> str:
    """As the case has it; it was written by whoever made the data set."""
    told = {name: value for name, value in subject.case.expected.to_json().items() if value is not None}
    return f"What was expected of this call: {orjson.dumps(told, default=str).decode()}\n\n" if told else ""


def slug(rubric: str, what: str) -> str:
    """A name for the scores: that of a rubric in a few words."""
    found = _SLUG.sub("_", rubric.casefold()).strip("_")[:48].strip("_")
    return found if found and not found[0].isdigit() else f"{what}_{found}".strip("_")


def _shape(output: Manners, schema: Json) -> Json:
    if output == "json_schema":
        wanted = {"name": "verdict", "strict": True, "schema": schema}
        return {"response_format": {"type": "json_schema", "json_schema": wanted}}
    if output == "tool":
        function = {"name": "verdict", "description": "Your verdict on the call.", "parameters": schema}
        choice = {"type": "function", "function": {"name": "verdict"}}
        return {"tools": [{"type": "function", "function": function}], "tool_choice": choice}
    return {}


def _is_about_the_output(words: str) -> bool:
    return any(one in words for one in ("response_format", "json_schema", "schema", "tool", "structured"))
