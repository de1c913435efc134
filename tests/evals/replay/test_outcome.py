"""The trace of a replay, waited for."""

from __future__ import annotations

from typing import Any

import pytest

from voxgate.client.http import ApiError, Client
from voxgate.evals.protocols import TaskError
from voxgate.evals.replay import outcome
from voxgate.evals.replay.outcome import trace_of, turn_span

pytestmark = pytest.mark.anyio


class Answers(Client):
    """Answers one after the other; the last again and again."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def call(self, method: str, path: str, body: Any = None, query: Any = None) -> Any:
        self.asked.append(f"{method} {path}")
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


async def test_a_trace_is_waited_for_until_it_is_whole() -> None:
    whole = {"id": "sess_1", "status": "complete"}
    client = Answers(ApiError("not yet", 404), {"status": "live"}, whole)
    assert await trace_of(client, "sess_1", 60) == whole
    assert client.asked == ["GET /api/sessions/sess_1"] * 3


async def test_a_trace_that_never_comes_is_no_reason_to_call_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcome, "_LEAST_SECONDS", 0)
    with pytest.raises(TaskError, match="does the recorder run") as late:
        await trace_of(Answers({"status": "live"}), "sess_1", 0.01)
    assert not late.value.retryable


@pytest.mark.parametrize(("status", "retryable"), [(403, False), (503, True), (None, True)])
async def test_what_the_api_refuses_is_said(status: int | None, retryable: bool) -> None:
    with pytest.raises(TaskError, match="no entry") as refused:
        await trace_of(Answers(ApiError("no entry", status)), "sess_1", 60)
    assert refused.value.retryable is retryable


def test_the_turn_is_that_of_the_users_item_or_the_last() -> None:
    spans: list[dict[str, Any]] = [
        {"id": "t1", "type": "turn", "parent_id": None},
        {"id": "u1", "type": "user", "parent_id": "t1", "input": {"item_id": "i1"}},
        {"id": "t2", "type": "turn", "parent_id": None},
    ]
    assert turn_span({"spans": spans}, "i1") == "t1"
    assert turn_span({"spans": spans}, None) == "t2"
    assert turn_span({"spans": []}, "i1") is None
