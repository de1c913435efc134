"""Character error rate of what one side said."""

from __future__ import annotations

from voxgate.evals.errors_in_words import REFERENCES, Reference, error_rate
from voxgate.evals.protocols import Subject
from voxgate.evals.reading import Role, known_role
from voxgate.evals.returned import Finding
from voxgate.evals.scoring import FunctionScorer, scorer
from voxgate.evals.wording import VERSION


def cer(
    of: Role = "assistant", against: Reference | None = None, heard: bool = False, name: str | None = None
) -> FunctionScorer:
    """As `wer`, over the characters of the normalised words without the spaces between them: for languages
    that do not part words by spaces."""
    if against is not None and against not in REFERENCES:
        raise ValueError(f"against is one of {', '.join(REFERENCES)}, not {against!r}")

    def measured(subject: Subject) -> Finding:
        return error_rate(subject, "characters", of, against, heard=heard)

    params = {"of": known_role(of), "against": against, "heard": heard, "normalisation": VERSION}
    own = name or ("cer" if of == "assistant" else "cer_user")
    return scorer(name=own, direction="min", unit="share", version="1", params=params)(measured)
