"""Budgets and uses of credentials over real connections, with a stand-in provider that says what it used."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection

from tests.gateway.conftest import RunningGateway, StartGateway
from tests.gateway.limited import until
from tests.gateway.metered import (
    PRICES,
    RESPONSE_USD,
    USAGE,
    Metered,
    call_to,
    heard_to_the_end,
    respond,
    say,
    sound,
    until_type,
)
from voxgate.core import clock
from voxgate.core.errors import StoreUnavailable
from voxgate.testing.provider import ScriptedProvider

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """The loop that workers run on; none of this is about transports."""
    return "asyncio", {"use_uvloop": True}


BUDGETS = {"max_tokens": 10**6, "max_audio_seconds": 1000, "max_cost_usd": 100}


@contextlib.asynccontextmanager
async def serving(
    start_gateway: StartGateway, script: Metered | None = None, **settings: Any
) -> AsyncIterator[tuple[RunningGateway, ScriptedProvider, Metered]]:
    script = script or Metered()
    async with (
        ScriptedProvider(script) as provider,
        start_gateway(provider.base_url, **{"prices": PRICES, **settings}) as gateway,
    ):
        yield gateway, provider, script


async def minted(gateway: RunningGateway, **scopes: Any) -> tuple[str, str]:
    """The key and the id."""
    status, body = await gateway.post("/v1/credentials", {"model": "fake", **scopes})
    assert status == 200, body
    return body["key"], body["id"]


async def used(gateway: RunningGateway, credential_id: str) -> Any:
    return (await gateway.get(f"/v1/credentials/{credential_id}"))[1]["used"]


async def until_used(gateway: RunningGateway, credential_id: str, fits: Callable[[Any], bool]) -> Any:
    async with asyncio.timeout(60):
        while not fits(found := await used(gateway, credential_id)):
            await asyncio.sleep(0.02)
        return found


async def refused(gateway: RunningGateway, key: str) -> tuple[str, str | None, int | None]:
    async with call_to(gateway.url, key) as call:
        events, code, _ = await heard_to_the_end(call)
        return events[-1]["error"]["code"], events[-1]["error"]["param"], code


async def ended(call: ClientConnection, code: str, param: str | None) -> list[str]:
    """The types of the events before the error."""
    events, close_code, reason = await heard_to_the_end(call)
    error = events.pop()["error"]
    assert (error["code"], error["param"]) == (code, param)
    assert reason == f"{error['type']}.{code}"
    assert close_code == {"budget_spent": 4029, "price_unknown": 4000, "usage_unknown": 1011}[code]
    return [event["type"] for event in events]


@pytest.mark.parametrize(
    "scope", [{"max_tokens": 100}, {"max_cost_usd": RESPONSE_USD}], ids=["tokens", "dollars"]
)
@pytest.mark.parametrize("start", ["response.create", "speak"])
async def test_no_response_begins_on_a_budget_that_is_spent(
    start_gateway: StartGateway, scope: dict[str, Any], start: str
) -> None:
    async with serving(start_gateway) as (gateway, provider, script):
        key, credential_id = await minted(gateway, **scope)
        async with call_to(gateway.url, key) as call:
            await respond(call)  # to its end, although that is all there is
            await say(call, start)
            heard = await ended(call, "budget_spent", next(iter(scope)))
        vad = start == "speak"
        assert heard == (["response.created"] if vad else [])
        if vad:
            await until(lambda: script.cancelled == ["resp_2"])
        else:
            asked = [json.loads(message)["type"] for message in provider.calls[0].messages]
            assert asked.count("response.create") == 1
        seen = await until_used(gateway, credential_id, lambda seen: seen["tokens"])
        assert seen["uses"] == 1
        assert seen["tokens"] == 100
        assert seen["cost_usd"] == pytest.approx(RESPONSE_USD)
        assert await refused(gateway, key) == ("budget_spent", next(iter(scope)), 4029)
        await until_used(gateway, credential_id, lambda seen: seen["uses"] == 1)  # what was refused is no use
        assert len(provider.calls) == 1


@pytest.mark.parametrize("scope", [{"max_tokens": 350}, {"max_cost_usd": 3.5 * RESPONSE_USD}])
async def test_responses_beside_one_another_do_not_spend_a_budget_together(
    start_gateway: StartGateway, scope: dict[str, Any]
) -> None:
    async with serving(start_gateway) as (gateway, provider, script):
        key, _ = await minted(gateway, **scope)
        async with call_to(gateway.url, key) as call:
            await respond(call)
            script.hold = True
            for _ in range(5):
                await say(call, "response.create", response={"conversation": "none"})
            await say(call, "speak")
            events = [json.loads(await call.recv())]
            while len([each for each in events if each["type"] == "response.created"]) < 3:
                events.append(json.loads(await call.recv()))
            errors = [each["error"] for each in events if each["type"] == "error"]
            assert [(error["code"], error["param"]) for error in errors] == [
                ("budget_reserved", next(iter(scope)))
            ] * 3
        asked = [json.loads(message)["type"] for message in provider.calls[0].messages]
        assert asked.count("response.create") == 3


async def test_who_brings_a_key_that_no_provider_knows_leaves_nothing_in_the_database(
    start_gateway: StartGateway,
) -> None:
    async with ScriptedProvider(refuse_status=401) as provider:
        providers = {"open": {"base_url": provider.base_url, "accepts_client_keys": True}}
        routes = [{"model": "fake", "providers": ["open"]}]
        async with start_gateway(providers=providers, routes=routes) as gateway:
            ids = []
            for number in range(3):
                body = {"model": "fake", "max_uses": 1, "max_tokens": 10}
                status, made = await gateway.post("/v1/credentials", body, key=f"sk-nobodys-{number}")
                assert status == 200
                assert (await refused(gateway, made["key"]))[0] == "upstream_refused"
                ids.append(made["id"])
            await until(lambda: not gateway.worker.store.spent_by(ids))


async def test_a_response_within_the_budget_begins(start_gateway: StartGateway) -> None:
    async with serving(start_gateway) as (gateway, _, script):
        key, _ = await minted(gateway, max_tokens=101)
        async with call_to(gateway.url, key) as call:
            await respond(call)
            await respond(call, "speak")
            await say(call, "speak")
            await ended(call, "budget_spent", "max_tokens")
        await until(lambda: script.cancelled == ["resp_3"])


async def test_sound_in_both_directions_counts_by_its_length(start_gateway: StartGateway) -> None:
    async with serving(start_gateway) as (gateway, provider, script):
        key, credential_id = await minted(gateway, max_audio_seconds=1.5)
        async with call_to(gateway.url, key) as call:
            await call.send(sound("input_audio_buffer.append", 400))
            await respond(call)
            await call.send(sound("input_audio_buffer.append", 500))
            await say(call, "echo")
            await until_type(call, "echo")
            await call.send(sound("input_audio_buffer.append", 100))
            assert await ended(call, "budget_spent", "max_audio_seconds") == []
        appended = [message for message in provider.calls[0].messages if '"audio"' in str(message)]
        assert len(appended) == 2
        seen = await until_used(gateway, credential_id, lambda seen: seen["audio_seconds"])
        assert seen["audio_seconds"] == 1.5
        assert await refused(gateway, key) == ("budget_spent", "max_audio_seconds", 4029)
        assert script.cancelled == []


async def test_sound_that_goes_beyond_the_budget_cancels_its_response(start_gateway: StartGateway) -> None:
    async with serving(start_gateway, Metered(hold=True)) as (gateway, _, script):
        key, _ = await minted(gateway, max_audio_seconds=0.5)
        async with call_to(gateway.url, key) as call:
            await say(call, "speak")
            heard = await ended(call, "budget_spent", "max_audio_seconds")
        assert heard == ["session.created", "response.created", "response.output_audio.delta"]
        await until(lambda: script.cancelled == ["resp_1"])


@pytest.mark.parametrize(
    ("form", "rate"), [({"type": "audio/pcmu"}, 8), ({"type": "audio/pcma"}, 8), ({"type": "audio/pcm"}, 48)]
)
async def test_the_length_of_sound_follows_from_the_sessions_format(
    start_gateway: StartGateway, form: dict[str, Any], rate: int
) -> None:
    session = {"type": "realtime", "audio": {"input": {"format": form}, "output": {"format": form}}}
    async with serving(start_gateway, Metered(session=session)) as (gateway, _, _script):
        key, credential_id = await minted(gateway, max_audio_seconds=100)
        async with call_to(gateway.url, key) as call:
            await until_type(call, "session.created")
            await call.send(sound("input_audio_buffer.append", 250, rate))
            content = [{"type": "input_audio", "audio": json.loads(sound("input", 250, rate))["audio"]}]
            await say(call, "conversation.item.create", item={"type": "message", "content": content})
            await respond(call)
        seen = await until_used(gateway, credential_id, lambda seen: seen["audio_seconds"])
        assert seen["audio_seconds"] == pytest.approx(0.5 + 0.5 * 48 / rate)


async def test_two_calls_share_one_budget(start_gateway: StartGateway) -> None:
    async with serving(start_gateway) as (gateway, _, _script):
        key, _ = await minted(gateway, max_tokens=100)
        async with call_to(gateway.url, key) as first, call_to(gateway.url, key) as second:
            await respond(first)
            await until_type(second, "session.created")
            await say(second, "speak")
            assert await ended(second, "budget_spent", "max_tokens") == ["response.created"]


async def test_who_hangs_up_before_the_usage_is_said_has_used_something(start_gateway: StartGateway) -> None:
    async with serving(start_gateway, Metered(hold=True)) as (gateway, _, _script):
        key, credential_id = await minted(gateway, **BUDGETS)
        async with call_to(gateway.url, key) as call:
            await say(call, "response.create")
            await until_type(call, "response.output_audio.delta")
        seen = await until_used(gateway, credential_id, lambda seen: seen["tokens"])
        assert seen["tokens"] == 10, "half a second at 20 tokens a second"
        assert seen["cost_usd"] == pytest.approx(10 * 64 / 1e6)


async def test_a_provider_that_does_not_say_what_it_used_ends_a_call_with_a_budget(
    start_gateway: StartGateway,
) -> None:
    async with serving(start_gateway, Metered(usage=None)) as (gateway, _, _script):
        key, _ = await minted(gateway, max_tokens=1000)
        async with call_to(gateway.url, key) as call:
            await say(call, "response.create")
            assert (await ended(call, "usage_unknown", None))[-1] == "response.done"
        by_sound, _ = await minted(gateway, max_audio_seconds=60)
        async with call_to(gateway.url, by_sound) as call:
            await respond(call)
            await respond(call)


async def test_xais_usage_beside_the_response_counts(start_gateway: StartGateway) -> None:
    async with serving(start_gateway, Metered(beside=True)) as (gateway, _, _script):
        key, _ = await minted(gateway, max_tokens=100)
        async with call_to(gateway.url, key) as call:
            await respond(call)
            await say(call, "speak")
            await ended(call, "budget_spent", "max_tokens")


async def test_transcriptions_count_and_may_be_all_that_a_call_does(start_gateway: StartGateway) -> None:
    transcribed = {"audio": {"input": {"transcription": {"model": "gpt-4o-transcribe"}}}}
    done = "conversation.item.input_audio_transcription.completed"
    usage = {"type": "tokens", "total_tokens": 60, "input_tokens": 50, "output_tokens": 10}
    usage |= {"input_token_details": {"text_tokens": 0, "audio_tokens": 50}}
    async with serving(start_gateway, Metered(session=transcribed)) as (gateway, _, _script):
        key, credential_id = await minted(gateway, max_tokens=100, max_cost_usd=1)
        async with call_to(gateway.url, key) as call:
            await say(call, done, usage=usage)
            await until_type(call, done)
            await say(call, done, usage=usage)
            assert await ended(call, "budget_spent", "max_tokens") == [done]
        seen = await until_used(gateway, credential_id, lambda seen: seen["tokens"])
        assert seen["cost_usd"] == pytest.approx(2 * (50 * 6 + 10 * 10) / 1e6)


# Prices


async def test_a_budget_in_dollars_needs_a_price_when_the_credential_is_made(
    start_gateway: StartGateway,
) -> None:
    async with serving(start_gateway) as (gateway, _, _script):
        for model in ("fake-unpriced", ["fake", "fake-unpriced"]):
            status, body = await gateway.post("/v1/credentials", {"model": model, "max_cost_usd": 1})
            assert (status, body["error"]["code"], body["error"]["param"]) == (
                400,
                "price_unknown",
                "max_cost_usd",
            )
            assert "fake-unpriced" in body["error"]["message"]
        assert (await gateway.post("/v1/credentials", {"model": "fake-unpriced", "max_tokens": 1}))[0] == 200


@pytest.mark.parametrize("model", [None, "fake-*"])
async def test_or_when_the_call_says_which_model_it_wants(
    start_gateway: StartGateway, model: str | None
) -> None:
    async with serving(start_gateway) as (gateway, provider, _):
        key, credential_id = await minted(gateway, model=model, max_cost_usd=1)
        async with call_to(gateway.url, key, "fake-other") as call:
            assert await ended(call, "price_unknown", "max_cost_usd") == []
        assert provider.calls == []
        assert (await used(gateway, credential_id))["uses"] == 0


async def test_a_transcription_without_a_price_ends_a_call_with_a_budget_in_dollars(
    start_gateway: StartGateway,
) -> None:
    async with serving(start_gateway) as (gateway, _, _script):
        key, _ = await minted(gateway, max_cost_usd=1)
        async with call_to(gateway.url, key) as call:
            asks = {"audio": {"input": {"transcription": {"model": "who-knows"}}}}
            await say(call, "session.updated", session=asks)
            assert (await ended(call, "price_unknown", "max_cost_usd"))[-1] == "session.updated"


async def test_an_unknown_price_is_no_cost_of_nothing(start_gateway: StartGateway) -> None:
    async with serving(start_gateway, prices={}) as (gateway, _, _script):
        key, credential_id = await minted(gateway, max_tokens=1000)
        async with call_to(gateway.url, key) as call:
            await respond(call)
        seen = await until_used(gateway, credential_id, lambda seen: seen["tokens"])
        assert seen["cost_usd"] is None


# Uses


async def test_a_credential_for_one_use_starts_one_call(start_gateway: StartGateway) -> None:
    async with serving(start_gateway) as (gateway, provider, _):
        key, credential_id = await minted(gateway, max_uses=1)
        answers = await asyncio.gather(*(first_of(gateway, key) for _ in range(6)))
        assert sorted(answers) == ["no_use_left"] * 5 + ["session.created"]
        assert await refused(gateway, key) == ("no_use_left", None, 4003)
        assert len(provider.calls) == 1
        assert await used(gateway, credential_id) == {
            "uses": 1,
            "tokens": None,
            "audio_seconds": None,
            "cost_usd": None,
        }


async def first_of(gateway: RunningGateway, key: str) -> str:
    async with call_to(gateway.url, key) as call:
        event = json.loads(await call.recv())
        return str(event["error"]["code"] if event["type"] == "error" else event["type"])


async def test_a_call_that_the_provider_refused_is_no_use(start_gateway: StartGateway) -> None:
    async with (
        ScriptedProvider(refuse_status=503) as dead,
        ScriptedProvider(Metered()) as alive,
        start_gateway(
            dead.base_url,
            providers={"alive": {"base_url": alive.base_url}},
            routes=[
                {"model": "fake", "providers": ["fake0"]},
                {"model": "other", "providers": ["alive"]},
            ],
        ) as gateway,
    ):
        key, credential_id = await minted(gateway, model=["fake", "other"], max_uses=1)
        assert await first_of(gateway, key) == "upstream_refused"
        await until_used(gateway, credential_id, lambda seen: seen["uses"] == 0)
        async with call_to(gateway.url, key, "other") as call:
            await until_type(call, "session.created")
        async with call_to(gateway.url, key, "other") as call:
            assert (await heard_to_the_end(call))[0][-1]["error"]["code"] == "no_use_left"


async def test_without_such_a_scope_nothing_is_counted(
    start_gateway: StartGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(start_gateway) as (gateway, _, _script):
        key, credential_id = await minted(gateway)
        monkeypatch.setattr(gateway.worker.store, "take_use", None)
        monkeypatch.setattr(gateway.worker.store, "settle_spending", None)
        async with call_to(gateway.url, key) as call:
            await respond(call)
        assert await used(gateway, credential_id) is None


# The database is away


async def test_no_call_starts_on_a_budget_that_cannot_be_looked_up(
    start_gateway: StartGateway, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(*_: Any) -> Any:
        raise StoreUnavailable("away")

    async with serving(start_gateway) as (gateway, provider, _):
        key, _ = await minted(gateway, max_uses=1)
        with monkeypatch.context() as patch, caplog.at_level(logging.ERROR):
            patch.setattr(gateway.worker.store, "take_use", away)
            assert await refused(gateway, key) == ("limit_unknown", None, 1013)
        assert provider.calls == []
        assert await first_of(gateway, key) == "session.created"


async def test_what_is_spent_while_the_database_is_away_is_written_when_it_is_back(
    start_gateway: StartGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> Any:
        raise StoreUnavailable("away")

    async with serving(start_gateway) as (gateway, _, _script):
        key, credential_id = await minted(gateway, max_tokens=300)
        with monkeypatch.context() as patch:
            patch.setattr(gateway.worker.store, "settle_spending", away)
            async with call_to(gateway.url, key) as call:
                await respond(call)
            spending = gateway.worker.gateway.spending
            await until(lambda: spending._away and not spending._settling)
            assert (await used(gateway, credential_id))["tokens"] == 0
        async with call_to(gateway.url, key) as call:
            await respond(call)
            await respond(call)
            await say(call, "speak")
            await ended(call, "budget_spent", "max_tokens")
        await until_used(gateway, credential_id, lambda seen: seen["tokens"] == 3 * USAGE["total_tokens"])


# The time to live


async def test_a_hard_expiry_ends_running_calls(
    start_gateway: StartGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(start_gateway) as (gateway, _, _script):
        key, _ = await minted(gateway, ttl_seconds=60, expires_hard=True)
        soft, _ = await minted(gateway, ttl_seconds=60)
        async with call_to(gateway.url, soft) as other, call_to(gateway.url, key) as call:
            await until_type(call, "session.created")
            later = clock.unix_seconds() + 61
            monkeypatch.setattr(clock, "unix_seconds", lambda: later)
            events, code, reason = await heard_to_the_end(call)
            assert events[-1]["error"]["code"] == "expired_api_key"
            assert (code, reason) == (3000, "invalid_request_error.expired_api_key")
            await respond(other)
        assert await first_of(gateway, key) == "expired_api_key"
