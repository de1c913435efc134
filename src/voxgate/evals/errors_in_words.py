"""How many errors one side's words have against a reference: what `wer` and `cer` have in common. A subject
in, a finding out, with the lines that have errors as evidence.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Final, Literal

from voxgate.evals.produced import Said, evidence_in, lines_of, nothing_said
from voxgate.evals.protocols import Subject
from voxgate.evals.reading import Role, known_role
from voxgate.evals.returned import Finding, not_measured
from voxgate.evals.scoring import FunctionScorer, scorer
from voxgate.evals.wording import VERSION, Alignment, Unit, align, normalised

Reference = Literal["expected", "input", "user"]
REFERENCES: Final[tuple[Reference, ...]] = ("expected", "input", "user")


def rate_scorer(unit: Unit, name: str, of: Role, against: Reference | None, *, heard: bool) -> FunctionScorer:
    """ValueError for a side or a reference that there is not."""
    if against is not None and against not in REFERENCES:
        raise ValueError(f"against is one of {', '.join(REFERENCES)}, not {against!r}")

    def measured(subject: Subject) -> Finding:
        return error_rate(subject, unit, of, against, heard=heard)

    params = {"of": known_role(of), "against": against, "heard": heard, "normalisation": VERSION}
    return scorer(name=name, direction="min", unit="share", version="1", params=params)(measured)


def error_rate(
    subject: Subject, unit: Unit, of: Role, against: Reference | None, *, heard: bool = False
) -> Finding:
    """Without `against`: of the user the input's words, where the case has them; else the expected
    transcript."""
    reference = _reference(subject, of, against)
    if reference is None:
        return not_measured(_NO_REFERENCE[against or "expected"])
    if not normalised(reference):
        return not_measured("the reference has no words")
    lines = lines_of(subject, of, heard=heard)
    if not lines and subject.session is None:
        return not_measured(nothing_said(of))
    return _finding(align(_tokens(reference, unit), _joined(lines, unit)), lines, unit)


_NO_REFERENCE: Final = {
    "expected": "the case expects no transcript",
    "input": "the case does not say what is said in its input",
    "user": nothing_said("user"),
}


def _reference(subject: Subject, of: Role, against: Reference | None) -> str | None:
    case = subject.case
    if against == "user":
        return " ".join(line.text for line in lines_of(subject, "user")) or None
    if against == "input" or (against is None and of == "user" and case.input.text is not None):
        return case.input.text
    return case.expected.transcript


def _tokens(text: str, unit: Unit) -> list[str]:
    """Spaces are no characters: what differs only in where words are parted is not counted twice."""
    text = normalised(text)
    return text.split() if unit == "words" else [letter for letter in text if letter != " "]


def _joined(lines: Sequence[Said], unit: Unit) -> list[str]:
    return [token for line in lines for token in _tokens(line.text, unit)]


def _finding(found: Alignment, lines: Sequence[Said], unit: Unit) -> Finding:
    with_errors = _lines_with_errors(found, [len(_tokens(line.text, unit)) for line in lines])
    evidence = evidence_in(lines[at] for at in with_errors)
    return Finding(found.rate, len(found.wanted), evidence, _told(found, unit))


def _lines_with_errors(found: Alignment, sizes: Sequence[int]) -> list[int]:
    """Where something is lacking: the line in whose place it would have been."""
    if not sizes:
        return []
    ends = list(accumulate(sizes))
    bad: set[int] = set()
    for one in found.differences:
        first, last = one.said[0], max(one.said[1] - 1, one.said[0])
        bad.update(range(bisect_right(ends, first), bisect_right(ends, last) + 1))
    return sorted({min(at, len(sizes) - 1) for at in bad})


def _told(found: Alignment, unit: Unit) -> str:
    counts = [found.count(kind) for kind in ("substitute", "delete", "insert")]
    told = "{} wrong, {} lacking, {} too many".format(*counts) + f" of {len(found.wanted)} {unit}"
    confusions = "; ".join(
        f"{said or 'nothing'} for {wanted or 'nothing'}" + (f" ({times})" if times > 1 else "")
        for wanted, said, times in found.confusions()
    )
    return f"{told}: {confusions}" if confusions else told
