"""Chromium for tests: started once for a module, since a start costs more than most tests; each test opens
pages in a context of its own, which shares nothing with those before it.
"""

from __future__ import annotations

import base64
import contextlib
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.async_api import Browser, BrowserContext, Page, Playwright, async_playwright

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

# A microphone that is silent until it is told what to say.
_MOUTH: Final = """
let mouth;
navigator.mediaDevices.getUserMedia = async () => {
  const context = new AudioContext({ sampleRate: 24000 });
  await context.resume();
  mouth = context.createMediaStreamDestination();
  const silence = new ConstantSourceNode(context, { offset: 0 });
  silence.connect(mouth);
  silence.start();
  return mouth.stream;
};
window.__say = (pcm) => {
  const bytes = Uint8Array.from(atob(pcm), (each) => each.charCodeAt(0));
  const samples = Float32Array.from(new Int16Array(bytes.buffer), (each) => each / 32768);
  const sound = mouth.context.createBuffer(1, samples.length, 24000);
  sound.copyToChannel(samples, 0);
  const source = new AudioBufferSourceNode(mouth.context, { buffer: sound });
  source.connect(mouth);
  source.start();
};
"""


async def give_mouth(page: Page) -> None:
    """Before it is opened: its microphone is what `say` says, when the test says so. A file plays on at its
    own pace, however long an answer takes on a full machine.
    """
    await page.add_init_script(_MOUTH)


async def say(page: Page, pcm: bytes) -> None:
    """24 kHz, mono, 16 bits."""
    await page.evaluate("(pcm) => window.__say(pcm)", base64.b64encode(pcm).decode())


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
