"""One side of a call as its sound is scored: a session in, samples on the call's clock out, and the way back
from a place in them to the seconds of the call.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from voxgate.audio.voice import Voice
from voxgate.audio.waves import Wave
from voxgate.evals.model import Evidence
from voxgate.evals.reading import Line, Role, known_role
from voxgate.evals.session import Session

_CLOSE_MS = 100.0


@dataclass(frozen=True)
class Lane:
    """`samples` at `rate` begin at `start_ms` of the call."""

    samples: Wave
    rate: int
    start_ms: float
    lines: tuple[Line, ...]
    """Of this side."""

    @cached_property
    def voice(self) -> Voice:
        return Voice.of(self.samples, self.rate)

    @property
    def voiced_ms(self) -> float:
        return sum(end - start for start, end in self.voice.intervals)

    def evidence(self, places: Iterable[tuple[float, float]]) -> tuple[Evidence, ...]:
        """Of places in ms of this lane, with the span of the line that each begins in."""
        last = len(self.samples) * 1000 / self.rate
        within = ((min(start, last), min(end, last)) for start, end in places)
        moved = [(start + self.start_ms, end + self.start_ms) for start, end in within]
        return tuple(Evidence(start, end, self._span_at(start)) for start, end in moved)

    def _span_at(self, ms: float) -> str | None:
        near = (one for one in self.lines if one.start_ms - _CLOSE_MS <= ms <= one.end_ms + _CLOSE_MS)
        return next((one.span_id for one in near), None)


def lane_of(session: Session, role: Role) -> Lane | None:
    """None where nothing was recorded of this side's sound."""
    if not session.has_audio("user" if role == "user" else "assistant"):
        return None
    wave = session.wave(role)
    if not len(wave):
        return None
    lines = tuple(one for one in session.lines if one.role == role and one.is_spoken)
    return Lane(wave, wave.rate, session.start_ms, lines)


def no_sound(role: Role) -> str:
    return f"there is no sound of the {role}"


def named(name: str, role: Role) -> str:
    """As metrics are called: what is of the user has no ending. ValueError for no side."""
    known_role(role)
    return name if role == "user" else f"{name}_assistant"
