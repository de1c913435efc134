"""Pages of a real headless Chromium whose microphone plays a WAV file."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from playwright.async_api import ConsoleMessage, Page

from tests.browsers import Chromium, running_chromium
from tests.clients.conftest import question, spoken_question, voice

__all__ = ["question", "spoken_question", "voice"]

OpenPage = Callable[..., AbstractAsyncContextManager[Page]]
# Every sound that the page plays, for the tests to look at.
KEEP_SOUNDS = """
window.__sounds = [];
const play = HTMLMediaElement.prototype.play;
HTMLMediaElement.prototype.play = function () { window.__sounds.push(this); return play.call(this); };
"""


@pytest.fixture(scope="module")
async def chromium(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Chromium]:
    flags = "--disable-quic", "--autoplay-policy=no-user-gesture-required"
    async with running_chromium(tmp_path_factory.mktemp("chromium"), *flags) as running:
        yield running


def _told(message: ConsoleMessage) -> str:
    return f"{message.type}: {message.text} ({message.location['url']})"


@pytest.fixture
def open_page(chromium: Chromium) -> OpenPage:
    @contextlib.asynccontextmanager
    async def open_(
        microphone: Path | None = None,
        *,
        width: int = 1440,
        height: int = 900,
        scheme: str = "dark",
        expected: str | tuple[str, ...] = (),
    ) -> AsyncIterator[Page]:
        problems: list[str] = []
        size = {"width": width, "height": height}
        async with chromium.context(microphone, viewport=size, color_scheme=scheme) as context:
            page = await chromium.page(context)
            await page.add_init_script(KEEP_SOUNDS)
            page.on("pageerror", lambda error: problems.append(f"page error: {error}"))
            page.on("console", lambda message: problems.append(_told(message)))
            yield page
        # A 401 is how the page learns that nobody is signed in; the browser reports it by itself.
        errors = [each for each in problems if "error" in each.split(":")[0].lower()]
        known = ("401 (Unauthorized)", *((expected,) if isinstance(expected, str) else expected))
        assert not [each for each in errors if not any(words in each for words in known)]

    return open_
