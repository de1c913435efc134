"""Which answers the user did not let end: responses and lanes in, interruptions out. One barge-in that
cuts the answer that plays and the one that is being made is one interruption.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from voxgate.traces.conversation import UserItem
from voxgate.traces.lanes import AssistantLane, Cut
from voxgate.traces.responses import Response

_SAME_STOP_MS: Final = 500.0
"""What stops within this time of each other was stopped by the same hand."""


class Stopped(NamedTuple):
    """A response that did not come to its end: when that is known, and when it began."""

    at_ms: float
    began_ns: int
    response: Response


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


def stopped(responses: Iterable[Response], lane: AssistantLane) -> list[Stopped]:
    return [
        Stopped(_stopped_ms(response, lane), _began_ns(response), response)
        for response in responses
        if is_interrupted(response, lane)
    ]


def _stopped_ms(response: Response, lane: AssistantLane) -> float:
    """When it is known to have stopped: the first of its cuts, else its end."""
    cuts: list[Cut] = [lane.cuts[key] for key in _cut_items(response, lane)]
    return min((cut.at_ms for cut in cuts), default=(response.done_ns or response.last_event_ns) / 1e6)


def _began_ns(response: Response) -> int:
    return response.created_ns if response.created_ns is not None else response.first_event_ns or 0


def interruptions(ended: Iterable[Stopped], users: Iterable[UserItem]) -> list[Interruption]:
    """In their order."""
    spoken = sorted((user for user in users if user.kind == "speech"), key=lambda user: user.started_ns)
    starts = [user.started_ns for user in spoken]
    found: list[Interruption] = []
    latest_of: dict[int, Interruption] = {}
    for at_ms, began_ns, response in sorted(ended, key=lambda one: one.at_ms):
        user = _barge_in(spoken, starts, began_ns, at_ms)
        same = _same(found, latest_of, at_ms, user)
        if same is None:
            same = Interruption(at_ms, user)
            found.append(same)
        same.user = same.user or user
        if same.user is not None:
            latest_of[same.user.number] = same
        same.responses.append(response)
    return found


def _same(
    found: Sequence[Interruption], latest_of: dict[int, Interruption], at_ms: float, user: UserItem | None
) -> Interruption | None:
    """The latest that is by the same speech; where one of both is not known, of the same time."""
    for one in reversed(found):
        if at_ms - one.at_ms > _SAME_STOP_MS:
            break
        if user is None or one.user is None or one.user is user:
            return one
    return latest_of.get(user.number) if user is not None else None


def _barge_in(
    spoken: Sequence[UserItem], starts: Sequence[int], began_ns: int, at_ms: float
) -> UserItem | None:
    """The latest speech that began before the stop and not before the response."""
    end = bisect_right(starts, at_ms * 1e6)
    if end == 0 or starts[end - 1] < began_ns:
        return None
    return spoken[bisect_left(starts, starts[end - 1])]
