"""How much of the assistant's voice comes back through the user's microphone, where it may be taken for an
interruption.
"""

from __future__ import annotations

from typing import Final

from voxgate.audio.echo import Echo, EchoParameters, echoes
from voxgate.evals.lanes import Lane, lane_of, no_sound
from voxgate.evals.returned import Finding, not_measured
from voxgate.evals.scoring import FunctionScorer, scorer
from voxgate.evals.session import Session

THRESHOLD: Final = 0.2
"""Voices are alike by 0.05, noise and a voice as much; an echo under the user's own voice by 0.4."""


def echo(threshold: float = THRESHOLD, longest_lag_ms: float = 500.0, name: str = "echo") -> FunctionScorer:
    """The greatest normalised cross-correlation of the user's lane with the assistant's as heard, over lags
    from 0 to `longest_lag_ms` and over pieces of the assistant's speech of at most 2 s. `echo.share` is how
    much of that speech came back by more than `threshold`; those pieces are the evidence."""
    parameters = EchoParameters(longest_lag_ms=longest_lag_ms)

    def measured(session: Session) -> list[Finding]:
        user, assistant = lane_of(session, "user"), lane_of(session, "assistant")
        if user is None or assistant is None:
            reason = no_sound("user" if user is None else "assistant")
            return [not_measured(reason), not_measured(reason, part="share", unit="share")]
        found = echoes(user.samples, assistant.samples, user.rate, parameters)
        if not found:
            reason = f"the assistant never spoke for {parameters.shortest_ms:g} ms"
            return [not_measured(reason), not_measured(reason, part="share", unit="share")]
        return _findings(found, user, threshold)

    params = {"threshold": threshold, **parameters.to_json()}
    return scorer(name=name, direction="min", version="1", params=params)(measured)


def _findings(found: list[Echo], user: Lane, threshold: float) -> list[Finding]:
    back = [one for one in found if one.correlation > threshold]
    evidence = user.evidence((one.start_ms + one.lag_ms, one.end_ms + one.lag_ms) for one in back)
    share = sum(one.end_ms - one.start_ms for one in back) / sum(one.end_ms - one.start_ms for one in found)
    worst = max(found, key=lambda one: one.correlation)
    told = f"{worst.lag_ms:.0f} ms later at {worst.level_db:.0f} dB" if back else "nothing came back"
    return [
        Finding(worst.correlation, len(found), evidence, told),
        Finding(share, len(found), evidence, part="share", unit="share"),
    ]
