"""Chromium for tests: started once for a module, since a start costs more than most tests; each test opens
pages in a context of its own, which shares nothing with those before it.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.async_api import Browser, BrowserContext, Playwright, async_playwright

CHROMIUM_FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
)


@dataclass
class Chromium:
    """One whose microphone beeps and one whose microphone plays a file, each started when it is asked for."""

    driver: Playwright
    program: str
    folder: Path
    flags: tuple[str, ...] = ()
    _running: dict[bool, Browser] = field(default_factory=dict)

    @contextlib.asynccontextmanager
    async def context(self, microphone: Path | None = None, **options: Any) -> AsyncIterator[BrowserContext]:
        """The options are Playwright's."""
        browser = await self._browser(microphone)
        context = await browser.new_context(permissions=["microphone"], **options)
        try:
            yield context
        finally:
            await context.close()

    async def _browser(self, microphone: Path | None) -> Browser:
        sound = self.folder / "microphone.wav"
        if microphone is not None:
            shutil.copyfile(microphone, sound)  # read anew whenever a page opens the microphone
        has_sound = microphone is not None
        running = self._running.get(has_sound)
        if running is None or not running.is_connected():
            more = [f"--use-file-for-fake-audio-capture={sound}%noloop"] if has_sound else []
            flags = [*CHROMIUM_FLAGS, *self.flags, *more]
            running = await self.driver.chromium.launch(executable_path=self.program, args=flags)
            self._running[has_sound] = running
        return running


@contextlib.asynccontextmanager
async def running_chromium(folder: Path, *flags: str) -> AsyncIterator[Chromium]:
    """`folder` is for the sound of its microphone. Skips where there is no Chromium."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("needs a Chromium on the PATH (Debian: apt-get install chromium)")
    async with async_playwright() as driver:  # whose end is the end of every browser
        yield Chromium(driver, program, folder, flags)
