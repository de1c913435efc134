"""What was measured in a call's sound, and what follows from where it is voiced. `jobs` fills it in once
the call has ended: this package has no samples. All times are ms on the call's clock.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from voxgate.traces.events import Json

Interval = tuple[float, float]

MERGE_GAP_MS: Final = 300.0
"""Voice that goes on after so long is the same segment: words have pauses between them."""


@dataclass(slots=True)
class Lane:
    """One side of the call. `voiced` are intervals in their order; None for what could not be measured."""

    voiced: Sequence[Interval] = ()
    clipping: float | None = None
    snr_db: float | None = None
    loudness_lufs: float | None = None
    segments: list[Interval] = field(init=False)
    """Voiced intervals, merged."""
    voiced_ms: float = field(init=False)

    def __post_init__(self) -> None:
        self.segments = merged(self.voiced, MERGE_GAP_MS)
        self.voiced_ms = total(self.segments)

    def first_voice(self, from_ms: float, to_ms: float) -> float | None:
        """When it is voiced first, from the one time on and before the other."""
        for index in range(max(bisect_right(self.voiced, (from_ms, from_ms)) - 1, 0), len(self.voiced)):
            start, end = self.voiced[index]
            if start >= to_ms:
                return None
            if end > from_ms:
                return max(start, from_ms)
        return None

    def last_voice(self, from_ms: float, to_ms: float) -> float | None:
        """When it is voiced last, between these times."""
        index = bisect_left(self.voiced, (to_ms,)) - 1
        end = self.voiced[index][1] if index >= 0 else from_ms
        return min(end, to_ms) if end > from_ms else None


@dataclass(slots=True)
class SoundFacts:
    """The user as sent and the assistant as heard. `vad` says how voice was found."""

    user: Lane
    heard: Lane
    vad: Json
    voiced: list[Interval] = field(init=False)
    """Segments of either."""
    both: list[Interval] = field(init=False)
    """Where both speak at once."""

    def __post_init__(self) -> None:
        self.voiced = merged([*self.user.segments, *self.heard.segments])
        self.both = common(self.user.segments, self.heard.segments)


def merged(intervals: Iterable[Interval], gap_ms: float = 0.0) -> list[Interval]:
    """In the order of their beginnings; those that overlap, or are no further apart, become one."""
    found: list[Interval] = []
    for start, end in sorted(intervals):
        if found and start - found[-1][1] <= gap_ms:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found


def total(intervals: Iterable[Interval]) -> float:
    return sum(end - start for start, end in intervals)


def within_ms(intervals: Sequence[Interval], start_ms: float, end_ms: float) -> float:
    """How much of them, which are in their order and without overlaps, lies between these times."""
    first = max(bisect_right(intervals, (start_ms,)) - 1, 0)
    last = bisect_left(intervals, (end_ms,))
    return sum(max(min(end, end_ms) - max(start, start_ms), 0.0) for start, end in intervals[first:last])


def common(one: Sequence[Interval], other: Sequence[Interval]) -> list[Interval]:
    """What lies in both; each in its order and without overlaps of its own."""
    found: list[Interval] = []
    at = 0
    for start, end in one:
        while at < len(other) and other[at][1] <= start:
            at += 1
        following = at
        while following < len(other) and other[following][0] < end:
            first, last = other[following]
            found.append((max(start, first), min(end, last)))
            following += 1
    return found


def gaps(intervals: Sequence[Interval], start_ms: float, end_ms: float) -> list[Interval]:
    """What lies between, from the one time to the other."""
    found: list[Interval] = []
    at = start_ms
    for start, end in intervals:
        if start > at:
            found.append((at, min(start, end_ms)))
        at = max(at, end)
        if at >= end_ms:
            return found
    if end_ms > at:
        found.append((at, end_ms))
    return found
