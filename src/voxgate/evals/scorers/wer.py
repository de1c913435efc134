"""Word error rate of what one side said."""

from __future__ import annotations

from voxgate.evals.errors_in_words import Reference, rate_scorer
from voxgate.evals.reading import Role
from voxgate.evals.scoring import FunctionScorer


def wer(
    of: Role = "assistant", against: Reference | None = None, heard: bool = False, name: str | None = None
) -> FunctionScorer:
    """(S + D + I) / N over the normalised words of the reference, after the fewest errors (Levenshtein;
    jiwer); can exceed 1. The reference: `expected` the case's `expected.transcript`, `input` the words of its
    input, `user` what the session's user said; by default of the user the input's words where the case has
    them, else the expected transcript. `of` user the score is called `wer_user`: how well the provider's
    transcription heard. Lines are compared as one text. A recorded call in which nothing was said has rate 1.
    Evidence: the lines with errors; n: the words of the reference."""
    own = name or ("wer" if of == "assistant" else "wer_user")
    return rate_scorer("words", own, of, against, heard=heard)
