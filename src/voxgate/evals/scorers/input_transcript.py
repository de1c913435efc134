"""Whether the provider's transcript of the user is what the user said, by the ears of another model."""

from __future__ import annotations

from voxgate.evals.scoring import FunctionScorer
from voxgate.evals.spoken import transcript_scorer
from voxgate.evals.transcribing import ears_of

VERSION = "1"


def input_transcript(
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
    """The word error rate of the provider's transcript of the user against what a better model hears in the
    same sound; numbers count as digits, however they are written. `NAME.entities` is the share of the numbers
    and names that the better model hears the transcript has, too. Lines without a transcript do not count.

    What is not said here is said by `[transcriber]` of the settings. A speech-to-speech model does not act on
    this transcript but on the sound: a bad one misleads people and text judges, not the model."""
    asked = {"model": model, "base_url": base_url, "api_key_env": api_key_env}
    ears = ears_of(language, prompt, **asked, timeout_seconds=timeout_seconds, attempts=attempts)
    return transcript_scorer("user", ears, name or "input_transcript", VERSION)
