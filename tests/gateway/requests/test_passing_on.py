"""Requests through a running gateway to providers on loopback: what goes on, what comes back, who may ask."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from tests.gateway.conftest import ADMIN_KEY, RunningGateway, StartGateway

from voxgate.testing.http_provider import Answering, HttpProvider, Received, say_hello

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """Nothing here is of one event loop only."""
    return "asyncio"


KEY = "provider-key-0000000000000000000000"
CHAT = {"model": "gpt-5", "messages": [{"role": "user", "content": "Hi — “you”"}], "metadata": {"model": "x"}}


@asynccontextmanager
async def house(
    start_gateway: StartGateway, *answers: Answering, route: dict[str, Any] | None = None, **more: Any
) -> AsyncIterator[tuple[RunningGateway, list[HttpProvider]]]:
    """A gateway whose models all go to providers that answer so, in this order."""
    async with AsyncExitStack() as stack:
        providers = [await stack.enter_async_context(HttpProvider(answer)) for answer in answers]
        known = {
            f"p{number}": {"base_url": each.base_url, "api_key": KEY, "rest_seconds": 0, **more}
            for number, each in enumerate(providers)
        }
        routes = [{"model": "*", "providers": list(known), **(route or {})}]
        yield await stack.enter_async_context(start_gateway(providers=known, routes=routes)), providers


async def ask(
    gateway: RunningGateway, path: str, body: Any, key: str | None = ADMIN_KEY, **headers: str
) -> tuple[int, bytes, dict[str, str]]:
    sent = {"authorization": f"Bearer {key}"} if key else {}
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    url = f"http://127.0.0.1:{gateway.port}/v1/{path}"
    if "content_type" not in headers:
        headers["content_type"] = "application/json"
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    async with gateway.http.post(url, data=data, headers=sent) as answer:
        return answer.status, await answer.read(), {n.lower(): v for n, v in answer.headers.items()}


def say(status: int, body: Any, **headers: str) -> Answering:
    async def answer(received: Received) -> web.StreamResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.json_response(body, status=status, headers=named)

    return answer


def stream(*pieces: bytes, cut: bool = False, kind: str = "text/event-stream") -> Answering:
    async def answer(received: Received) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": kind})
        response.enable_chunked_encoding()
        await response.prepare(received.request)
        for piece in pieces:
            await response.write(piece)
            await asyncio.sleep(0)
        if cut and received.request.transport is not None:
            received.request.transport.abort()
        return response

    return answer


async def test_a_body_goes_on_byte_for_byte_with_the_configured_key(start_gateway: StartGateway) -> None:
    body = json.dumps(CHAT, indent=3).encode()
    async with house(start_gateway, say_hello) as (gateway, [provider]):
        status, answered, headers = await ask(gateway, "chat/completions", body, cookie="a=b", x_secret="s")
    [received] = provider.received
    assert (status, json.loads(answered)["choices"][0]["message"]["content"]) == (200, "Hello.")
    assert (received.path, received.body) == ("/v1/chat/completions", body)
    assert received.headers["authorization"] == f"Bearer {KEY}"
    assert not {"cookie", "x-secret"} & received.headers.keys()
    assert headers["x-voxgate-provider"] == "p0"
    assert headers["x-voxgate-session-id"].startswith("sess_")


async def test_an_answer_comes_back_without_the_headers_of_the_account(
    start_gateway: StartGateway,
) -> None:
    answer = say(
        404, {"error": {"message": "no"}}, x_request_id="r1", openai_organization="org", retry_after="3"
    )
    async with house(start_gateway, answer) as (gateway, _):
        status, answered, headers = await ask(gateway, "chat/completions", CHAT)
    assert (status, json.loads(answered)) == (404, {"error": {"message": "no"}})
    assert (headers["x-request-id"], headers["retry-after"]) == ("r1", "3")
    assert "openai-organization" not in headers


async def test_a_stream_comes_piece_by_piece(start_gateway: StartGateway) -> None:
    first_read = asyncio.Event()

    async def answer(received: Received) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(received.request)
        await response.write(b'data: {"n": 1}\n\n')
        async with asyncio.timeout(60):
            await first_read.wait()  # it would never be, if the gateway waited for the whole
        await response.write(b"data: [DONE]\n\n")
        return response

    async with house(start_gateway, answer) as (gateway, _):
        url = f"http://127.0.0.1:{gateway.port}/v1/chat/completions"
        headers = {"authorization": f"Bearer {ADMIN_KEY}"}
        async with gateway.http.post(url, json={**CHAT, "stream": True}, headers=headers) as came:
            first = await came.content.readany()
            first_read.set()
            rest = await came.content.read()
    assert first + rest == b'data: {"n": 1}\n\ndata: [DONE]\n\n'


async def test_the_providers_own_name_of_a_model_stands_in_the_body(start_gateway: StartGateway) -> None:
    body = json.dumps(CHAT).encode()
    async with house(start_gateway, say_hello, models={"gpt-*": "deployment-1"}) as (gateway, [provider]):
        await ask(gateway, "chat/completions", body)
    assert provider.received[0].body == body.replace(b'"gpt-5"', b'"deployment-1"')


async def test_a_form_with_sound_goes_on_byte_for_byte(start_gateway: StartGateway) -> None:
    sound = bytes(range(256)) * 4000
    parts = [
        b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n',
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n',
        b"Content-Type: audio/wav\r\n\r\n",
        sound + b"\r\n--b--\r\n",
    ]
    kind = "multipart/form-data; boundary=b"
    async with house(start_gateway, say(200, {"text": "hi"})) as (gateway, [provider]):
        status, _, _ = await ask(gateway, "audio/transcriptions", b"".join(parts), content_type=kind)
        records = await gateway.records()
    assert status == 200
    assert provider.received[0].body == b"".join(parts)
    assert provider.received[0].headers["content-type"] == kind
    assert sound[:4096] in b"".join(record.data for record in records)


@pytest.mark.parametrize("status", [401, 402, 429, 500, 503, 529])
async def test_the_next_one_answers_for_a_provider_that_cannot(
    start_gateway: StartGateway, status: int
) -> None:
    async with house(start_gateway, say(status, {}), say_hello) as (gateway, providers):
        answer = await ask(gateway, "chat/completions", CHAT)
        facts = b"".join(await gateway.facts())
    assert answer[0] == 200
    assert answer[2]["x-voxgate-provider"] == "p1"
    assert [len(each.received) for each in providers] == [1, 1]
    assert f"answered {status}".encode() in facts


@pytest.mark.parametrize("status", [400, 403, 404, 422])
async def test_an_answer_that_others_would_give_too_is_not_asked_for_again(
    start_gateway: StartGateway, status: int
) -> None:
    async with house(start_gateway, say(status, {"p": 0}), say_hello) as (gateway, providers):
        assert (await ask(gateway, "chat/completions", CHAT))[0] == status
    assert [len(each.received) for each in providers] == [1, 0]


async def test_the_last_providers_own_answer_is_the_clients(start_gateway: StartGateway) -> None:
    async with house(start_gateway, say(500, {"p": 0}), say(429, {"p": 1}, retry_after="7")) as (gateway, _):
        status, body, headers = await ask(gateway, "chat/completions", CHAT)
    assert (status, json.loads(body), headers["retry-after"]) == (429, {"p": 1}, "7")


async def test_a_provider_that_is_not_there_is_named_and_another_asked(
    start_gateway: StartGateway,
) -> None:
    async with HttpProvider() as provider:
        known = {
            "gone": {"base_url": "http://127.0.0.1:9/v1", "api_key": KEY},
            "there": {"base_url": provider.base_url, "api_key": KEY},
        }
        routes = [{"model": "a", "providers": ["gone", "there"]}, {"model": "b", "providers": ["gone"]}]
        async with start_gateway(providers=known, routes=routes) as gateway:
            assert (await ask(gateway, "chat/completions", {**CHAT, "model": "a"}))[0] == 200
            status, body, _ = await ask(gateway, "chat/completions", {**CHAT, "model": "b"})
    assert status == 502
    assert "gone could not be reached" in json.loads(body)["error"]["message"]


async def test_a_stream_that_the_provider_cuts_is_cut_for_the_client_too(start_gateway: StartGateway) -> None:
    async with house(start_gateway, stream(b'data: {"n":1}\n\ndata: {"n":2}', cut=True)) as (gateway, _):
        with pytest.raises(aiohttp.ClientPayloadError):
            await ask(gateway, "chat/completions", {**CHAT, "stream": True})
        facts = b"".join(await gateway.facts())
        said = b"".join(record.data for record in await gateway.records())
    assert b"broke off in the middle" in facts
    assert said.count(b'{"n":2}') == 1


async def test_a_provider_that_never_answers_is_given_up(start_gateway: StartGateway) -> None:
    async def hang(received: Received) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    async with house(start_gateway, hang, say_hello, answer_seconds=0.5) as (gateway, _):
        assert (await ask(gateway, "chat/completions", CHAT))[2]["x-voxgate-provider"] == "p1"


async def test_an_answer_that_stops_in_its_middle_ends(start_gateway: StartGateway) -> None:
    async def stop(received: Received) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(received.request)
        await response.write(b"data: 1\n\n")
        await asyncio.Event().wait()
        return response

    async with house(start_gateway, stop, silence_seconds=0.5) as (gateway, _):
        with pytest.raises(aiohttp.ClientPayloadError):
            await ask(gateway, "chat/completions", CHAT)


async def test_a_client_that_hangs_up_ends_the_request_at_the_provider(start_gateway: StartGateway) -> None:
    ended = asyncio.Event()

    async def talk(received: Received) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(received.request)
        try:
            while True:
                await response.write(b"data: 1\n\n")
                await asyncio.sleep(0.01)
        except (ConnectionError, asyncio.CancelledError):
            ended.set()
            raise

    async with house(start_gateway, talk) as (gateway, _):
        url = f"http://127.0.0.1:{gateway.port}/v1/chat/completions"
        headers = {"authorization": f"Bearer {ADMIN_KEY}"}
        async with gateway.http.post(url, json=CHAT, headers=headers) as came:
            await came.content.readany()
            came.close()
        async with asyncio.timeout(60):
            await ended.wait()
        facts = b"".join(await gateway.facts())
    assert b"the client hung up" in facts


async def test_a_credential_holds_for_requests_too(start_gateway: StartGateway) -> None:
    async with house(start_gateway, say_hello) as (gateway, [provider]):
        key = await gateway.mint(model="gpt-5", max_uses=1)
        for model, wanted in (("other", 403), ("gpt-5", 200), ("gpt-5", 403)):
            status, body, _ = await ask(gateway, "chat/completions", {**CHAT, "model": model}, key)
            assert status == wanted, body
        twice = b'{"model":"gpt-5","model":"other","messages":[]}'
        other = await gateway.mint(model=["gpt-5", "other"])
        assert (await ask(gateway, "chat/completions", twice, other))[0] == 400
    assert len(provider.received) == 1


async def test_what_a_request_used_counts_for_the_budget(start_gateway: StartGateway) -> None:
    async with house(start_gateway, say_hello) as (gateway, _):
        key = await gateway.mint(model="gpt-5", max_tokens=12)
        assert (await ask(gateway, "chat/completions", CHAT, key))[0] == 200
        status, body, _ = await ask(gateway, "chat/completions", CHAT, key)
    assert (status, json.loads(body)["error"]["param"]) == (429, "max_tokens")


@pytest.mark.parametrize(
    ("path", "body", "key", "status", "said"),
    [
        ("chat/completions", CHAT, None, 401, "API key|Missing bearer"),
        ("chat/completions", {"messages": []}, ADMIN_KEY, 400, "model"),
        ("chat/completions", b"{", ADMIN_KEY, 400, "valid JSON"),
        ("audio/transcriptions", b"{}", ADMIN_KEY, 400, "multipart"),
        ("nothing", {}, ADMIN_KEY, 404, "no endpoint"),
    ],
)
async def test_what_is_wrong_with_a_request_is_said(
    start_gateway: StartGateway, path: str, body: Any, key: str | None, status: int, said: str
) -> None:
    async with house(start_gateway, say_hello) as (gateway, [provider]):
        found, answered, _ = await ask(gateway, path, body, key)
    assert found == status
    assert any(each in json.loads(answered)["error"]["message"] for each in said.split("|"))
    assert provider.received == []


async def test_an_error_has_anthropics_shape_where_its_api_is_called(start_gateway: StartGateway) -> None:
    async with house(start_gateway, say_hello) as (gateway, _):
        status, body, _ = await ask(gateway, "messages", {"messages": []})
    found = json.loads(body)
    assert (status, found["type"], found["error"]["type"]) == (400, "error", "invalid_request_error")


async def test_what_a_provider_has_beside_passes_through_where_the_settings_let_it(
    start_gateway: StartGateway,
) -> None:
    async with house(start_gateway, say(200, {"data": []}), pass_through=True) as (gateway, [provider]):
        status, body = await gateway.get("/v1/providers/p0/files?limit=2")
        assert (status, body) == (200, {"data": []})
        assert (await gateway.get("/v1/providers/p0/files", await gateway.mint()))[0] == 403
        assert (await gateway.get("/v1/providers/p9/files"))[0] == 404
    [received] = provider.received
    assert (received.method, received.path, received.body) == ("GET", "/v1/files?limit=2", b"")
    assert received.headers["authorization"] == f"Bearer {KEY}"


async def test_a_compressed_body_passes_through_and_is_refused_where_it_must_be_read(
    start_gateway: StartGateway,
) -> None:
    body = gzip.compress(json.dumps(CHAT).encode())
    async with house(start_gateway, say_hello, pass_through=True) as (gateway, [provider]):
        through = await ask(gateway, "providers/p0/files", body, content_encoding="gzip")
        status, answered, _ = await ask(gateway, "chat/completions", body, content_encoding="gzip")
    assert through[0] == 200
    [received] = provider.received
    assert received.headers["content-encoding"] == "gzip"
    assert (status, "compressed ('gzip')" in json.loads(answered)["error"]["message"]) == (400, True)


async def test_a_provider_that_has_rested_is_asked_again(start_gateway: StartGateway) -> None:
    well = False

    async def recovers(received: Received) -> web.StreamResponse:
        return await (say_hello(received) if well else say(500, {})(received))

    async with house(start_gateway, recovers, say_hello, rest_seconds=0.2) as (gateway, _):
        assert (await ask(gateway, "chat/completions", CHAT))[2]["x-voxgate-provider"] == "p1"
        well = True
        async with asyncio.timeout(60):
            while (await ask(gateway, "chat/completions", CHAT))[2]["x-voxgate-provider"] != "p0":
                await asyncio.sleep(0.02)
        assert (await ask(gateway, "chat/completions", CHAT))[2]["x-voxgate-provider"] == "p0"


async def test_a_key_that_is_used_up_rests_while_the_others_work(start_gateway: StartGateway) -> None:
    async def limited(received: Received) -> web.StreamResponse:
        is_used_up = received.headers["authorization"] == "Bearer first"
        return await (say(429, {}, retry_after="60") if is_used_up else say_hello)(received)

    async with HttpProvider(limited) as provider:
        known = {"house": {"base_url": provider.base_url, "api_key_env": "A", "api_keys_env": ["B"]}}
        routes = [{"model": "*", "providers": ["house"]}]
        environ = {"A": "first", "B": "second"}
        async with start_gateway(providers=known, routes=routes, environ=environ) as gateway:
            for _ in range(4):
                assert (await ask(gateway, "chat/completions", CHAT))[0] == 200
    used = [each.headers["authorization"].removeprefix("Bearer ") for each in provider.received]
    assert used == ["first", "second", "second", "second", "second"]


async def test_an_answer_may_take_longer_to_begin_than_to_go_on(start_gateway: StartGateway) -> None:
    begin = asyncio.Event()

    async def thinks(received: Received) -> web.StreamResponse:
        asyncio.get_running_loop().call_later(1.2, begin.set)
        await begin.wait()
        return await say_hello(received)

    async with house(start_gateway, thinks, silence_seconds=0.5) as (gateway, _):
        assert (await ask(gateway, "chat/completions", CHAT))[0] == 200
