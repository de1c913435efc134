"""Who may open a call, and how a refusal looks: 101, an `error` event, a close code and reason."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.gateway.conftest import ADMIN_KEY, RunningGateway, StartGateway
from voxgate.core import clock
from voxgate.realtime.frames import TEXT, encode_frame
from voxgate.testing.provider import ScriptedProvider

pytestmark = pytest.mark.anyio


async def refused(gateway: RunningGateway, query: str, key: str | None) -> tuple[dict[str, Any], int, str]:
    """The error, the close code and the reason with which a call is refused."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with connect(f"{gateway.url}{query}", additional_headers=headers) as socket:
        event = json.loads(await socket.recv())
        assert event["type"] == "error"
        assert event["event_id"].startswith("event_")
        with pytest.raises(ConnectionClosed):
            await socket.recv()
        assert socket.close_code is not None
        return event["error"], socket.close_code, socket.close_reason or ""


@pytest.mark.parametrize(
    ("query", "key", "code", "close"),
    [
        ("?model=fake", None, None, (3000, "invalid_request_error")),
        ("?model=fake", "vg_wrong", "invalid_api_key", (3000, "invalid_request_error.invalid_api_key")),
        ("?model=fake", "ek_garbage", "invalid_api_key", (3000, "invalid_request_error.invalid_api_key")),
        ("?model=nope", ADMIN_KEY, "invalid_model", (4000, "invalid_request_error.invalid_model")),
        ("", ADMIN_KEY, "missing_model", (4000, "invalid_request_error.missing_model")),
    ],
)
async def test_a_refusal_looks_as_the_live_services(
    start_gateway: StartGateway, query: str, key: str | None, code: str | None, close: tuple[int, str]
) -> None:
    async with ScriptedProvider() as provider, start_gateway(provider.base_url) as gateway:
        error, *closed = await refused(gateway, query, key)
        assert error["code"] == code
        assert error["type"] == "invalid_request_error"
        assert tuple(closed) == close
        assert not provider.calls


async def test_a_credential_with_one_byte_changed_opens_nothing(start_gateway: StartGateway) -> None:
    async with ScriptedProvider() as provider, start_gateway(provider.base_url) as gateway:
        key = await gateway.mint(model="fake")
        for place in range(3, len(key), 7):
            changed = key[:place] + ("A" if key[place] != "A" else "B") + key[place + 1 :]
            error, close_code, _ = await refused(gateway, "?model=fake", changed)
            assert (error["code"], close_code) == ("invalid_api_key", 3000)


