"""Which answers the user did not let end: responses and lanes in, interruptions out. One barge-in that
cuts the answer that plays and the one that is being made is one interruption.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from voxgate.traces.conversation import UserItem
from voxgate.traces.lanes import AssistantLane, Cut
from voxgate.traces.responses import Response

_SAME_STOP_MS: Final = 500.0
"""What stops within this time of each other was stopped by the same hand."""


@dataclass(slots=True)
class Interruption:
    """`user` is the speech that began while the answers were there; None for a stop without a word."""

    at_ms: float
    user: UserItem | None
    responses: list[Response] = field(default_factory=list)


def is_interrupted(response: Response, lane: AssistantLane) -> bool:
    """Cancelled, or not heard to its end; a call that ends meanwhile interrupts nobody."""
    if response.status == "cancelled" and response.done_ns is not None:
        return True
    return any(lane.heard_frames(key) < lane.item_frames(key) for key in _cut_items(response, lane))


def _cut_items(response: Response, lane: AssistantLane) -> list[str]:
    return [key for key in response.item_ids if key in lane.cuts and not lane.cuts[key].by_close]


def interruptions(
    responses: Iterable[Response], users: Iterable[UserItem], lane: AssistantLane
) -> list[Interruption]:
    """In their order."""
    spoken = [user for user in users if user.kind == "speech"]
    stopped = [
        (_stopped_ms(response, lane), response) for response in responses if is_interrupted(response, lane)
    ]
    found: list[Interruption] = []
    for at_ms, response in sorted(stopped, key=lambda one: one[0]):
        user = _barge_in(response, at_ms, spoken)
        same = next((one for one in reversed(found) if _is_same(one, at_ms, user)), None)
        if same is None:
            same = Interruption(at_ms, user)
            found.append(same)
        same.user = same.user or user
        same.responses.append(response)
    return found


def _is_same(one: Interruption, at_ms: float, user: UserItem | None) -> bool:
    if user is not None and one.user is not None:
        return one.user is user
    return at_ms - one.at_ms <= _SAME_STOP_MS


def _stopped_ms(response: Response, lane: AssistantLane) -> float:
    """When it is known to have stopped: the first of its cuts, else its end."""
    cuts: list[Cut] = [lane.cuts[key] for key in _cut_items(response, lane)]
    return min((cut.at_ms for cut in cuts), default=(response.done_ns or response.last_event_ns) / 1e6)


def _barge_in(response: Response, at_ms: float, spoken: list[UserItem]) -> UserItem | None:
    """The latest speech that began before the stop and not before the response."""
    began_ns = response.created_ns if response.created_ns is not None else response.first_event_ns or 0
    during = [user for user in spoken if began_ns <= user.started_ns <= at_ms * 1e6]
    return max(during, key=lambda user: user.started_ns, default=None)
