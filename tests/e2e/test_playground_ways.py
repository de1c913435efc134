"""Other ways of the Playground: barge-in, a sound file, push to talk, pictures, two calls, code to copy."""

from __future__ import annotations

import asyncio
import json
import re
import struct
import sys
import wave
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiohttp import web
from playwright.async_api import Locator, Page, expect

from tests.browsers import give_mouth, say
from tests.clients.conftest import Voice, node_client, toolchain
from tests.clients.programs import Toolchain, environment, run
from tests.clients.speech import QUESTION
from tests.e2e.conftest import OpenPage
from tests.e2e.pictures import picture
from tests.running import Voxgate

__all__ = ["node_client", "toolchain"]
pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.local, pytest.mark.timeout(300)]
SPEECH_MS = 120_000
NASTY = 'Say "hi" to O\'Brien. <img src=x onerror="document.title=\'run\'"> $HOME `id` ${1}'


async def open_playground(page: Page, voxgate: Voxgate) -> None:
    await page.goto(f"{voxgate.url}/playground#key={voxgate.key}")
    await expect(page.get_by_test_id("connect")).to_be_visible()


async def connect(page: Page) -> None:
    await page.get_by_test_id("connect").click()
    await expect(page.get_by_test_id("phase")).to_have_attribute("data-state", "live", timeout=SPEECH_MS)


def said(where: Page | Locator, who: str, words: str) -> Locator:
    return where.get_by_test_id(f"{who}-transcript").filter(has_text=re.compile(words, re.IGNORECASE)).first


async def recorded(page: Page, voxgate: Voxgate, link: str = "session-link") -> dict[str, Any]:
    """Hangs up, if that is still to do, and gives the trace that the page links to."""
    if await page.get_by_test_id("hangup").count():
        await page.get_by_test_id("hangup").click()
    href = await page.get_by_test_id(link).get_attribute("href", timeout=SPEECH_MS)
    assert href
    return await voxgate.finished_session(href.rpartition("/")[2])


async def test_speaking_over_the_answer_ends_it_and_tells_how_much_was_heard(
    voxgate: Voxgate, open_page: OpenPage, voice: Voice
) -> None:
    # Made before they are needed: making speech takes long on a full machine, and the story ends.
    wish, question = (voice(words).astype("<i2").tobytes() for words in ("Tell me a story.", QUESTION))
    async with open_page() as page:
        await give_mouth(page)
        await open_playground(page, voxgate)
        await connect(page)
        await say(page, wish)
        await expect(said(page, "assistant", "said hello")).to_be_visible(timeout=SPEECH_MS)
        await say(page, question)
        cut = page.locator("[data-testid=assistant-transcript][data-state=interrupted]").first
        await expect(cut).to_contain_text(re.compile(r"heard \d"), timeout=SPEECH_MS)
        await expect(said(page, "user", "weather.*Paris")).to_be_visible(timeout=SPEECH_MS)
        await expect(page.get_by_test_id("v2v")).to_contain_text("ms", timeout=SPEECH_MS)
        await expect(said(page, "assistant", "Paris")).to_be_visible(timeout=SPEECH_MS)
        await picture(page, "playground-barge-in")
        trace = await recorded(page, voxgate)
    answers = [span for span in trace["spans"] if span["type"] == "response"]
    events = (await voxgate.request("GET", f"/api/sessions/{trace['id']}/events")).decode().splitlines()
    truncations = [json.loads(line)["msg"] for line in events if '"conversation.item.truncate"' in line]
    assert truncations
    assert truncations[0]["audio_end_ms"] > 0
    assert trace["interruptions"] >= 1
    assert len(answers) >= 2


