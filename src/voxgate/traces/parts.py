"""What one turn brings to a trace: its spans, and what the session's figures need of them. So a trace that
grows is put together from the parts that stayed as they were and those that did not.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from voxgate.traces.assembly import Assembly
from voxgate.traces.conversation import Turn, UserItem
from voxgate.traces.interruptions import Stopped, stopped
from voxgate.traces.lanes import UserLane
from voxgate.traces.latency import Measurements, forget_latencies, is_paced, measurements
from voxgate.traces.model import Span
from voxgate.traces.responses import Response
from voxgate.traces.spans import turn_spans

_PLACES: Final = 4096
"""Positions of each turn: those of the next begin behind them."""


class ToolCounts(NamedTuple):
    ended: int = 0
    failed: int = 0
    checked: int = 0
    fitting: int = 0


@dataclass(slots=True)
class TurnPart:
    number: int
    spans: list[Span]
    measured: Measurements
    stopped: list[Stopped]
    tools: ToolCounts
    is_paced: bool
    """Whether all of its input was sent as it was spoken."""
    is_open: bool
    """Whether sound that is still to be sent changes it."""


def part_of(one: Assembly, turn: Turn, number: int, before: TurnPart | None = None) -> TurnPart:
    """Spans that are as in the part `before` are the same objects."""
    spans = turn_spans(one, turn, number)
    for place, span in enumerate(spans):
        span.position = number * _PLACES + min(place, _PLACES - 1)
    if one.session.untimed:
        forget_latencies(spans)
    responses = [one.responses.all[response_id] for response_id in turn.response_ids]
    lane = one.layout.user
    return TurnPart(
        number=number,
        spans=_kept(before, spans) if before is not None else spans,
        measured=measurements(spans),
        stopped=stopped(responses, one.layout.assistant),
        tools=_tool_counts(responses),
        is_paced=all(is_paced(user, one.layout) for user in turn.users),
        is_open=any(_is_open(user, lane) for user in turn.users),
    )


def tools_of(parts: Iterable[TurnPart]) -> ToolCounts:
    return ToolCounts(*map(sum, zip(*(part.tools for part in parts), strict=True)))


def _kept(before: TurnPart, spans: list[Span]) -> list[Span]:
    known = {span.id: span for span in before.spans}
    return [old if (old := known.get(span.id)) == span else span for span in spans]


def _tool_counts(responses: list[Response]) -> ToolCounts:
    tools = [tool for response in responses for tool in response.tools]
    ended = [tool for tool in tools if tool.error or tool.result_ns is not None]
    checked = [tool.fits for tool in tools if tool.fits is not None]
    return ToolCounts(len(ended), sum(tool.failed for tool in ended), len(checked), sum(checked))


def has_marks_from(user: UserItem, lane: UserLane, frame: int) -> bool:
    """Whether one of its marks on the audio clock lies there or later."""
    begin_ms, end_ms = user.audio_start_ms, user.audio_end_ms
    marks = [] if begin_ms is None else [begin_ms, begin_ms + (user.prefix_ms or 0.0)]
    marks += [] if end_ms is None else [end_ms]
    return any(lane.frame_at(mark) >= frame for mark in marks)


def _is_open(user: UserItem, lane: UserLane) -> bool:
    is_going_on = user.audio_start_ms is not None and user.audio_end_ms is None
    return is_going_on or has_marks_from(user, lane, lane.frames)
