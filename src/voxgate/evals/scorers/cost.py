"""What the call cost, in US dollars by the list price of its day."""

from __future__ import annotations

from typing import Final, Literal

from voxgate.evals.protocols import Subject
from voxgate.evals.returned import Finding, not_measured
from voxgate.evals.scoring import FunctionScorer, scorer

Per = Literal["call", "minute", "turn"]
_UNITS: Final[dict[str, str]] = {"call": "USD", "minute": "USD/min", "turn": "USD/turn"}


def cost(per: Per = "call", name: str | None = None) -> FunctionScorer:
    """`cost_usd` of the recorded session (docs/traces.md), else what the task says of its output; `per`
    minute of the call or per turn. Null where a price is not known or the provider reported no usage;
    `minute` and `turn` also without a recorded call. What was cut off by a hang-up is not in it. No evidence:
    it is the whole call's."""
    if per not in _UNITS:
        raise ValueError(f"per is one of {', '.join(_UNITS)}, not {per!r}")

    def measured(subject: Subject) -> Finding:
        session = subject.session
        usd = session.cost_usd if session is not None else subject.output.cost_usd
        if usd is None:
            return not_measured("a price is not known, or the provider reported no usage")
        if per == "call":
            return Finding(usd)
        many = 0.0
        if session is not None:
            many = session.duration_ms / 60_000 if per == "minute" else len(session.turns)
        return Finding(usd / many) if many else not_measured(f"there is no {per} to share it")

    own = name or ("cost" if per == "call" else f"cost_per_{per}")
    return scorer(name=own, direction="min", unit=_UNITS[per], version="1", params={"per": per})(measured)
