"""The page of one call: sought, jumped through by keys, scored, read without being harmed, listened to while
it runs, and ended.
"""

from __future__ import annotations

import asyncio
import base64
import io
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.async_api import Page, expect
from websockets.asyncio.client import ClientConnection, connect

from tests.browsers import settled
from tests.clients.conftest import Voice
from tests.e2e.axe import violations
from tests.e2e.calls import support_call
from tests.e2e.conftest import OpenPage
from tests.e2e.test_playground import picture
from tests.running import Voxgate

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.local, pytest.mark.timeout(240)]
LONG_MS = 90_000
SEEK_SECONDS = 0.05
RECORDING = "fixtures/realtime/recordings/test_openai_ws__test_tool_call_round.yaml"
PLACE = "() => window.__sounds.at(-1).currentTime"


async def imported(voxgate: Voxgate, log: bytes, name: str = "call.jsonl") -> dict[str, Any]:
    """The trace, once its sound can be played."""
    made = await voxgate.request("POST", f"/api/sessions/import?name={name}", data=io.BytesIO(log))
    session_id = made["items"][0]["id"]
    await voxgate.finished_session(session_id)
    async with asyncio.timeout(60):
        while True:
            trace: dict[str, Any] = await voxgate.request("GET", f"/api/sessions/{session_id}")
            if not trace["tracks"] or "mix" in trace["tracks"]:
                return trace
            await asyncio.sleep(0.05)


async def open_call(page: Page, voxgate: Voxgate, session_id: str, search: str = "") -> None:
    await page.goto(f"{voxgate.url}/sessions/{session_id}{search}#key={voxgate.key}")
    await expect(page.get_by_test_id("conversation")).to_be_visible(timeout=LONG_MS)
    await settled(page)


async def place(page: Page) -> float:
    """Of the sound, in seconds, once it has stopped moving there."""
    await page.wait_for_function("() => !window.__sounds.at(-1).seeking", timeout=LONG_MS)
    found: float = await page.evaluate(PLACE)
    return found


async def sought(page: Page, key: str) -> float:
    before = await place(page)
    await page.keyboard.press(key)
    await page.wait_for_function(f"(before) => ({PLACE})() !== before", arg=before, timeout=LONG_MS)
    return await place(page)


