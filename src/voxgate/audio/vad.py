"""What the voice detector of `voice` is set to. Apart from it, since whoever only asks what is in force
needs no numpy.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

VAD_VERSION: Final = 1
FRAMES_PER_SECOND: Final = 100


@dataclass(frozen=True, slots=True)
class VadParameters:
    """A frame is voiced above `floor + margin_db`, and never below `least_db`. The floor is the tenth
    percentile of the lane's frames, those of digital silence left out; a lane without pauses has none, so
    no more than `loudest_floor_db` counts."""

    margin_db: float = 9.0
    least_db: float = -50.0
    loudest_floor_db: float = -40.0
    close_gap_ms: float = 50.0
    """A pause as short as this between two frames is none."""
    shortest_ms: float = 30.0
    """What is voiced for less than this is a click."""

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": "energy",
            "version": VAD_VERSION,
            "frame_ms": 1000 / FRAMES_PER_SECOND,
            **asdict(self),
        }
