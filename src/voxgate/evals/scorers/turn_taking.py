"""Who speaks when: whether answers come and in time, who yields to whom, silence and talking at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Final

from voxgate.evals.measures import find_measure, readings
from voxgate.evals.model import Evidence, Json
from voxgate.evals.reading import times_of
from voxgate.evals.returned import Finding, not_measured
from voxgate.evals.scoring import FunctionScorer, scorer
from voxgate.evals.session import Session
from voxgate.traces.events import number, obj

_METRICS: Final = {
    "response_rate": "response_rate",
    "response_latency": "response_latency_p50",
    "yield_rate": "yield_rate",
    "yield_latency": "yield_latency_p50",
    "agent_interruptions": "agent_interruption_rate",
    "ghost_interruptions": "ghost_interruption_rate",
    "dead_air": "dead_air_total",
    "longest_silence": "dead_air_longest",
    "talk_over": "overlap_ms",
    "reprompts": "reprompt_rate",
    "missed_last_turn": "missed_last_turn",
}
TIMELINESS: Final = "timeliness"
PARTS: Final = (TIMELINESS, *_METRICS)
_QUICK: Final = ((-500.0, 0.0), (500.0, 1.0), (2000.0, 1.0), (3500.0, 0.0))
_AFTER_TOOL: Final = ((-500.0, 0.0), (500.0, 1.0), (3000.0, 1.0), (5000.0, 0.0))
"""Milliseconds and what they are worth; in between on a straight line. Of EVA's turn-taking score."""


def turn_taking(parts: Sequence[str] | None = None, name: str = "turn_taking") -> FunctionScorer:
    """Several scores, `turn_taking.PART`: the metrics of docs/metrics.md that say who speaks when, each null
    where that is, and `timeliness` from 0 to 1: the mean over the answers of what their voice-to- voice
    latency is worth by EVA, 1 from 500 to 2,000 ms (after a tool 3,000) down to 0 at 3,500 (5,000). Null
    without sound, and where the user's audio was not sent in real time. Evidence: of `talk_over`, `yield_*`
    and `ghost_interruptions` what the user said into an answer, of `timeliness` the waits that cost
    something, of `missed_last_turn` the last line."""
    wanted = tuple(parts) if parts is not None else PARTS
    unknown = [one for one in wanted if one not in PARTS]
    if unknown or not wanted:
        raise ValueError(f"parts are some of {', '.join(PARTS)}, not {', '.join(unknown) or 'none'}")

    def measured(session: Session) -> list[Finding]:
        return [_timeliness(session) if one == TIMELINESS else _from_metric(session, one) for one in wanted]

    return scorer(name=name, version="1", params={"parts": list(wanted)})(measured)


def _from_metric(session: Session, part: str) -> Finding:
    measure = find_measure(_METRICS[part])
    assert measure is not None
    value, unit, direction = session.metrics.get(measure.metric), measure.unit, measure.direction
    if value is None:
        why = session.why_missing(measure.metric)
        return not_measured(why, part=part, unit=unit, direction=direction)
    find = _EVIDENCE.get(part)
    evidence = find(session) if find is not None else []
    return Finding(float(value), evidence=evidence, part=part, unit=unit, direction=direction)


def _barge_ins(session: Session) -> list[Evidence]:
    """The user's lines may be unwritten: of the spans."""
    users = [span for span in session.spans if span.get("type") == "user"]
    return _of_spans(session, (one for one in users if obj(one, "metrics").get("barge_in")))


def _talk_over(session: Session) -> list[Evidence]:
    users = [span for span in session.spans if span.get("type") == "user"]
    return _of_spans(session, (one for one in users if number(obj(one, "metrics"), "overlap_ms")))


def _of_spans(session: Session, spans: Iterable[Json]) -> list[Evidence]:
    found = []
    for span in spans:
        start_ms, end_ms = times_of(span, session.call_ms)
        found.append(Evidence(start_ms, end_ms, str(span["id"])))
    return found


def _last_line(session: Session) -> list[Evidence]:
    lines = [line for line in session.lines if line.role == "user"]
    return [lines[-1].evidence] if lines and session.metrics.get("missed_last_turn") else []


_EVIDENCE: Final[dict[str, Callable[[Session], list[Evidence]]]] = {
    "yield_rate": _barge_ins,
    "yield_latency": _barge_ins,
    "ghost_interruptions": _barge_ins,
    "talk_over": _talk_over,
    "missed_last_turn": _last_line,
}


def _timeliness(session: Session) -> Finding:
    quick = [(one, _worth(one.value, _QUICK)) for one in readings(session, "v2v_p50") or ()]
    slow = [(one, _worth(one.value, _AFTER_TOOL)) for one in readings(session, "tool_turn_v2v_p50") or ()]
    each = [*quick, *slow]
    if not each:
        return not_measured(session.why_missing("v2v_p50"), part=TIMELINESS, unit="share")
    late = [one for one, worth in each if worth < 1]
    told = ", ".join(f"{one.value:.0f} ms" for one in late[:10])
    return Finding(
        sum(worth for _, worth in each) / len(each),
        len(each),
        [one.evidence for one in late],
        f"untimely: {told}" if late else None,
        part=TIMELINESS,
        unit="share",
    )


def _worth(ms: float, points: Sequence[tuple[float, float]]) -> float:
    if ms <= points[0][0]:
        return points[0][1]
    for (left, low), (right, high) in pairwise(points):
        if ms <= right:
            return low + (high - low) * (ms - left) / (right - left)
    return points[-1][1]
