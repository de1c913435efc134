"""How often one side's voice breaks up: holes of digital silence in it, and packets that sound twice, for
each minute of voice.
"""

from __future__ import annotations

from voxgate.audio.faults import Hole, gaps, repeats
from voxgate.evals.lanes import lane_of, named, no_sound
from voxgate.evals.reading import Role
from voxgate.evals.returned import Finding, not_measured
from voxgate.evals.scoring import FunctionScorer, scorer
from voxgate.evals.session import Session


def dropouts(
    of: Role = "assistant", shortest_ms: float = 5.0, longest_ms: float = 200.0, name: str | None = None
) -> FunctionScorer:
    """Gaps are as long as said and have voice right before and after them. Packets count as repeated that are
    the same, sample by sample, as those before (10 to 60 ms)."""

    def measured(session: Session) -> Finding:
        lane = lane_of(session, of)
        if lane is None:
            return not_measured(no_sound(of))
        if not lane.voiced_ms:
            return not_measured(f"there is no voice in the sound of the {of}")
        found = gaps(lane.samples, lane.rate, lane.voice, shortest_ms=shortest_ms, longest_ms=longest_ms)
        found = sorted([*found, *repeats(lane.samples, lane.rate, lane.voice)])
        evidence = lane.evidence((one.start_ms, one.end_ms) for one in found)
        return Finding(
            len(found) * 60_000 / lane.voiced_ms, len(lane.voice.intervals), evidence, _told(found)
        )

    params = {"of": of, "shortest_ms": shortest_ms, "longest_ms": longest_ms}
    own = name or named("dropouts", of)
    return scorer(name=own, unit="1/min", direction="min", version="1", params=params)(measured)


def _told(found: list[Hole]) -> str:
    holes = [one for one in found if one.kind == "gap"]
    ms = sum(one.end_ms - one.start_ms for one in holes)
    return f"{len(holes)} gaps ({ms:.0f} ms), {len(found) - len(holes)} repeated packets"
