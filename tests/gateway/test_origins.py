"""Calls from pages and addresses that may not call, over real connections."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.gateway.conftest import ADMIN_KEY, ON_UVLOOP, RunningGateway, StartGateway
from voxgate.testing.provider import ScriptedProvider

pytestmark = [pytest.mark.anyio, ON_UVLOOP]

SHOP, EVIL = "https://shop.example", "https://evil.example"
SHOP_ONLY = {"shop": {"allowed_origins": [SHOP, "https://*.shop.example"]}}


async def outcome(gateway: RunningGateway, key: str, **headers: str) -> tuple[str | None, str]:
    """The code with which the call is refused, or None for a call that works; and the message."""
    sent = {"Authorization": f"Bearer {key}"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    async with connect(f"{gateway.url}?model=fake", additional_headers=sent) as socket:
        with contextlib.suppress(ConnectionClosed):  # a refusal may be there already
            await socket.send('{"type": "hello"}')
        event = json.loads(await socket.recv())
        if event["type"] == "hello":
            return None, ""
        error = event["error"]
        with pytest.raises(ConnectionClosed):
            await socket.recv()
        assert (socket.close_code, socket.close_reason) == (4003, f"invalid_request_error.{error['code']}")
        return error["code"], error["message"]


async def test_a_page_that_the_project_does_not_list_makes_no_call(start_gateway: StartGateway) -> None:
    async with (
        ScriptedProvider() as provider,
        start_gateway(provider.base_url, projects=SHOP_ONLY) as gateway,
    ):
        key = await gateway.mint(model="fake", logging={"project_name": "shop"})
        code, message = await outcome(gateway, key, Origin=EVIL)
        assert code == "origin_not_allowed"
        assert EVIL in message
        assert not provider.calls
        facts = [json.loads(fact) for fact in await gateway.facts()]
        assert [fact["type"] for fact in facts] == ["gateway.opened", "gateway.error", "gateway.closed"]
        assert facts[0]["client"]["origin"] == EVIL
        for origin in (SHOP, "HTTPS://Shop.Example:443", "https://eu.shop.example"):
            assert await outcome(gateway, key, Origin=origin) == (None, "")
        assert await outcome(gateway, key) == (None, ""), "a program that is no browser"


async def test_a_credential_for_certain_pages_is_for_nobody_else(start_gateway: StartGateway) -> None:
    async with ScriptedProvider() as provider, start_gateway(provider.base_url) as gateway:
        key = await gateway.mint(model="fake", allowed_origins=["https://SHOP.example:443"])
        code, message = await outcome(gateway, key, Origin=EVIL)
        assert (code, EVIL in message) == ("origin_not_allowed", True)
        assert (await outcome(gateway, key))[0] == "origin_not_allowed"
        assert not provider.calls
        assert await outcome(gateway, key, Origin=SHOP) == (None, "")


async def test_an_unrecorded_call_keeps_to_the_project_of_the_key_that_allowed_it(
    start_gateway: StartGateway,
) -> None:
    async with (
        ScriptedProvider() as provider,
        start_gateway(provider.base_url, projects=SHOP_ONLY) as gateway,
    ):
        body = {"name": "site", "role": "mint", "project": "shop"}
        _, made = await gateway.post("/api/keys", body)
        _, minted = await gateway.post("/v1/credentials", {"model": "fake"}, key=made["key"])
        assert (await outcome(gateway, minted["key"], Origin=EVIL))[0] == "origin_not_allowed"
        assert await outcome(gateway, minted["key"], Origin=SHOP) == (None, "")


async def test_calls_with_an_api_key_keep_to_its_project_too(start_gateway: StartGateway) -> None:
    projects = {"default": {"allowed_origins": [SHOP]}}
    async with ScriptedProvider() as provider, start_gateway(provider.base_url, projects=projects) as gateway:
        assert (await outcome(gateway, ADMIN_KEY, Origin=EVIL))[0] == "origin_not_allowed"
        assert await outcome(gateway, ADMIN_KEY, Origin=SHOP) == (None, "")


async def test_a_credential_for_certain_addresses_works_from_no_other(start_gateway: StartGateway) -> None:
    async with ScriptedProvider() as provider, start_gateway(provider.base_url) as gateway:
        elsewhere = await gateway.mint(model="fake", allowed_ips=["203.0.113.0/24", "2001:db8::1"])
        code, message = await outcome(gateway, elsewhere)
        assert (code, "127.0.0.1" in message) == ("address_not_allowed", True)
        forged = {
            "X_Forwarded_For": "203.0.113.9",
            "Forwarded": "for=203.0.113.9",
            "X_Real_IP": "203.0.113.9",
        }
        assert (await outcome(gateway, elsewhere, **forged))[0] == "address_not_allowed"
        assert not provider.calls
        here = await gateway.mint(model="fake", allowed_ips=["127.0.0.0/8"])
        assert await outcome(gateway, here) == (None, "")


async def test_behind_a_trusted_proxy_the_address_is_the_callers(start_gateway: StartGateway) -> None:
    async with (
        ScriptedProvider() as provider,
        start_gateway(provider.base_url, trusted_proxies=["127.0.0.1"]) as gateway,
    ):
        key = await gateway.mint(
            model="fake", allowed_ips=["203.0.113.0/24"], logging={"project_name": "shop"}
        )
        forwarded = "203.0.113.1, 198.51.100.66"  # the caller's own lie, and what the proxy added
        assert (await outcome(gateway, key, X_Forwarded_For=forwarded))[0] == "address_not_allowed"
        facts = [json.loads(fact) for fact in await gateway.facts()]
        assert facts[0]["client"]["address"] == "198.51.100.66"
        assert await outcome(gateway, key, X_Forwarded_For="203.0.113.9") == (None, "")
        assert await outcome(gateway, key, Forwarded='for="203.0.113.9:4711";proto=https') == (None, "")


async def test_without_a_proxy_the_address_of_a_call_is_its_peers(start_gateway: StartGateway) -> None:
    async with ScriptedProvider() as provider, start_gateway(provider.base_url) as gateway:
        assert await outcome(gateway, ADMIN_KEY, X_Forwarded_For="203.0.113.9") == (None, "")
        facts = [json.loads(fact) for fact in await gateway.facts()]
        assert facts[0]["client"]["address"] == "127.0.0.1"


@pytest.mark.parametrize(
    ("body", "param", "words"),
    [
        ({"allowed_origins": ["shop.example"]}, "allowed_origins.0", "'shop.example' is no origin"),
        ({"allowed_origins": [SHOP, f"{SHOP}/page"]}, "allowed_origins.1", "is no origin"),
        ({"allowed_origins": []}, "allowed_origins", "at least 1 item"),
        ({"allowed_origins": SHOP}, "allowed_origins", "list"),
        ({"allowed_ips": ["10.0.0.1/8"]}, "allowed_ips.0", "the network is '10.0.0.0/8'"),
        ({"allowed_ips": ["localhost"]}, "allowed_ips.0", "neither an IP address nor a network"),
        ({"allowed_ips": [5]}, "allowed_ips.0", "string"),
        ({"allowed_ips": ["10.0.0.1"] * 33}, "allowed_ips", "at most 32 items"),
    ],
)
async def test_a_wrong_list_is_named(
    start_gateway: StartGateway, body: dict[str, Any], param: str, words: str
) -> None:
    async with start_gateway() as gateway:
        status, answer = await gateway.post("/v1/credentials", body)
        assert (status, answer["error"]["param"]) == (400, param)
        assert words in answer["error"]["message"]
        assert "Value error" not in answer["error"]["message"]


async def test_the_lists_are_shown_with_the_credential(start_gateway: StartGateway) -> None:
    async with start_gateway() as gateway:
        body = {"allowed_origins": ["https://*.Shop.example"], "allowed_ips": ["::ffff:10.0.0.1"]}
        _, minted = await gateway.post("/v1/credentials", body)
        _, shown = await gateway.get(f"/v1/credentials/{minted['id']}")
        for answer in (minted, shown):
            assert answer["allowed_origins"] == ["https://*.shop.example"]
            assert answer["allowed_ips"] == ["10.0.0.1"]
