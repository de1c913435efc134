"""What a case is likely to cost: what the recorded turns used, at the price of the model that answers now.
Nothing is asked of a provider.
"""

from __future__ import annotations

from typing import Final

from voxgate.core.prices import PriceTable
from voxgate.evals.model import Case, Json
from voxgate.evals.protocols import TaskError
from voxgate.evals.replay.inputs import Inputs
from voxgate.evals.replay.plan import Plan
from voxgate.traces.costs import cost_of, sum_of

# The live service counts a token for 100 ms of the user's sound and for 50 ms of its own.
_INPUT_TOKENS_PER_SECOND: Final = 10
_OUTPUT_TOKENS_PER_SECOND: Final = 20
_ANSWER_SECONDS: Final = 8
_CHARS_PER_TOKEN: Final = 4
_SPOKEN_SECONDS: Final = 5
"""Of an input whose length is not known."""


def estimate_usd(case: Case, plan: Plan, inputs: Inputs) -> float | None:
    """None where a price or the recording is not known."""
    try:
        model, usages = _used(case, plan, inputs)
    except TaskError:
        return None  # the run says why
    price = PriceTable().of(model) if model else None
    if price is None or not usages:
        return None
    return sum_of(cost_of(usage, price) for usage in usages).usd


def _used(case: Case, plan: Plan, inputs: Inputs) -> tuple[str | None, list[Json]]:
    if case.input.kind in ("turn", "session"):
        call = inputs.call_now(case)
        turns = call.turns if case.input.kind == "session" else call.turns[case.input.turn or 0 :][:1]
        return plan.model or call.model, [usage for turn in turns for usage in turn.usage]
    config = case.input.config or {}
    if case.input.kind == "simulation":
        scenario = case.input.scenario or {}
        turns_most = (scenario.get("turns") or {}).get("max_turns") or 1
        model = plan.model or (scenario.get("assistant") or {}).get("model")
        # Both sides, and each turn is told all that was said before.
        return model, [_guess(_ANSWER_SECONDS * (number + 1), "") for number in range(turns_most)] * 2
    seconds = sum(clip.duration_ms or 0.0 for clip in case.input.clips) / 1000
    if case.input.clips and not seconds:
        seconds = _SPOKEN_SECONDS
    words = f"{plan.instructions or config.get('instructions') or ''} {case.input.text or ''}"
    return plan.model or config.get("model"), [_guess(seconds, words)]


def _guess(seconds: float, words: str) -> Json:
    spoken, written = round(seconds * _INPUT_TOKENS_PER_SECOND), len(words) // _CHARS_PER_TOKEN
    said = _ANSWER_SECONDS * _OUTPUT_TOKENS_PER_SECOND
    said_words = said // 4
    return {
        "total_tokens": spoken + written + said + said_words,
        "input_tokens": spoken + written,
        "output_tokens": said + said_words,
        "input_token_details": {"audio_tokens": spoken, "text_tokens": written, "cached_tokens": 0},
        "output_token_details": {"audio_tokens": said, "text_tokens": said_words},
    }
