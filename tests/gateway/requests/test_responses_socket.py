"""The WebSocket mode of `responses`: OpenAI's SDK gets the same through the gateway, and the rules of
credentials hold for every response that is asked for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from openai import AsyncOpenAI
from tests.gateway.conftest import ADMIN_KEY, RunningGateway, StartGateway
from tests.gateway.requests.standin import StandIn
from tests.gateway.requests.test_sdks import TOOLS

from voxgate.testing.http_provider import Answering, HttpProvider, Received

Client = aiohttp.ClientWebSocketResponse
pytestmark = pytest.mark.anyio
KEY = "provider-key-0000000000000000000000"
ASK: dict[str, Any] = {"type": "response.create", "model": "gpt-5", "store": False, "input": "Hi"}
PRICE = {"text_input": 2, "text_output": 8}


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def house(
    start_gateway: StartGateway,
    *answers: Answering,
    provider: dict[str, Any] | None = None,
    route: dict[str, Any] | None = None,
    **settings: Any,
) -> AsyncIterator[tuple[RunningGateway, HttpProvider]]:
    """A gateway whose models all go to the providers that answer so, and the last of these."""
    providers = [HttpProvider(answer) for answer in answers]
    for each in providers:
        await each.__aenter__()
    try:
        known = {
            f"p{number}": {"base_url": each.base_url, "api_key": KEY, "rest_seconds": 0, **(provider or {})}
            for number, each in enumerate(providers)
        }
        routes = [{"model": "*", "providers": list(known), **(route or {})}]
        prices = {"gpt-5": PRICE}
        async with start_gateway(providers=known, routes=routes, prices=prices, **settings) as gateway:
            yield gateway, providers[-1]
    finally:
        for each in providers:
            await each.__aexit__(None, None, None)


@asynccontextmanager
async def socket(gateway: RunningGateway, key: str = ADMIN_KEY) -> AsyncIterator[Client]:
    url, headers = f"http://127.0.0.1:{gateway.port}/v1/responses", {"authorization": f"Bearer {key}"}
    async with gateway.http.ws_connect(url, headers=headers, autoping=False) as connected:
        yield connected


async def turn(connected: Client, **message: Any) -> list[dict[str, Any]]:
    """Everything until the response is done, or refused, or the socket closed."""
    await connected.send_json({**ASK, **message})
    return await answer_on(connected)


async def answer_on(connected: Client) -> list[dict[str, Any]]:
    told = list[dict[str, Any]]()
    async with asyncio.timeout(60):
        while not told or told[-1]["type"] not in ("response.completed", "error"):
            message = await connected.receive()
            if message.type is not aiohttp.WSMsgType.TEXT:
                told.append({"type": "closed", "code": connected.close_code})
                break
            told.append(json.loads(message.data))
    return told


async def conversation(base: str, key: str) -> list[Any]:
    """A question, a tool's answer, and an answer to what is not known, by OpenAI's SDK."""
    came: list[Any] = []
    async with AsyncOpenAI(base_url=base, api_key=key) as client, client.responses.connect() as connected:
        output: Any = {"type": "function_call_output", "call_id": "call_1", "output": "A1"}
        for asked in (
            {"input": "Hi", "tools": TOOLS},
            {"input": [output], "previous_response_id": "resp_1"},
            {"input": "And?", "previous_response_id": "resp_9"},
            {"input": "Again", "previous_response_id": "resp_2"},
        ):
            await connected.response.create(model="gpt-5", store=False, **asked)  # type: ignore[arg-type]
            while not came or came[-1].type not in ("response.completed", "error"):
                came.append(await connected.recv())
            came.append(came.pop().model_copy(update={"type": f"{came[-1].type} seen"}))
    return [event.model_dump() for event in came]


async def test_openais_sdk_gets_the_same_over_websocket(start_gateway: StartGateway) -> None:
    stand_in = StandIn()
    async with house(start_gateway, stand_in) as (gateway, provider):
        async with asyncio.timeout(60):
            expected = await conversation(provider.base_url, "k")
            told = list(stand_in.told)
            stand_in.told.clear()
            found = await conversation(f"http://127.0.0.1:{gateway.port}/v1", ADMIN_KEY)
    assert found == expected
    assert stand_in.told == told
    assert len(told) == 4
    assert provider.received[-1].path == "/v1/responses"
    assert provider.received[-1].headers["authorization"] == f"Bearer {KEY}"


async def test_the_providers_own_name_of_a_model_is_said(start_gateway: StartGateway) -> None:
    stand_in, models = StandIn(), {"models": {"gpt-*": "deployment-1"}}
    async with house(start_gateway, stand_in, provider=models) as (gateway, _), socket(gateway) as client:
        for _ in range(2):
            assert (await turn(client))[-1]["type"] == "response.completed"
        other = await turn(client, model="gpt-4")
    assert [json.loads(text)["model"] for text in stand_in.told] == ["deployment-1"] * 2
    [refused] = other
    assert (refused["status"], refused["error"]["param"]) == (400, "model")
    assert "'gpt-5'" in refused["error"]["message"]


async def test_a_provider_without_websockets_is_passed_over(start_gateway: StartGateway) -> None:
    async def no_socket(received: Received) -> web.StreamResponse:
        return web.json_response({"error": {"message": "no upgrade"}}, status=426)

    async with house(start_gateway, no_socket, StandIn()) as (gateway, _):
        async with socket(gateway) as client:
            assert (await turn(client))[-1]["type"] == "response.completed"
        facts = b"".join(await gateway.facts())
    assert b"answered 426" in facts


@pytest.mark.parametrize(
    ("message", "code", "said"),
    [
        ({"type": "response.steer"}, 4000, "must be a response.create"),
        ({"model": None}, 4000, "provide a model"),
        ({"model": "other"}, 4003, "other"),
        ("nonsense", 4000, "valid JSON"),
    ],
)
async def test_what_is_wrong_with_the_first_message_is_said(
    start_gateway: StartGateway, message: Any, code: int, said: str
) -> None:
    async with house(start_gateway, StandIn()) as (gateway, provider):
        logged = {"project_name": "house"}
        key = await gateway.mint(model="gpt-5", logging=logged) if code == 4003 else ADMIN_KEY
        async with socket(gateway, key) as client:
            text = message if isinstance(message, str) else json.dumps({**ASK, **message})
            await client.send_str(text)
            [refused] = await answer_on(client)
            closed = await client.receive()
            assert (closed.type, client.close_code) == (aiohttp.WSMsgType.CLOSE, code)
        records = b"".join(record.data for record in await gateway.records())
    assert refused["type"] == "error"
    assert refused["status"] == (403 if code == 4003 else 400)
    assert said in refused["error"]["message"]
    assert refused["error"]["code"].encode() in records
    assert not provider.received


async def test_who_waits_before_the_first_message_is_answered_pings(start_gateway: StartGateway) -> None:
    stand_in = StandIn()
    async with house(start_gateway, stand_in) as (gateway, _), socket(gateway) as client:
        for word in (b"one", b"two"):
            await client.ping(word)
            async with asyncio.timeout(60):
                pong = await client.receive()
            assert (pong.type, bytes(pong.data)) == (aiohttp.WSMsgType.PONG, word)
        assert (await turn(client))[-1]["type"] == "response.completed"


async def test_what_is_asked_while_the_provider_is_dialled_waits(start_gateway: StartGateway) -> None:
    stand_in, dialled = StandIn(), asyncio.Event()

    async def slow(received: Received) -> web.StreamResponse:
        await dialled.wait()
        return await stand_in(received)

    async with house(start_gateway, slow) as (gateway, provider), socket(gateway) as client:
        await client.send_json(ASK)
        async with asyncio.timeout(60):
            while not provider.received:
                await asyncio.sleep(0.01)
        await client.send_json({**ASK, "input": "Second", "previous_response_id": "resp_1"})
        dialled.set()
        for _ in range(2):
            assert (await answer_on(client))[-1]["type"] == "response.completed"
    assert [json.loads(text)["input"] for text in stand_in.told] == ["Hi", "Second"]


async def test_who_never_asks_is_let_go(start_gateway: StartGateway) -> None:
    async with house(start_gateway, StandIn(), limits={"idle_seconds": 0.3}) as (gateway, provider):
        async with socket(gateway) as client:
            [refused] = await answer_on(client)
        assert (refused["status"], refused["error"]["code"]) == (408, "session_idle")
        async with socket(gateway) as client:
            await client.close()
    assert not provider.received


async def test_no_provider_is_an_error_and_a_close(start_gateway: StartGateway) -> None:
    known = {"gone": {"base_url": "http://127.0.0.1:9/v1", "api_key": KEY}}
    routes = [{"model": "*", "providers": ["gone"]}]
    async with start_gateway(providers=known, routes=routes) as gateway, socket(gateway) as client:
        [refused] = await turn(client)
        await client.receive()
        assert client.close_code == 1011
    assert (refused["status"], refused["error"]["code"]) == (502, "upstream_refused")
    assert "gone could not be connected to" in refused["error"]["message"]


async def test_a_key_is_checked_before_anything_is_read(start_gateway: StartGateway) -> None:
    async with house(start_gateway, StandIn()) as (gateway, _), socket(gateway, "vg_wrong") as client:
        [refused] = await answer_on(client)
        await client.receive()
        assert client.close_code == 3000
    assert (refused["status"], refused["error"]["code"]) == (401, "invalid_api_key")


async def test_what_responses_used_counts_for_the_budget(start_gateway: StartGateway) -> None:
    stand_in = StandIn()
    async with house(start_gateway, stand_in) as (gateway, _):
        key = await gateway.mint(model="gpt-5", max_tokens=30)
        async with socket(gateway, key) as client:
            assert (await turn(client))[-1]["type"] == "response.completed"
            assert (await turn(client))[-1]["type"] == "response.completed"
            [refused] = await turn(client)
            await client.receive()
            assert client.close_code == 4029
        async with socket(gateway, key) as client:
            [again] = await turn(client)
    assert (refused["status"], refused["error"]["code"]) == (429, "budget_spent")
    assert again["error"]["code"] == "budget_spent"
    assert len(stand_in.told) == 2


async def test_a_credentials_tools_and_models_hold(start_gateway: StartGateway) -> None:
    stand_in = StandIn()
    async with house(start_gateway, stand_in) as (gateway, _):
        key = await gateway.mint(model="gpt-5", allowed_tools=["look*"])
        async with socket(gateway, key) as client:
            assert (await turn(client))[-1]["type"] == "response.completed"
            [refused] = await turn(client, tools=TOOLS)
            [other] = await turn(client, model="gpt-4")
    assert (refused["status"], refused["error"]["code"]) == (403, "tool_not_allowed")
    assert (other["status"], other["error"]["code"]) == (403, "model_not_allowed")
    assert len(stand_in.told) == 1


async def test_a_provider_that_breaks_off_is_said(start_gateway: StartGateway) -> None:
    async def breaks(received: Received) -> web.StreamResponse:
        connected = web.WebSocketResponse()
        await connected.prepare(received.request)
        await connected.receive()
        await connected.send_json({"type": "response.created", "response": {"id": "resp_1"}})
        assert received.request.transport is not None
        received.request.transport.abort()
        return connected

    async with house(start_gateway, breaks) as (gateway, _), socket(gateway) as client:
        created, error = await turn(client)
        await client.receive()
        assert client.close_code == 1011
    assert created["type"] == "response.created"
    assert (error["status"], error["error"]["code"]) == (502, "upstream_lost")
