"""Whether numbers, ids, e-mail addresses, dates and names are said right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any, Final

from voxgate.evals.entities import VERSION, Entity, compact, read_entity
from voxgate.evals.produced import Said, evidence_in, lines_of, nothing_said
from voxgate.evals.protocols import Subject
from voxgate.evals.reading import Role, known_role
from voxgate.evals.returned import Finding, not_measured
from voxgate.evals.scoring import FunctionScorer, scorer

_NEAR: Final = 0.5
"""Of its letters and digits in a row: then it is likely to be what was meant."""


def entity_accuracy(
    entities: Sequence[Any] | None = None,
    of: Role = "assistant",
    heard: bool = False,
    name: str = "entity_accuracy",
) -> FunctionScorer:
    """The expected entities that one side said / all of them. They are `entities`, or in the case's expected
    value under `entities`: values, whose kind is guessed, or `{"type", "value"}` with `number`, `id`,
    `email`, `date` or `name`. Spoken forms count: digits one by one, `double five`, `twenty three`, `at` and
    `dot`, the spelling alphabet, `the fifth of March`; a date without its year; numbers without their sign;
    names without their accents. An entity lies within one line. Evidence: lines that have at least half of
    one that was not said right; the explanation names those."""
    own = None if entities is None else [read_entity(one) for one in entities]

    def measured(subject: Subject) -> Finding:
        try:
            wanted = own if own is not None else _expected(subject.case.expected.value)
        except ValueError as error:
            return not_measured(f"the case's entities cannot be read: {error}")
        if not wanted:
            return not_measured("the case names no entities")
        lines = lines_of(subject, of, heard=heard)
        if not lines:
            return not_measured(nothing_said(of))
        return _finding(wanted, lines)

    params: dict[str, Any] = {"of": known_role(of), "heard": heard, "reading": VERSION}
    if entities is not None:
        params["entities"] = list(entities)
    return scorer(name=name, unit="share", version="1", params=params)(measured)


def _expected(value: Any) -> list[Entity]:
    found = value.get("entities") if isinstance(value, Mapping) else None
    return [read_entity(one) for one in found] if isinstance(found, list | tuple) else []


def _finding(wanted: Sequence[Entity], lines: Sequence[Said]) -> Finding:
    wrong = [one for one in wanted if not any(one.is_in(line.text) for line in lines)]
    near = {at for one in wrong if (at := _nearest(one, lines)) is not None}
    told = (
        "not said: " + ", ".join(f"{one.value} ({one.kind})" for one in wrong) if wrong else "all were said"
    )
    value = 1 - len(wrong) / len(wanted)
    return Finding(value, len(wanted), evidence_in(lines[at] for at in sorted(near)), told)


def _nearest(one: Entity, lines: Sequence[Said]) -> int | None:
    code = compact(one.value)
    found = [_longest_common(code, compact(line.text)) for line in lines]
    best = max(found)
    return found.index(best) if best >= _NEAR * len(code) else None


def _longest_common(one: str, other: str) -> int:
    return SequenceMatcher(None, one, other, autojunk=False).find_longest_match().size
