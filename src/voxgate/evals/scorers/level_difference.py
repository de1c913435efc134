"""How much louder one side is than the other, in LU: who has to turn the volume up and down in a call."""

from __future__ import annotations

from voxgate.audio.loudness import integrated_lufs, weighted_energies
from voxgate.evals.lanes import lane_of, no_sound
from voxgate.evals.model import Evidence
from voxgate.evals.reading import Role
from voxgate.evals.returned import Finding, not_measured
from voxgate.evals.scoring import FunctionScorer, scorer
from voxgate.evals.session import Session

_SIDES: tuple[Role, Role] = ("user", "assistant")


def level_difference(name: str = "level_difference") -> FunctionScorer:
    """The distance of both sides' integrated loudness (ITU-R BS.1770-5)."""
    return scorer(name=name, unit="LU", direction="min", version="1")(_measured)


def _measured(session: Session) -> Finding:
    found: list[float] = []
    evidence: list[Evidence] = []
    for role in _SIDES:
        lane = lane_of(session, role)
        if lane is None:
            return not_measured(no_sound(role))
        lufs = integrated_lufs(weighted_energies(lane.samples, lane.rate))
        if lufs is None:
            return not_measured(f"the {role} is shorter than 400 ms, or all of it is below -70 LUFS")
        found.append(lufs)
        evidence += lane.evidence(lane.voice.intervals)
    user, assistant = found
    told = f"user {user:.1f} LUFS, assistant {assistant:.1f} LUFS"
    return Finding(abs(user - assistant), 2, sorted(evidence, key=lambda one: one.start_ms), told)
