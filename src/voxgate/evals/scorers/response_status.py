"""How many of the model's responses came to the end that they should."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from voxgate.evals.produced import counted
from voxgate.evals.reading import Response
from voxgate.evals.returned import Finding, not_measured
from voxgate.evals.scoring import FunctionScorer, scorer
from voxgate.evals.session import Session

_BY_SOMEBODY: Final = frozenset({"turn_detected", "client_cancelled"})
"""Why a response is cancelled where the user or the client wanted it: that is no fault of it."""


def response_status(
    allowed: Sequence[str] = ("completed",), interruptions: bool = True, name: str = "response_status"
) -> FunctionScorer:
    """Responses whose status is one of `allowed` / responses. With `interruptions` one counts as well that
    was cancelled because the user spoke (`turn_detected`) or the client cancelled it. `failed`, `incomplete`
    and `unfinished` (the call broke off) count against. Evidence: those that do."""
    good = frozenset(allowed)

    def measured(session: Session) -> Finding:
        if not session.responses:
            return not_measured("there was no response")
        bad = [one for one in session.responses if not (one.status in good or _is_fine(one, interruptions))]
        told = counted(f"{one.status}{f' ({one.reason})' if one.reason else ''}" for one in bad)
        value = 1 - len(bad) / len(session.responses)
        return Finding(value, len(session.responses), [one.evidence for one in bad], told or None)

    params = {"allowed": list(allowed), "interruptions": interruptions}
    return scorer(name=name, unit="share", version="1", params=params)(measured)


def _is_fine(one: Response, interruptions: bool) -> bool:
    return interruptions and one.status == "cancelled" and one.reason in _BY_SOMEBODY
