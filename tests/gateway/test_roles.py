"""Which role may do what: each route of the gateway and of `/api`, and the WebSocket, by each kind of key."""

from __future__ import annotations

import asyncio
import inspect
import json
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.gateway.conftest import ADMIN_KEY, RunningGateway, StartGateway
from voxgate.auth.keys import ROLES
from voxgate.gateway.app import Endpoints
from voxgate.testing.provider import ScriptedProvider

pytestmark = pytest.mark.anyio

ADMIN, MINT, READ, CONNECT = "admin", "mint", "read", "connect"
TEMPORARY, NOBODY = "temporary", "nobody"
CALLERS = (ADMIN, MINT, READ, CONNECT, TEMPORARY, NOBODY)
KEYS = {ADMIN, MINT, READ, CONNECT}
EVERYBODY = set(CALLERS)
CREDENTIAL: dict[str, Any] = {"model": "fake"}
NEW_KEY = {"name": "x", "role": "read"}
CASE: dict[str, Any] = {"input": {"kind": "text", "text": "x"}}

V1: dict[tuple[str, str], tuple[set[str], Any]] = {
    ("POST", "/v1/credentials"): ({ADMIN, MINT}, CREDENTIAL),
    ("GET", "/v1/credentials"): ({ADMIN, MINT, READ}, None),
    ("GET", "/v1/credentials/{id}"): ({ADMIN, MINT, READ}, None),
    ("DELETE", "/v1/credentials/{id}"): ({ADMIN, MINT}, None),
    ("GET", "/v1/models"): ({*KEYS, TEMPORARY}, None),
    ("GET", "/v1/models/{name:path}"): ({*KEYS, TEMPORARY}, None),
    **{
        ("POST", f"{prefix}/{name}"): ({ADMIN, MINT}, body)
        for prefix in ("/v1/realtime", "/openai/v1/realtime", "/openai/realtime")
        for name, body in (
            ("client_secrets", {"session": {"type": "realtime", "model": "fake"}}),
            ("sessions", {"model": "fake"}),
            ("transcription_sessions", {}),
        )
    },
    # Nothing but words about where else to go.
    **{
        (method, prefix + rest): (EVERYBODY, None)
        for prefix in ("/v1/realtime", "/openai/v1/realtime", "/openai/realtime", "/voice-live/realtime")
        for method, rest in (
            ("GET", ""),
            ("POST", ""),
            ("POST", "/calls"),
            ("POST", "/calls/{path:path}"),
        )
    },
    **{("GET", path): (EVERYBODY, None) for path in ("/healthz", "/readyz", "/metrics")},
}
API: dict[tuple[str, str], tuple[set[str], Any]] = {
    ("POST", "/api/login"): (EVERYBODY, {"api_key": ADMIN_KEY}),
    ("POST", "/api/logout"): (EVERYBODY, None),
    ("GET", "/api/me"): (KEYS, None),
    ("GET", "/api/models"): (KEYS, None),
    ("GET", "/api/providers"): ({ADMIN, READ}, None),
    ("POST", "/api/providers/{name}/check"): ({ADMIN}, {}),
    ("GET", "/api/settings"): ({ADMIN}, None),
    ("GET", "/api/privacy"): ({ADMIN, READ}, None),
    ("GET", "/api/credentials/schema"): ({ADMIN, MINT}, None),
    ("GET", "/api/projects"): ({ADMIN, READ}, None),
    ("GET", "/api/keys"): ({ADMIN}, None),
    ("POST", "/api/keys"): ({ADMIN}, NEW_KEY),
    ("POST", "/api/keys/{key_id}/rotate"): ({ADMIN}, {}),
    ("DELETE", "/api/keys/{key_id}"): ({ADMIN}, None),
    ("GET", "/api/sessions"): ({ADMIN, READ}, None),
    ("GET", "/api/sessions/facets"): ({ADMIN, READ}, None),
    ("GET", "/api/sessions/fields"): ({ADMIN, READ}, None),
    ("GET", "/api/sessions/count"): ({ADMIN, READ}, None),
    ("GET", "/api/sessions/{session_id}/images/{digest}"): ({ADMIN, READ}, None),
    ("POST", "/api/sessions/import"): ({ADMIN}, None),
    ("POST", "/api/sessions/tags"): ({ADMIN}, {"ids": ["none"], "add": ["x"]}),
    ("POST", "/api/sessions/delete"): ({ADMIN}, {"ids": ["none"]}),
    ("GET", "/api/sessions/export"): ({ADMIN, READ}, None),
    ("GET", "/api/stats"): ({ADMIN, READ}, None),
    ("GET", "/api/views"): ({ADMIN, READ}, None),
    ("POST", "/api/views"): ({ADMIN, READ}, {"name": "x", "search": {}}),
    ("DELETE", "/api/views/{view_id}"): ({ADMIN, READ}, None),
    ("GET", "/api/sessions/{session_id}"): ({ADMIN, READ}, None),
    ("POST", "/api/sessions/{session_id}/rebuild"): ({ADMIN}, None),
    ("POST", "/api/sessions/{session_id}/transcribe"): ({ADMIN}, {}),
    ("DELETE", "/api/sessions/{session_id}"): ({ADMIN}, None),
    ("POST", "/api/sessions/{session_id}/end"): ({ADMIN}, None),
    **{
        ("GET", f"/api/sessions/{{session_id}}/{part}"): ({ADMIN, READ}, None)
        for part in ("events", "audio", "peaks", "stream", "listen", "attachments/{attachment_id}")
    },
    ("GET", "/api/sessions/{session_id}/scores"): ({ADMIN, READ}, None),
    ("POST", "/api/sessions/{session_id}/scores"): ({ADMIN}, {"name": "rating", "value": 4}),
    ("DELETE", "/api/sessions/{session_id}/scores/{score_id}"): ({ADMIN}, None),
    ("GET", "/api/stream/sessions"): ({ADMIN, READ}, None),
    ("GET", "/api/datasets"): ({ADMIN, READ}, None),
    ("POST", "/api/datasets"): ({ADMIN}, {"name": "x"}),
    ("GET", "/api/datasets/{dataset_id}"): ({ADMIN, READ}, None),
    ("PATCH", "/api/datasets/{dataset_id}"): ({ADMIN}, {}),
    ("DELETE", "/api/datasets/{dataset_id}"): ({ADMIN}, None),
    ("GET", "/api/datasets/{dataset_id}/versions"): ({ADMIN, READ}, None),
    ("GET", "/api/datasets/{dataset_id}/cases"): ({ADMIN, READ}, None),
    ("POST", "/api/datasets/{dataset_id}/cases"): ({ADMIN}, {"cases": [CASE]}),
    ("GET", "/api/datasets/{dataset_id}/cases/{case_id}"): ({ADMIN, READ}, None),
    ("PUT", "/api/datasets/{dataset_id}/cases/{case_id}"): ({ADMIN}, CASE),
    ("DELETE", "/api/datasets/{dataset_id}/cases/{case_id}"): ({ADMIN}, None),
    ("POST", "/api/datasets/{dataset_id}/from-sessions"): ({ADMIN}, {"sessions": ["none"]}),
    ("POST", "/api/datasets/{dataset_id}/import"): ({ADMIN}, None),
    ("POST", "/api/datasets/{dataset_id}/blobs"): ({ADMIN}, None),
    ("GET", "/api/datasets/{dataset_id}/blobs/{blob}"): ({ADMIN, READ}, None),
    ("GET", "/api/experiments"): ({ADMIN, READ}, None),
    ("POST", "/api/experiments"): ({ADMIN}, {"name": "x"}),
    ("GET", "/api/experiments/{experiment_id}"): ({ADMIN, READ}, None),
    ("PATCH", "/api/experiments/{experiment_id}"): ({ADMIN}, {}),
    ("DELETE", "/api/experiments/{experiment_id}"): ({ADMIN}, None),
    ("GET", "/api/experiments/{experiment_id}/results"): ({ADMIN, READ}, None),
    ("POST", "/api/experiments/{experiment_id}/results"): (
        {ADMIN},
        {"results": [{"case_id": "x", "trial": 0}]},
    ),
    ("GET", "/api/experiments/{before_id}/compare/{after_id}"): ({ADMIN, READ}, None),
    ("GET", "/api/experiments/{experiment_id}/cases"): ({ADMIN, READ}, None),
    ("POST", "/api/experiments/{experiment_id}/cases"): ({ADMIN}, {"cases": [CASE | {"id": "x"}]}),
    ("GET", "/api/rules"): ({ADMIN, READ}, None),
    ("POST", "/api/rules"): ({ADMIN}, {"name": "x", "scorers": [{"name": "x"}]}),
    ("GET", "/api/rules/{rule_id}"): ({ADMIN, READ}, None),
    ("PATCH", "/api/rules/{rule_id}"): ({ADMIN}, {}),
    ("DELETE", "/api/rules/{rule_id}"): ({ADMIN}, None),
    ("GET", "/api/agreement"): ({ADMIN, READ}, None),
    ("POST", "/api/rules/{rule_id}/run"): ({ADMIN}, {}),
    ("GET", "/api/rules/{rule_id}/runs"): ({ADMIN, READ}, None),
    ("DELETE", "/api/rules/{rule_id}/runs/{run_id}"): ({ADMIN}, None),
}


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def gateway(start_gateway: StartGateway) -> AsyncIterator[RunningGateway]:
    async with ScriptedProvider() as provider:
        async with start_gateway(provider.base_url) as running:
            yield running


