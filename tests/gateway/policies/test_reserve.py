"""Responses that a client asks for beside one another, under a budget that together they could exceed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.gateway.policies.test_budget import created, done, event, stage, usage_of
from voxgate.gateway.policies import reserve
from voxgate.gateway.policies.budget import Budget

ASK = event("response.create", event_id="mine", response={"conversation": "none"})


def asks(budget: Budget) -> bool:
    """Whether a response that is asked for now goes on to the provider; if not, what the client hears."""
    ruling = budget.to_provider(ASK)
    assert ruling.end is None
    if ruling.forward == (ASK,):
        assert not ruling.back
        return True
    error = json.loads(ruling.back[0])["error"]
    assert (error["code"], error["event_id"]) == ("budget_reserved", "mine")
    assert error["param"] in ("max_tokens", "max_cost_usd")
    return False


def take(budget: Budget, number: int, tokens: int) -> None:
    """A response that was asked for, from its beginning to its end."""
    budget.to_client(created(f"resp_{number}"))
    budget.to_client(done(f"resp_{number}", usage_of(tokens)))


@pytest.mark.parametrize("scope", [{"max_tokens": 10**6}, {"max_cost_usd": 1000}])
def test_before_a_response_has_ended_there_is_one_at_a_time(scope: dict[str, Any]) -> None:
    budget, _ = stage(**scope)
    assert asks(budget)
    assert not asks(budget)
    budget.to_client(created("resp_1"))
    assert not asks(budget), "it runs"
    budget.to_client(done("resp_1", usage_of(100)))
    assert all(asks(budget) for _ in range(10))


@pytest.mark.parametrize("scope", [{"max_tokens": 1000}, {"max_cost_usd": 0.004}])
def test_as_many_go_on_together_as_the_budget_has_room_for(scope: dict[str, Any]) -> None:
    """Each has cost 100 tokens, or $0.0004."""
    budget, _ = stage(**scope)
    assert asks(budget)
    take(budget, 1, 100)
    assert [asks(budget) for _ in range(10)] == [True] * 9 + [False]
    budget.to_client(created("resp_2"))
    assert not asks(budget), "what runs counts as well"
    budget.to_client(done("resp_2", usage_of(10)))
    assert not asks(budget)
    take(budget, 3, 10)
    assert asks(budget), "two of them have used less than they were taken for"


def test_the_largest_response_says_what_one_may_use() -> None:
    budget, _ = stage(max_tokens=1000)
    for number, tokens in enumerate((10, 300, 10)):
        assert asks(budget)
        take(budget, number, tokens)
    assert [asks(budget) for _ in range(3)] == [True, True, False]


def test_alone_a_response_begins_as_long_as_anything_is_left() -> None:
    budget, _ = stage(max_tokens=1000)
    for number in range(2):
        assert asks(budget)
        take(budget, number, 400)
    assert asks(budget)


def test_what_runs_counts_once_whatever_it_has_said_so_far() -> None:
    budget, account = stage(max_tokens=1000)
    assert asks(budget)
    take(budget, 1, 300)
    assert asks(budget)
    budget.to_client(created("resp_2"))
    for _ in range(250):
        budget.to_client(event("response.output_text.delta", response_id="resp_2", delta="word"))
    assert account.tokens > 500
    assert asks(budget), "300 were used, and there is room for two more of that size"
    assert not asks(budget)


def test_an_error_sets_nothing_free_and_time_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client can provoke an error that names the same event."""
    now = 1000.0
    monkeypatch.setattr(reserve.time, "monotonic", lambda: now)
    budget, _ = stage(max_tokens=1000)
    assert asks(budget)
    budget.to_client(event("error", error={"code": "invalid_value", "event_id": "mine"}))
    assert not asks(budget)
    now += reserve._ANSWER_SECONDS + 1
    assert asks(budget)


def test_a_budget_of_sound_is_kept_while_it_is_spoken() -> None:
    budget, _ = stage(max_audio_seconds=10)
    assert all(asks(budget) for _ in range(10))


def test_voice_activity_sets_nothing_free_that_runs() -> None:
    budget, _ = stage(max_tokens=1000)
    assert asks(budget)
    budget.to_client(created("resp_of_voice_activity"))
    assert not asks(budget)
