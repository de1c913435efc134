"""Credentials that were made for calls, at requests: what can be held there is held, with the rest they are
good for none. And a request ends with its credential."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from tests.gateway.conftest import RunningGateway, StartGateway
from tests.gateway.limited import until
from tests.gateway.requests.standin import StandIn
from tests.gateway.requests.test_passing_on import CHAT, ask, house
from tests.gateway.requests.test_responses_socket import house as socket_house
from tests.gateway.requests.test_responses_socket import socket, turn
from tests.gateway.test_revocation import delete, following

from voxgate.auth.credentials import Grant, parse_request
from voxgate.core.errors import InvalidRequest, NotForRequests, RequestError
from voxgate.gateway.requests import flow
from voxgate.gateway.requests.restrictions import Restrictions, check_endpoint
from voxgate.testing.http_provider import Received

Body = dict[str, Any]
CHAT_TOOL = {"type": "function", "function": {"name": "find", "parameters": {}}}
FLAT_TOOL = {"type": "function", "name": "find", "parameters": {}}
OWN_TOOL = {"name": "find", "input_schema": {}}
SOUND = {"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}]}


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


def grant(**scopes: Any) -> Grant:
    """As the gateway has it of a credential that was asked for so."""
    asked = parse_request(scopes)
    listed = asked.allowed_tools, asked.allowed_events
    tools, events = [None if each is None else tuple(each) for each in listed]
    session = asked.session.settings if asked.session else {}
    locked = tuple(asked.session.locked) if asked.session else ()
    return Grant(
        "temporary", "cred_1", session=session, locked=locked, allowed_tools=tools, allowed_events=events,
        max_audio_seconds=asked.max_audio_seconds,
    )  # fmt: skip


LOCKED: Body = {"session": {"instructions": "Sell flowers.", "max_output_tokens": 500, "lock": "locked"}}
SHORT: Body = {"session": {"max_output_tokens": 500, "lock": "locked"}}
TOOLLESS: Body = {"session": {"tools": [], "lock": ["tools"]}}
DEFAULTS: Body = {"session": {"instructions": "Sell flowers.", "tools": [FLAT_TOOL]}}


@pytest.mark.parametrize(
    ("scopes", "endpoint", "param"),
    [
        (LOCKED, "chat/completions", "session.lock"),
        (LOCKED, "embeddings", "session.lock"),
        ({"session": {"lock": ["audio.output.voice"]}}, "audio/speech", "session.lock"),
        ({"session": {"tools": [FLAT_TOOL], "lock": "locked"}}, "responses", "session.lock"),
        (SHORT, "audio/speech", "session.lock"),
        ({"allowed_events": ["response.*"]}, "responses", "allowed_events"),
        ({"max_audio_seconds": 60}, "audio/transcriptions", "max_audio_seconds"),
        (SHORT, "responses", None),
        (SHORT, "embeddings", None),
        (TOOLLESS, "messages", None),
        (DEFAULTS, "chat/completions", None),
        ({"session": {"type": "transcription"}}, "audio/transcriptions", None),
        ({"max_audio_seconds": 60}, "chat/completions", None),
        ({"allowed_tools": []}, "images/generations", None),
    ],
)
def test_what_cannot_be_held_at_a_request_makes_the_credential_good_for_none(
    scopes: Body, endpoint: str, param: str | None
) -> None:
    if param is None:
        check_endpoint(grant(**scopes), endpoint)
        return
    with pytest.raises(NotForRequests) as refused:
        check_endpoint(grant(**scopes), endpoint)
    assert refused.value.param == param
    assert "make one" in refused.value.message.lower()


@pytest.mark.parametrize(
    ("scopes", "endpoint", "body", "param"),
    [
        # Tools
        ({"allowed_tools": []}, "chat/completions", {"tools": [CHAT_TOOL]}, "tools.0"),
        ({"allowed_tools": []}, "chat/completions", {"functions": [{"name": "find"}]}, "functions"),
        ({"allowed_tools": []}, "chat/completions", {"web_search_options": {"a": 1}}, "web_search_options"),
        ({"allowed_tools": ["look*"]}, "chat/completions", {"tools": [CHAT_TOOL]}, "tools.0"),
        ({"allowed_tools": ["find"]}, "chat/completions", {"tools": [CHAT_TOOL]}, None),
        ({"allowed_tools": ["find"]}, "chat/completions", {"tools": [FLAT_TOOL]}, "tools.0.function"),
        ({"allowed_tools": []}, "chat/completions", {"tools": [], "tool_choice": "auto"}, None),
        ({"allowed_tools": ["find"]}, "responses", {"tools": [FLAT_TOOL], "tool_choice": "auto"}, None),
        ({"allowed_tools": ["find"]}, "responses", {"tools": [{"type": "web_search"}]}, "tools.0"),
        ({"allowed_tools": ["web_search"]}, "responses", {"tools": [{"type": "web_search"}]}, None),
        ({"allowed_tools": ["find"]}, "responses", {"prompt": {"id": "pmpt_1"}}, "prompt"),
        ({"allowed_tools": ["find"]}, "responses", {"input": [{"tools": []}]}, "input.0.tools"),
        ({"allowed_tools": ["find"]}, "messages", {"tools": [OWN_TOOL]}, None),
        ({"allowed_tools": ["find"]}, "messages", {"tools": [{**OWN_TOOL, "name": "other"}]}, "tools.0"),
        ({"allowed_tools": ["b*"]}, "messages", {"tools": [{"type": "bash_2", "name": "x"}]}, "tools.0"),
        ({"allowed_tools": ["find"]}, "messages", {"mcp_servers": [{"url": "u"}]}, "mcp_servers"),
        ({"allowed_tools": []}, "completions", {"prompt": "Once"}, None),
        (TOOLLESS, "chat/completions", {"tools": [CHAT_TOOL]}, "tools.0"),
        (TOOLLESS, "responses", {"prompt": {"id": "pmpt_1"}}, "prompt"),
        # How long an answer may be
        (SHORT, "responses", {}, "max_output_tokens"),
        (SHORT, "responses", {"max_output_tokens": 501}, "max_output_tokens"),
        (SHORT, "responses", {"max_output_tokens": 500}, None),
        (SHORT, "responses", {"max_tokens": 500}, "max_output_tokens"),
        (SHORT, "responses", {"max_output_tokens": 5, "prompt": {"id": "pmpt_1"}}, "prompt"),
        (SHORT, "messages", {"max_tokens": 20}, None),
        (SHORT, "chat/completions", {"max_tokens": 20}, None),
        (SHORT, "chat/completions", {"max_tokens": 20, "n": True}, "n"),
        (SHORT, "chat/completions", {"max_tokens": 200, "n": 3}, "max_tokens"),
        (SHORT, "completions", {"max_tokens": 501}, "max_tokens"),
        (SHORT, "chat/completions", {"max_tokens": "20"}, "max_tokens"),
        (SHORT, "embeddings", {}, None),
        # Sound
        ({"max_audio_seconds": 60}, "chat/completions", SOUND, "max_audio_seconds"),
        ({"max_audio_seconds": 60}, "chat/completions", {"modalities": ["audio"]}, "max_audio_seconds"),
        ({"max_audio_seconds": 60}, "chat/completions", {"messages": [{"content": "audio"}]}, None),
    ],
)  # fmt: skip
def test_what_a_body_can_be_held_to_it_is_held_to(
    scopes: Body, endpoint: str, body: Body, param: str | None
) -> None:
    restrictions, text = Restrictions(grant(**scopes)), json.dumps(body).encode()
    assert restrictions.any
    if param is None:
        restrictions.check_text(endpoint, text)
        return
    with pytest.raises(RequestError) as refused:
        restrictions.check_text(endpoint, text)
    assert refused.value.param == param


@pytest.mark.parametrize(
    "text", ['{"tools": [], "tools": [1]}', '{"Tools": []}', '{"to\\u006fls": [], "tools": 1}']
)
def test_a_body_that_readers_could_take_in_two_ways_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="Invalid body"):
        Restrictions(grant(allowed_tools=[])).check_text("chat/completions", text.encode())


def test_an_api_key_is_restricted_in_nothing() -> None:
    assert not Restrictions(Grant("api_key", "key_1")).any


@pytest.mark.anyio
async def test_a_credential_of_a_locked_call_is_refused_at_requests_and_sockets(
    start_gateway: StartGateway,
) -> None:
    stand_in = StandIn()
    async with socket_house(start_gateway, stand_in) as (gateway, provider):
        logged = {"logging": {"project_name": "house"}}
        key = await gateway.mint(model="gpt-5", **LOCKED, **logged)
        status, body, _ = await ask(gateway, "chat/completions", CHAT, key)
        error = json.loads(body)["error"]
        assert (status, error["code"], error["param"]) == (403, "not_for_requests", "session.lock")
        assert "'instructions'" in error["message"]
        async with socket(gateway, key) as client:
            [refused] = await turn(client)
        assert (refused["status"], refused["error"]["code"]) == (403, "not_for_requests")
        status, body, _ = await ask(gateway, "messages", {"model": "gpt-5"}, key)
        assert (status, json.loads(body)["error"]["type"]) == (403, "permission_error")
        assert not provider.received
        records = b"".join(record.data for record in await gateway.records())
    assert b"not_for_requests" in records


@pytest.mark.anyio
async def test_tools_and_lengths_hold_at_requests_and_on_sockets(start_gateway: StartGateway) -> None:
    stand_in = StandIn()
    async with socket_house(start_gateway, stand_in) as (gateway, provider):
        key = await gateway.mint(
            model="gpt-5", session={"max_output_tokens": 500, "lock": "locked"}, allowed_tools=["look"]
        )
        plain = {"model": "gpt-5", "max_output_tokens": 500, "input": "Hi"}
        assert (await ask(gateway, "responses", plain, key))[0] == 200
        for wrong in ({"max_output_tokens": 501}, {"tools": [FLAT_TOOL]}):
            assert (await ask(gateway, "responses", {**plain, **wrong}, key))[0] == 403
        assert len(provider.received) == 1
        async with socket(gateway, key) as client:
            assert (await turn(client, max_output_tokens=500))[-1]["type"] == "response.completed"
            for wrong in ({"max_output_tokens": 501}, {"max_output_tokens": 5, "tools": [FLAT_TOOL]}):
                [refused] = await turn(client, **wrong)
                assert refused["status"] == 403
        assert len(stand_in.told) == 1


# Its end


async def endless(received: Received) -> web.StreamResponse:
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(received.request)
    while True:
        await response.write(b'data: {"choices": []}\n\n')
        await asyncio.sleep(0.02)


async def cut_off(gateway: RunningGateway, key: str) -> bool:
    """Whether what would be streamed for ever came to an end, as something that is not whole; or to none at
    all, since a machine that has much to do had not begun."""
    async with asyncio.timeout(60):
        try:
            status, _, _ = await ask(gateway, "chat/completions", {**CHAT, "stream": True}, key)
        except aiohttp.ClientPayloadError:
            return True
    return status >= 400


@pytest.mark.anyio
@pytest.mark.parametrize("scopes", [{"max_session_seconds": 1}, {"expires_hard": True}])
async def test_a_request_ends_when_its_credential_says_so(
    start_gateway: StartGateway, monkeypatch: pytest.MonkeyPatch, scopes: Body
) -> None:
    async with house(start_gateway, endless) as (gateway, _):
        key = await gateway.mint(model="gpt-5", logging={"project_name": "house"}, **scopes)
        [row] = (await gateway.get("/v1/credentials"))[1]["items"]
        if "expires_hard" in scopes:
            moments = iter([row["expires_at"] - 1])
            later = SimpleNamespace(unix_seconds=lambda: next(moments, row["expires_at"]))
            monkeypatch.setattr(flow, "clock", later)
        assert await cut_off(gateway, key)
        records = b"".join(record.data for record in await gateway.records())
    code = b"expired_api_key" if "expires_hard" in scopes else b"session_expired"
    assert code in records


@pytest.mark.anyio
async def test_a_request_without_an_answer_ends_with_an_error(start_gateway: StartGateway) -> None:
    async def never(received: Received) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    async with house(start_gateway, never) as (gateway, _):
        key = await gateway.mint(model="gpt-5", max_session_seconds=1)
        status, body, _ = await ask(gateway, "chat/completions", CHAT, key)
    assert (status, json.loads(body)["error"]["code"]) == (408, "session_expired")


@pytest.mark.anyio
async def test_a_request_ends_with_the_credential_that_is_revoked(start_gateway: StartGateway) -> None:
    async with house(start_gateway, endless) as (gateway, [provider]), following(gateway):
        keys = [await gateway.mint(model="gpt-5", metadata={"n": n}) for n in range(2)]
        tries = [asyncio.create_task(cut_off(gateway, key)) for key in keys]
        await until(lambda: len(provider.received) == 2)
        rows = (await gateway.get("/v1/credentials"))[1]["items"]
        first = next(row["id"] for row in rows if row["metadata"]["n"] == 0)
        await delete(gateway, f"/v1/credentials/{first}?end_sessions=true")
        assert await tries[0]
        assert not tries[1].done()
        tries[1].cancel()
        await asyncio.wait(tries)
