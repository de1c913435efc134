"""The stage that keeps a budget, message by message."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxgate.auth.credentials import Grant
from voxgate.core.errors import BudgetSpent, UsageUnknown
from voxgate.core.prices import PriceTable
from voxgate.gateway.account import Account
from voxgate.gateway.policies.budget import Budget
from voxgate.store import Spent

MODEL = "gpt-realtime-2.1"
PCM, PCMU = {"type": "audio/pcm", "rate": 24000}, {"type": "audio/pcmu"}


def stage(known: Spent = Spent(), **scopes: Any) -> tuple[Budget, Account]:  # noqa: B008 - never changed
    account = Account(Grant("temporary", "cred", **scopes), known)
    return Budget(account, MODEL, PriceTable()), account


def event(kind: str, **more: Any) -> bytes:
    return json.dumps({"type": kind, **more}).encode()


def sound(kind: str, size: int, **more: Any) -> bytes:
    name = "audio" if kind.startswith("input") else "delta"
    return event(kind, **more, **{name: base64.b64encode(bytes(size)).decode()})


def created(response_id: str, **more: Any) -> bytes:
    return event("response.created", response={"id": response_id, **more})


def done(response_id: str, usage: Any, status: str = "completed") -> bytes:
    return event("response.done", response={"id": response_id, "status": status, "usage": usage})


def usage_of(text: int, audio: int = 0) -> dict[str, Any]:
    return {
        "total_tokens": text + audio,
        "input_tokens": text,
        "output_tokens": audio,
        "input_token_details": {"text_tokens": text},
        "output_token_details": {"audio_tokens": audio},
    }


def cancelled(texts: tuple[bytes, ...]) -> list[str]:
    events = [json.loads(text) for text in texts]
    assert {each["type"] for each in events} <= {"response.cancel"}
    return [each["response_id"] for each in events]


@given(
    st.binary(max_size=2000), st.sampled_from(["input_audio_buffer.append", "response.output_audio.delta"])
)
def test_the_length_of_sound_is_known_without_decoding_it(data: bytes, kind: str) -> None:
    budget, account = stage()
    name = "audio" if kind.startswith("input") else "delta"
    text = event(kind, **{name: base64.b64encode(data).decode()})
    ruling = budget.to_provider(text) if kind.startswith("input") else budget.to_client(text)
    assert ruling.forward == (text,)
    assert ruling.forward[0] is text
    assert account.audio_seconds == pytest.approx(len(data) / 48_000)


def test_an_append_that_is_written_in_another_way_counts_too() -> None:
    budget, account = stage(max_audio_seconds=1)
    data = base64.b64encode(bytes(24_000)).decode()
    escaped = '{"type":"input_audio_buffer.\\u0061ppend","\\u0061udio":"' + data + '"}'
    budget.to_provider(escaped.encode())
    assert account.audio_seconds == 0.5
    twice = '{"type":"input_audio_buffer.append","audio":"","audio":"' + data + '"}'
    refused = budget.to_provider(twice.encode())
    assert not refused.forward
    assert json.loads(refused.back[0])["error"]["code"] == "invalid_event"
    assert budget.to_provider(escaped.encode()).end is not None


def test_sound_that_stands_in_a_requests_items_counts() -> None:
    budget, account = stage()
    data = base64.b64encode(bytes(48_000)).decode()
    item = {"type": "message", "content": [{"type": "input_audio", "audio": data}]}
    budget.to_provider(event("response.create", response={"input": [item, {"type": "item_reference"}]}))
    assert account.audio_seconds == 1


def test_every_response_that_runs_is_cancelled() -> None:
    budget, _ = stage(max_audio_seconds=1)
    budget.to_client(created("a"))
    budget.to_client(created("b"))
    budget.to_client(created("c"))
    budget.to_client(done("b", usage_of(1)))
    from_provider = budget.to_client(sound("response.output_audio.delta", 48_000, response_id="a"))
    assert isinstance(from_provider.end, BudgetSpent)
    assert len(from_provider.forward) == 1
    assert cancelled(from_provider.back) == ["a", "c"]
    from_client = budget.to_provider(sound("input_audio_buffer.append", 48))
    assert cancelled(from_client.forward) == ["a", "c"]
    assert not from_client.back


def test_responses_at_the_same_time_have_formats_of_their_own() -> None:
    budget, account = stage()
    budget.to_client(created("a", audio={"output": {"format": PCMU}}))
    budget.to_client(created("b", audio={"output": {"format": PCM}}))
    budget.to_client(sound("response.output_audio.delta", 8_000, response_id="a"))
    assert account.audio_seconds == 1
    budget.to_client(sound("response.output_audio.delta", 48_000, response_id="b"))
    assert account.audio_seconds == 2


def test_nobody_gains_by_sending_before_a_smaller_format_is_confirmed() -> None:
    budget, account = stage()
    asks = {"type": "realtime", "audio": {"input": {"format": PCMU}}}
    budget.to_provider(event("session.update", session=asks))
    budget.to_provider(sound("input_audio_buffer.append", 8_000))
    assert account.audio_seconds == 1
    budget.to_client(event("session.updated", session=asks))
    budget.to_provider(sound("input_audio_buffer.append", 8_000))
    assert account.audio_seconds == 2


def test_a_larger_format_counts_from_the_providers_confirmation_on() -> None:
    budget, account = stage()
    small, large = ({"type": "realtime", "audio": {"input": {"format": each}}} for each in (PCMU, PCM))
    budget.to_client(event("session.created", session=small))
    budget.to_provider(event("session.update", session=large))
    budget.to_provider(sound("input_audio_buffer.append", 8_000))
    assert account.audio_seconds == 1
    budget.to_client(event("session.updated", session=large))
    budget.to_provider(sound("input_audio_buffer.append", 48_000))
    assert account.audio_seconds == 2


def test_a_format_that_the_provider_refuses_does_not_count() -> None:
    budget, account = stage()
    asks = {"type": "realtime", "audio": {"input": {"format": PCMU}}}
    budget.to_provider(event("session.update", session=asks))
    budget.to_client(event("error", error={"code": "invalid_value"}))
    budget.to_provider(sound("input_audio_buffer.append", 48_000))
    assert account.audio_seconds == 1


@pytest.mark.parametrize("word", ["response.text.delta", "response.output_audio_transcript.delta"])
def test_a_usage_counts_whatever_the_client_has_called_things(word: str) -> None:
    """The client's metadata comes back in the response, in some providers' messages before the type."""
    budget, account = stage()
    response = {"id": "a", "metadata": {"k": word}, "status": "completed", "usage": usage_of(70)}
    text = json.dumps({"event_id": "e", "response": response, "type": "response.done"}).encode()
    assert budget.to_client(text).forward == (text,)
    assert account.tokens == 70


def test_a_usage_replaces_what_its_response_counted_as() -> None:
    budget, account = stage()
    budget.to_client(created("a"))
    budget.to_client(sound("response.output_audio.delta", 48_000))
    budget.to_client(event("response.output_audio_transcript.delta", response_id="a", delta="Hi"))
    assert account.tokens == 21
    assert account.cost_usd == pytest.approx((20 * 64 + 24) / 1e6)
    budget.to_client(done("a", usage_of(100, 30)))
    assert account.tokens == pytest.approx(130)
    assert account.cost_usd == pytest.approx((100 * 4 + 30 * 64) / 1e6)


def test_a_response_that_never_ends_counts_with_the_input_of_the_one_before() -> None:
    budget, account = stage()
    budget.to_client(created("a"))
    budget.to_client(done("a", usage_of(100, 30)))
    budget.to_client(created("b"))
    assert account.tokens == 130 + 100
    assert account.cost_usd == pytest.approx((2 * 100 * 4 + 30 * 64) / 1e6)
    assert budget.to_client(done("b", None, "cancelled")).end is None
    assert account.tokens == 130 + 100, "it stays"


@pytest.mark.parametrize("status", ["completed", "incomplete", "failed", "cancelled"])
def test_only_what_was_completed_must_have_a_usage(status: str) -> None:
    budget, _ = stage(max_tokens=10)
    budget.to_client(created("a"))
    ends = isinstance(budget.to_client(done("a", None, status)).end, UsageUnknown)
    assert ends is (status in ("completed", "incomplete"))


@pytest.mark.parametrize(
    ("scopes", "spent"),
    [
        ({"max_tokens": 10}, Spent(tokens=10)),
        ({"max_cost_usd": 0.5}, Spent(nano_usd=500_000_000)),
        ({"max_audio_seconds": 0.25}, Spent(audio_ms=250)),
    ],
)
def test_what_others_spent_counts_and_a_budget_is_spent_when_it_is_reached(
    scopes: dict[str, Any], spent: Spent
) -> None:
    budget, account = stage(spent, **scopes)
    ruling = budget.to_client(created("a"))
    assert isinstance(ruling.end, BudgetSpent)
    assert ruling.end.param == next(iter(scopes))
    assert cancelled(ruling.back) == ["a"]
    account.arrived(
        Spent(*(max(0, amount - 1) for amount in (0, spent.tokens, spent.audio_ms, spent.nano_usd)))
    )
    assert budget.to_client(created("b")).end is None


@given(st.binary(max_size=300))
def test_no_message_makes_it_fail(noise: bytes) -> None:
    budget, account = stage(max_tokens=10**9, max_cost_usd=1000, max_audio_seconds=10**9)
    for text in (noise, b'{"type":"response.done",' + noise, b'"response.created"' + noise):
        budget.to_provider(text)
        budget.to_client(text)
    assert account.tokens >= 0


@pytest.mark.parametrize("odd", [None, 5, "x", [], [[]], {"id": 7}, {"id": "a", "usage": [1]}, {"audio": 3}])
def test_events_of_odd_shapes_go_on(odd: Any) -> None:
    budget, account = stage(max_audio_seconds=10, max_cost_usd=10)
    for kind in ("session.created", "session.updated", "response.created"):
        text = event(kind, session=odd, response=odd)
        assert budget.to_client(text).forward == (text,)
    text = event("conversation.item.create", item=odd, audio=odd)
    assert budget.to_provider(text).forward == (text,)
    assert account.audio_seconds < 1


# The account


@given(st.lists(st.tuples(st.floats(0, 1e6), st.booleans()), max_size=20))
def test_nothing_is_lost_on_the_way_to_the_database(steps: list[tuple[float, bool]]) -> None:
    account, written = Account(Grant("temporary", "cred"), Spent()), Spent()
    total = 0.0
    for amount, arrives in steps:
        account.add(tokens=amount, audio_ms=amount)
        total += amount
        assert account.tokens == pytest.approx(total)
        sent = account.send()
        assert account.tokens == pytest.approx(total)
        if arrives:
            written += sent
            account.arrived(written)
        else:
            account.came_back()
        assert account.tokens == pytest.approx(total)
        assert account.audio_seconds == pytest.approx(total / 1000)
    account.send()
    account.arrived(Spent(tokens=int(total), audio_ms=int(total)))
    assert account.is_settled
