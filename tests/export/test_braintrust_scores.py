"""Scores stand at the span that they are about, as far as Braintrust knows such values."""

from __future__ import annotations

from typing import Any

from voxgate.export.braintrust import rows
from voxgate.export.view import SessionView

SPAN: dict[str, Any] = {
    "name": "", "start_ms": 0.0, "end_ms": 1.0, "status": "completed", "error": None, "input": None,
    "output": None, "usage": None, "cost_usd": None, "metrics": {}, "attachments": [],
}  # fmt: skip


def score(name: str, value: float | None, span_id: str | None = None) -> dict[str, Any]:
    return {"name": name, "value": value, "span_id": span_id}


def test_scores_are_those_of_the_session_at_its_root_and_of_each_span_at_itself() -> None:
    spans = [
        {**SPAN, "id": "span_root", "type": "session", "parent_id": None},
        {**SPAN, "id": "span_turn", "type": "turn", "parent_id": "span_root"},
    ]
    of_session = [score("verdict", 1.0), score("rating", 4.0), score("note", None)]
    scores = [*of_session, score("wer", 0.2, "span_turn")]
    trace = {"id": "sess_1", "started_at": "2026-11-23T00:00:00.000Z", "spans": spans, "scores": scores}
    assert [row["scores"] for row in rows(SessionView(trace))] == [{"verdict": 1.0}, {"wer": 0.2}]
