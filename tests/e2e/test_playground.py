"""The main job: a new user opens the Playground, speaks, is heard and answered, hangs up, and listens to the
recording.
"""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from playwright.async_api import Page, expect

from tests.e2e.conftest import OpenPage
from tests.e2e.pictures import picture
from tests.running import Voxgate

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.local, pytest.mark.timeout(180)]
SPEECH_MS = 60_000


async def sound_that_plays(page: Page) -> dict[str, Any]:
    """The newest sound of the page, once it has played for a while."""
    await page.wait_for_function(
        "() => { const s = window.__sounds.at(-1); return s && (s.currentTime > 0.2 || s.error); }",
        timeout=60_000,
    )
    played: dict[str, Any] = await page.evaluate(
        "() => { const s = window.__sounds.at(-1);"
        " return {seconds: s.duration, error: s.error && s.error.message, url: s.src}; }"
    )
    return played


def rms(samples: Any) -> float:
    return float(np.sqrt(np.mean(np.square(samples.astype(np.float64)))))


async def wave_of(voxgate: Voxgate, path: str) -> tuple[Any, int]:
    data = await voxgate.request("GET", path)
    samples, rate = soundfile.read(io.BytesIO(data), dtype="int16")
    return samples, rate


async def test_a_new_user_talks_in_the_playground_and_listens_to_the_recording(
    voxgate: Voxgate, open_page: OpenPage, spoken_question: Path
) -> None:
    async with open_page(spoken_question) as page:
        await page.goto(f"{voxgate.url}/#key={voxgate.key}")
        await page.get_by_role("link", name="Playground").first.click()
        assert voxgate.key not in page.url
        await page.get_by_test_id("connect").click()
        heard = page.get_by_test_id("user-transcript").filter(has_text=re.compile("weather.*Paris", re.I))
        await expect(heard.first).to_be_visible(timeout=SPEECH_MS)
        answer = page.get_by_test_id("assistant-transcript").first
        await expect(answer).to_have_attribute("data-state", "done", timeout=SPEECH_MS)
        await expect(page.get_by_test_id("assistant-status")).not_to_contain_text(
            "speaking", timeout=SPEECH_MS, ignore_case=True
        )
        await picture(page, "playground")
        await page.get_by_test_id("hangup").click()
        await page.get_by_test_id("session-link").click(timeout=60_000)
        await expect(page.get_by_test_id("status").first).to_contain_text("complete", timeout=60_000)
        session_id = page.url.rstrip("/").split("/")[-1].split("?")[0]
        trace = await voxgate.finished_session(session_id)
        await _plays_everything(page, trace)
        await _kept_the_sound(voxgate, session_id, spoken_question)


async def _plays_everything(page: Page, trace: dict[str, Any]) -> None:
    await expect(page.get_by_test_id("entry-user").first).to_contain_text(re.compile("weather", re.I))
    for kind, span_type in (("entry-user", "user"), ("entry-assistant", "response")):
        await page.get_by_test_id(kind).first.get_by_test_id("play-clip").first.click()
        sound = await sound_that_plays(page)
        span = next(span for span in trace["spans"] if span["type"] == span_type and span["attachments"])
        expected = span["attachments"][0]["duration_ms"] / 1000
        assert sound["error"] is None
        assert sound["seconds"] == pytest.approx(expected, abs=0.05)
    await page.get_by_test_id("play").click()
    sound = await sound_that_plays(page)
    assert sound["error"] is None
    assert sound["seconds"] == pytest.approx(trace["tracks"]["mix"]["bytes"] / 4 / 24_000, abs=0.1)


async def _kept_the_sound(voxgate: Voxgate, session_id: str, spoken: Path) -> None:
    """What the microphone played is what was recorded, and the answer is no silence."""
    user, rate = await wave_of(voxgate, f"/api/sessions/{session_id}/audio?track=user")
    original, original_rate = soundfile.read(spoken, dtype="int16")
    assert rate == original_rate == 24_000
    # The browser's echo canceller and gain control change the wave; other speech gives less than 0.2.
    assert _similarity(user, original) > 0.4
    mix, _ = await wave_of(voxgate, f"/api/sessions/{session_id}/audio?track=mix")
    assert rms(mix[:, 0]) > 100
    assert rms(mix[:, 1]) > 100


def _similarity(recorded: Any, original: Any) -> float:
    """The highest normalised cross-correlation of the original with the recording, at any shift."""
    a, b = recorded.astype(np.float64), original.astype(np.float64)
    size = 1 << (len(a) + len(b)).bit_length()
    spectrum = np.fft.rfft(a, size) * np.conj(np.fft.rfft(b, size))
    shifted = np.fft.irfft(spectrum, size)
    at = int(np.argmax(np.abs(shifted)))
    window = np.roll(np.pad(a, (0, size - len(a))), -at)[: len(b)]
    return float(abs(shifted[at]) / (np.linalg.norm(window) * np.linalg.norm(b)))


async def test_a_call_that_runs_is_in_the_list_and_grows_on_its_page(
    voxgate: Voxgate, open_page: OpenPage
) -> None:
    from websockets.asyncio.client import connect

    async with (
        open_page() as page,
        connect(f"{voxgate.ws_url}?model=local", additional_headers=voxgate.auth) as call,
    ):
        assert call.response is not None
        session_id = call.response.headers["x-voxgate-session-id"]
        await page.goto(f"{voxgate.url}/#key={voxgate.key}")
        row = page.get_by_test_id("session-row").filter(has=page.locator(f"a[href*='{session_id}']"))
        await expect(row.get_by_test_id("status")).to_contain_text("live", timeout=60_000)
        await row.locator("a").first.click()
        await call.send(
            '{"type":"conversation.item.create","item":{"type":"message","role":"user",'
            '"content":[{"type":"input_text","text":"Good morning, gateway"}]}}'
        )
        await call.send('{"type":"response.create","response":{"output_modalities":["text"]}}')
        await expect(page.get_by_test_id("entry-user").first).to_contain_text(
            "Good morning, gateway", timeout=60_000
        )
        await call.close()
        await expect(page.get_by_test_id("status").first).to_contain_text("complete", timeout=60_000)


async def test_without_the_key_nothing_is_shown(voxgate: Voxgate, open_page: OpenPage) -> None:
    async with open_page() as page:
        await page.goto(voxgate.url)
        await expect(page.get_by_test_id("sign-in")).to_be_visible()
        await page.get_by_test_id("api-key").fill("vg_wrong")
        await page.get_by_test_id("sign-in").click()
        await expect(page.get_by_role("alert")).to_contain_text(re.compile("key", re.I))
