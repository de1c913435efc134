"""What came of a case, put together for a scorer that is tried on it."""

from __future__ import annotations

import asyncio
from typing import Any

from voxgate.evals.model import Case, Expected, ExpectedCall, Input, Json, Output, Score
from voxgate.evals.protocols import Subject
from voxgate.evals.scoring import as_scorer, score_subject
from voxgate.evals.session import Session


def subject_of(
    session: Session | None = None,
    *,
    output: Any = None,
    value: Any = None,
    expected: Expected | None = None,
    transcript: str | None = None,
    calls: list[tuple[str, Json | None]] | None = None,
    free: Any = None,
    turn: str | None = None,
    metadata: Json | None = None,
) -> Subject:
    made = None if calls is None else tuple(ExpectedCall(*one) for one in calls)
    wanted = expected or Expected(transcript, made, free)
    case = Case("case_1", Input("value", value=value), wanted, metadata or {})
    tools = tuple(session.tool_calls) if session is not None else ()
    text = session.said("assistant") if session is not None else None
    return Subject(case, Output(text, tools, value=output, turn_span_id=turn), session)


def scores_of(scorer: Any, subject: Subject, **more: Any) -> list[Score]:
    return asyncio.run(score_subject([as_scorer(scorer)], subject, **more))


def score_of(scorer: Any, session: Session | None = None, **more: Any) -> Score:
    """Of a scorer that gives one."""
    (score,) = scores_of(scorer, subject_of(session, **more))
    return score
