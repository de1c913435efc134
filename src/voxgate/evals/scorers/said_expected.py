"""How much what was said is like the transcript that is expected."""

from __future__ import annotations

from voxgate.evals.produced import evidence_in, lines_of, nothing_said
from voxgate.evals.protocols import Subject
from voxgate.evals.reading import Role, known_role
from voxgate.evals.returned import Finding, not_measured
from voxgate.evals.scoring import FunctionScorer, scorer
from voxgate.evals.wording import VERSION, Unit, align, normalised


def said_expected(
    of: Role = "assistant",
    unit: Unit = "words",
    transcript: str | None = None,
    heard: bool = False,
    name: str = "said_expected",
) -> FunctionScorer:
    """1 - edits / length of the longer text, both normalised: 1 for the same words, 0 for none in common. The
    expected transcript is the case's `expected.transcript`, or `transcript`. Unlike 1 - wer it never goes
    below 0. Evidence: the lines of that side."""
    if unit not in ("words", "characters"):
        raise ValueError(f"unit is words or characters, not {unit!r}")

    def measured(subject: Subject) -> Finding:
        wanted = transcript if transcript is not None else subject.case.expected.transcript
        if wanted is None:
            return not_measured("the case expects no transcript")
        lines = lines_of(subject, of, heard=heard)
        if not lines:
            return not_measured(nothing_said(of))
        texts = [normalised(one) for one in (wanted, " ".join(line.text for line in lines))]
        found = align(*(text.split() if unit == "words" else list(text) for text in texts))
        longest = max(len(found.wanted), len(found.said))
        value = 1 - found.errors / longest if longest else 1.0
        told = f"{found.errors} of {longest} {unit} differ"
        return Finding(value, longest, evidence_in(lines), told)

    params = {"of": known_role(of), "unit": unit, "heard": heard, "normalisation": VERSION}
    return scorer(name=name, unit="share", version="1", params=params)(measured)
