"""Chromium for tests: started once for a module, since a start costs more than most tests; each test opens
pages in a context of its own, which shares nothing with those before it.
"""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.async_api import Browser, BrowserContext, Page, Playwright, async_playwright, expect

WAIT_MS: Final = 60_000
"""For anything in a page: Playwright's five seconds are too short on a full machine."""
SLOWDOWN: Final = float(os.environ.get("VOXGATE_SLOW_BROWSER", "1"))
"""By how many times each page is to be slower than it could be, to see what a test takes for granted."""
expect.set_options(timeout=WAIT_MS)

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
window.__say = async (pcm) => {
  while (!mouth) await new Promise((done) => setTimeout(done, 10));
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
    """24 kHz, mono, 16 bits; once the page listens."""
    await page.evaluate("(pcm) => window.__say(pcm)", base64.b64encode(pcm).decode())


# In words, what the page is still about to change by itself; empty where it is as it will stay. Of animations
# those count that end.
_UNSETTLED: Final = """() => {
  const moves = (one) =>
    one.playState === "running" && Number.isFinite(one.effect?.getComputedTiming().endTime);
  const busy = document.querySelector("[aria-busy=true]");
  const image = [...document.images].find((one) => !one.complete && one.loading !== "lazy");
  return [
    document.readyState === "complete" ? "" : "it loads",
    document.fonts.status === "loaded" ? "" : "fonts load",
    document.getAnimations().some(moves) ? "something moves" : "",
    busy ? `${busy.ariaLabel ?? busy.tagName} is busy` : "",
    image ? `${image.src.slice(0, 80)} loads` : "",
  ].filter(Boolean).join(", ");
}"""
# It must be so in a few frames after one another: what has come is drawn in the next, and may ask for more.
_SETTLED: Final = f"""async ([frames, most_ms]) => {{
  const unsettled = {_UNSETTLED}, end = performance.now() + most_ms;
  for (let still = 0; still < frames;) {{
    await new Promise(requestAnimationFrame);
    const why = unsettled();
    still = why ? 0 : still + 1;
    if (why && performance.now() > end) return why;
  }}
  return "";
}}"""


async def settled(page: Page) -> None:
    """Waits until the page is as it will stay: before it is measured, judged or pictured."""
    why = await page.evaluate(_SETTLED, [3, WAIT_MS])
    assert not why, f"{page.url} does not settle: {why}"


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
        context.set_default_timeout(WAIT_MS)
        try:
            yield context
        finally:
            await context.close()

    async def page(self, context: BrowserContext) -> Page:
        page = await context.new_page()
        if SLOWDOWN > 1:
            session = await context.new_cdp_session(page)
            await session.send("Emulation.setCPUThrottlingRate", {"rate": SLOWDOWN})
        return page

    async def _browser(self, microphone: Path | None) -> Browser:
        sound = self.folder / "microphone.wav"
        if microphone is not None:
            shutil.copyfile(microphone, sound)  # read anew whenever a page opens the microphone
        has_sound = microphone is not None
        running = self._running.get(has_sound)
        if running is None or not running.is_connected():
            more = [f"--use-file-for-fake-audio-capture={sound}%noloop"] if has_sound else []
            flags = [*CHROMIUM_FLAGS, *self.flags, *more]
            running = await self.driver.chromium.launch(
                executable_path=self.program, args=flags, timeout=WAIT_MS
            )
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
