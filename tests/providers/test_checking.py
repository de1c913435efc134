"""The check of a provider against real servers on loopback: one that is well, and each way of being wrong."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from voxgate.core.settings import Settings
from voxgate.providers.checking import Check, check_provider
from voxgate.providers.routes import Router

pytestmark = pytest.mark.anyio
KEY = "house-key-of-no-known-look"
CREATED = {"type": "session.created", "session": {}}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class House:
    """A provider that is well unless it is told otherwise."""

    def __init__(self) -> None:
        self.models: tuple[int, Any] = (200, {"data": [{"id": "gpt-realtime"}, {"id": "other"}]})
        self.first: dict[str, Any] | None = CREATED
        self.refuse_status = 0
        self.seen: list[str] = []
        self.closes: list[int | None] = []

    async def list_models(self, request: web.Request) -> web.Response:
        self.seen.append(f"GET {request.path} {request.headers.get('authorization')}")
        return web.json_response(self.models[1], status=self.models[0])

    async def realtime(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(f"WS {request.path_qs} {request.headers.get('authorization')}")
        if self.refuse_status:
            return web.Response(status=self.refuse_status)
        call = web.WebSocketResponse()
        await call.prepare(request)
        if self.first is None:
            await call.close(code=4003, message=f"no: {KEY}".encode())
            return call
        await call.send_str(json.dumps(self.first))
        async for _ in call:
            pass
        self.closes.append(call.close_code)
        return call


@contextlib.asynccontextmanager
async def running(house: House) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_get("/v1/models", house.list_models)
    app.router.add_get("/v1/realtime", house.realtime)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()


async def check(base_url: str, environ: dict[str, str] | None = None, **provider: Any) -> Check:
    house = {"base_url": base_url, "api_key_env": "HOUSE_KEY", "connect_timeout_seconds": 30, **provider}
    route = {"model": "gpt-realtime", "providers": ["house"]}
    settings = Settings.model_validate({"providers": {"house": house}, "routes": [route]})
    return await check_provider(Router(settings, {"HOUSE_KEY": KEY} if environ is None else environ), "house")


def states(found: Check) -> list[tuple[str, str]]:
    return [(step.name, step.status) for step in found.steps]


async def test_a_provider_that_is_well_lists_its_models_and_opens_a_call() -> None:
    house = House()
    async with running(house) as base_url:
        found = await check(base_url)
    assert found.status == "passed"
    assert states(found) == [("key", "passed"), ("models", "passed"), ("call", "passed")]
    assert "gpt-realtime among them" in found.steps[1].said
    assert house.seen == [
        f"GET /v1/models Bearer {KEY}",
        f"WS /v1/realtime?model=gpt-realtime Bearer {KEY}",
    ]
    assert house.closes == [1000]


async def test_without_its_key_a_provider_is_not_asked() -> None:
    house = House()
    async with running(house) as base_url:
        found = await check(base_url, environ={})
    assert (found.status, states(found)) == ("failed", [("key", "failed")])
    assert "HOUSE_KEY" in found.steps[0].said
    assert "HOUSE_KEY" in found.steps[0].advice
    assert house.seen == []


async def test_a_key_that_is_refused_is_told_in_the_providers_words_without_the_key() -> None:
    house = House()
    house.models = (401, {"error": {"message": f"Incorrect API key provided: {KEY}."}})
    house.refuse_status = 401
    async with running(house) as base_url:
        found = await check(base_url)
    assert states(found)[1:] == [("models", "failed"), ("call", "failed")]
    assert "Incorrect API key provided" in found.said
    assert KEY not in str(found)


async def test_a_model_that_it_does_not_list_is_named() -> None:
    house = House()
    house.models = (200, {"data": [{"id": "another"}]})
    async with running(house) as base_url:
        found = await check(base_url)
    assert found.status == "passed"
    assert "gpt-realtime is not among them" in found.steps[1].said
    assert found.steps[1].advice


@pytest.mark.parametrize(
    ("models", "status"),
    [
        ((404, {}), "skipped"),
        ((200, {"models": 3}), "skipped"),
        ((200, ["x"]), "skipped"),
        ((503, {}), "failed"),
    ],
)
async def test_a_list_of_models_that_is_no_list_is_not_taken_for_one(models: Any, status: str) -> None:
    house = House()
    house.models = models
    async with running(house) as base_url:
        found = await check(base_url)
    assert states(found)[1] == ("models", status)


async def test_a_refusal_behind_the_101_fails() -> None:
    """As the live service refuses: 101, an `error` event, a close."""
    house = House()
    house.first = {"type": "error", "error": {"message": "You have no such model."}}
    async with running(house) as base_url:
        found = await check(base_url)
    assert (found.status, found.said) == ("failed", "It refused the call: You have no such model.")


async def test_a_call_that_is_closed_at_once_fails_without_telling_the_key() -> None:
    house = House()
    house.first = None
    async with running(house) as base_url:
        found = await check(base_url)
    assert states(found)[2] == ("call", "failed")
    assert "4003" in found.said
    assert KEY not in str(found)


async def test_a_provider_that_is_away_is_told_with_its_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    found = await check(f"http://127.0.0.1:{port}/v1")
    assert states(found)[1:] == [("models", "failed")]
    assert f"127.0.0.1:{port} cannot be reached: " in found.said


async def test_a_provider_that_never_answers_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        found = await check(f"http://127.0.0.1:{port}/v1", connect_timeout_seconds=0.2)
    assert found.status == "failed"
    assert "does not answer within 0.2 s" in found.said


async def test_without_a_route_no_call_is_tried() -> None:
    house = House()
    async with running(house) as base_url:
        settings = Settings.model_validate({"providers": {"house": {"base_url": base_url}}})
        found = await check_provider(Router(settings, {}), "house")
    assert (found.status, states(found)[2]) == ("skipped", ("call", "skipped"))
    assert not any(each.startswith("WS") for each in house.seen)


@pytest.mark.parametrize("kind", ["anthropic", "groq", "mistral", "gemini", "openrouter", "ollama"])
async def test_one_that_serves_requests_only_is_asked_for_its_models(kind: str) -> None:
    house = House()
    async with running(house) as base_url:
        found = await check(base_url, kind=kind)
        house.models = (401, {"error": {"message": "no such key"}})
        refused = await check(base_url, kind=kind)
    assert (found.status, states(found)) == ("passed", [("key", "passed"), ("models", "passed")])
    assert "It takes the key and lists 2 models" in found.said
    assert (refused.status, refused.said) == ("failed", "It refuses the key (401). no such key")
    sent = None if kind == "anthropic" else f"Bearer {KEY}"
    assert house.seen == [f"GET /v1/models {sent}"] * 2


async def test_models_that_have_no_calls_are_asked_for_none() -> None:
    house = House()
    routes = [{"model": name, "providers": ["house"]} for name in ("gpt-5", "other")]
    async with running(house) as base_url:
        provider = {"base_url": base_url, "api_key": KEY, "kind": "openai"}
        found = await checked({"providers": {"house": provider}, "routes": routes})
        with_calls = [*routes, {"model": "gpt-realtime", "providers": ["house"]}]
        both = await checked({"providers": {"house": provider}, "routes": with_calls})
    assert (found.status, states(found)) == ("passed", [("key", "passed"), ("models", "passed")])
    assert (both.status, both.model) == ("passed", "gpt-realtime")
    assert [seen.partition(" ")[0] for seen in house.seen] == ["GET", "GET", "WS"]


@pytest.mark.parametrize(
    ("model", "models", "status"),
    [
        ("llama", 200, "passed"),
        ("llama", 404, "skipped"),
        ("llama", 401, "failed"),
        ("gpt-realtime", 200, "failed"),
    ],
)
async def test_a_server_that_knows_no_calls_is_for_requests(model: str, models: int, status: str) -> None:
    house = House()
    house.models, house.refuse_status = (models, house.models[1]), 404
    async with running(house) as base_url:
        provider = {"base_url": base_url, "api_key": KEY, "kind": "compatible"}
        route = {"model": model, "providers": ["house"]}
        found = await checked({"providers": {"house": provider}, "routes": [route]})
    assert found.status == status


async def checked(settings: dict[str, Any]) -> Check:
    return await check_provider(Router(Settings.model_validate(settings), {}), "house")
