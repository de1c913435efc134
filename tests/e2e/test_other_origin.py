"""A page of another origin in a real Chromium: it fetches a client secret and connects with it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from playwright.async_api import Page

from tests.e2e.conftest import OpenPage
from tests.gateway.conftest import ADMIN_KEY, RunningGateway, run_gateway
from voxgate.testing.provider import ScriptedProvider, Upstreamed

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.timeout(120)]

SECRET = """
async ([base, key, session]) => {
  const answer = await fetch(base + "/v1/realtime/client_secrets", {
    method: "POST",
    headers: {"Authorization": "Bearer " + key, "Content-Type": "application/json",
              "X-OpenAI-Agents-SDK": "openai-agents-sdk.0.20.0"},
    body: JSON.stringify({session}),
  });
  return {status: answer.status, body: await answer.json(), origin: location.origin};
}
"""
CALL = """
([base, key]) => new Promise((resolve, reject) => {
  const offered = ["realtime", "openai-insecure-api-key." + key, "openai-agents-sdk.0.20.0"];
  const socket = new WebSocket(base.replace("http", "ws") + "/v1/realtime", offered);
  socket.onerror = () => reject(new Error("the socket failed"));
  socket.onmessage = (event) => {
    resolve({protocol: socket.protocol, event: JSON.parse(event.data)});
    socket.close();
  };
})
"""
WITH_COOKIES = """
async (base) => {
  try {
    await fetch(base + "/v1/models", {credentials: "include"});
    return "was read";
  } catch (error) { return error.name; }
}
"""


async def greet(call: Upstreamed) -> None:
    """Waits for the secret's settings and says them back."""
    update = json.loads(await call.receive())
    await call.send(json.dumps({"type": "session.updated", "event_id": "e1", "session": update["session"]}))
    await call.receive()


@contextlib.asynccontextmanager
async def page_elsewhere(open_page: OpenPage, expected: tuple[str, ...] = ()) -> AsyncIterator[Page]:
    """An empty page of a site of its own."""

    async def empty(_: web.Request) -> web.Response:
        return web.Response(text="<!doctype html><link rel=icon href=data:,>", content_type="text/html")

    app = web.Application()
    app.router.add_get("/", empty)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        async with open_page(expected=expected) as page:
            await page.goto(f"http://localhost:{runner.addresses[0][1]}/")
            yield page
    finally:
        await runner.cleanup()


def base_of(gateway: RunningGateway) -> str:
    return f"http://127.0.0.1:{gateway.port}"


async def test_a_page_of_another_origin_gets_a_secret_and_calls_with_it(
    open_page: OpenPage, tmp_path: Path
) -> None:
    session = {"type": "realtime", "model": "fake", "instructions": "Be brief."}
    async with (
        ScriptedProvider(greet) as provider,
        run_gateway(tmp_path, provider.base_url) as gateway,
        page_elsewhere(open_page) as page,
    ):
        secret: dict[str, Any] = await page.evaluate(SECRET, [base_of(gateway), ADMIN_KEY, session])
        assert secret["status"] == 200, secret
        assert secret["origin"].startswith("http://localhost:")
        said: dict[str, Any] = await page.evaluate(CALL, [base_of(gateway), secret["body"]["value"]])
    assert said["protocol"] == "realtime"
    assert said["event"]["session"]["instructions"] == "Be brief."
    assert provider.calls[0].header("origin") is None
    assert "ek_" not in str(provider.calls[0].headers)


async def test_a_page_of_another_origin_can_read_why_it_was_refused(
    open_page: OpenPage, tmp_path: Path
) -> None:
    async with run_gateway(tmp_path) as gateway, page_elsewhere(open_page) as page:
        refused: dict[str, Any] = await page.evaluate(SECRET, [base_of(gateway), "vg_wrong", {}])
    assert (refused["status"], refused["body"]["error"]["code"]) == (401, "invalid_api_key")


async def test_a_browser_shows_nothing_to_a_page_that_sends_cookies_along(
    open_page: OpenPage, tmp_path: Path
) -> None:
    async with (
        run_gateway(tmp_path) as gateway,
        page_elsewhere(open_page, expected=("blocked b", "ERR_FAILED")) as page,
    ):
        # The browser's word on its console comes when it likes.
        async with page.expect_console_message(lambda message: "blocked b" in message.text):
            assert await page.evaluate(WITH_COOKIES, base_of(gateway)) == "TypeError"