async def key_of(gateway: RunningGateway, caller: str) -> str | None:
    if caller == NOBODY:
        return None
    if caller == TEMPORARY:
        return await gateway.mint(model="fake")
    _, made = await gateway.post("/api/keys", {"name": f"the {caller} key", "role": caller})
    key: str = made["key"]
    return key


async def answer_to(
    gateway: RunningGateway, key: str | None, method: str, path: str, body: Any
) -> tuple[int, str]:
    """The status, and what the error says."""
    path = re.sub(r"\{[a-z:_]+\}", "none", path)
    headers = {"authorization": f"Bearer {key}"} if key else {}
    url = f"http://127.0.0.1:{gateway.port}{path}"
    async with gateway.http.request(method, url, json=body, headers=headers) as answer:
        if answer.status < 400 or answer.content_type != "application/json":
            return answer.status, ""  # a stream has no end
        return answer.status, (await answer.json())["error"]["message"]


def routes_of_v1() -> set[tuple[str, str]]:
    parts: Any = [None] * len(inspect.signature(Endpoints).parameters)
    routes = Endpoints(*parts).routes()
    return {
        (method, route.path)
        for route in routes
        for method in route.methods or ()
        if method != "HEAD" and "{path:path}" not in route.path
    }


async def test_the_table_has_every_route(gateway: RunningGateway) -> None:
    _, document = await gateway.get("/api/openapi.json")
    listed = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    assert set(API) == listed
    assert {route for route in V1 if "{path:path}" not in route[1]} == routes_of_v1()


