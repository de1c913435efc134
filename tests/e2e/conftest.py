"""A real headless Chromium whose microphone plays a WAV file."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from playwright.async_api import Page, async_playwright

from tests.clients.conftest import question, spoken_question, voice
from tests.clients.programs import CHROMIUM_FLAGS

__all__ = ["question", "spoken_question", "voice"]

OpenPage = Callable[..., AbstractAsyncContextManager[Page]]
FLAGS = [*CHROMIUM_FLAGS, "--disable-quic", "--autoplay-policy=no-user-gesture-required"]
# Every sound that the page plays, for the tests to look at.
KEEP_SOUNDS = """
window.__sounds = [];
const play = HTMLMediaElement.prototype.play;
HTMLMediaElement.prototype.play = function () { window.__sounds.push(this); return play.call(this); };
"""


@pytest.fixture
def open_page() -> OpenPage:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("needs a Chromium on the PATH (Debian: apt-get install chromium)")

    @contextlib.asynccontextmanager
    async def open_(
        microphone: Path | None = None,
        *,
        width: int = 1440,
        height: int = 900,
        scheme: str = "dark",
        expected: str | tuple[str, ...] = (),
    ) -> AsyncIterator[Page]:
        flags = [*FLAGS, f"--use-file-for-fake-audio-capture={microphone}%noloop"] if microphone else FLAGS
        async with async_playwright() as driver:
            browser = await driver.chromium.launch(executable_path=chromium, args=flags)
            context = await browser.new_context(
                viewport={"width": width, "height": height},
                color_scheme=scheme,  # type: ignore[arg-type]
                permissions=["microphone"],
            )
            page = await context.new_page()
            await page.add_init_script(KEEP_SOUNDS)
            problems: list[str] = []
            page.on("pageerror", lambda error: problems.append(f"page error: {error}"))
            page.on("console", lambda message: problems.append(f"{message.type}: {message.text}"))
            yield page
            await browser.close()
            # A 401 is how the page learns that nobody is signed in; the browser reports it by itself.
            errors = [each for each in problems if "error" in each.split(":")[0].lower()]
            known = ("401 (Unauthorized)", *((expected,) if isinstance(expected, str) else expected))
            assert not [each for each in errors if not any(words in each for words in known)]

    return open_
