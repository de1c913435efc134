"""Whether words were said."""

from __future__ import annotations

from collections.abc import Sequence

from voxgate.evals.produced import Said, evidence_in, lines_of, nothing_said
from voxgate.evals.protocols import Subject
from voxgate.evals.reading import Role, known_role
from voxgate.evals.returned import Finding, not_measured
from voxgate.evals.scoring import FunctionScorer, scorer
from voxgate.evals.wording import VERSION, normalised


def contains(
    phrases: str | Sequence[str],
    of: Role = "assistant",
    heard: bool = False,
    absent: bool = False,
    name: str = "contains",
) -> FunctionScorer:
    """The share of `phrases` that one side said, as whole words, whatever their case and punctuation (the
    normalisation of docs/scorers.md). A phrase lies within one line. `absent`: the share that it did not say.
    `heard`: only what the user heard. Evidence: the lines that have one of them."""
    wanted = [phrases] if isinstance(phrases, str) else list(phrases)
    if not wanted or not all(normalised(one) for one in wanted):
        raise ValueError(f"phrases are words, not {phrases!r}")

    def measured(subject: Subject) -> Finding:
        lines = lines_of(subject, of, heard=heard)
        if not lines:
            return not_measured(nothing_said(of))
        found = {phrase: _lines_with(phrase, lines) for phrase in wanted}
        said = [phrase for phrase, where in found.items() if where]
        value = len(said) / len(found)
        told = f"said: {', '.join(said) or 'none'}"
        places = sorted({at for where in found.values() for at in where})
        evidence = evidence_in(lines[at] for at in places)
        return Finding(1 - value if absent else value, len(found), evidence, told)

    params = {
        "phrases": wanted,
        "of": known_role(of),
        "heard": heard,
        "absent": absent,
        "normalisation": VERSION,
    }
    return scorer(name=name, unit="share", version="1", params=params)(measured)


def _lines_with(phrase: str, lines: Sequence[Said]) -> list[int]:
    wanted = f" {normalised(phrase)} "
    return [at for at, line in enumerate(lines) if wanted in f" {normalised(line.text)} "]
