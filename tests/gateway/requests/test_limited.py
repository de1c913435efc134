"""Requests and tokens per minute, and what requests hold of a budget: as clients and the SDKs see it."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from openai import AsyncOpenAI, RateLimitError
from tests.gateway.conftest import ADMIN_KEY, RunningGateway, StartGateway
from tests.gateway.limited import end_of, until
from tests.gateway.requests.test_passing_on import CHAT, KEY, ask, house, say, stream
from websockets.asyncio.client import connect

from voxgate.core.clock import now_utc
from voxgate.core.errors import RateLimited
from voxgate.gateway import rates
from voxgate.store import Draw, Spent
from voxgate.testing.http_provider import HttpProvider, Received, say_hello

pytestmark = pytest.mark.anyio
MESSAGES: Any = [{"role": "user", "content": "Hi"}]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """Stands still, unless a test moves it on."""
    moment = [now_utc()]
    monkeypatch.setattr(rates, "now_utc", lambda: moment[0])
    return moment


def error_of(body: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(body)["error"]
    return found


async def test_a_request_too_many_is_answered_as_the_live_service_does(
    start_gateway: StartGateway, clock: list[datetime]
) -> None:
    async with house(start_gateway, say_hello) as (gateway, [provider]):
        key = await gateway.mint(max_requests_per_minute=3)
        answers = [await ask(gateway, "chat/completions", CHAT, key) for _ in range(4)]
        assert "Retry-After-Ms" in answers[3][2]["access-control-expose-headers"]  # for SDKs in browsers
        other = await ask(gateway, "chat/completions", CHAT, await gateway.mint(max_requests_per_minute=3))
        free = await ask(gateway, "chat/completions", CHAT)
    assert [status for status, _, _ in answers] == [200, 200, 200, 429]
    assert [headers["x-ratelimit-remaining-requests"] for _, _, headers in answers] == ["2", "1", "0", "0"]
    _, body, headers = answers[3]
    assert error_of(body) == {
        "message": "Rate limit reached for this temporary credential on requests per min (RPM): Limit 3, "
        "Used 3, Requested 1. Please try again in 20s.",
        "type": "requests",
        "code": "rate_limit_exceeded",
        "param": None,
    }
    assert (headers["retry-after"], headers["retry-after-ms"]) == ("20", "20000")
    assert (headers["x-ratelimit-limit-requests"], headers["x-ratelimit-reset-requests"]) == ("3", "1m0s")
    assert (other[0], free[0], len(provider.received)) == (200, 200, 5)
    assert not [name for name in free[2] if "ratelimit" in name]


async def test_the_limits_of_providers_are_told_untouched_where_none_of_ours_holds(
    start_gateway: StartGateway,
) -> None:
    theirs = {"x_ratelimit_limit_requests": "500", "x_ratelimit_remaining_tokens": "77"}
    async with house(start_gateway, say(200, {}, **theirs)) as (gateway, _):
        _, _, headers = await ask(gateway, "chat/completions", CHAT)
        limited = await ask(gateway, "chat/completions", CHAT, await gateway.mint(max_requests_per_minute=9))
    assert (headers["x-ratelimit-limit-requests"], headers["x-ratelimit-remaining-tokens"]) == ("500", "77")
    assert limited[2]["x-ratelimit-limit-requests"] == "9"
    assert limited[2]["x-ratelimit-remaining-tokens"] == "77"


async def test_the_openai_sdk_waits_as_long_as_it_is_told_and_gets_through(
    start_gateway: StartGateway, clock: list[datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    """1.2 seconds; without being told it would try again after half a second."""
    refuse = rates.Rates._refusal

    def refused(self: rates.Rates, what: Sequence[Any]) -> RateLimited:
        error = refuse(self, what)
        clock[0] += timedelta(seconds=2)
        return error

    monkeypatch.setattr(rates.Rates, "_refusal", refused)
    async with house(start_gateway, say_hello) as (gateway, [provider]):
        key = await gateway.mint(max_requests_per_minute=6)
        credential = (await gateway.get("/v1/credentials"))[1]["items"][0]["id"]
        almost = Draw(f"credential:{credential}:requests", 6, owed=5.12)
        gateway.worker.store.draw_rates([almost], clock[0].timestamp())
        base = f"http://127.0.0.1:{gateway.port}/v1"
        async with AsyncOpenAI(base_url=base, api_key=key, max_retries=1) as client:
            began = time.monotonic()
            await client.chat.completions.create(model="gpt-5", messages=MESSAGES)
            took = time.monotonic() - began
    assert [each.headers["x-stainless-retry-count"] for each in provider.received] == ["1"]
    assert took >= 1.2


async def test_anthropics_sdk_gets_its_own_shape(start_gateway: StartGateway, clock: list[datetime]) -> None:
    # Its thousands of modules take two seconds, which every process would spend that only collects tests.
    import anthropic

    message = {"type": "message", "role": "assistant", "content": [], "usage": {"input_tokens": 1}}
    async with house(start_gateway, say(200, message)) as (gateway, _):
        key = await gateway.mint(max_requests_per_minute=1, max_tokens_per_minute=5000)
        base = f"http://127.0.0.1:{gateway.port}"
        async with anthropic.AsyncAnthropic(base_url=base, api_key=key, max_retries=0) as client:
            asked: dict[str, Any] = {"model": "claude", "max_tokens": 5, "messages": MESSAGES}
            await client.messages.create(**asked)
            with pytest.raises(anthropic.RateLimitError) as refused:
                await client.messages.create(**asked)
    error, headers = refused.value, refused.value.response.headers
    assert isinstance(error.body, dict)
    assert error.body["error"]["type"] == "rate_limit_error"
    assert (headers["retry-after"], headers["anthropic-ratelimit-requests-limit"]) == ("60", "1")
    assert headers["anthropic-ratelimit-requests-remaining"] == "0"
    assert headers["anthropic-ratelimit-tokens-limit"] == "5000"
    assert datetime.fromisoformat(headers["anthropic-ratelimit-requests-reset"]).tzinfo is not None


async def test_what_can_never_get_through_is_not_tried_again(start_gateway: StartGateway) -> None:
    async with house(start_gateway, say_hello) as (gateway, [provider]):
        key = await gateway.mint(max_tokens_per_minute=1000)
        base = f"http://127.0.0.1:{gateway.port}/v1"
        async with AsyncOpenAI(base_url=base, api_key=key, max_retries=5) as client:
            with pytest.raises(RateLimitError, match="Request too large") as refused:
                await client.chat.completions.create(model="gpt-5", messages=MESSAGES, max_tokens=2000)
        assert not provider.received
    assert (refused.value.type, refused.value.code) == ("tokens", "rate_limit_exceeded")
    assert refused.value.response.headers["x-ratelimit-limit-tokens"] == "1000"


async def test_tokens_are_taken_before_and_corrected_afterwards(
    start_gateway: StartGateway, clock: list[datetime]
) -> None:
    """900 each time, of which 12 are used; and one that nobody answers uses none."""
    body = {**CHAT, "max_tokens": 900}
    async with house(start_gateway, say_hello) as (gateway, [provider]):
        key = await gateway.mint(max_tokens_per_minute=1000)
        answers = [await ask(gateway, "chat/completions", body, key) for _ in range(3)]
        provider.answer = say(400, {"error": {"message": "no"}})
        answers += [await ask(gateway, "chat/completions", body, key) for _ in range(2)]
    assert [status for status, _, _ in answers] == [200, 200, 200, 400, 400]
    held = [int(headers["x-ratelimit-remaining-tokens"]) for _, _, headers in answers]
    assert [before - after for before, after in itertools.pairwise(held)] == [12, 12, 12, 0]


async def test_a_route_has_a_limit_of_all_callers(start_gateway: StartGateway, clock: list[datetime]) -> None:
    limited = {"max_requests_per_minute": 2}
    async with house(start_gateway, say_hello, route=limited) as (gateway, _):
        keys = [ADMIN_KEY, await gateway.mint(), ADMIN_KEY]
        answers = [await ask(gateway, "chat/completions", CHAT, key) for key in keys]
    assert [status for status, _, _ in answers] == [200, 200, 429]
    assert "the route *" in error_of(answers[2][1])["message"]


async def test_an_api_key_brings_its_own_limit_and_calls_count_as_requests(
    start_gateway: StartGateway, clock: list[datetime]
) -> None:
    wanted = {"name": "app", "role": "connect", "max_requests_per_minute": 2, "max_tokens_per_minute": 9000}
    async with HttpProvider(say_hello) as provider:
        known = {"p0": {"base_url": provider.base_url, "api_key": KEY, "pass_through": True}}
        routes = [{"model": "*", "providers": ["p0"]}]
        async with start_gateway(providers=known, routes=routes) as gateway:
            status, made = await gateway.post("/api/keys", wanted)
            assert (status, made["max_requests_per_minute"], made["max_tokens_per_minute"]) == (201, 2, 9000)
            _, shown = await gateway.get("/api/keys")
            assert shown["items"][0]["max_requests_per_minute"] == 2
            assert (await ask(gateway, "chat/completions", CHAT, made["key"]))[0] == 200
            assert (await ask(gateway, "providers/p0/files", b"x", made["key"]))[0] == 200
            headers = {"Authorization": f"Bearer {made['key']}"}
            async with connect(f"{gateway.url}?model=gpt-5", additional_headers=headers) as socket:
                error, code, reason = await end_of(socket)
    assert (error["type"], error["code"]) == ("requests", "rate_limit_exceeded")
    assert (code, reason) == (4029, "requests.rate_limit_exceeded")


async def test_a_request_that_no_limit_applies_to_asks_nothing(
    start_gateway: StartGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(*_: Any) -> Any:
        raise AssertionError("nobody has to be asked")

    async with house(start_gateway, say_hello) as (gateway, _):
        monkeypatch.setattr(gateway.worker.gateway.rates, "take", asked)
        assert (await ask(gateway, "chat/completions", CHAT))[0] == 200


# Budgets


def waiting(release: asyncio.Event) -> Callable[[Received], Awaitable[web.StreamResponse]]:
    async def answer(received: Received) -> web.StreamResponse:
        async with asyncio.timeout(60):
            await release.wait()
        return await say_hello(received)

    return answer


async def used(gateway: RunningGateway, **expected: int) -> None:
    """Waits until the only credential has used so much, and nothing is held any more."""
    [row] = (await gateway.get("/v1/credentials"))[1]["items"]
    store = gateway.worker.store

    def is_so() -> bool:
        spent = store.spent_by([row["id"]]).get(row["id"], Spent())
        wanted = {"held_tokens": 0, "held_nano_usd": 0, **expected}
        return all(getattr(spent, name) == value for name, value in wanted.items())

    await until(is_so)


async def test_requests_beside_each_other_cannot_all_pass_a_budget_for_one(
    start_gateway: StartGateway,
) -> None:
    release = asyncio.Event()
    async with house(start_gateway, waiting(release)) as (gateway, [provider]):
        key = await gateway.mint(model="gpt-5", max_tokens=1000)
        body = {**CHAT, "max_tokens": 400}
        tries = [asyncio.create_task(ask(gateway, "chat/completions", body, key)) for _ in range(6)]
        await until(lambda: sum(task.done() for task in tries) == 4)
        refused = [task.result() for task in tries if task.done()]
        release.set()
        passed = [await task for task in tries]
        await used(gateway, uses=2, tokens=24)
        assert (await ask(gateway, "chat/completions", body, key))[0] == 200
    assert [status for status, _, _ in refused] == [429] * 4
    assert {error_of(answered)["code"] for _, answered, _ in refused} == {"budget_reserved"}
    assert sorted(status for status, _, _ in passed) == [200, 200, 429, 429, 429, 429]
    assert len(provider.received) == 3


async def test_a_request_that_says_it_may_use_more_than_is_left_is_refused(
    start_gateway: StartGateway,
) -> None:
    async with house(start_gateway, say_hello) as (gateway, [provider]):
        key = await gateway.mint(model="gpt-5", max_tokens=1000)
        status, body, headers = await ask(gateway, "chat/completions", {**CHAT, "max_tokens": 990}, key)
        assert (status, error_of(body)["code"], headers["x-should-retry"]) == (429, "budget_spent", "false")
        assert "1,000 are left" in error_of(body)["message"]
        assert not provider.received
        assert (await ask(gateway, "chat/completions", {**CHAT, "max_tokens": 900}, key))[0] == 200


async def test_a_request_that_does_not_say_holds_what_is_left_and_passes_alone(
    start_gateway: StartGateway,
) -> None:
    release = asyncio.Event()
    async with house(start_gateway, waiting(release)) as (gateway, [provider]):
        key = await gateway.mint(model="gpt-5", max_tokens=1000)
        first = asyncio.create_task(ask(gateway, "chat/completions", CHAT, key))
        await until(lambda: provider.received)
        refused = await ask(gateway, "chat/completions", CHAT, key)
        release.set()
        assert (await first)[0] == 200
        await used(gateway, uses=1, tokens=12)
        assert (await ask(gateway, "chat/completions", CHAT, key))[0] == 200
    assert (refused[0], error_of(refused[1])["code"]) == (429, "budget_reserved")


async def test_what_nobody_answered_holds_and_uses_nothing(start_gateway: StartGateway) -> None:
    async with house(start_gateway, say(500, {"error": {"message": "no"}})) as (gateway, _):
        key = await gateway.mint(model="gpt-5", max_tokens=1000)
        assert (await ask(gateway, "chat/completions", {**CHAT, "max_tokens": 900}, key))[0] == 500
        await used(gateway, uses=1)


async def test_dollars_are_held_at_the_price_of_the_model(start_gateway: StartGateway) -> None:
    """400 tokens at $10 a million are $0.004, so a cent is enough for two."""
    release = asyncio.Event()
    async with HttpProvider(waiting(release)) as provider:
        known = {"p0": {"base_url": provider.base_url, "api_key": KEY}}
        price = {"text_input": 0, "text_cached_input": 0, "text_output": 10}
        price |= {"audio_input": 0, "audio_cached_input": 0, "audio_output": 0}
        routes = [{"model": "*", "providers": ["p0"]}]
        async with start_gateway(providers=known, routes=routes, prices={"gpt-5": price}) as gateway:
            key = await gateway.mint(model="gpt-5", max_cost_usd=0.01)
            body = {**CHAT, "max_tokens": 400}
            tries = [asyncio.create_task(ask(gateway, "chat/completions", body, key)) for _ in range(3)]
            await until(lambda: sum(task.done() for task in tries) == 1)
            release.set()
            assert sorted([(await task)[0] for task in tries]) == [200, 200, 429]
            await used(gateway, uses=2, tokens=24, nano_usd=60_000)


async def test_a_stream_that_does_not_say_its_usage_counts_by_what_was_seen(
    start_gateway: StartGateway,
) -> None:
    words = [{"choices": [{"index": 0, "delta": {"content": "four " * 8}}]} for _ in range(5)]
    events = [f"data: {json.dumps(each)}\n\n".encode() for each in words]
    asked = json.dumps({"model": "gpt-5", "stream": True, "messages": []}).encode()
    async with house(start_gateway, stream(*events, b"data: [DONE]\n\n")) as (gateway, [provider]):
        key = await gateway.mint(model="gpt-5", max_tokens=1000)
        _, answered, _ = await ask(gateway, "chat/completions", asked, key)
        assert answered == b"".join(events) + b"data: [DONE]\n\n"
        assert provider.received[0].body == asked
        await used(gateway, uses=1, tokens=50 + -(-len(asked) // 4))


async def test_anthropics_usage_comes_in_two_parts(start_gateway: StartGateway) -> None:
    start = {"type": "message_start", "message": {"usage": {"input_tokens": 30, "output_tokens": 1}}}
    delta = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}}
    events = [f"event: x\ndata: {json.dumps(each)}\n\n".encode() for each in (start, delta)]
    asked = {"model": "claude", "max_tokens": 100, "stream": True, "messages": MESSAGES}
    async with house(start_gateway, stream(*events)) as (gateway, _):
        key = await gateway.mint(model="claude", max_tokens=1000)
        await ask(gateway, "messages", asked, key)
        await used(gateway, uses=1, tokens=39)
