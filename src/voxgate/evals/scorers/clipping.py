"""How much of one side's sound has its tops cut off: the share of its samples that lie in clipped runs."""

from __future__ import annotations

from typing import Final

import numpy as np

from voxgate.audio.faults import clipped_runs, merged
from voxgate.audio.hearing import CLIP_LEVEL
from voxgate.audio.waves import blocks
from voxgate.evals.lanes import lane_of, named, no_sound
from voxgate.evals.reading import Role
from voxgate.evals.returned import Finding, not_measured
from voxgate.evals.scoring import FunctionScorer, scorer
from voxgate.evals.session import Session

_JOIN_MS: Final = 200.0
_LEVEL: Final = CLIP_LEVEL / 32768


def clipping(
    of: Role = "user", level: float = _LEVEL, shortest: int = 3, name: str | None = None
) -> FunctionScorer:
    """Samples in runs of at least `shortest` beyond `level` (of full scale 1) on one side, of all that are
    not 0. The metric `clipping` counts single samples as well."""

    def measured(session: Session) -> Finding:
        lane = lane_of(session, of)
        sounding = 0 if lane is None else sum(int(np.count_nonzero(block)) for block in blocks(lane.samples))
        if lane is None or not sounding:
            return not_measured(no_sound(of))
        runs = clipped_runs(lane.samples, lane.rate, level=level, shortest=shortest)
        clipped = sum(run.samples for run in runs)
        places = merged([(run.start_ms, run.end_ms) for run in runs], _JOIN_MS)
        told = f"{len(runs)} clipped runs, {clipped * 1000 / lane.rate:.1f} ms of them"
        return Finding(clipped / sounding, 1, lane.evidence(places), told)

    params = {"of": of, "level": level, "shortest": shortest}
    own = name or named("clipping", of)
    return scorer(name=own, unit="share", direction="min", version="1", params=params)(measured)