async def test_an_expired_credential_opens_nothing_and_leaves_a_trace(
    start_gateway: StartGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ScriptedProvider() as provider, start_gateway(provider.base_url) as gateway:
        key = await gateway.mint(model="fake", ttl_seconds=60, logging={"project_name": "shop"})
        later = clock.unix_seconds() + 61
        monkeypatch.setattr(clock, "unix_seconds", lambda: later)
        error, close_code, reason = await refused(gateway, "?model=fake", key)
        assert error["code"] == "expired_api_key"
        assert (close_code, reason) == (3000, "invalid_request_error.expired_api_key")
        facts = [json.loads(fact) for fact in await gateway.facts()]
        assert [fact["type"] for fact in facts] == ["gateway.opened", "gateway.error", "gateway.closed"]
        assert facts[0]["project"] == "shop"


async def test_a_started_call_outlives_its_credential(
    start_gateway: StartGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ScriptedProvider() as provider, start_gateway(provider.base_url) as gateway:
        key = await gateway.mint(model="fake", ttl_seconds=60)
        async with connect(
            f"{gateway.url}?model=fake", additional_headers={"Authorization": f"Bearer {key}"}
        ) as socket:
            later = clock.unix_seconds() + 3600
            monkeypatch.setattr(clock, "unix_seconds", lambda: later)
            await socket.send("still here")
            assert await socket.recv() == "still here"


async def test_another_model_than_the_credentials_is_refused_not_replaced(
    start_gateway: StartGateway,
) -> None:
    async with ScriptedProvider() as provider, start_gateway(provider.base_url) as gateway:
        key = await gateway.mint(model="fake-small", logging={"project_name": "shop"})
        error, close_code, _ = await refused(gateway, "?model=fake-large", key)
        assert (error["code"], error["param"], close_code) == ("model_not_allowed", "model", 4003)
        assert not provider.calls
        assert json.loads((await gateway.facts())[-1])["type"] == "gateway.closed"


async def test_a_call_without_a_model_takes_the_credentials_only_one(start_gateway: StartGateway) -> None:
    async with ScriptedProvider() as provider, start_gateway(provider.base_url) as gateway:
        key = await gateway.mint(model="fake-small")
        headers = {"api-key": key}
        async with connect(gateway.url, additional_headers=headers) as socket:
            await socket.send("{}")
            await socket.recv()
        assert provider.calls[0].path == "/v1/realtime?model=fake-small"


async def test_a_credential_without_logging_records_nothing(start_gateway: StartGateway) -> None:
    async with ScriptedProvider() as provider, start_gateway(provider.base_url) as gateway:
        key = await gateway.mint(model="fake")
        headers = {"Authorization": f"Bearer {key}"}
        async with connect(f"{gateway.url}?model=fake", additional_headers=headers) as socket:
            await socket.send("{}")
            await socket.recv()
        assert not list(gateway.worker.settings.wire_dir.glob("*/*.vgw"))


async def test_a_providers_own_key_goes_through_to_a_provider_that_takes_it(
    start_gateway: StartGateway,
) -> None:
    async with ScriptedProvider() as provider:
        providers = {"own": {"base_url": provider.base_url, "accepts_client_keys": True}}
        routes = [{"model": "fake", "providers": ["own"]}]
        async with start_gateway(providers=providers, routes=routes) as gateway:
            headers = {"Authorization": "Bearer sk-of-the-caller"}
            async with connect(f"{gateway.url}?model=fake", additional_headers=headers) as socket:
                await socket.send("{}")
                await socket.recv()
            assert provider.calls[0].header("authorization") == "Bearer sk-of-the-caller"
            assert not list(gateway.worker.settings.wire_dir.glob("*/*.vgw"))


async def test_a_providers_own_key_never_reaches_a_provider_that_did_not_ask_for_it(
    start_gateway: StartGateway,
) -> None:
    async with ScriptedProvider() as provider, start_gateway(provider.base_url) as gateway:
        error, close_code, _ = await refused(gateway, "?model=fake", "sk-of-the-caller")
        assert (error["code"], close_code) == ("forbidden", 4003)
        assert not provider.calls


async def test_a_dead_provider_is_skipped_for_the_next_of_the_route(start_gateway: StartGateway) -> None:
    async with (
        ScriptedProvider(refuse_status=503, refuse_body="overloaded") as dead,
        ScriptedProvider() as alive,
        start_gateway(dead.base_url, alive.base_url) as gateway,
    ):
        async with connect(
            f"{gateway.url}?model=fake", additional_headers={"Authorization": f"Bearer {ADMIN_KEY}"}
        ) as socket:
            await socket.send("hello")
            assert await socket.recv() == "hello"
        types = [json.loads(fact)["type"] for fact in await gateway.facts()]
        assert types == [
            "gateway.opened",
            "gateway.dial_failed",
            "gateway.dialled",
            "gateway.prices",
            "gateway.closed",
        ]


async def test_a_provider_without_a_key_says_which_variable_to_set(start_gateway: StartGateway) -> None:
    providers = {"paid": {"base_url": "http://127.0.0.1:9/v1", "api_key_env": "PAID_KEY"}}
    routes = [{"model": "fake", "providers": ["paid"]}]
    async with start_gateway(providers=providers, routes=routes) as gateway:
        error, _, _ = await refused(gateway, "?model=fake", ADMIN_KEY)
        assert "PAID_KEY" in error["message"]


async def test_secrets_never_reach_the_wire_log(start_gateway: StartGateway) -> None:
    async with ScriptedProvider() as provider, start_gateway(provider.base_url) as gateway:
        key = await gateway.mint(model="fake", logging={"project_name": "shop"})
        async with connect(
            f"{gateway.url}?model=fake&api-key=query-secret",
            additional_headers={"Cookie": "session=cookie-secret"},
            subprotocols=["realtime", f"openai-insecure-api-key.{key}"],  # type: ignore[list-item]
        ) as socket:
            await socket.send("{}")
            await socket.recv()
        everything = b"".join(record.data for record in await gateway.records())
        for secret in (key.encode(), b"cookie-secret", b"query-secret"):
            assert secret not in everything


async def test_an_upgrade_elsewhere_is_a_404_in_openais_shape(start_gateway: StartGateway) -> None:
    async with start_gateway() as gateway:
        with pytest.raises(InvalidStatus) as caught:
            await connect(f"ws://127.0.0.1:{gateway.port}/v1/other")
        assert caught.value.response.status_code == 404
        assert b"/v1/realtime" in (caught.value.response.body or b"")


async def test_a_revoked_credential_starts_no_call_and_ends_the_running_one(
    start_gateway: StartGateway,
) -> None:
    async with ScriptedProvider() as provider, start_gateway(provider.base_url) as gateway:
        _, minted = await gateway.post("/v1/credentials", {"model": "fake"})
        headers = {"Authorization": f"Bearer {minted['key']}"}
        async with connect(f"{gateway.url}?model=fake", additional_headers=headers):
            gateway.worker.revoked.add(minted["id"])
            error, close_code, _ = await refused(gateway, "?model=fake", minted["key"])
            assert (error["code"], close_code) == ("invalid_api_key", 3000)


async def test_a_client_that_gives_up_while_dialling_leaves_nothing_running(
    start_gateway: StartGateway,
) -> None:
    asked = asyncio.Event()

    async def never_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await reader.read(-1)
        writer.close()

    silent = await asyncio.start_server(never_answer, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    async with silent, start_gateway(f"http://127.0.0.1:{port}/v1") as gateway:
        client = asyncio.create_task(raw_upgrade(gateway, "/v1/realtime?model=fake"))
        await asked.wait()
        client.cancel()
        await asyncio.wait([client])
        closed = json.loads((await gateway.facts())[-1])
        assert (closed["type"], closed["side"]) == ("gateway.closed", "client")


@pytest.mark.parametrize(
    ("query", "headers", "code"),
    [
        ("?model=fake&model=other", {}, "invalid_value"),
        ("?model=fake&deployment=other", {}, "invalid_value"),
        ("?model=fake&call_id=rtc_1", {}, "invalid_value"),
    ],
)
async def test_what_the_gateway_does_not_do_is_refused_not_ignored(
    start_gateway: StartGateway, query: str, headers: dict[str, str], code: str
) -> None:
    async with ScriptedProvider() as provider, start_gateway(provider.base_url) as gateway:
        auth = {"Authorization": f"Bearer {ADMIN_KEY}"}
        async with connect(f"{gateway.url}{query}", additional_headers=auth | headers) as socket:
            assert json.loads(await socket.recv())["error"]["code"] == code
            with pytest.raises(ConnectionClosed):
                await socket.recv()
            assert socket.close_code == 4000
        assert not provider.calls


async def test_other_beta_headers_are_no_reason_to_refuse(start_gateway: StartGateway) -> None:
    async with ScriptedProvider() as provider, start_gateway(provider.base_url) as gateway:
        headers = {"Authorization": f"Bearer {ADMIN_KEY}", "OpenAI-Beta": "assistants=v2"}
        async with connect(f"{gateway.url}?model=fake", additional_headers=headers) as socket:
            await socket.send("x")
            assert await socket.recv() == "x"


async def test_a_key_of_ours_that_looks_like_a_providers_is_ours(
    start_gateway: StartGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.gateway.conftest.ADMIN_KEY", "sk-ours")
    providers = {"taker": {"base_url": "http://127.0.0.1:9/v1", "accepts_client_keys": True}}
    routes = [{"model": "fake", "providers": ["taker"]}]
    async with start_gateway(providers=providers, routes=routes) as gateway:
        body = {"model": "fake", "logging": {"project_name": "p"}}
        assert (await gateway.post("/v1/credentials", body, key="sk-ours"))[0] == 200


async def test_an_upgrade_that_fails_unexpectedly_is_answered_and_its_log_ends(
    start_gateway: StartGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ScriptedProvider() as provider, start_gateway(provider.base_url) as gateway:

        async def fail(*_: object) -> None:
            raise RuntimeError("a defect")

        monkeypatch.setattr(gateway.worker.gateway.dialler, "dial", fail)
        error, close_code, _ = await refused(gateway, "?model=fake", ADMIN_KEY)
        assert (error["type"], close_code) == ("server_error", 1011)
        assert json.loads((await gateway.facts())[-1])["type"] == "gateway.closed"


@pytest.mark.parametrize("target", ["//[", "/v1/realtime?model=fake&x=%E2%80%A6"])
async def test_a_strange_target_is_answered(start_gateway: StartGateway, target: str) -> None:
    async with ScriptedProvider() as provider, start_gateway(provider.base_url) as gateway:
        answer = await raw_upgrade(gateway, target)
        assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 404", b"HTTP/1.1 101"))


async def raw_upgrade(gateway: RunningGateway, target: str, behind: bytes = b"") -> bytes:
    """The first bytes of the answer to an upgrade request; `behind` is sent in the same segment."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    head = (
        f"GET {target} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        f"Authorization: Bearer {ADMIN_KEY}\r\n\r\n"
    )
    writer.write(head.encode() + behind)
    try:
        answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)
        return answer + (await asyncio.wait_for(reader.readexactly(4), 60) if behind else b"")
    finally:
        writer.close()


async def test_what_comes_right_behind_the_upgrade_request_is_not_lost(start_gateway: StartGateway) -> None:
    async with ScriptedProvider() as provider, start_gateway(provider.base_url) as gateway:
        frame = encode_frame(TEXT, b"hi", masked=True)
        answer = await raw_upgrade(gateway, "/v1/realtime?model=fake", frame)
        assert answer.endswith(b"\x81\x02hi")


async def test_a_drain_gives_up_calls_that_are_being_dialled(start_gateway: StartGateway) -> None:
    async def never_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)
        writer.close()

    silent = await asyncio.start_server(never_answer, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    async with silent, start_gateway(f"http://127.0.0.1:{port}/v1") as gateway:
        task = asyncio.create_task(raw_upgrade(gateway, "/v1/realtime?model=fake"))
        calls = gateway.worker.gateway.calls
        while not calls.being_opened:
            await asyncio.sleep(0.01)
        await calls.drain(0)
        assert not calls.being_opened
        assert json.loads((await gateway.facts())[-1])["type"] == "gateway.closed"
        task.cancel()