async def test_a_sound_file_is_played_in_to_two_calls_with_the_same_sound(
    voxgate: Voxgate, open_page: OpenPage, question: bytes, tmp_path: Path
) -> None:
    file = tmp_path / "stereo-48k.wav"
    samples = np.repeat(np.frombuffer(question, "<i2"), 2)
    with wave.open(str(file), "wb") as sound:
        sound.setnchannels(2)
        sound.setsampwidth(2)
        sound.setframerate(48_000)
        sound.writeframes(np.stack([samples, samples], axis=1).tobytes())
    async with open_page() as page:
        await open_playground(page, voxgate)
        await page.get_by_test_id("compare").click()
        await page.get_by_role("tab", name="B").click()
        await page.get_by_test_id("voice").select_option("cedar")
        await page.get_by_text("Formats and transcription").click()
        await page.get_by_test_id("outputFormat").select_option("audio/pcmu")
        await page.get_by_test_id("sound-file").set_input_files(file)
        await expect(page.get_by_test_id("input-choice")).to_contain_text("stereo-48k.wav")
        await connect(page)
        for side in ("side-a", "side-b"):
            where = page.get_by_test_id(side)
            await expect(said(where, "user", "weather.*Paris")).to_be_visible(timeout=SPEECH_MS)
            await expect(said(where, "assistant", "Paris")).to_be_visible(timeout=SPEECH_MS)
        await expect(page.get_by_test_id("v2v")).to_contain_text("ms", timeout=SPEECH_MS)
        await expect(page.get_by_test_id("v2v-b")).to_contain_text("ms", timeout=SPEECH_MS)
        await picture(page, "playground-two")
        a = await recorded(page, voxgate)
        b = await recorded(page, voxgate, "session-link-b")
    assert a["id"] != b["id"]
    tracks = [await track(voxgate, each["id"]) for each in (a, b)]
    shortest = min(len(each) for each in tracks)
    assert shortest > len(question) // 2
    np.testing.assert_array_equal(tracks[0][:shortest], tracks[1][:shortest])
    assert {each["config"]["audio"]["output"]["voice"] for each in (a, b)} == {"marin", "cedar"}


async def listed(voxgate: Voxgate, project: str, at_least: int) -> list[dict[str, Any]]:
    """Its sessions, newest first, once there are so many: a call is in the list a moment after it began."""
    async with asyncio.timeout(60):
        while True:
            found: list[dict[str, Any]] = (
                await voxgate.request("GET", f"/api/sessions?project={project}&limit=500")
            )["items"]
            if len(found) >= at_least:
                return found
            await asyncio.sleep(0.1)


async def track(voxgate: Voxgate, session_id: str) -> Any:
    data = await voxgate.request("GET", f"/api/sessions/{session_id}/audio?track=user&format=wav")
    return np.frombuffer(data[44:], "<i2")


# At once, however slow the machine is: by the mouse it may be held for long enough to be heard.
PRESS_AND_LET_GO = """button => ["keydown", "keyup"].forEach(
    kind => button.dispatchEvent(new KeyboardEvent(kind, { key: " ", bubbles: true })))"""


async def test_push_to_talk_sends_what_was_said_while_the_button_was_held(
    voxgate: Voxgate, open_page: OpenPage, spoken_question: Path
) -> None:
    async with open_page() as page:
        await open_playground(page, voxgate)
        await page.get_by_test_id("mode-push-to-talk").check()
        await page.get_by_test_id("sound-file").set_input_files(spoken_question)
        await connect(page)
        await expect(said(page, "user", "weather.*Paris")).to_be_visible(timeout=SPEECH_MS)
        await expect(page.get_by_test_id("play-file")).to_be_enabled(timeout=SPEECH_MS)
        await page.get_by_test_id("talk").evaluate(PRESS_AND_LET_GO)
        await expect(said(page, "error", "too short")).to_be_visible()
        trace = await recorded(page, voxgate)
    assert trace["config"]["audio"]["input"]["turn_detection"] is None
    assert len([span for span in trace["spans"] if span["type"] == "user"]) >= 1


