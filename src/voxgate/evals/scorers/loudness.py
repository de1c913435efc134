"""How loud one side is: integrated loudness by ITU-R BS.1770-5, in LUFS, or how far that is from a target."""

from __future__ import annotations

import numpy as np

from voxgate.audio.faults import merged
from voxgate.audio.loudness import STEP_MS, counted_steps, integrated_lufs, weighted_energies
from voxgate.evals.lanes import lane_of, named, no_sound
from voxgate.evals.reading import Role
from voxgate.evals.returned import Finding, not_measured
from voxgate.evals.scoring import FunctionScorer, scorer
from voxgate.evals.session import Session

_JOIN_MS = 500.0


def loudness(
    of: Role = "assistant", target_lufs: float | None = None, name: str | None = None
) -> FunctionScorer:
    """Louder is better; with `target_lufs` (EBU R 128 has -23) less distance to it is, in LU. The evidence is
    what passed both gates, so what was measured."""

    def measured(session: Session) -> Finding:
        lane = lane_of(session, of)
        if lane is None:
            return not_measured(no_sound(of))
        energies = weighted_energies(lane.samples, lane.rate)
        lufs = integrated_lufs(energies)
        if lufs is None:
            return not_measured(f"the {of} is shorter than 400 ms, or all of it is below -70 LUFS")
        at = np.flatnonzero(counted_steps(energies)) * float(STEP_MS)
        places = merged([(start, start + STEP_MS) for start in at.tolist()], _JOIN_MS)
        value = lufs if target_lufs is None else abs(lufs - target_lufs)
        return Finding(value, len(places), lane.evidence(places), f"{lufs:.1f} LUFS")

    params = {"of": of} if target_lufs is None else {"of": of, "target_lufs": target_lufs}
    if target_lufs is None:
        own = name or named("loudness", of)
        return scorer(name=own, unit="LUFS", version="1", params=params)(measured)
    own = name or named("loudness_error", of)
    return scorer(name=own, unit="LU", direction="min", version="1", params=params)(measured)
