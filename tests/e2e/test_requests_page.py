"""Requests in a browser: under the tool of the call that they work for, on a page of their own, and told from
calls in the list.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.e2e.axe import violations
from tests.e2e.conftest import OpenPage
from tests.e2e.pictures import picture
from tests.gateway.requests.joined import HOURS, House, Running, call, house, picture_url

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.timeout(300)]
EARLIER: list[Any] = [
    {"role": "system", "content": "You know our opening hours. Answer in one sentence."},
    {"role": "user", "content": "Is it a holiday on Monday?"},
    {"role": "assistant", "content": "No, Monday is a working day."},
]
LONG_MS = 60_000


@pytest.fixture(scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with house(tmp_path_factory.mktemp("requests")) as started:
        yield started


@pytest.fixture
async def page(running: House, open_page: OpenPage) -> AsyncIterator[Page]:
    async with open_page() as opened:
        await opened.goto(f"{running.voxgate.url}/#key={running.voxgate.key}")
        await expect(opened.get_by_role("button", name="Sign out")).to_be_visible(timeout=LONG_MS)
        yield opened


async def ask(running: House, voice: Running, **body: Any) -> str:
    """The session of a request that works for the call's tool."""
    chat = running.sdk().chat.completions.with_raw_response
    headers = {"x-voxgate-parent": f"{voice.session_id}/call_1"}
    made = await asyncio.to_thread(chat.create, model="gpt-5", extra_headers=headers, **body)
    session_id: str = made.headers["x-voxgate-session-id"]
    return session_id


async def test_a_tools_request_is_seen_under_it_while_the_call_runs_and_afterwards(
    running: House, page: Page
) -> None:
    links = page.get_by_test_id("entry-tool").get_by_test_id("request-link")
    async with call(running) as voice:
        await running.trace(voice.session_id, lambda trace: bool(trace["spans"]))
        await page.goto(f"{running.voxgate.url}/sessions/{voice.session_id}")
        await expect(page.get_by_test_id("span-tool")).to_be_visible(timeout=LONG_MS)
        content = [
            {"type": "text", "text": "When do we open on the day in this picture?"},
            {"type": "image_url", "image_url": {"url": picture_url()}},
        ]
        asked = await ask(running, voice, messages=[*EARLIER, {"role": "user", "content": content}])
        await expect(links).to_have_count(1, timeout=LONG_MS)
        await expect(page.get_by_test_id("span-request")).to_have_attribute(
            "aria-level", "5", timeout=LONG_MS
        )
        await voice.give_result()
    await ask(running, voice, messages=[{"role": "user", "content": "And on Tuesday?"}])
    await expect(links).to_have_count(2, timeout=LONG_MS)
    await expect(page.get_by_test_id("requests")).to_have_text(
        re.compile(r"2 requests \$0\.0048"), timeout=LONG_MS
    )
    await expect(page.get_by_test_id("entry-assistant")).to_contain_text(HOURS, timeout=LONG_MS)
    await page.get_by_test_id("span-request").first.click()
    await expect(page.get_by_test_id("span-detail")).to_contain_text("chat/completions", timeout=LONG_MS)
    assert await violations(page) == []
    await links.first.click()
    await expect(page).to_have_url(re.compile(asked), timeout=LONG_MS)
    await page_of_the_request(page, running, voice)


async def page_of_the_request(page: Page, running: House, voice: Running) -> None:
    panel = page.get_by_test_id("request-panel")
    await expect(panel).to_contain_text("chat/completions", timeout=LONG_MS)
    await expect(panel).to_contain_text("1,000 / 50", timeout=LONG_MS)
    await expect(page.get_by_test_id("tries")).to_contain_text("could not be reached", timeout=LONG_MS)
    await expect(page.get_by_test_id("earlier")).to_contain_text(
        "No, Monday is a working day.", timeout=LONG_MS
    )
    await expect(page.get_by_test_id("entry-user").get_by_test_id("picture")).to_be_visible(timeout=LONG_MS)
    await expect(page.get_by_test_id("entry-assistant")).to_contain_text(HOURS, timeout=LONG_MS)
    await expect(page.get_by_test_id("entry-error")).to_have_count(0, timeout=LONG_MS)
    entries = page.get_by_test_id("conversation").locator("[data-span]")
    await expect(entries.first).to_have_attribute("data-testid", "entry-user", timeout=LONG_MS)
    await expect(page.locator(".call-main")).to_have_count(0, timeout=LONG_MS)
    assert await violations(page) == []
    await picture(page, "request")
    await page.emulate_media(color_scheme="light")
    for entry in ("entry-user", "entry-assistant"):
        await page.get_by_test_id(entry).hover()
        assert await violations(page) == []
    await page.emulate_media(color_scheme="dark")
    await page.get_by_role("tab", name="Config").click()
    await expect(page.get_by_text("What was asked for")).to_be_visible(timeout=LONG_MS)
    await page.get_by_test_id("parent").click()
    await expect(page).to_have_url(re.compile(voice.session_id), timeout=LONG_MS)


async def test_speech_that_was_made_is_played_and_a_parent_that_is_not_there_is_said(
    running: House, page: Page
) -> None:
    made = await asyncio.to_thread(
        running.sdk().audio.speech.with_raw_response.create,
        model="tts",
        voice="alloy",
        input="Good day.",
        extra_headers={"x-voxgate-parent": "sess_nobody"},
    )
    spoken = made.headers["x-voxgate-session-id"]
    await running.trace(spoken, lambda trace: trace["status"] == "complete")
    await page.goto(f"{running.voxgate.url}/sessions/{spoken}")
    await expect(page.get_by_test_id("parent-missing")).to_contain_text("sess_nobody", timeout=LONG_MS)
    await page.get_by_role("button", name="Play The sound that was made").click()
    await page.wait_for_function("() => window.__sounds.some((one) => one.currentTime > 0)", timeout=LONG_MS)


async def test_the_list_tells_calls_from_requests(running: House, page: Page) -> None:
    async with call(running) as voice:
        asked = await ask(running, voice, messages=[{"role": "user", "content": "When?"}])
        await voice.give_result()
    rows, of_call, of_request = (
        page.locator(f"[data-testid=session-row]{part}")
        for part in ("", f"[data-id={voice.session_id}]", f"[data-id={asked}]")
    )
    await page.goto(running.voxgate.url)
    await expect(of_request.get_by_test_id("kind")).to_have_text("Request: chat/completions", timeout=LONG_MS)
    await expect(of_call.get_by_test_id("kind")).to_have_text("Call", timeout=LONG_MS)
    assert await violations(page) == []
    await page.get_by_test_id("kind-calls").click()
    await expect(of_request).to_have_count(0, timeout=LONG_MS)
    await expect(of_call).to_have_count(1, timeout=LONG_MS)
    await page.get_by_test_id("kind-requests").click()
    await expect(of_call).to_have_count(0, timeout=LONG_MS)
    await expect(of_request).to_have_count(1, timeout=LONG_MS)
    await page.get_by_test_id("kind-all").click()
    await expect(of_call).to_have_count(1, timeout=LONG_MS)
    assert await rows.count() >= 2
