"""Character error rate of what one side said."""

from __future__ import annotations

from voxgate.evals.errors_in_words import Reference, rate_scorer
from voxgate.evals.reading import Role
from voxgate.evals.scoring import FunctionScorer


def cer(
    of: Role = "assistant", against: Reference | None = None, heard: bool = False, name: str | None = None
) -> FunctionScorer:
    """As `wer`, over the characters of the normalised words without the spaces between them: for languages
    that do not part words by spaces."""
    own = name or ("cer" if of == "assistant" else "cer_user")
    return rate_scorer("characters", own, of, against, heard=heard)
