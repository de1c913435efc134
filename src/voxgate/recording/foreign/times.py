"""From the times of a log to nanoseconds since the call began, which never go back. What kind of times they
are is known once the whole log was looked at, so a `Survey` comes first and makes the `Clock`. Pure.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from voxgate.recording.foreign.orders import Unit
from voxgate.recording.foreign.shapes import Entry, Stamp, StampKind
from voxgate.traces import Event, TrackLayout
from voxgate.traces.events import CLIENT

UNITS: Final[dict[str, int]] = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
_LONGEST_CALL_SECONDS: Final = 2 * 3600
"""A number without a unit counts as seconds, unless the call would take longer than providers let it."""
_DAY_NS: Final = 86_400 * 10**9
_JITTER_NS: Final = 10**9
_ROUNDED_NS: Final = 10_000
"""So little is no order: what came after a call bears the rounded time of its end."""
_STEP_NS: Final = 20 * 10**6
_LARGEST_NS: Final = 10**17

Quality = Literal["exact", "absolute", "relative", "made up"]


@dataclass(slots=True)
class Survey:
    """What the times of one call are like."""

    kinds: Counter[StampKind] = field(default_factory=Counter)
    lowest: dict[StampKind, float] = field(default_factory=dict)
    highest: dict[StampKind, float] = field(default_factory=dict)
    first: dict[StampKind, float] = field(default_factory=dict)

    def see(self, stamp: Stamp | None) -> None:
        if stamp is None:
            return
        kind, value = stamp.kind, stamp.value
        self.kinds[kind] += 1
        self.first.setdefault(kind, value)
        self.lowest[kind] = min(value, self.lowest.get(kind, value))
        self.highest[kind] = max(value, self.highest.get(kind, value))

    @property
    def kind(self) -> StampKind | None:
        """That of most of the times; others in between count for nothing."""
        return self.kinds.most_common(1)[0][0] if self.kinds else None

    @property
    def quality(self) -> Quality:
        names: dict[StampKind | None, Quality] = {"exact": "exact", "moment": "absolute", None: "made up"}
        return names.get(self.kind, "relative")

    @property
    def started_at(self) -> datetime | None:
        """Where the log has the moments themselves."""
        if self.kind != "moment":
            return None
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=round(self.first["moment"] / 1000))

    def unit_ns(self, wanted: Unit | None) -> int:
        """Of numbers whose unit is not known."""
        if self.kind != "unsure" or wanted is not None:
            return UNITS[wanted or "ns"]
        length = self.highest["unsure"] - self.lowest["unsure"]
        for unit in ("s", "ms", "us"):
            if length * UNITS[unit] <= _LONGEST_CALL_SECONDS * 10**9:
                return UNITS[unit]
        return 1


class Clock:
    """Gives each entry of a call its time. Feed it all of them, in their order."""

    def __init__(self, survey: Survey, unit: Unit | None = None) -> None:
        self._kind = survey.kind
        self._unit = survey.unit_ns(unit) if survey.kind == "unsure" else 1
        self._base = 0.0 if self._kind in (None, "exact") else survey.first[self._kind] * self._unit
        self._now = 0
        self._last = 0.0
        self._made_up = MadeUp() if self._kind is None else None
        self.reordered = 0
        """Entries that were written after later ones."""

    def time_of(self, entry: Entry) -> int:
        if self._made_up is not None:
            self._now = self._made_up.time_of(entry)
        elif entry.stamp is not None and entry.stamp.kind == self._kind:
            self._move(entry.stamp.value * self._unit)
        return self._now

    def _move(self, value: float) -> None:
        if value < self._last - _JITTER_NS:
            self._go_back(value)
        self._last = max(value, self._last)
        t_ns = min(int(value - self._base), _LARGEST_NS)
        if t_ns < self._now - _ROUNDED_NS:
            self.reordered += 1
        self._now = max(self._now, t_ns)

    def _go_back(self, value: float) -> None:
        """Midnight; or a harness that counts from each response anew, and then the next part follows."""
        if self._kind == "clock":
            if self._last - value > _DAY_NS / 2:
                self._base -= _DAY_NS
                self._last = value
        elif self._kind in ("since", "unsure"):
            self._base = value - self._now
            self._last = value


class MadeUp:
    """Times for a log without any: 20 ms for each message, and sound is sent as fast as it sounds."""

    def __init__(self) -> None:
        self._layout = TrackLayout()
        self._now = 0.0

    def time_of(self, entry: Entry) -> int:
        now = round(self._now)
        event = Event(now, entry.direction, entry.msg, entry.raw, entry.close)
        chunks = self._layout.feed(event)
        is_sound = entry.direction == CLIENT and bool(chunks)
        sounded = sum(chunk.frames / self._layout.rate(chunk.track) for chunk in chunks) * 1e9
        self._now += sounded if is_sound else _STEP_NS
        return now
