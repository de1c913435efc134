"""`/v1` over HTTP: minting, listing, revoking, and errors in OpenAI's shape."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from tests.gateway.conftest import ON_UVLOOP, StartGateway

pytestmark = [pytest.mark.anyio, ON_UVLOOP]


async def test_a_minted_key_is_a_legal_subprotocol_token(start_gateway: StartGateway) -> None:
    async with start_gateway() as gateway:
        body = {"model": "local", "ttl_seconds": 60, "logging": {"project_name": "my shop"}}
        status, answer = await gateway.post("/v1/credentials", body)
        assert status == 200
        assert re.fullmatch(r"ek_[A-Za-z0-9_.-]+", answer["key"])
        assert answer["expires_at"] - answer["created_at"] == 60
        assert answer["logging"] == {"project_name": "my shop"}
        assert len(answer["key"]) < 1000


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"ttl_seconds": 0}, "ttl_seconds"),
        ({"ttl_seconds": 86_401}, "ttl_seconds"),
        ({"ttl_seconds": "600"}, "ttl_seconds"),
        ({"ttl_seconds": True}, "ttl_seconds"),
        ({"model": 5}, "model"),
        ({"model": []}, "model"),
        ({"model": ["a", 5]}, "model.1"),
        ({"modell": "local"}, "modell"),
        ({"logging": {}}, "logging.project_name"),
        ({"logging": {"project_name": ""}}, "logging.project_name"),
        ({"logging": {"project_name": "x", "colour": 1}}, "logging.colour"),
        ({"logging": "yes"}, "logging"),
        ({"metadata": "x"}, "metadata"),
        ([], None),
    ],
)
async def test_a_bad_field_is_a_400_that_names_it(
    start_gateway: StartGateway, body: Any, param: str | None
) -> None:
    async with start_gateway() as gateway:
        status, answer = await gateway.post("/v1/credentials", body)
        assert status == 400
        assert answer["error"]["type"] == "invalid_request_error"
        assert answer["error"]["param"] == param


async def test_a_temporary_credential_cannot_mint_another(start_gateway: StartGateway) -> None:
    async with start_gateway() as gateway:
        key = await gateway.mint(model="local")
        status, answer = await gateway.post("/v1/credentials", {"model": "local"}, key=key)
        assert (status, answer["error"]["code"]) == (403, "forbidden")


@pytest.mark.parametrize("key", [None, "vg_wrong", "ek_wrong"])
async def test_minting_needs_a_key(start_gateway: StartGateway, key: str | None) -> None:
    async with start_gateway() as gateway:
        status, answer = await gateway.post("/v1/credentials", {}, key=key)
        assert status == 401
        assert answer["error"]["type"] == "invalid_request_error"


async def test_a_providers_own_key_mints_but_cannot_be_recorded(start_gateway: StartGateway) -> None:
    async with start_gateway() as gateway:
        status, answer = await gateway.post("/v1/credentials", {"model": "gpt-realtime"}, key="sk-mine")
        assert status == 200
        assert "sk-mine" not in str(answer)
        status, answer = await gateway.post(
            "/v1/credentials", {"logging": {"project_name": "x"}}, key="sk-mine"
        )
        assert (status, answer["error"]["param"]) == (403, "logging")


async def test_credentials_are_listed_without_their_keys_and_can_be_revoked(
    start_gateway: StartGateway,
) -> None:
    async with start_gateway() as gateway:
        await gateway.mint(model="local", metadata={"user_id": "u1"})
        _, listed = await gateway.get("/v1/credentials")
        (row,) = listed["items"]
        assert row["metadata"] == {"user_id": "u1"}
        assert "ek_" not in str(listed)
        async with gateway.http.delete(
            f"http://127.0.0.1:{gateway.port}/v1/credentials/{row['id']}",
            headers={"authorization": "Bearer vg_test_admin_key_of_forty_characters_0000"},
        ) as answer:
            assert answer.status == 200
        _, shown = await gateway.get(f"/v1/credentials/{row['id']}")
        assert shown["revoked_at"]


@pytest.mark.parametrize("path", ["/v1/nothing", "/v1/credentials/cred_none", "/api/nothing"])
async def test_what_is_not_there_is_a_json_404(start_gateway: StartGateway, path: str) -> None:
    async with start_gateway() as gateway:
        status, answer = await gateway.get(path)
        assert status == 404
        assert answer["error"]["message"]


async def test_a_plain_get_of_the_relay_explains_itself(start_gateway: StartGateway) -> None:
    async with start_gateway() as gateway:
        status, answer = await gateway.get("/v1/realtime")
        assert status == 400
        assert "WebSocket" in answer["error"]["message"]


async def test_probes_and_metrics_answer(start_gateway: StartGateway) -> None:
    async with start_gateway() as gateway:
        assert (await gateway.get("/healthz", key=None))[0] == 200
        assert (await gateway.get("/readyz", key=None))[0] == 200
        gateway.worker.gateway.calls.draining = True
        assert (await gateway.get("/readyz", key=None))[0] == 503
        async with gateway.http.get(f"http://127.0.0.1:{gateway.port}/metrics") as answer:
            assert 'voxgate_calls_running{worker="1"} 0' in await answer.text()


async def test_a_providers_own_key_leaves_no_rows_and_mints_only_what_it_can_use(
    start_gateway: StartGateway,
) -> None:
    async with start_gateway() as gateway:
        assert (await gateway.post("/v1/credentials", {"model": "gpt-realtime"}, key="sk-x"))[0] == 200
        assert (await gateway.get("/v1/credentials"))[1]["items"] == []
        assert (await gateway.post("/v1/credentials", {"model": "m"}, key="sk-x"))[0] == 400


async def test_a_body_without_end_is_cut_short(start_gateway: StartGateway) -> None:
    async with start_gateway() as gateway:
        status, answer = await gateway.post("/v1/credentials", {"metadata": {"x": "y" * 100_000}})
        assert (status, answer["error"]["code"]) == (413, "body_too_large")


@pytest.mark.parametrize("limit", ["0", "501", "x", "%C2%B2"])
async def test_a_wrong_limit_is_a_400(start_gateway: StartGateway, limit: str) -> None:
    async with start_gateway() as gateway:
        status, answer = await gateway.get(f"/v1/credentials?limit={limit}")
        assert (status, answer["error"]["param"]) == (400, "limit")


@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_an_unknown_endpoint_is_a_404_whatever_the_method(
    start_gateway: StartGateway, method: str
) -> None:
    async with (
        start_gateway() as gateway,
        gateway.http.request(method, f"http://127.0.0.1:{gateway.port}/v1/nothing") as answer,
    ):
        assert answer.status == 404
        assert "/v1/nothing" in (await answer.json())["error"]["message"]


async def test_a_known_endpoint_with_another_method_is_a_405(start_gateway: StartGateway) -> None:
    async with (
        start_gateway() as gateway,
        gateway.http.put(f"http://127.0.0.1:{gateway.port}/v1/credentials") as answer,
    ):
        assert answer.status == 405


async def test_a_path_that_no_file_can_have_is_the_web_apps(start_gateway: StartGateway) -> None:
    async with start_gateway() as gateway:
        for path in ("/%00", "/" + "a" * 5000):
            async with gateway.http.get(f"http://127.0.0.1:{gateway.port}{path}") as answer:
                assert answer.status in {200, 404}  # 404 where the web app is not built


async def test_a_head_without_end_is_refused(start_gateway: StartGateway) -> None:
    async with start_gateway() as gateway:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(b"GET / HTTP/1.1\r\n")
        for number in range(100):
            writer.write(b"x-%d: %s\r\n" % (number, b"y" * 1000))
        answer = await asyncio.wait_for(reader.read(), 60)
        assert answer.startswith(b"HTTP/1.1 431 ")
        assert b'"error"' in answer
        writer.close()


async def test_a_credential_is_shown_the_models_that_it_may_ask_for(start_gateway: StartGateway) -> None:
    known = {"p": {"base_url": "http://127.0.0.1:9/v1", "api_key": "key"}}
    async with start_gateway(providers=known, routes=[{"model": "*", "providers": ["p"]}]) as gateway:
        key = await gateway.mint(model=["gpt-5", "gpt-realtime-2*", "replay:*"])
        listed = [entry["id"] for entry in (await gateway.get("/v1/models", key))[1]["data"]]
        everything = [entry["id"] for entry in (await gateway.get("/v1/models"))[1]["data"]]
        assert set(everything) > {"gpt-realtime", "gpt-realtime-2.1"}
        assert "gpt-5" in listed
        assert all(name == "gpt-5" or name.startswith("gpt-realtime-2") for name in listed)
        assert "gpt-realtime-2.1" in listed
        statuses = [(await gateway.get(f"/v1/models/{name}", key))[0] for name in ("gpt-5", "gpt-4")]
        assert statuses == [200, 404]
        assert (await gateway.get("/v1/models/gpt-4"))[0] == 200
