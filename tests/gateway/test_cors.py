"""What pages of other origins may ask of the gateway over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from tests.gateway.conftest import ADMIN_KEY, RunningGateway, StartGateway
from voxgate.auth.web import COOKIE

pytestmark = pytest.mark.anyio

PAGE = "https://shop.example"
ALLOW = "access-control-allow-origin"
BEARER = {"authorization": f"Bearer {ADMIN_KEY}"}


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """One loop: how they differ matters to the relay, not to these endpoints."""
    return "asyncio"


async def ask(
    gateway: RunningGateway, method: str, path: str, **headers: str
) -> tuple[int, dict[str, str], str]:
    """Status, headers and body; an underscore in a header's name stands for a hyphen."""
    sent = {"origin": PAGE, **{name.replace("_", "-"): value for name, value in headers.items()}}
    url = f"http://127.0.0.1:{gateway.port}{path}"
    async with gateway.http.request(
        method, url, headers=sent, data=b"{}" if method == "POST" else None
    ) as answer:
        return (
            answer.status,
            {name.lower(): value for name, value in answer.headers.items()},
            await answer.text(),
        )


async def preflight(gateway: RunningGateway, path: str, wanted: str = "") -> dict[str, str]:
    asked = {"access_control_request_headers": wanted} if wanted else {}
    status, headers, body = await ask(gateway, "OPTIONS", path, access_control_request_method="POST", **asked)
    assert (status, body) == (204, "")
    return headers


async def test_a_preflight_grants_the_headers_that_the_sdks_send(start_gateway: StartGateway) -> None:
    async with start_gateway() as gateway:
        wanted = "authorization,content-type,x-openai-agents-sdk"
        for path in (
            "/v1/realtime/client_secrets",
            "/v1/realtime/calls",
            "/openai/v1/realtime/sessions",
            "/v1/x",
        ):
            headers = await preflight(gateway, path, wanted)
            assert headers[ALLOW] == "*"
            assert (
                headers["access-control-allow-headers"] == "authorization, content-type, x-openai-agents-sdk"
            )
            assert {"GET", "POST", "DELETE"} <= set(headers["access-control-allow-methods"].split(", "))
            assert "access-control-allow-credentials" not in headers


async def test_a_preflight_grants_nothing_that_could_act_with_the_web_apps_cookie(
    start_gateway: StartGateway,
) -> None:
    async with start_gateway() as gateway:
        wanted = "X-Voxgate-CSRF, authorization, b@d, x y"
        headers = await preflight(gateway, "/v1/credentials", wanted)
        assert headers["access-control-allow-headers"] == "authorization"


async def test_answers_can_be_read_and_so_can_errors(start_gateway: StartGateway) -> None:
    async with start_gateway() as gateway:
        asked: list[tuple[str, str, int, dict[str, str]]] = [
            ("POST", "/v1/realtime/client_secrets", 200, BEARER),
            ("POST", "/v1/realtime/client_secrets", 401, {}),
            ("GET", "/v1/models", 200, BEARER),
            ("GET", "/v1/nothing", 404, BEARER),
            ("PUT", "/v1/credentials", 405, BEARER),
            ("POST", "/openai/v1/realtime/calls", 404, BEARER),
        ]
        for method, path, expected, sent in asked:
            status, headers, _ = await ask(gateway, method, path, **sent)
            assert (status, headers[ALLOW]) == (expected, "*"), path
            exposed = headers["access-control-expose-headers"].lower().split(", ")
            told = {"location", "x-voxgate-provider", "anthropic-ratelimit-tokens-remaining"}
            assert told < set(exposed)


async def test_the_web_app_and_its_api_are_for_their_own_pages_only(start_gateway: StartGateway) -> None:
    async with start_gateway() as gateway:
        for path in ("/api/sessions", "/", "/healthz", "/metrics"):
            _, headers, _ = await ask(gateway, "GET", path, **BEARER)
            assert ALLOW not in headers, path
        status, headers, _ = await ask(
            gateway, "OPTIONS", "/api/sessions", access_control_request_method="GET"
        )
        assert status != 204
        assert ALLOW not in headers


async def signed_in(gateway: RunningGateway) -> str:
    async with gateway.http.post(
        f"http://127.0.0.1:{gateway.port}/api/login", json={"api_key": ADMIN_KEY}
    ) as answer:
        assert answer.status == 200
        return f"{COOKIE}={answer.cookies[COOKIE].value}"


async def test_what_the_cookie_proves_is_shown_to_no_other_origin(start_gateway: StartGateway) -> None:
    async with start_gateway() as gateway:
        cookie = await signed_in(gateway)
        gateway.http.cookie_jar.clear()
        status, headers, _ = await ask(gateway, "GET", "/v1/models", cookie=cookie)
        assert status == 200
        assert ALLOW not in headers
        assert "Cookie" in headers["vary"]
        status, headers, _ = await ask(gateway, "POST", "/v1/realtime/client_secrets", cookie=cookie)
        assert status == 403
        assert ALLOW not in headers


@pytest.mark.parametrize(
    ("origins", "allowed"),
    [
        ([PAGE], PAGE),
        (["https://*.example"], PAGE),
        (["https://other.example"], None),
        ([], None),
    ],
)
async def test_the_operator_can_name_the_origins(
    start_gateway: StartGateway, origins: list[str], allowed: str | None
) -> None:
    settings: dict[str, Any] = {"cors_origins": origins}
    async with start_gateway(**settings) as gateway:
        _, headers, _ = await ask(gateway, "GET", "/v1/models", **BEARER)
        assert headers.get(ALLOW) == allowed
        assert headers["vary"] == "Origin"
        headers = await preflight(gateway, "/v1/models", "authorization")
        assert headers.get(ALLOW) == allowed
        assert ("access-control-allow-headers" in headers) == (allowed is not None)
