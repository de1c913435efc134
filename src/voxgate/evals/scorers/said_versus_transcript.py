"""Whether the assistant says what its transcript says: models that speak say other digits at times than they
write.
"""

from __future__ import annotations

from voxgate.evals.scoring import FunctionScorer
from voxgate.evals.spoken import transcript_scorer
from voxgate.evals.transcribing import ears_of

VERSION = "1"


def said_versus_transcript(
    *,
    name: str | None = None,
    model: str | None = None,
    base_url: str | None = None,
    api_key_env: str | None = None,
    language: str | None = None,
    prompt: str | None = None,
    timeout_seconds: float | None = None,
    attempts: int | None = None,
) -> FunctionScorer:
    """The word error rate of what another model hears in the assistant's sound, as much as the user heard of
    it, against the provider's transcript; numbers count as digits, however they are written. `NAME.entities`
    is the share of the transcript's numbers and names that were heard.

    What is not said here is said by `[transcriber]` of the settings. The other model makes mistakes too: look
    at differences between two versions, and listen to the evidence."""
    asked = {"model": model, "base_url": base_url, "api_key_env": api_key_env}
    ears = ears_of(language, prompt, **asked, timeout_seconds=timeout_seconds, attempts=attempts)
    return transcript_scorer("assistant", ears, name or "said_versus_transcript", VERSION)
