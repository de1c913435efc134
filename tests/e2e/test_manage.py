"""Credentials, API keys, providers and settings in a browser: what can be done there, by whom, and whether
it can be used without eyes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Page, expect

from tests.e2e.axe import violations
from tests.e2e.conftest import OpenPage
from tests.e2e.pictures import picture
from tests.running import Voxgate
from voxgate.auth.credentials import CredentialRequest

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.local, pytest.mark.timeout(300)]
NASTY = "<img src=x onerror=\"document.title='run'\">"


@pytest.fixture
async def page(voxgate: Voxgate, open_page: OpenPage) -> AsyncIterator[Page]:
    """Signed in as admin."""
    async with open_page(expected=("400 (Bad Request)", "403 (Forbidden)")) as opened:
        await sign_in(opened, voxgate, voxgate.key, "/credentials")
        yield opened


async def sign_in(page: Page, voxgate: Voxgate, key: str, path: str = "/") -> None:
    await page.goto(f"{voxgate.url}{path}#key={key}")
    await expect(page.get_by_role("button", name="Sign out")).to_be_visible()


async def test_a_credential_is_made_listed_used_and_revoked(voxgate: Voxgate, page: Page) -> None:
    await page.get_by_test_id("new-credential").click()
    for path in await scopes():
        await expect(page.get_by_test_id(f"field-{path}")).to_have_count(1)
    await page.get_by_test_id("field-model").fill("local")
    await page.get_by_test_id("field-max_uses").fill("0")
    await page.get_by_test_id("mint").click()
    await expect(page.get_by_role("alert")).to_have_text("At least 1.")
    await page.get_by_test_id("field-max_uses").fill("100")
    await page.get_by_test_id("field-session.instructions").fill(NASTY)
    await page.get_by_test_id("field-session.lock").fill("locked")
    await page.get_by_test_id("field-allowed_ips").fill("nowhere")
    await page.get_by_test_id("mint").click()
    await expect(page.get_by_role("alert")).to_contain_text("nowhere")
    await page.get_by_test_id("field-allowed_ips").fill("127.0.0.0/8")
    await page.get_by_test_id("mint").click()
    key = await page.get_by_test_id("secret").inner_text()
    assert key.startswith("ek_")
    await call(voxgate, key)
    row = page.get_by_test_id("credential-row").first
    await expect(row).to_contain_text("1 of 100")
    await expect(row).to_have_attribute("data-state", "active")
    await row.get_by_role("button", expanded=False).click()
    await expect(page.locator(".scopes").first).to_contain_text("<img src=x")
    await row.get_by_test_id("revoke").click()
    await page.get_by_test_id("end-sessions").check()
    await page.get_by_test_id("confirm-revoke").click()
    await expect(row).to_have_attribute("data-state", "revoked")
    assert await page.title() != "run"
    async with asyncio.timeout(60):
        while not await is_refused(voxgate, key):
            await asyncio.sleep(0.1)


async def scopes() -> list[str]:
    """Every scope, by the field that stands for it."""
    parts = {"logging": "logging.project_name"}
    return [parts.get(name, name) for name in CredentialRequest.model_fields]


async def call(voxgate: Voxgate, key: str) -> None:
    async with (
        aiohttp.ClientSession(headers={"authorization": f"Bearer {key}"}) as http,
        http.ws_connect(f"{voxgate.ws_url}?model=local") as socket,
    ):
        event: dict[str, Any] = await socket.receive_json(timeout=60)
        assert event["type"] == "session.created", event


async def is_refused(voxgate: Voxgate, key: str) -> bool:
    """A worker hears of a revocation within a second."""
    try:
        await call(voxgate, key)
    except AssertionError as error:
        assert "was revoked" in str(error)  # noqa: PT017
        return True
    return False


async def test_a_viewer_made_in_the_app_looks_and_does_nothing(voxgate: Voxgate, page: Page) -> None:
    await page.goto(f"{voxgate.url}/keys")
    await page.get_by_test_id("new-key").click()
    await page.get_by_test_id("key-name").fill(f"viewer {NASTY}")
    await page.get_by_test_id("key-role").select_option("read")
    await page.get_by_test_id("key-requests").fill("0")
    await expect(page.get_by_test_id("create-key")).to_be_disabled()
    await page.get_by_test_id("key-requests").fill("600")
    await page.get_by_test_id("key-tokens").fill("200000")
    await page.get_by_test_id("create-key").click()
    key = await page.get_by_test_id("secret").inner_text()
    await page.get_by_role("button", name="Done").click()
    row = page.get_by_test_id("key-row").filter(has_text="<img")
    await expect(row).to_contain_text("600 requests, 200,000 tokens")
    await page.get_by_role("button", name="Sign out").click()
    await page.get_by_test_id("api-key").fill(key)
    await page.get_by_test_id("sign-in").click()
    pages = page.get_by_role("navigation", name="Pages").get_by_role("link")
    await expect(pages.filter(has_text="Providers")).to_be_visible()
    assert not {"API keys", "Playground"} & set(await pages.all_inner_texts())
    await pages.filter(has_text="Providers").click()
    await expect(page.get_by_test_id("provider-local")).to_be_visible()
    await expect(page.get_by_test_id("check")).to_have_count(0)
    await pages.filter(has_text="Credentials").click()
    await expect(page.get_by_role("heading", name="Temporary credentials")).to_be_visible()
    await expect(page.get_by_test_id("new-credential")).to_have_count(0)
    await expect(page.get_by_test_id("revoke")).to_have_count(0)
    await pages.filter(has_text="Settings").click()
    await expect(page.get_by_test_id("rules-row").first).to_be_visible()
    await expect(page.get_by_test_id("setting")).to_have_count(0)
    for method, path in (("POST", "/v1/credentials"), ("GET", "/api/keys"), ("GET", "/api/settings")):
        status = await page.evaluate(
            "async ([method, path]) => (await fetch(path, {method, headers: {'x-voxgate-csrf': '1'},"
            " body: method === 'POST' ? '{}' : undefined})).status",
            [method, path],
        )
        assert status == 403, path
    assert await page.title() != "run"


async def test_the_check_of_local_opens_a_call_and_that_of_openai_says_what_is_missing(
    voxgate: Voxgate, page: Page
) -> None:
    await page.goto(f"{voxgate.url}/providers")
    local, openai = page.get_by_test_id("provider-local"), page.get_by_test_id("provider-openai")
    await local.get_by_test_id("check").click()
    await expect(local.get_by_test_id("check-result")).to_have_attribute("data-status", "passed")
    await expect(local).to_contain_text("It opened a call with local")
    await openai.get_by_test_id("check").click()
    await expect(openai.get_by_test_id("check-result")).to_contain_text("OPENAI_API_KEY")
    await picture(page, "providers")


async def test_settings_tell_where_they_come_from(voxgate: Voxgate, page: Page) -> None:
    await page.goto(f"{voxgate.url}/settings")
    await page.get_by_test_id("find-setting").fill("data_dir")
    row = page.get_by_test_id("setting")
    await expect(row).to_have_count(1)
    await expect(row).to_contain_text("the flag --data-dir")
    await expect(row).to_contain_text("VOXGATE_DATA_DIR")


@pytest.mark.parametrize(("width", "scheme"), [(1440, "dark"), (390, "light")])
async def test_axe_finds_nothing_on_the_pages_that_manage_and_in_the_playground(
    voxgate: Voxgate, open_page: OpenPage, width: int, scheme: str
) -> None:
    await voxgate.mint(model="local", max_uses=1)
    await voxgate.request("POST", "/api/keys", json={"name": "axe", "role": "read"})
    async with open_page(width=width, scheme=scheme) as page:
        await sign_in(page, voxgate, voxgate.key, "/credentials")
        found = {}
        await page.get_by_test_id("new-credential").click()
        await expect(page.get_by_test_id("mint")).to_be_visible()
        found["credentials"] = await violations(page)
        if width > 1000:
            await page.get_by_test_id("field-model").fill("local")
            await page.get_by_test_id("field-max_cost_usd").fill("0.50")
            await picture(page, "credentials")
        pages = (("/keys", "key-row"), ("/providers", "provider-local"), ("/settings", "setting"))
        # On a phone the others are the same tables as there, only narrower.
        for path, ready in (*(pages if width > 1000 else pages[-1:]), ("/playground", "connect")):
            await page.goto(f"{voxgate.url}{path}")
            await expect(page.get_by_test_id(ready).first).to_be_visible()
            found[path] = await violations(page)
            if width > 1000 and path in ("/keys", "/settings"):
                if path == "/settings":  # where the folders of this machine are is nobody's business
                    await page.get_by_placeholder("Find a setting").fill("seconds")
                await picture(page, path[1:])
        await page.get_by_test_id("compare").click()
        await page.get_by_test_id("add-tool").click()
        await page.get_by_test_id("connect").click()
        await expect(page.get_by_test_id("phase")).to_have_attribute("data-state", "live")
        found["call"] = await violations(page)
        await page.get_by_test_id("hangup").click()
        await page.get_by_test_id("open-as-code").click()
        await expect(page.get_by_role("tab", name="Python")).to_be_visible()
        found["code"] = await violations(page)
    assert {name: list_ for name, list_ in found.items() if list_} == {}
