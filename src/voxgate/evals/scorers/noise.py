"""How loud the background of one side is, in dBFS, whether anybody speaks or not."""

from __future__ import annotations

from voxgate.evals.lanes import lane_of, named, no_sound
from voxgate.evals.reading import Role
from voxgate.evals.returned import Finding, not_measured
from voxgate.evals.scoring import FunctionScorer, scorer
from voxgate.evals.session import Session


def noise(of: Role = "user", name: str | None = None) -> FunctionScorer:
    """The tenth percentile of the levels of the 10 ms frames that are not digital silence. Without a pause in
    the voice it is the voice's own."""

    def measured(session: Session) -> Finding:
        lane = lane_of(session, of)
        if lane is None or lane.voice.floor_db is None:
            return not_measured(no_sound(of))
        return Finding(lane.voice.floor_db, len(lane.voice.levels_db), [session.evidence])

    own = name or named("noise", of)
    return scorer(name=own, unit="dBFS", direction="min", version="1", params={"of": of})(measured)
