"""Limits per minute on a socket of `responses`: each response is a request of its own, and the socket goes on
when one is refused."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from tests.gateway.conftest import ADMIN_KEY, RunningGateway, StartGateway
from tests.gateway.limited import until
from tests.gateway.requests.standin import StandIn
from tests.gateway.requests.test_limited import clock
from tests.gateway.requests.test_passing_on import ask
from tests.gateway.requests.test_responses_socket import ASK, Client, answer_on, house, socket, turn

from voxgate.gateway import rates as rates_of_a_minute
from voxgate.testing.http_provider import Received

__all__ = ["clock"]
pytestmark = pytest.mark.anyio
BODY = {"model": "gpt-5", "input": "Hi"}
USED = 18
"""Tokens of each answer of the stand-in."""


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def limited(
    start_gateway: StartGateway, **limits: int
) -> AsyncIterator[tuple[RunningGateway, StandIn, str]]:
    stand_in = StandIn()
    async with house(start_gateway, stand_in) as (gateway, _):
        yield gateway, stand_in, await gateway.mint(model="gpt-5", **limits)


async def remaining(gateway: RunningGateway, key: str, kind: str) -> int:
    """What is left before this request, which uses as much as one response."""
    status, _, headers = await ask(gateway, "responses", {**BODY, "max_output_tokens": 100}, key)
    assert status == 200
    return int(headers[f"x-ratelimit-remaining-{kind}"])


async def completes(client: Client) -> None:
    """As soon as it may."""
    async with asyncio.timeout(60):
        while (await turn(client))[-1]["type"] == "error":
            await asyncio.sleep(0.05)


async def test_each_response_is_a_request_and_one_too_many_leaves_the_socket_open(
    start_gateway: StartGateway, clock: list[datetime]
) -> None:
    async with limited(start_gateway, max_requests_per_minute=3) as (gateway, stand_in, key):
        async with socket(gateway, key) as client:
            for _ in range(2):
                assert (await turn(client))[-1]["type"] == "response.completed"
            assert (await ask(gateway, "responses", BODY, key))[0] == 200
            [refused] = await turn(client)
            assert len(stand_in.told) == 2
            clock[0] += timedelta(seconds=20)
            await completes(client)
            [again] = await turn(client)
    assert refused == {
        "type": "error",
        "status": 429,
        "error": {
            "message": "Rate limit reached for this temporary credential on requests per min (RPM): Limit 3, "
            "Used 3, Requested 1. Please try again in 20s.",
            "type": "requests",
            "code": "rate_limit_exceeded",
            "param": None,
        },
        "headers": {
            "retry-after": "20",
            "retry-after-ms": "20000",
            "x-ratelimit-limit-requests": "3",
            "x-ratelimit-remaining-requests": "0",
            "x-ratelimit-reset-requests": "1m0s",
        },
    }
    assert again["error"]["code"] == "rate_limit_exceeded"
    assert len(stand_in.told) == 3


async def test_a_first_response_too_many_dials_nobody_and_leaves_the_socket_open(
    start_gateway: StartGateway, clock: list[datetime]
) -> None:
    async with limited(start_gateway, max_requests_per_minute=1) as (gateway, stand_in, key):
        assert (await ask(gateway, "responses", BODY, key))[0] == 200
        async with socket(gateway, key) as client:
            await client.send_json({**ASK, "input": "refused"})
            await client.send_json({**ASK, "input": "refused, too"})
            for _ in range(2):
                [refused] = await answer_on(client)
                assert refused["error"]["code"] == "rate_limit_exceeded"
            assert not stand_in.told
            assert not gateway.worker.gateway.calls.running
            clock[0] += timedelta(seconds=60)
            await completes(client)
            [other] = await turn(client)
    assert other["error"]["code"] == "rate_limit_exceeded"
    assert len(stand_in.told) == 1
    assert b"refused" not in stand_in.told[0]


async def test_tokens_are_taken_for_each_response_and_corrected_by_its_usage(
    start_gateway: StartGateway, clock: list[datetime]
) -> None:
    """The first two would be refused if what they asked for was not given back."""
    async with limited(start_gateway, max_tokens_per_minute=2000) as (gateway, _, key):
        before = await remaining(gateway, key, "tokens")
        async with socket(gateway, key) as client:
            for _ in range(4):
                assert (await turn(client, max_output_tokens=1500))[-1]["type"] == "response.completed"
            [large] = await turn(client, max_output_tokens=2001)
            failed = await turn(client, previous_response_id="resp_9", max_output_tokens=1500)
            assert failed[-1]["error"]["code"] == "previous_response_not_found"
            assert (await turn(client, max_output_tokens=1500))[-1]["type"] == "response.completed"
        after = await remaining(gateway, key, "tokens")
    assert before - after == 6 * USED
    assert (large["error"]["type"], large["error"]["code"]) == ("tokens", "rate_limit_exceeded")
    assert "Request too large" in large["error"]["message"]
    assert large["headers"]["x-should-retry"] == "false"


async def test_what_was_seen_of_a_response_that_broke_off_counts(
    start_gateway: StartGateway, clock: list[datetime]
) -> None:
    async def breaks(received: Received) -> web.StreamResponse:
        connected = web.WebSocketResponse()
        await connected.prepare(received.request)
        await connected.receive()
        await connected.send_json({"type": "response.created", "response": {"id": "resp_1"}})
        await connected.send_json({"type": "response.output_text.delta", "delta": "four" * 50})
        assert received.request.transport is not None
        received.request.transport.close()
        return connected

    async with house(start_gateway, breaks) as (gateway, _):
        key = await gateway.mint(model="gpt-5", max_tokens_per_minute=2000)
        async with socket(gateway, key) as client:
            told = await turn(client, max_output_tokens=1500)
            assert told[-1]["error"]["code"] == "upstream_lost"
        rates = gateway.worker.gateway.rates
        [bucket] = rates._buckets.values()
        await until(lambda: not gateway.worker.gateway.calls.running)
        left = bucket.left(clock[0].timestamp())
    asked = len(json.dumps({**ASK, "max_output_tokens": 1500}))
    assert 2000 - left == 50 + -(-asked // 4)


async def test_a_route_limits_the_responses_of_all_callers(
    start_gateway: StartGateway, clock: list[datetime]
) -> None:
    async with house(start_gateway, StandIn(), route={"max_requests_per_minute": 2}) as (gateway, _):
        async with socket(gateway) as one, socket(gateway, await gateway.mint(model="gpt-5")) as other:
            for client in (one, other):
                assert (await turn(client))[-1]["type"] == "response.completed"
            refusals = [(await turn(client))[-1] for client in (one, other)]
    assert ["the route *" in each["error"]["message"] for each in refusals] == [True, True]


async def test_what_is_sent_behind_waits_while_the_database_is_asked(
    start_gateway: StartGateway, clock: list[datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with limited(start_gateway, max_requests_per_minute=30) as (gateway, stand_in, key):
        async with socket(gateway, key) as client:
            assert (await turn(client))[-1]["type"] == "response.completed"
            store, asked, release = gateway.worker.store, threading.Event(), threading.Event()
            draw = store.draw_rates

            monkeypatch.setattr(rates_of_a_minute, "_WAIT_SECONDS", 60.0)

            def slow(*given: Any) -> Any:
                asked.set()
                release.wait(60)
                return draw(*given)

            monkeypatch.setattr(store, "draw_rates", slow)
            for word in ("second", "third"):
                await client.send_json({**ASK, "input": word})
            await client.ping(b"still there?")
            await until(asked.is_set)
            assert len(stand_in.told) == 1
            release.set()
            for _ in range(2):
                assert (await answer_on(client))[-1]["type"] == "response.completed"
    assert [b"second" in stand_in.told[1], b"third" in stand_in.told[2]] == [True, True]


async def test_a_socket_that_ends_while_the_database_is_asked_uses_nothing(
    start_gateway: StartGateway, clock: list[datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with limited(start_gateway, max_tokens_per_minute=2000) as (gateway, stand_in, key):
        store, rates = gateway.worker.store, gateway.worker.gateway.rates
        draw, asked, release = store.draw_rates, threading.Event(), threading.Event()
        async with socket(gateway, key) as client:
            assert (await turn(client, max_output_tokens=10))[-1]["type"] == "response.completed"

            monkeypatch.setattr(rates_of_a_minute, "_WAIT_SECONDS", 60.0)

            def slow(*given: Any) -> Any:
                asked.set()
                release.wait(60)
                return draw(*given)

            monkeypatch.setattr(store, "draw_rates", slow)
            await client.send_json({**ASK, "max_output_tokens": 1500})
            await until(asked.is_set)
            [call] = gateway.worker.gateway.calls.all()
            gateway.worker.gateway.calls.end_session(call.session_id)
            assert (await answer_on(client))[-1]["error"]["code"] == "session_ended"
        release.set()
        await until(lambda: not rates._turn.locked())
        [bucket] = rates._buckets.values()
        await until(lambda: bucket.left(clock[0].timestamp()) == 2000 - USED)
    assert len(stand_in.told) == 1


async def test_without_a_limit_nobody_is_asked(
    start_gateway: StartGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(*_: Any) -> Any:
        raise AssertionError("nobody has to be asked")

    async with house(start_gateway, StandIn()) as (gateway, _):
        monkeypatch.setattr(gateway.worker.gateway.rates, "take", asked)
        async with socket(gateway, ADMIN_KEY) as client:
            assert (await turn(client))[-1]["type"] == "response.completed"
