"""The metrics of calls as scores: which there are, by what names they can be asked for, whether more of them
is better, and where in a call each was measured. docs/metrics.md defines them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from voxgate.evals.model import Direction, Evidence, Json
from voxgate.evals.reading import times_of
from voxgate.evals.turns import PERCENTILES, SUMMED
from voxgate.traces.events import number, obj, string
from voxgate.traces.latency import DISTRIBUTIONS
from voxgate.traces.metrics import METRICS

if TYPE_CHECKING:  # numpy comes with it, and every command knows the names of measures
    from voxgate.evals.session import Session

HIGHER_IS_BETTER: Final = frozenset(
    {
        *("response_rate", "yield_rate", "snr_db", "loudness", "loudness_assistant"),
        *("tool_schema_validity", "cache_hit_rate", "talk_ratio", "turns"),
    }
)
_MEDIANS: Final = {name.removesuffix("_p50"): name for name in METRICS if name.endswith("_p50")}
SHORT_NAMES: Final = {**_MEDIANS, "tool_wait": "tool_wait_p95", "first_audio": "model_ttfa_p50"}
"""What a call's own value is where a percentile over calls is asked for, as `v2v.p95` of a gate."""
_AGGREGATE: Final = re.compile(r"\.(?:mean|min|max|sum|p\d{1,2}(?:\.\d+)?)$")


class Measure(NamedTuple):
    """`metric` of METRICS, under the name that its scores have."""

    score: str
    metric: str

    @property
    def unit(self) -> str:
        return METRICS[self.metric].unit

    @property
    def direction(self) -> Direction:
        return "max" if self.metric in HIGHER_IS_BETTER else "min"

    @property
    def version(self) -> str:
        return str(METRICS[self.metric].version)


def find_measure(name: str) -> Measure | None:
    """By the name of a metric (`v2v_p95`), of what a call has one of (`v2v`: its median), or as a gate asks
    for it over all cases (`v2v.p95`: the scores are called `v2v`)."""
    if name in METRICS:
        return Measure(name, name)
    base = _AGGREGATE.sub("", name)
    metric = base if base in METRICS else SHORT_NAMES.get(base)
    return Measure(base, metric) if metric is not None else None


class Reading(NamedTuple):
    value: float
    evidence: Evidence


def readings(session: Session, metric: str) -> list[Reading] | None:
    """What the metric sums up, span by span; None where it is of the call as a whole."""
    source = PERCENTILES[metric][0] if metric in PERCENTILES else SUMMED.get(metric)
    if source is None:
        return None
    spans = [span for span in session.spans if string(span, "type") == DISTRIBUTIONS[source]]
    return [
        Reading(value, _where(session, span, source, value))
        for span in spans
        if (value := number(obj(span, "metrics"), source)) is not None
    ]


def _where(session: Session, span: Json, source: str, value: float) -> Evidence:
    """Of voice to voice the wait itself, of all else its span."""
    call_ms, span_id = session.call_ms, str(span["id"])
    play_ms = number(obj(span, "output"), "play_start_ms")
    if source in ("v2v_heard", "tool_turn_v2v") and play_ms is not None:
        voice_ms = min(play_ms + (number(obj(span, "metrics"), "lead_silence") or 0.0), call_ms)
        return Evidence(max(voice_ms - value, 0.0), voice_ms, span_id)
    start_ms, end_ms = times_of(span, call_ms)
    return Evidence(start_ms, end_ms, span_id)
