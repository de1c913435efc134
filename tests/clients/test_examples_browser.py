"""The browser example in a real Chromium, with a sound file as its microphone. Page and credential come from
either of the serverless examples.
"""

from __future__ import annotations

import base64
import sys
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.browsers import give_mouth, say
from tests.clients.conftest import RATE, Voice, write_wav
from tests.clients.official import messages
from tests.clients.programs import EXAMPLES, OpenBrowser, environment, serving, session_of
from tests.running import Voxgate

pytestmark = [pytest.mark.anyio, pytest.mark.local, pytest.mark.browser, pytest.mark.timeout(300)]

ANSWER_MS = 60_000
TRUNCATE = "conversation.item.truncate"


def silence(seconds: float) -> bytes:
    return bytes(int(RATE * seconds) * 2)


def site(voxgate: Voxgate, kind: str, node: str, project: str) -> Any:
    env = environment(
        VOXGATE_URL=voxgate.url,
        VOXGATE_API_KEY=voxgate.key,
        VOXGATE_PROJECT=project,
        VOICE_TOKEN_ALLOW_ANYONE="1",
    )
    if kind == "python":
        folder = EXAMPLES / "serverless-python"
        return serving(sys.executable, "voice_token.py", "--port", "0", cwd=folder, env=env)
    return serving(node, "local-server.mjs", "0", cwd=EXAMPLES / "serverless-javascript", env=env)


async def hang_up(page: Page, voxgate: Voxgate, project: str) -> dict[str, Any]:
    """The trace of the call."""
    await page.get_by_role("button", name="Hang up").click()
    await expect(page.get_by_role("status")).to_have_text("Ended.")
    return await session_of(voxgate, f"project:{project}")


@pytest.mark.parametrize("kind", ["python", "javascript"])
async def test_a_visitor_speaks_and_is_answered(
    voxgate: Voxgate,
    question: bytes,
    open_browser: OpenBrowser,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    kind: str,
) -> None:
    microphone, project = tmp_path / "microphone.wav", f"browser-{kind}"
    write_wav(microphone, silence(0.5) + question + silence(2))
    node = request.getfixturevalue("toolchain").node if kind == "javascript" else ""
    async with site(voxgate, kind, node, project) as address:
        page = await open_browser(microphone)
        await page.goto(address)
        await page.get_by_role("button", name="Start the call").click()
        lines = page.get_by_role("log").locator("p")
        await expect(lines.nth(0)).to_contain_text("weather in Paris", timeout=ANSWER_MS)
        await expect(lines.nth(1)).to_contain_text("I heard you say", timeout=ANSWER_MS)
        await expect(lines.nth(0)).to_have_attribute("data-who", "you")
        await expect(lines.nth(1)).to_have_attribute("data-who", "assistant")
        trace = await hang_up(page, voxgate, project)

    assert trace["status"] == "complete"
    assert trace["metadata"] == {"user_id": "anyone"}
    assert trace["client"]["origin"] == address
    assert trace["turns"] == 1
    assert trace["tracks"]["user"]["rate"] == 24_000


async def test_a_visitor_interrupts_and_the_trace_knows_what_was_heard(
    voxgate: Voxgate, voice: Voice, question: bytes, open_browser: OpenBrowser
) -> None:
    project = "browser-interrupts"
    async with site(voxgate, "python", "", project) as address:
        page = await open_browser()
        await give_mouth(page)
        await page.goto(address)
        await page.get_by_role("button", name="Start the call").click()
        await expect(page.get_by_role("status")).to_have_text("Speak.", timeout=ANSWER_MS)
        await say(page, voice("Tell me a story.").astype("<i2").tobytes())
        lines = page.get_by_role("log").locator("p")
        await expect(lines.nth(1)).to_contain_text("said hello", timeout=ANSWER_MS)
        await say(page, question)
        await expect(lines.nth(2)).to_contain_text("weather in Paris", timeout=ANSWER_MS)
        await expect(lines.nth(1)).to_have_class("cut")
        await expect(lines.nth(3)).to_contain_text("I heard you say", timeout=ANSWER_MS)
        trace = await hang_up(page, voxgate, project)

    assert (trace["turns"], trace["interruptions"]) == (2, 1)
    log = await voxgate.request("GET", f"/api/sessions/{trace['id']}/events")
    (truncated,) = [event for event in messages(log, "client") if event["type"] == TRUNCATE]
    deltas = [event for event in messages(log, "server") if event["type"] == "response.output_audio.delta"]
    sent = sum(
        len(base64.b64decode(event["delta"])) for event in deltas if event["item_id"] == truncated["item_id"]
    )
    # The player was stopped in the middle of the story: it had played some of what had come, and not all.
    assert 0 < truncated["audio_end_ms"] < sent / 48
    (confirmed,) = [event for event in messages(log, "server") if event["type"] == f"{TRUNCATE}d"]
    assert confirmed["audio_end_ms"] == truncated["audio_end_ms"]


async def test_a_page_without_a_credential_says_so(
    voxgate: Voxgate, open_browser: OpenBrowser, tmp_path: Path
) -> None:
    microphone = tmp_path / "microphone.wav"
    write_wav(microphone, silence(1))
    env = environment(VOXGATE_URL=voxgate.url, VOXGATE_API_KEY=voxgate.key)
    folder = EXAMPLES / "serverless-python"
    async with serving(sys.executable, "voice_token.py", "--port", "0", cwd=folder, env=env) as address:
        page = await open_browser(microphone)
        await page.goto(address)
        await page.get_by_role("button", name="Start the call").click()
        await expect(page.get_by_role("status")).to_have_text("No call: Sign in first.")
        await expect(page.get_by_role("button", name="Start the call")).to_be_enabled()