def spans_of(trace: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [span for span in trace["spans"] if span["type"] == kind]


@pytest.fixture(scope="module")
def support_log(voice: Voice) -> bytes:
    return support_call(voice)


async def test_a_call_is_sought_played_and_jumped_through(
    voxgate: Voxgate, open_page: OpenPage, support_log: bytes
) -> None:
    trace = await imported(voxgate, support_log)
    async with open_page(width=1680, height=1050) as page:
        await page.add_init_script(EARS)
        await open_call(page, voxgate, trace["id"], "?t=13.6")
        await expect(page.get_by_test_id("time")).to_have_text("0:13.6")
        await page.get_by_test_id("play").click()
        await page.wait_for_function(f"() => ({PLACE})() > 13.8", timeout=LONG_MS)
        await page.get_by_test_id("play").click()
        await _seeks_where_it_is_clicked(page, trace)
        await _jumps(page, trace)
        await _loops_a_turn(page)
        await _is_played_slower_faster_and_from_one_side(page, trace)
        # Within the answer that was cut, whose words that were not heard are crossed out.
        cut = spans_of(trace, "response")[1]["output"]["play_start_ms"] / 1000 + 0.2
        await page.evaluate("(at) => { window.__sounds.at(-1).currentTime = at; }", cut)
        await expect(page.locator(".entry.playing s")).to_be_visible()
        assert await violations(page) == []
        await page.evaluate("document.activeElement.blur()")
        await picture(page, "session")
        await page.emulate_media(color_scheme="light")
        assert await violations(page) == []
        await picture(page, "session-light")
        # What was written into words, results and settings stands there and was not run.
        assert await page.title() != "owned"
        await expect(page.get_by_test_id("entry-tool").first).to_contain_text("<script>document.title")
        await expect(page.get_by_test_id("entry-user").nth(1)).to_contain_text("<img src=x onerror=")
        await page.get_by_role("tab", name="Config").click()
        changed = page.get_by_test_id("config-version").last
        await expect(changed).to_contain_text("<script>document.title", timeout=LONG_MS)
        await expect(changed).to_contain_text("Be brief.")
        assert await page.title() != "owned"


async def _seeks_where_it_is_clicked(page: Page, trace: dict[str, Any]) -> None:
    box = await page.get_by_test_id("waveform").bounding_box()
    assert box is not None
    for share in (0.25, 0.8):
        await page.mouse.click(box["x"] + box["width"] * share, box["y"] + 20)
        assert await place(page) == pytest.approx(share * trace["duration_ms"] / 1000, abs=SEEK_SECONDS)
    head = await page.get_by_test_id("playhead").bounding_box()
    assert head is not None
    assert head["x"] == pytest.approx(box["x"] + box["width"] * 0.8, abs=2)
    await page.locator("[data-span] .words [data-word='0']").first.click()
    said = spans_of(trace, "user")[0]["start_ms"] / 1000
    assert await place(page) == pytest.approx(said, abs=SEEK_SECONDS)


async def _jumps(page: Page, trace: dict[str, Any]) -> None:
    cut = spans_of(trace, "response")[1]
    heard_end = (cut["output"]["play_start_ms"] + cut["metrics"]["audio_heard_ms"]) / 1000
    error = next(one["t_ms"] for one in trace["errors"]) / 1000
    turns = [span["start_ms"] / 1000 for span in spans_of(trace, "turn")]
    await page.keyboard.press("Home")
    assert await sought(page, "k") == pytest.approx(turns[0], abs=SEEK_SECONDS)
    assert await sought(page, "k") == pytest.approx(turns[1], abs=SEEK_SECONDS)
    assert await sought(page, "i") == pytest.approx(heard_end, abs=SEEK_SECONDS)
    # The second tool failed the schema but answered; the only error is the refused setting.
    assert await sought(page, "d") < error
    assert await sought(page, "e") == pytest.approx(error, abs=SEEK_SECONDS)
    assert await sought(page, "j") == pytest.approx(turns[1], abs=SEEK_SECONDS)


async def _is_played_slower_faster_and_from_one_side(page: Page, trace: dict[str, Any]) -> None:
    """By what the element does and by how loud each ear is, not by what the buttons say."""
    start = spans_of(trace, "user")[0]["start_ms"] / 1000 + 0.5  # two seconds in which only the user speaks
    for _ in range(2):
        await page.keyboard.press("u")  # the mixer, and with it what listens to it, is made now
    await page.keyboard.press(" ")
    for key, left, right in (("", True, False), ("u", False, False), ("u", True, False), ("a", True, True)):
        if key:
            await page.keyboard.press(key)
        loudest = await page.evaluate(LOUDEST, [start, 2, LONG_MS])
        assert [one > 0.02 for one in loudest] == [left, right], (key, loudest)
        assert [one < 0.002 for one in loudest] == [not left, not right], (key, loudest)
    await page.keyboard.press("a")
    for key, rate in ((">", 1.25), (">", 1.5), ("<", 1.25)):
        await page.keyboard.press(key)
        assert await page.evaluate("window.__sounds.at(-1).playbackRate") == rate
    await page.get_by_label("Speed").select_option("2")
    # Of the sound, for each second: twice as much, if the machine keeps up, and never as little as at once.
    await page.wait_for_function(RATE_OF_SOUND, arg=1.5, timeout=LONG_MS)
    await page.get_by_label("Speed").select_option("0.5")
    await page.wait_for_function(RATE_OF_SOUND, arg=-0.75, timeout=LONG_MS)
    await page.keyboard.press(" ")
    await page.get_by_label("Speed").select_option("1")


# How loud each ear was at the loudest moment of a stretch. Time is that of what sounds, not that of the wall:
# on a full machine they drift apart. What nobody looked at for too long is heard again.
LOUDEST = """async ([start, seconds, most_ms]) => {
  const sound = window.__sounds.at(-1), { context, ears } = window.__ears;
  const end = performance.now() + most_ms, wait = () => new Promise((done) => setTimeout(done, 10));
  const inTime = (what) => {
    if (performance.now() > end) throw new Error(`${what}: paused ${sound.paused} at ${sound.currentTime}, ` +
      `ready ${sound.readyState}, context ${context.state} at ${context.currentTime}`);
  };
  const until = async (what, condition) => {
    for (; !condition(); await wait()) inTime(what);
  };
  const samples = ears.map((ear) => new Float32Array(ear.fftSize));
  const window_s = ears[0].fftSize / context.sampleRate;
  for (;;) {
    await until("does not play", () => !sound.paused && context.state === "running");
    sound.currentTime = start;
    await until("does not seek", () => !sound.seeking);
    // Until what the ears look at, and what is on its way to them, is of after the seek and the last key.
    const begun = context.currentTime + window_s + 0.3;
    await until("stands still", () => context.currentTime > begun && sound.currentTime > start);
    const most = [0, 0];
    let last = context.currentTime, missed = 0;
    while (sound.currentTime < start + seconds) {
      ears.forEach((ear, at) => ear.getFloatTimeDomainData(samples[at]));
      samples.forEach((one, at) => { most[at] = Math.max(most[at], ...one.map(Math.abs)); });
      await wait();
      await until("stands still", () => context.currentTime > last);
      inTime("gets on too slowly");
      missed += Math.max(0, context.currentTime - last - window_s);
      last = context.currentTime;
    }
    if (missed < seconds / 4 && last - begun > seconds / 4) return most;
    inTime("is never heard whole");
  }
}"""
# What goes to the loudspeaker, ear by ear.
EARS = """
const connect = AudioNode.prototype.connect;
AudioNode.prototype.connect = function (to, ...rest) {
  if (to === this.context.destination) {
    const { context } = this, split = context.createChannelSplitter(2);
    connect.call(this, split);
    const ears = [0, 1].map((side) => {
      const ear = context.createAnalyser();
      ear.fftSize = 8192;
      connect.call(split, ear, side);
      return ear;
    });
    window.__ears = { context, ears };
  }
  return connect.call(this, to, ...rest);
};
"""
# Whether a second or more of the wall clock brought more (or, below zero, less) seconds of sound for each.
RATE_OF_SOUND = """(wanted) => {
  const sound = window.__sounds.at(-1), now = performance.now() / 1000, key = `${wanted}`;
  if (sound.currentTime > sound.duration - 3) sound.currentTime = 1;
  const began = window.__began;
  if (began?.key !== key || sound.currentTime < began.at) {
    window.__began = { key, now, at: sound.currentTime };
    return false;
  }
  if (now - began.now < 1) return false;
  const rate = (sound.currentTime - began.at) / (now - began.now);
  window.__began = null;
  return wanted > 0 ? rate > wanted : rate > 0 && rate < -wanted;
}"""


async def _loops_a_turn(page: Page) -> None:
    """Of a stretch that is dragged, over and over."""
    box = await page.get_by_test_id("waveform").bounding_box()
    assert box is not None
    await page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 20)
    await page.mouse.down()
    await page.mouse.move(box["x"] + box["width"] * 0.52, box["y"] + 20, steps=4)
    await page.mouse.up()
    await expect(page.get_by_test_id("loop")).to_be_visible()
    await page.keyboard.press(" ")
    back = "() => { const s = window.__sounds.at(-1), t = s.currentTime;"
    back += " const was = window.__was ?? 0; window.__was = t; return was > t && t > 15; }"
    await page.wait_for_function(back, timeout=LONG_MS, polling=20)
    await page.keyboard.press(" ")
    await page.keyboard.press("l")
    await expect(page.get_by_test_id("loop")).to_have_count(0)