@pytest.mark.parametrize("caller", CALLERS)
async def test_every_route_asks_for_its_role_and_names_it(gateway: RunningGateway, caller: str) -> None:
    key = await key_of(gateway, caller)
    for (method, path), (allowed, body) in (V1 | API).items():
        status, said = await answer_to(gateway, key, method, path, body)
        shown = (method, path, status, said)
        if caller in allowed:
            assert status not in {401, 403, 500}, shown
        elif caller in KEYS:
            assert status == 403, shown
            assert all(repr(role) in said for role in allowed), shown
            assert not any(repr(role) in said for role in KEYS - allowed - {caller}), shown
        elif caller == TEMPORARY and not path.startswith("/api/"):
            assert status == 403, shown
            assert all(repr(role) in said for role in allowed), shown
        else:
            assert status == 401, shown


async def test_the_roles_are_those_of_the_table() -> None:
    assert set(ROLES) == KEYS


def carriers(key: str) -> Iterator[dict[str, Any]]:
    yield {"additional_headers": {"authorization": f"Bearer {key}"}}
    yield {"subprotocols": ["realtime", f"openai-insecure-api-key.{key}"]}


@pytest.mark.parametrize("caller", CALLERS)
async def test_a_call_needs_the_role_connect_or_mint(gateway: RunningGateway, caller: str) -> None:
    key = await key_of(gateway, caller)
    for options in carriers(key or ""):
        async with connect(f"{gateway.url}?model=fake", **options) as call, asyncio.timeout(60):
            if caller in {ADMIN, MINT, CONNECT, TEMPORARY}:
                await call.send("hello")
                assert await call.recv() == "hello"
                continue
            error = json.loads(await call.recv())["error"]
            with pytest.raises(ConnectionClosed):
                await call.recv()
            assert call.close_code == (4003 if caller == READ else 3000)
            if caller == READ:
                assert error["code"] == "forbidden"
                assert "'connect' or 'mint' or 'admin'" in error["message"]
