"""What credentials let a client say, over real connections: the provider is a stand-in that takes settings
over as the live service does.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.gateway.conftest import ON_UVLOOP, RunningGateway, StartGateway
from voxgate.gateway import mediation
from voxgate.realtime.frames import PING, TEXT, encode_frame
from voxgate.testing.provider import ScriptedProvider, Upstreamed

pytestmark = [pytest.mark.anyio, ON_UVLOOP]

SECRET = "The discount code is PLUM."
GA = {"type": "realtime"}
"""As clients of today write it: without it a client is taken for an old one."""
SESSION = {"instructions": SECRET, "audio": {"output": {"voice": "cedar"}}, "lock": "locked"}


async def live_service(call: Upstreamed) -> None:
    """Begins as the live service does, merges settings, and sends every other event back."""
    session: dict[str, Any] = {"type": "realtime", "instructions": "Be helpful.", "audio": {"output": {}}}
    await call.send(json.dumps({"type": "session.created", "event_id": "e1", "session": session}))
    async for message in call:
        event = json.loads(message)
        if event["type"] != "session.update":
            await call.send(message)
            continue
        audio = {**session["audio"], **event["session"].get("audio", {})}
        session = {**session, **event["session"], "audio": audio}
        await call.send(json.dumps({"type": "session.updated", "event_id": "e2", "session": session}))


async def refusing_service(call: Upstreamed) -> None:
    await call.send('{"type":"session.created","session":{}}')
    async for message in call:
        error = {"type": "invalid_request_error", "code": "invalid_value", "message": f"Not {SECRET!r}."}
        error |= {"param": "session.audio.output.voice", "event_id": json.loads(message).get("event_id")}
        await call.send(json.dumps({"type": "error", "event_id": "e3", "error": error}))


def call_with(url: str, key: str, model: str = "fake", **headers: str) -> connect:
    return connect(f"{url}?model={model}", additional_headers={"Authorization": f"Bearer {key}", **headers})


async def heard(socket: ClientConnection) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(await asyncio.wait_for(socket.recv(), 60))
    return event


async def told(socket: ClientConnection, **event: Any) -> dict[str, Any]:
    await socket.send(json.dumps(event))
    return await heard(socket)


async def refused(socket: ClientConnection, code: str, param: str | None, **event: Any) -> None:
    answer = await told(socket, event_id="mine", **event)
    assert answer["type"] == "error"
    error = answer["error"]
    assert (error["type"], error["code"], error["param"]) == ("invalid_request_error", code, param)
    assert error["event_id"] in ("mine", None)


@contextlib.asynccontextmanager
async def calling(
    start_gateway: StartGateway, headers: dict[str, str] | None = None, **scopes: Any
) -> AsyncIterator[tuple[ClientConnection, ScriptedProvider, RunningGateway]]:
    async with ScriptedProvider(live_service) as provider, start_gateway(provider.base_url) as gateway:
        key = await gateway.mint(logging={"project_name": "p"}, **scopes)
        async with call_with(gateway.url, key, **headers or {}) as socket:
            yield socket, provider, gateway


def received(provider: ScriptedProvider) -> list[dict[str, Any]]:
    (call,) = provider.calls
    return [json.loads(message) for message in call.messages]


async def test_locked_settings_are_in_force_and_stay_so(start_gateway: StartGateway) -> None:
    async with calling(start_gateway, session=SESSION) as (socket, provider, _):
        await socket.send('{"type":"early"}')
        seen = [await heard(socket) for _ in range(3)]
        assert [event["type"] for event in seen] == ["session.created", "session.updated", "early"]
        assert [event["type"] for event in received(provider)] == ["session.update", "early"], (
            "ours came first"
        )
        assert received(provider)[0]["session"]["instructions"] == SECRET
        locked = "session_field_locked"
        await refused(
            socket, locked, "session.instructions", type="session.update", session={**GA, "instructions": "x"}
        )
        await refused(
            socket, locked, "response.instructions", type="response.create", response={"instructions": "x"}
        )
        await refused(
            socket,
            locked,
            "session.audio.output.voice",
            type="session.update",
            session={**GA, "max_output_tokens": 5, "audio": {"output": {"voice": "alloy"}}},
        )
        updated = await told(socket, type="session.update", session={**GA, "max_output_tokens": 7})
        assert updated["session"]["max_output_tokens"] == 7
        assert updated["session"]["audio"]["output"]["voice"] == "cedar"
        assert "PLUM" not in json.dumps([seen, updated])
        assert all("instructions" not in event["session"] for event in [*seen[:2], updated])
        assert [event["type"] for event in received(provider)] == [
            "session.update",
            "early",
            "session.update",
        ]


async def test_defaults_are_in_force_until_the_client_changes_them(start_gateway: StartGateway) -> None:
    async with calling(start_gateway, session={**SESSION, "lock": "defaults"}) as (socket, _, _):
        assert (await heard(socket))["type"] == "session.created"
        assert (await heard(socket))["session"]["instructions"] == SECRET
        updated = await told(socket, type="session.update", session={**GA, "instructions": "Mine."})
        assert updated["session"]["instructions"] == "Mine."


async def test_only_the_named_fields_are_locked(start_gateway: StartGateway) -> None:
    async with calling(start_gateway, session={**SESSION, "lock": ["audio.output.voice"]}) as (socket, _, _):
        await heard(socket)
        assert (await heard(socket))["session"]["instructions"] == SECRET
        voice = {"audio": {"output": {"voice": "alloy"}}}
        param = "session.audio.output.voice"
        await refused(socket, "session_field_locked", param, type="session.update", session=GA | voice)
        updated = await told(socket, type="session.update", session={**GA, "instructions": "Mine."})
        assert updated["session"]["instructions"] == "Mine."


async def test_an_old_client_cannot_change_them_either(start_gateway: StartGateway) -> None:
    beta = {"OpenAI-Beta": "realtime=v1"}
    async with calling(start_gateway, headers=beta, session=SESSION) as (socket, provider, _):
        created, updated = await heard(socket), await heard(socket)
        assert updated["session"]["voice"] == "cedar"
        assert "instructions" not in created["session"] | updated["session"]
        for name in ("voice", "instructions"):
            answer = await told(socket, type="session.update", session={name: "alloy"})
            assert (answer["error"]["code"], answer["error"]["param"]) == (
                "session_field_locked",
                f"session.{name}",
            )
        assert len(received(provider)) == 1


async def test_a_call_whose_settings_the_provider_refuses_is_ended(start_gateway: StartGateway) -> None:
    async with ScriptedProvider(refusing_service) as provider, start_gateway(provider.base_url) as gateway:
        key = await gateway.mint(session=SESSION, logging={"project_name": "p"})
        async with call_with(gateway.url, key) as socket:
            assert (await heard(socket))["type"] == "session.created"
            error = (await heard(socket))["error"]
            assert error["code"] == "session_settings_refused"
            assert "session.audio.output.voice" in error["message"]
            assert "PLUM" not in error["message"]
            with pytest.raises(ConnectionClosed) as closed:
                await heard(socket)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1011
        records = await gateway.records()
        log = b"".join(record.data for record in records)
        assert b"session_settings_refused" in log
        assert b"Not 'The discount code" in log, "the provider's own words are on the trace"


@pytest.mark.parametrize("scopes", [{"model": ["fake"]}, {"session": SESSION}], ids=["watched", "mediated"])
async def test_behind_bytes_that_are_no_frames_nothing_passes(
    start_gateway: StartGateway, scopes: dict[str, Any]
) -> None:
    update = {"type": "session.update", "session": {"model": "other", "instructions": "x", **GA}}
    async with calling(start_gateway, **scopes) as (socket, provider, _):
        await heard(socket)
        await told(socket, type="before")
        stream = b"\x83\x80\0\0\0\0" + encode_frame(TEXT, json.dumps(update).encode(), masked=True)
        socket.transport.write(stream)
        socket.transport.write(stream)
        with contextlib.suppress(ConnectionClosed):
            while True:
                await heard(socket)
        assert (socket.close_code, socket.close_reason) == (
            4000,
            "invalid_request_error.invalid_event",
        )
        assert received(provider)[-1] == {"type": "before"}


async def test_a_client_that_never_ends_a_message_is_not_kept_in_memory(start_gateway: StartGateway) -> None:
    """Between two fragments it may send pings without end: they go on, and what is judged is the whole."""
    part = b'"session.update","session":{"type":"realtime","mod'
    pings = encode_frame(PING, bytes(125), masked=True) * 9000
    async with calling(start_gateway, model=["fake"]) as (socket, provider, _):
        await heard(socket)
        await told(socket, type="before", model="fake")  # from here on it is known that it speaks GA
        for model in ("fake", "other"):
            socket.transport.write(b"\x01" + encode_frame(TEXT, b'{"type":', masked=True)[1:])
            alive = await socket.ping()
            socket.transport.write(pings)
            await asyncio.wait_for(alive, 60)
            socket.transport.write(b"\x00" + encode_frame(TEXT, part, masked=True)[1:])
            rest = b'el":"' + model.encode() + b'"}}'
            socket.transport.write(b"\x80" + encode_frame(TEXT, rest, masked=True)[1:])
            answer = await heard(socket)
            assert answer["type"] == ("session.updated" if model == "fake" else "error")
        await told(socket, type="after")
        assert [each["type"] for each in received(provider)] == ["before", "session.update", "after"]


async def silent_service(call: Upstreamed) -> None:
    """Takes no notice of settings."""
    await call.send('{"type":"session.created","session":{}}')
    async for message in call:
        if "session.update" not in str(message):
            await call.send(message)


async def test_a_call_whose_locked_settings_are_never_confirmed_is_ended(
    start_gateway: StartGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mediation, "ANSWER_SECONDS", 0.5)
    async with ScriptedProvider(silent_service) as provider, start_gateway(provider.base_url) as gateway:
        key = await gateway.mint(session=SESSION, logging={"project_name": "p"})
        async with call_with(gateway.url, key) as socket:
            await socket.send('{"type":"early"}')
            assert (await heard(socket))["type"] == "session.created"
            assert (await heard(socket))["error"]["code"] == "session_settings_refused"
            with pytest.raises(ConnectionClosed) as closed:
                await heard(socket)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1011
        assert [event["type"] for event in received(provider)] == ["session.update"], "nothing ran unlocked"
        facts = b"".join(await gateway.facts())
        assert b"session_settings_refused" in facts


async def test_a_call_goes_on_that_only_brings_defaults_which_nobody_confirms(
    start_gateway: StartGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mediation, "ANSWER_SECONDS", 0.0)
    async with ScriptedProvider(silent_service) as provider, start_gateway(provider.base_url) as gateway:
        async with call_with(
            gateway.url, await gateway.mint(session={**SESSION, "lock": "defaults"})
        ) as socket:
            await heard(socket)
            for number in range(5):
                assert await told(socket, type="early", number=number) == {"type": "early", "number": number}


async def test_only_allowed_events_reach_the_provider(start_gateway: StartGateway) -> None:
    async with calling(start_gateway, allowed_events=["input_audio_buffer.*"]) as (socket, provider, _):
        await heard(socket)
        sound = {"type": "input_audio_buffer.append", "audio": "AAAA"}
        assert await told(socket, **sound) == sound
        await refused(socket, "event_not_allowed", "type", type="session.update", session=GA)
        await refused(socket, "event_not_allowed", "type", type="response.create")
        assert received(provider) == [sound]


async def test_only_allowed_tools_reach_the_provider(start_gateway: StartGateway) -> None:
    async with calling(start_gateway, allowed_tools=["get_*"]) as (socket, provider, _):
        await heard(socket)
        tools = [{"type": "function", "name": "get_weather"}, {"type": "function", "name": "steal"}]
        refusal = ("tool_not_allowed", "session.tools.1")
        await refused(socket, *refusal, type="session.update", session={**GA, "tools": tools})
        updated = await told(socket, type="session.update", session={**GA, "tools": tools[:1]})
        assert updated["session"]["tools"] == tools[:1]
        assert len(received(provider)) == 1


@pytest.mark.parametrize("allowed", ["fake", ["fake", "gpt-*"]])
async def test_another_model_cannot_be_named_later(start_gateway: StartGateway, allowed: Any) -> None:
    async with calling(start_gateway, model=allowed) as (socket, provider, _):
        await heard(socket)
        refusal = ("model_not_allowed", "session.model")
        await refused(socket, *refusal, type="session.update", session={**GA, "model": "fake-dear"})
        assert (await told(socket, type="session.update", session={**GA, "model": "fake"}))[
            "type"
        ] == "session.updated"
        assert len(received(provider)) == 1


async def test_an_alias_is_named_as_the_client_knows_it(start_gateway: StartGateway) -> None:
    async with ScriptedProvider(live_service) as provider:
        route = {"model": "fake-old", "providers": ["fake0"], "upstream_model": "fake-live"}
        async with start_gateway(provider.base_url, routes=[route]) as gateway:
            key = await gateway.mint(model="fake-old")
            async with call_with(gateway.url, key, "fake-old") as socket:
                await heard(socket)
                updated = await told(socket, type="session.update", session={**GA, "model": "fake-old"})
                assert updated["session"]["model"] == "fake-old"
                assert received(provider)[0]["session"]["model"] == "fake-live"
                refusal = ("model_not_allowed", "session.model")
                await refused(socket, *refusal, type="session.update", session={**GA, "model": "fake-live"})


async def test_binary_messages_are_no_way_around_a_lock(start_gateway: StartGateway) -> None:
    async with calling(start_gateway, session=SESSION) as (socket, provider, _):
        await heard(socket)
        await heard(socket)
        await socket.send(b'{"type":"session.update","session":{"instructions":"x"}}')
        assert (await heard(socket))["type"] == "error"
        await told(socket, type="after")
        assert [event["type"] for event in received(provider)] == ["session.update", "after"]


async def test_the_operator_sees_the_scopes(start_gateway: StartGateway) -> None:
    async with start_gateway() as gateway:
        server = {"type": "mcp", "server_label": "crm", "authorization": "Bearer s3cret"}
        scopes = {
            "session": {**SESSION, "tools": [server], "lock": ["instructions"]},
            "allowed_events": [],
            "allowed_tools": ["get_*", "mcp"],
        }
        status, made = await gateway.post("/v1/credentials", scopes)
        assert status == 200
        _, shown = await gateway.get(f"/v1/credentials/{made['id']}")
        server["authorization"] = "[redacted]"
        for answer in (made, shown):
            assert {name: answer[name] for name in scopes} == scopes


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"session": {"instruction": "x"}}, "session.instruction"),
    ({"session": {"model": "fake"}}, "session.model"),
    ({"session": {"audio": {"output": {"colour": "x"}}}}, "session.audio.output.colour"),
    ({"session": {"audio": {"output": {"voice": 5}}}}, "session.audio.output.voice"),
    ({"session": {"lock": "all"}}, "session.lock"),
    ({"session": {"lock": []}}, "session.lock"),
    ({"session": {"lock": ["instructions", "voice"]}}, "session.lock.1"),
    ({"session": {"instructions": "x" * 33_000}}, "session"),
    ({"session": {"tools": [{"a": json.loads("[" * 400 + "]" * 400)}]}}, "session"),
    ({"session": "x"}, "session"),
    ({"allowed_events": ["session.update", "a b"]}, "allowed_events.1"),
    ({"allowed_events": "session.update"}, "allowed_events"),
    ({"allowed_tools": [1]}, "allowed_tools.0"),
    ({"allowed_tools": ["x"] * 129}, "allowed_tools"),
]


async def test_a_wrong_scope_is_a_400_that_names_it(start_gateway: StartGateway) -> None:
    async with start_gateway() as gateway:
        for body, param in WRONG:
            status, answer = await gateway.post("/v1/credentials", body)
            assert (status, answer["error"]["param"]) == (400, param)


async def test_the_largest_settings_fit_into_a_request(start_gateway: StartGateway) -> None:
    async with calling(start_gateway, session={"instructions": "x" * 32_000, "lock": "locked"}) as (
        socket,
        provider,
        _,
    ):
        await heard(socket)
        await heard(socket)
        assert len(received(provider)[0]["session"]["instructions"]) == 32_000


async def test_a_key_that_no_request_has_room_for_is_not_made(start_gateway: StartGateway) -> None:
    async with start_gateway() as gateway:
        body = {"session": {"instructions": "x" * 32_000}, "model": ["m" * 200] * 100}
        status, answer = await gateway.post("/v1/credentials", body)
        assert status == 400
        assert "Shorten" in answer["error"]["message"]