async def test_a_score_by_key_and_a_comment_are_there_after_loading_again(
    voxgate: Voxgate, open_page: OpenPage, support_log: bytes
) -> None:
    trace = await imported(voxgate, support_log)
    async with open_page(width=1280, height=900) as page:
        await open_call(page, voxgate, trace["id"], "?tab=scores&t=5")
        await page.keyboard.press("4")
        await expect(page.get_by_test_id("rate-4")).to_have_attribute("aria-pressed", "true", timeout=LONG_MS)
        await page.keyboard.press("f")
        await expect(page.get_by_test_id("judge-fail")).to_have_attribute("aria-pressed", "true")
        await page.get_by_test_id("review-comment").fill("Here <b>it</b> waits too long. 5")
        await page.get_by_test_id("send-comment").click()
        await page.get_by_test_id("review-expected").fill("The refund at once")
        await page.get_by_test_id("send-expected").click()
        await expect(page.get_by_test_id("score")).to_have_count(4, timeout=LONG_MS)
        await page.reload()
        await expect(page.get_by_test_id("score")).to_have_count(4, timeout=LONG_MS)
        await expect(page.get_by_test_id("scores")).to_contain_text("Here <b>it</b> waits too long. 5")
        await expect(page.get_by_test_id("rate-4")).to_have_attribute("aria-pressed", "true")
        assert await violations(page) == []
        await picture(page, "session-scores")
    scores = (await voxgate.request("GET", f"/api/sessions/{trace['id']}/scores"))["items"]
    assert {(score["name"], score["value"], score["label"]) for score in scores} == {
        ("rating", 4, None), ("verdict", 0, "fail"), ("comment", None, None), ("expected", None, None),
    }  # fmt: skip
    assert next(score["evidence"] for score in scores if score["name"] == "comment")[0]["start_ms"] == 5000


