"""The serverless functions of the examples, started as programs, against a whole Voxgate."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any
from uuid import uuid4

import pytest

from tests.clients.official import calling
from tests.clients.programs import EXAMPLES, Toolchain, environment, post, run, serving, session_of
from tests.running import Voxgate

pytestmark = pytest.mark.anyio

PYTHON = EXAMPLES / "serverless-python"
JAVASCRIPT = EXAMPLES / "serverless-javascript"

Serve = Callable[[dict[str, str]], AbstractAsyncContextManager[str]]


@pytest.fixture(params=["python", "javascript"])
def serve(request: pytest.FixtureRequest) -> Serve:
    """Starts the local server of one of the two examples; gives its address."""
    if request.param == "python":
        return lambda env: serving(sys.executable, "voice_token.py", "--port", "0", cwd=PYTHON, env=env)
    node = request.getfixturevalue("toolchain").node
    return lambda env: serving(node, "local-server.mjs", "0", cwd=JAVASCRIPT, env=env)


def settings(voxgate: Voxgate, **more: str) -> dict[str, str]:
    return environment(VOXGATE_URL=voxgate.url, VOXGATE_API_KEY=voxgate.key, **more)


@pytest.mark.local
async def test_a_visitor_gets_a_credential_that_opens_a_recorded_call(voxgate: Voxgate, serve: Serve) -> None:
    # With a key that may mint credentials for one project and nothing else, as docs/serverless.md advises.
    project = f"shop {uuid4().hex}"
    wanted = {"name": "shop's function", "role": "mint", "project": project}
    key = (await voxgate.request("POST", "/api/keys", json=wanted))["key"]
    env = environment(
        VOXGATE_URL=voxgate.url, VOXGATE_API_KEY=key, VOXGATE_PROJECT=project, VOICE_TOKEN_ALLOW_ANYONE="1"
    )
    async with serve(env) as site:
        status, headers, given = await post(f"{site}/api/voice-token")
    assert status == 200
    assert headers["cache-control"] == "no-store"
    assert set(given) == {"key", "url", "expires_at"}
    assert given["url"] == f"{voxgate.ws_url}?model=local"
    assert given["key"].startswith("ek_")
    assert 0 < given["expires_at"] - time.time() <= 61

    async with calling(voxgate, given["key"]) as call:
        await call.until("session.created")
    trace = await session_of(voxgate, f'project:"{project}"')
    assert trace["metadata"] == {"user_id": "anyone"}


async def test_nobody_gets_in_until_the_owner_of_the_site_says_who(voxgate: Voxgate, serve: Serve) -> None:
    async with serve(settings(voxgate)) as site:
        status, _, answer = await post(f"{site}/api/voice-token")
    assert status == 401
    assert answer == {"error": "Sign in first."}


async def test_a_refusal_by_voxgate_tells_the_visitor_nothing(voxgate: Voxgate, serve: Serve) -> None:
    wrong = environment(VOXGATE_URL=voxgate.url, VOXGATE_API_KEY="vg_wrong", VOICE_TOKEN_ALLOW_ANYONE="1")
    async with serve(wrong) as site:
        status, _, answer = await post(f"{site}/api/voice-token")
    assert status == 502
    assert answer == {"error": "The voice service is not available."}


# AWS Lambda itself is not here: the handlers are called as it does, with an event of payload format 2.0.

RUN_PYTHON = (
    "import json, sys, voice_token; print(json.dumps(voice_token.handler(json.load(sys.stdin), None)))"
)
RUN_JAVASCRIPT = (
    "import { handler } from './lambda.mjs'; import { text } from 'node:stream/consumers';"
    "console.log(JSON.stringify(await handler(JSON.parse(await text(process.stdin)))))"
)


@pytest.fixture(params=["python", "javascript"])
def lambda_command(request: pytest.FixtureRequest) -> tuple[list[str], Any]:
    if request.param == "python":
        return [sys.executable, "-c", RUN_PYTHON], PYTHON
    toolchain: Toolchain = request.getfixturevalue("toolchain")
    return [toolchain.node, "--input-type=module", "-e", RUN_JAVASCRIPT], JAVASCRIPT


def lambda_event(method: str = "POST", subject: str | None = None) -> str:
    context: dict[str, Any] = {"http": {"method": method, "path": "/api/voice-token"}}
    if subject is not None:
        context["authorizer"] = {"jwt": {"claims": {"sub": subject}, "scopes": None}}
    return json.dumps({"version": "2.0", "requestContext": context, "isBase64Encoded": False})


@pytest.mark.parametrize(
    ("event", "status"),
    [
        (lambda_event(subject="user-42"), 200),
        (lambda_event(), 401),
        (lambda_event("GET", subject="user-42"), 405),
    ],
    ids=["signed in", "not signed in", "wrong method"],
)
async def test_on_lambda_the_authorizers_user_gets_a_credential(
    voxgate: Voxgate, lambda_command: tuple[list[str], Any], event: str, status: int
) -> None:
    command, folder = lambda_command
    finished = await run(*command, cwd=folder, env=settings(voxgate), stdin=event)
    assert finished.status == 0, finished.output
    answer = json.loads(finished.output)
    body = json.loads(answer["body"])
    assert answer["statusCode"] == status, body
    assert answer["headers"]["cache-control"] == "no-store"
    if status != 200:
        assert set(body) == {"error"}
        return
    assert body["url"] == f"{voxgate.ws_url}?model=local"
    newest = (await voxgate.request("GET", "/v1/credentials?limit=1"))["items"][0]
    assert newest["metadata"] == {"user_id": "user-42"}
