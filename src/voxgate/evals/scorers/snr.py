"""How far one side's voice stands above its background: the signal-to-noise ratio in dB."""

from __future__ import annotations

from voxgate.evals.lanes import Lane, lane_of, named, no_sound
from voxgate.evals.reading import Role
from voxgate.evals.returned import Finding, not_measured
from voxgate.evals.scoring import FunctionScorer, scorer
from voxgate.evals.session import Session


def snr(of: Role = "user", name: str | None = None) -> FunctionScorer:
    """The level of the voiced frames over that of the background, the tenth percentile of the 10 ms frames
    that are not digital silence: as the metric `snr_db`. The evidence is the voice."""

    def measured(session: Session) -> Finding:
        lane = lane_of(session, of)
        return not_measured(no_sound(of)) if lane is None else _ratio(lane, of)

    own = name or named("snr", of)
    return scorer(name=own, unit="dB", version="1", params={"of": of})(measured)


def _ratio(lane: Lane, of: Role) -> Finding:
    voice = lane.voice
    if voice.level_db is None or voice.floor_db is None:
        return not_measured(f"there is no voice in the sound of the {of}")
    if voice.snr_db is None:
        return not_measured(f"the {of} has no background: there is no pause, or only digital silence in it")
    told = f"voice {voice.level_db:.1f} dBFS, background {voice.floor_db:.1f} dBFS"
    return Finding(voice.snr_db, len(voice.intervals), lane.evidence(voice.intervals), told)