async def test_a_recording_of_a_live_service_has_its_page(
    voxgate: Voxgate, open_page: OpenPage, shared: Path
) -> None:
    log = (shared / RECORDING).read_bytes()
    trace = await imported(voxgate, log, "recording.yaml")
    async with open_page() as page:
        await open_call(page, voxgate, trace["id"])
        for span in spans_of(trace, "tool"):
            await expect(page.get_by_test_id("entry-tool").first).to_contain_text(span["name"])
        await expect(page.get_by_test_id("span-turn")).to_have_count(len(spans_of(trace, "turn")))
        await page.get_by_role("tab", name="Raw events").click()
        count = page.get_by_test_id("event-count")
        await expect(count).to_have_text(re.compile(rf"^{trace['events_count']:,} events|^\d+ events"))


@asynccontextmanager
async def talking(voxgate: Voxgate, speech: bytes) -> AsyncIterator[tuple[ClientConnection, str]]:
    """A call whose user says the same again and again, at the pace of speech."""
    headers = {"additional_headers": voxgate.auth, "max_size": None}
    async with connect(f"{voxgate.ws_url}?model=local", **headers) as call:
        assert call.response is not None

        async def talk() -> None:
            while True:
                for start in range(0, len(speech), 4800):
                    audio = base64.b64encode(speech[start : start + 4800]).decode()
                    await call.send(json.dumps({"type": "input_audio_buffer.append", "audio": audio}))
                    await asyncio.sleep(0.1)

        async def hear() -> None:
            async for _ in call:
                pass

        tasks = [asyncio.create_task(one()) for one in (talk, hear)]
        yield call, call.response.headers["x-voxgate-session-id"]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_running_call_is_seen_heard_and_ended(voxgate: Voxgate, open_page: OpenPage) -> None:
    noise = np.random.default_rng(1).integers(-9000, 9000, 24_000).astype("<i2").tobytes()
    async with open_page() as page, talking(voxgate, noise) as (call, session_id):
        await page.goto(f"{voxgate.url}/#key={voxgate.key}")
        await expect(page.get_by_test_id("session-row").first).to_be_visible(timeout=LONG_MS)
        await page.goto(f"{voxgate.url}/sessions/{session_id}")
        await page.get_by_test_id("listen").click(timeout=LONG_MS)
        await expect(page.get_by_test_id("listen")).to_have_attribute("aria-pressed", "true", timeout=LONG_MS)
        # What was asked for before the app's script was there was taken by it.
        assert await page.evaluate("() => window.voxgateEarly.size") == 0
        # The sound's energy in the page: noise at a quarter of full scale.
        loud = "() => Number(document.querySelector('[data-testid=listen-level]')?.dataset.level) > 0.05"
        await page.wait_for_function(loud, timeout=LONG_MS)
        moved = "() => !/^0:00/.test(document.querySelector('[data-testid=time]').textContent)"
        await page.wait_for_function(moved, timeout=LONG_MS)
        await picture(page, "session-live")
        await page.get_by_test_id("end-call").click()
        await page.get_by_test_id("confirm-end").click()
        await call.wait_closed()
        await expect(page.get_by_test_id("status").first).not_to_contain_text("live", timeout=LONG_MS)
        await expect(page.get_by_test_id("play")).to_be_enabled(timeout=LONG_MS)
        await expect(page.get_by_test_id("listen")).to_have_count(0)
