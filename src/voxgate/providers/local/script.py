"""The instructions that the brain in the box follows: lines of a script, and a user to be played.
Instructions in, what they ask for out; everything else in them is passed over.

    When you hear "refund", say: Refunds take five days.
    When you hear "order", call get_order_status.
    Never call refund_order.                    also: Never call any tool.

    User persona:                               then the brain plays this user of the other side's assistant
    - Order ID: ORD-1001
    - Goal: Get the status of the order.
    … reply with exactly the single token: END_CALL
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from voxgate.providers.local.words import stem, stems

_CUE: Final = re.compile(
    r"^[\W\d]*when(?:ever)? (?:you hear|(?:the )?(?:user|caller|customer) (?:says|asks(?: about| for)?))\s+"
    r"[\"“']?(?P<cue>[^\"”']+?)[\"”']?\s*[,:]\s*(?:then\s+)?(?P<act>say|call)\s*:?\s+(?P<what>.+?)\s*$",
    re.IGNORECASE,
)
_NEVER: Final = re.compile(
    r"\b(?:never|do not|don't) (?:call|use) (?P<what>any (?:tool|function)s?|\w+)", re.IGNORECASE
)
_PERSONA: Final = re.compile(r"^\W*(?:user )?persona\s*:\s*$", re.IGNORECASE)
_FACT: Final = re.compile(r"^\s*[-*]\s*(?P<name>[^:]{1,60}):\s*(?P<value>.+?)\s*$")
_TOKEN: Final = re.compile(r"\btoken:?\s+[\"'`]?([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*)")
_MANNERS: Final = frozenset({"style", "tone", "mood", "manner", "voice", "accent", "language"})
_ASKING: Final = re.compile(
    r"\?|\b(?:what|which|who|could you|can you|please|may i|tell me|give me|provide|need your)\b",
    re.IGNORECASE,
)
_BYE: Final = re.compile(r"\b(?:goodbye|bye)\b", re.IGNORECASE)
_WISHING: Final = frozenset(map(stem, ("get", "find", "ask", "learn", "know", "obtain", "receive", "latest")))
_ENOUGH: Final = 0.5
"""Of the words of the goal: so many must have been said for it to be reached."""


@dataclass(frozen=True, slots=True)
class Cue:
    """`tool` or `words`: what follows when all of the cue's words were said."""

    stems: frozenset[str]
    words: str | None = None
    tool: str | None = None


@dataclass(frozen=True, slots=True)
class Persona:
    facts: Mapping[str, str]
    goal: str
    end_token: str | None

    def says(self, heard: str) -> str:
        """To the assistant's words, which are empty before its first."""
        said = set(stems(heard))
        if _BYE.search(heard) or (said and self._is_satisfied(said)):
            return self.end_token or "Goodbye."
        if heard and _ASKING.search(heard) and (fact := self._asked_for(said)):
            return fact
        return self._wish()

    def _is_satisfied(self, said: set[str]) -> bool:
        wanted = {word for word in stems(self.goal) if word not in _WISHING}
        return bool(wanted) and len(wanted & said) / len(wanted) >= _ENOUGH

    def _asked_for(self, said: set[str]) -> str | None:
        found = [name for name in self.facts if (words := set(stems(name))) and words <= said]
        return " ".join(f"My {_lower(name)} is {self.facts[name]}." for name in found) or None

    def _wish(self) -> str:
        goal = self.goal.strip().rstrip(".") or "speak with you"
        return f"I would like to {goal[0].lower()}{goal[1:]}."


@dataclass(frozen=True, slots=True)
class Script:
    cues: Sequence[Cue] = ()
    forbidden: frozenset[str] = field(default_factory=frozenset)
    forbids_all: bool = False
    persona: Persona | None = None

    def cue_for(self, said: str) -> Cue | None:
        """The first whose words were all said."""
        heard = set(stems(said))
        return next((cue for cue in self.cues if cue.stems <= heard), None)

    def allowed(self, tools: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        if self.forbids_all:
            return []
        return [tool for tool in tools if tool.get("name") not in self.forbidden]


@lru_cache(maxsize=64)
def read_script(instructions: str) -> Script:
    lines = instructions.splitlines()
    never = [found["what"] for line in lines for found in _NEVER.finditer(line)]
    return Script(
        cues=[cue for line in lines if (cue := _cue(line))],
        forbidden=frozenset(never),
        forbids_all=any(" " in what for what in never),
        persona=_persona(lines, instructions),
    )


def _cue(line: str) -> Cue | None:
    found = _CUE.match(line)
    words = frozenset(stems(found["cue"])) if found else frozenset()
    if not found or not words:
        return None
    what = found["what"].strip().strip('"“”')
    if found["act"].lower() == "call":
        return Cue(words, tool=what.rstrip("."))
    return Cue(words, words=what)


def _persona(lines: Sequence[str], instructions: str) -> Persona | None:
    start = next((place for place, line in enumerate(lines) if _PERSONA.match(line)), None)
    if start is None:
        return None
    facts: dict[str, str] = {}
    for line in lines[start + 1 :]:
        found = _FACT.match(line)
        if found is None:
            break
        facts[found["name"].strip()] = found["value"]
    goal = next((facts.pop(name) for name in list(facts) if name.lower() == "goal"), "")
    known = {name: value for name, value in facts.items() if name.lower() not in _MANNERS}
    token = _TOKEN.search(instructions)
    return Persona(known, goal, token[1] if token else None)


def _lower(name: str) -> str:
    """`Order ID` as one says it in a sentence."""
    return " ".join(word if word.isupper() else word.lower() for word in name.split())
