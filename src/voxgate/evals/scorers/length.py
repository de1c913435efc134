"""How long what one side says at one go is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

from voxgate.evals.model import Json
from voxgate.evals.produced import Said, evidence_in, lines_of, nothing_said
from voxgate.evals.protocols import Subject
from voxgate.evals.reading import Role, known_role
from voxgate.evals.returned import Finding, not_measured
from voxgate.evals.scoring import FunctionScorer, scorer
from voxgate.evals.wording import words

Count = Literal["words", "characters", "seconds"]


def _seconds(line: Said) -> float:
    return (line.evidence.end_ms - line.evidence.start_ms) / 1000 if line.evidence is not None else 0.0


_COUNTS: Final[dict[str, Callable[[Said], float]]] = {
    "words": lambda line: float(len(words(line.text))),
    "characters": lambda line: float(len(line.text.strip())),
    "seconds": _seconds,
}


def length(
    count: Count = "words",
    of: Role = "assistant",
    at_most: float | None = None,
    heard: bool = False,
    name: str | None = None,
) -> FunctionScorer:
    """The mean length of a line of one side. With `at_most` the share of lines that are no longer, called
    `length_within`. `seconds`: from the first of its sound to the last that was heard; null without a
    recorded call. Less is better. Evidence: the longest line; with `at_most` those that are longer."""
    if count not in _COUNTS:
        raise ValueError(f"count is one of {', '.join(_COUNTS)}, not {count!r}")

    def measured(subject: Subject) -> Finding:
        lines = lines_of(subject, of, heard=heard)
        if not lines:
            return not_measured(nothing_said(of))
        if count == "seconds" and subject.session is None:
            return not_measured("the task made no recorded call to look at")
        sizes = [_COUNTS[count](line) for line in lines]
        if at_most is None:
            longest = lines[sizes.index(max(sizes))]
            told = f"the longest has {max(sizes):g} {count}"
            return Finding(sum(sizes) / len(sizes), len(sizes), evidence_in([longest]), told)
        longer = [line for line, size in zip(lines, sizes, strict=True) if size > at_most]
        return Finding(1 - len(longer) / len(lines), len(lines), evidence_in(longer))

    params: Json = {"count": count, "of": known_role(of), "heard": heard}
    if at_most is None:
        return scorer(name=name or "length", direction="min", unit=count, version="1", params=params)(
            measured
        )
    params["at_most"] = at_most
    return scorer(name=name or "length_within", unit="share", version="1", params=params)(measured)
