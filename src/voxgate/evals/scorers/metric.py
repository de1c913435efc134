"""A metric of the call as a score, or how much of it keeps to a limit."""

from __future__ import annotations

from voxgate.evals.measures import SHORT_NAMES, Reading, find_measure, readings
from voxgate.evals.model import Direction, Json
from voxgate.evals.returned import Finding, not_measured
from voxgate.evals.scoring import FunctionScorer, scorer
from voxgate.evals.session import Session
from voxgate.traces.metrics import METRICS


def metric(
    measure: str,
    at_most: float | None = None,
    at_least: float | None = None,
    direction: Direction | None = None,
    name: str | None = None,
) -> FunctionScorer:
    """`measure` is a metric of docs/metrics.md (`v2v_p95`), or a latency without its percentile (`v2v`: of
    each call the median, so that a gate asks for `v2v.p95` over the cases). With a limit the score is called
    `NAME_within` and is a share: of the latencies one by one, where the metric sums up several, else 1 or 0.
    Evidence: the spans that it was measured in; with a limit those beyond it. Version: the metric's."""
    found = find_measure(measure)
    if found is None:
        raise ValueError(f"there is no metric {measure!r}: there are {', '.join([*METRICS, *SHORT_NAMES])}")
    limited = at_most is not None or at_least is not None

    def measured(session: Session) -> Finding:
        value = session.metrics.get(found.metric)
        if value is None:
            return not_measured(session.why_missing(found.metric))
        each = readings(session, found.metric)
        if not limited:
            return _whole(value, each)
        return _within(each or [Reading(value, session.evidence)], at_most, at_least)

    params: Json = {"metric": found.metric, "at_most": at_most, "at_least": at_least}
    return scorer(
        name=name or (f"{found.score}_within" if limited else found.score),
        unit="share" if limited else found.unit,
        direction=direction or ("max" if limited else found.direction),
        version=found.version,
        params={key: value for key, value in params.items() if value is not None},
    )(measured)


def _whole(value: float, each: list[Reading] | None) -> Finding:
    if not each:
        return Finding(float(value))
    return Finding(float(value), len(each), [one.evidence for one in each])


def _within(each: list[Reading], at_most: float | None, at_least: float | None) -> Finding:
    beyond = [
        one
        for one in each
        if (at_most is not None and one.value > at_most) or (at_least is not None and one.value < at_least)
    ]
    told = ", ".join(f"{one.value:g}" for one in beyond[:10])
    return Finding(
        1 - len(beyond) / len(each),
        len(each),
        [one.evidence for one in beyond],
        f"beyond the limit: {told}" if beyond else None,
    )
