"""Whatever a call was, every scorer says something of it, with evidence inside the call."""

from __future__ import annotations

import functools
import math
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.evals.sessions import snapshot_sessions, weather_session
from tests.evals.subjects import scores_of, subject_of
from tests.evals.test_registry import PARAMETERS
from tests.traces.any_events import ANY_EVENT
from voxgate.evals.model import Score
from voxgate.evals.protocols import Scorer
from voxgate.evals.registry import make_scorer, online_safe
from voxgate.evals.session import Session
from voxgate.traces import build_trace

REAL = snapshot_sessions()
EXPECTED: list[dict[str, Any]] = [
    {},
    {"calls": [], "transcript": ""},
    {"calls": [("get_weather", {"city": "London"}), ("x", None)], "transcript": "It is 12 degrees in London"},
]


@functools.cache
def scorer_of(name: str) -> Scorer:
    """Made when it is asked: some load a model."""
    return make_scorer(name, PARAMETERS.get(name))


def check(score: Score, session: Session) -> None:
    assert (score.value is None) == (score.reason_missing is not None)
    assert score.value is None or math.isfinite(score.value)
    assert not (score.reason_missing or "").startswith(
        ("TypeError", "KeyError", "AttributeError", "IndexError")
    ), score
    for one in score.evidence:
        assert 0 <= one.start_ms <= one.end_ms <= session.call_ms
        assert one.span_id is None or any(span["id"] == one.span_id for span in session.spans)
    if score.unit == "share" and not score.name.startswith(("wer", "cer")) and score.value is not None:
        assert -1e-9 <= score.value <= 1 + 1e-9


@pytest.mark.parametrize("name", online_safe())
def test_every_scorer_says_something_of_every_real_call(name: str) -> None:
    for session in (*REAL, weather_session()):
        for more in EXPECTED:
            for turn in (None, *(one.span_id for one in session.turns)):
                for score in scores_of(scorer_of(name), subject_of(session, turn=turn, **more)):
                    check(score, session)
                    Score.from_json(score.to_json())


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(st.lists(ANY_EVENT, max_size=30))
def test_every_scorer_says_something_of_any_call(events: Any) -> None:
    session = Session(build_trace(events).to_json())
    for name in online_safe():
        for score in scores_of(scorer_of(name), subject_of(session, **EXPECTED[2])):
            check(score, session)