def png(path: Path) -> Path:
    """Four by four pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 4, 8, 2, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress((b"\0" + b"\xff\x80\x00" * 4) * 4))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + body + chunk(b"IEND", b""))
    return path


async def test_words_pictures_and_tools_are_sent_and_shown_as_what_they_are(
    voxgate: Voxgate, open_page: OpenPage, tmp_path: Path
) -> None:
    tool = {"type": "function", "name": "find_order", "description": f"Finds an order {NASTY}"}
    async with open_page() as page:
        await open_playground(page, voxgate)
        await page.get_by_test_id("instructions").fill(NASTY)
        await page.get_by_test_id("add-tool").click()
        await page.get_by_test_id("tool-definition").fill('{"type": "function", "name": "<b>x</b>"}')
        await expect(page.get_by_test_id("tool-validity")).to_contain_text("letters, digits")
        await page.get_by_test_id("tool-definition").fill(json.dumps(tool))
        await page.get_by_test_id("tool-result").fill(NASTY)
        await expect(page.get_by_test_id("tool-validity")).to_have_text("Valid")
        await connect(page)
        await page.get_by_test_id("picture-file").set_input_files(png(tmp_path / "four.png"))
        await expect(page.get_by_test_id("picture")).to_be_visible()
        await page.get_by_test_id("text-input").fill(f"Please find order. {NASTY}")
        await page.get_by_test_id("send-text").click()
        await expect(page.get_by_test_id("shown-picture")).to_be_visible(timeout=SPEECH_MS)
        await expect(said(page, "user", "O'Brien")).to_contain_text("<img src=x")
        await expect(page.get_by_test_id("tool-transcript").first).to_contain_text("<img", timeout=SPEECH_MS)
        assert await page.locator(".transcript img").count() == 1
        assert await page.title() != "run"
        trace = await recorded(page, voxgate)
        await page.goto(f"{voxgate.url}/sessions/{trace['id']}")
        shown = page.get_by_test_id("picture")
        await expect(shown).to_be_visible(timeout=SPEECH_MS)
        await page.wait_for_function(
            "() => document.querySelector('[data-testid=picture]').naturalWidth === 4"
        )
    sent = (await voxgate.request("GET", f"/api/sessions/{trace['id']}/events")).decode()
    assert "data:image/png;base64," in sent
    assert trace["config"]["instructions"] == NASTY


async def test_without_a_microphone_one_is_told_what_to_do_and_types_and_saves_the_call_as_a_case(
    voxgate: Voxgate, open_page: OpenPage
) -> None:
    async with open_page() as page:
        await page.add_init_script(
            "navigator.mediaDevices.getUserMedia = () => "
            "Promise.reject(new DOMException('no', 'NotAllowedError'));"
        )
        await open_playground(page, voxgate)
        await connect(page)
        await expect(page.get_by_role("alert")).to_contain_text("Allow it in the address bar, or type")
        await page.get_by_test_id("text-input").fill("Good morning")
        await page.get_by_test_id("text-input").press("Enter")
        answer = page.get_by_test_id("assistant-transcript").first
        await expect(answer).to_have_attribute("data-state", "done", timeout=SPEECH_MS)
        await _is_saved_as_a_case(page)


async def _is_saved_as_a_case(page: Page) -> None:
    """Of a data set that is made for it."""
    await page.get_by_test_id("hangup").click()
    await page.get_by_test_id("save-as-case").click(timeout=SPEECH_MS)
    await page.get_by_test_id("pick-dataset").select_option("")
    await page.get_by_test_id("dataset-name").fill("from the playground")
    await page.get_by_test_id("add-cases").click()
    await page.get_by_test_id("open-dataset").click(timeout=SPEECH_MS)
    await expect(page.get_by_test_id("case-row")).to_contain_text("How can I help", timeout=SPEECH_MS)


async def code(page: Page, language: str) -> str:
    await page.get_by_role("tab", name=language, exact=True).click()
    shown = page.get_by_test_id(f"code-{language.lower()}").locator("pre code")
    return await shown.inner_text()


async def _settings_of_both_sides_are_kept(page: Page) -> None:
    await page.get_by_test_id("compare").click()
    await page.get_by_role("tab", name="B").click()
    await page.get_by_test_id("voice").select_option("ash")
    await page.reload()
    await expect(page.get_by_test_id("voice")).to_have_value("cedar")
    await page.get_by_role("tab", name="B").click()
    await expect(page.get_by_test_id("voice")).to_have_value("ash")
    await expect(page.get_by_test_id("instructions")).to_have_value(NASTY)
    await page.get_by_test_id("compare").click()


@asynccontextmanager
async def served(html: str, voxgate: Voxgate) -> AsyncIterator[str]:
    """The page on a site of its own, beside the function that makes its credential; the site's address."""

    async def index(_: web.Request) -> web.Response:
        icon = "<link rel=icon href=data:,>"
        return web.Response(text=html.replace("<title>", f"{icon}<title>"), content_type="text/html")

    async def token(_: web.Request) -> web.Response:
        return web.json_response(await voxgate.mint(model="local", logging={"project_name": "page"}))

    app = web.Application()
    app.router.add_get("/", index)
    app.router.add_post("/api/voice-token", token)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


async def test_the_page_to_copy_makes_a_call_with_microphone_tool_and_sound(
    voxgate: Voxgate, open_page: OpenPage, spoken_question: Path
) -> None:
    async with open_page() as page:
        await open_playground(page, voxgate)
        await page.get_by_test_id("instructions").fill(NASTY)
        await page.get_by_test_id("open-as-code").click()
        html = await code(page, "Browser")
    async with served(html, voxgate) as address, open_page(spoken_question) as page:
        await page.add_init_script(HEAR)
        await page.goto(address)
        await page.locator("#start").click()
        lines = page.locator("#transcript p")
        await expect(lines.filter(has_text=re.compile("you: .*paris", re.I))).to_be_visible(timeout=SPEECH_MS)
        await expect(lines.filter(has_text=re.compile("tool: get_weather.*Paris"))).to_be_visible()
        await expect(lines.filter(has_text="assistant: The city is Paris")).to_be_visible(timeout=SPEECH_MS)
        await page.wait_for_function("() => window.__loudest > 0.02", timeout=SPEECH_MS)
        assert await page.title() == "Voice call"
    (session,) = await listed(voxgate, "page", 1)
    trace = await voxgate.finished_session(session["id"])
    assert trace["config"]["instructions"] == NASTY


# How loud it was that went to the loudspeaker, at the loudest moment.
HEAR = """
window.__loudest = 0;
const connect = AudioNode.prototype.connect;
AudioNode.prototype.connect = function (to, ...rest) {
  if (to === this.context.destination) {
    const ear = this.context.createAnalyser(), samples = new Float32Array(ear.fftSize);
    connect.call(this, ear);
    setInterval(() => {
      ear.getFloatTimeDomainData(samples);
      window.__loudest = Math.max(window.__loudest, ...samples.map(Math.abs));
    }, 20);
  }
  return connect.call(this, to, ...rest);
};
"""


async def test_the_code_to_copy_runs_and_opens_the_same_session(
    voxgate: Voxgate, open_page: OpenPage, toolchain: Toolchain, node_client: Path, tmp_path: Path
) -> None:
    async with open_page() as page:
        await open_playground(page, voxgate)
        await page.get_by_test_id("voice").select_option("cedar")
        await page.get_by_test_id("instructions").fill(NASTY)
        await _settings_of_both_sides_are_kept(page)
        await page.get_by_test_id("open-as-code").click()
        programs = {name: await code(page, name) for name in ("Python", "Node", "Browser", "curl")}
    before = len(await listed(voxgate, "playground", 0))
    weather = '"What is the weather in Oslo?"'
    asked = {
        name: text.replace('"Hello! What can you do for me?"', weather) for name, text in programs.items()
    }
    assert asked["Python"] != programs["Python"]
    (tmp_path / "call.py").write_text(asked["Python"])
    (node_client / "call.mjs").write_text(asked["Node"])
    (tmp_path / "credential.sh").write_text(programs["curl"])
    env = environment(VOXGATE_API_KEY=voxgate.key)
    for command, folder in (
        ((sys.executable, "call.py"), tmp_path),
        ((toolchain.node, "call.mjs"), node_client),
    ):
        done = await run(*command, cwd=folder, env=env, seconds=120)
        assert done.status == 0, done.output
        assert re.search(r'tool: get_weather\(.*Oslo.*\) -> {"city": "Oslo"', done.output), done.output
        assert "assistant: The city is Oslo" in done.output
        assert (folder / "answer.pcm").stat().st_size > 24_000
    made = await run("sh", "credential.sh", cwd=tmp_path, env=env)
    credential = json.loads(made.output[made.output.index('{"') :])
    assert credential["session"]["instructions"] == NASTY
    assert credential["session"]["audio"]["output"]["voice"] == "cedar"
    sessions = (await listed(voxgate, "playground", before + 2))[:2]
    traces = [await voxgate.finished_session(each["id"]) for each in sessions]
    assert [trace["config"]["instructions"] for trace in traces] == [NASTY, NASTY]
    assert [trace["config"]["audio"]["output"]["voice"] for trace in traces] == ["cedar", "cedar"]
