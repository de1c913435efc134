"""`python -m tests.e2e.real_trace`: a real call with the embedded provider, spoken at the pace of speech,
with a tool and an interruption, and its trace and picture into docs/traces.md (`make screenshots`).
"""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from playwright.async_api import async_playwright, expect
from websockets.asyncio.client import ClientConnection, connect

from tests.clients.speech import Speaker
from tests.running import Voxgate, start_voxgate

DOCS: Final = Path(__file__).resolve().parents[2] / "docs"
PIECE_MS: Final = 20
BYTES_PER_MS: Final = 48
SECONDS: Final = 90
TOOL: Final = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather in a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string", "description": "Name of the city"}},
        "required": ["city"],
    },
}
SESSION: Final = {
    "type": "realtime",
    "instructions": "You are a weather service. Be brief.",
    "tools": [TOOL],
    "audio": {"input": {"transcription": {"model": "whisper-1"}}},
}
_MOST: Final = 16
"""Fields of one object that are shown."""
BEGIN, END = "<!-- real trace: make screenshots -->", "<!-- end of the real trace -->"
_SHOWN: Final = (
    "speech_ms",
    "endpointing_ms",
    "commit_to_response_ms",
    "voice_to_voice_ms",
    "audio_heard_ms",
)


class Caller:
    """A client with a microphone that is always open, and a loudspeaker that plays what comes."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._speech = bytearray()
        self._playing: tuple[str, float, float] | None = None
        """The item, since when it sounds, and until when."""
        self.answers = 0
        self.cut = 0

    def say(self, pcm: bytes) -> None:
        self._speech += pcm

    @property
    def played_ms(self) -> float:
        """Of what sounds now; 0 in silence."""
        now = time.monotonic()
        if self._playing is None or now >= self._playing[2]:
            return 0.0
        return (now - self._playing[1]) * 1000

    async def speak(self) -> None:
        size, began, count = PIECE_MS * BYTES_PER_MS, time.monotonic(), 0
        while True:
            piece = bytes(self._speech[:size])
            del self._speech[:size]
            audio = base64.b64encode(piece + bytes(size - len(piece))).decode()
            await self.send("input_audio_buffer.append", audio=audio)
            count += 1
            await asyncio.sleep(max(0.0, began + count * PIECE_MS / 1000 - time.monotonic()))

    async def hear(self) -> None:
        async for text in self._socket:
            event = json.loads(text)
            match event["type"]:
                case "response.output_audio.delta":
                    self._play(event)
                case "response.done":
                    self.answers += _is_spoken(event["response"])
                case "input_audio_buffer.speech_started":
                    await self._fall_silent()
                case "response.function_call_arguments.done":
                    await self._answer_tool(event)
                case "error":
                    raise AssertionError(event)

    async def send(self, kind: str, **fields: Any) -> None:
        await self._socket.send(json.dumps({"type": kind, **fields}))

    def _play(self, event: dict[str, Any]) -> None:
        now, length = time.monotonic(), len(base64.b64decode(event["delta"])) / BYTES_PER_MS / 1000
        if self._playing is None or self._playing[0] != event["item_id"]:
            self._playing = (event["item_id"], now, now)
        item, since, until = self._playing
        self._playing = (item, since, max(until, now) + length)

    async def _fall_silent(self) -> None:
        heard_ms = round(self.played_ms)
        if self._playing is not None and heard_ms:
            cut = {"item_id": self._playing[0], "content_index": 0, "audio_end_ms": heard_ms}
            await self.send("conversation.item.truncate", **cut)
            self._playing = None
            self.cut += 1

    async def _answer_tool(self, event: dict[str, Any]) -> None:
        await asyncio.sleep(0.4)  # as long as a weather service takes
        output = json.dumps({"temperature_celsius": 14, "sky": "cloudy"})
        item = {"type": "function_call_output", "call_id": event["call_id"], "output": output}
        await self.send("conversation.item.create", item=item)
        await self.send("response.create")


def _is_spoken(response: dict[str, Any]) -> bool:
    calls = [item for item in response["output"] if item["type"] == "function_call"]
    return response["status"] == "completed" and not calls


async def until(condition: Any) -> None:
    async with asyncio.timeout(SECONDS):
        while not condition():
            await asyncio.sleep(0.02)


async def call(voxgate: Voxgate) -> str:
    """Asks for the weather, interrupts a story, and hears the next answer to its end."""
    speaker = Speaker()
    said = [speaker.pcm(text) for text in ("What is the weather in Paris?", "Tell me a story.", "Thank you.")]
    key = (await voxgate.mint(logging={"project_name": "demo"}, metadata={"user_id": "u_17"}))["key"]
    headers = {"Authorization": f"Bearer {key}"}
    async with connect(f"{voxgate.ws_url}?model=local", additional_headers=headers) as socket:
        assert socket.response is not None
        caller = Caller(socket)
        await caller.send("session.update", session=SESSION)
        hearing, speaking = asyncio.create_task(caller.hear()), asyncio.create_task(caller.speak())
        caller.say(bytes(500 * BYTES_PER_MS) + said[0])
        await until(lambda: caller.answers >= 1 and not caller.played_ms)
        caller.say(bytes(300 * BYTES_PER_MS) + said[1])
        await until(lambda: caller.played_ms > 2000)
        caller.say(said[2])
        await until(lambda: caller.cut == 1)
        answers = caller.answers
        await until(lambda: caller.answers > answers and not caller.played_ms)
        await asyncio.sleep(0.5)
        speaking.cancel()
        await socket.close()
        await asyncio.gather(hearing, speaking, return_exceptions=True)
        return str(socket.response.headers["x-voxgate-session-id"])


async def take_picture(voxgate: Voxgate, session_id: str) -> None:
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = await browser.new_page(viewport={"width": 1440, "height": 900}, color_scheme="light")
        await page.goto(f"{voxgate.url}/sessions/{session_id}#key={voxgate.key}")
        await expect(page.get_by_test_id("conversation")).to_be_visible(timeout=SECONDS * 1000)
        await expect(page.get_by_test_id("entry-tool").first).to_be_visible(timeout=SECONDS * 1000)
        await page.wait_for_load_state("networkidle")
        await page.screenshot(path=DOCS / "images" / "trace.png")
        await browser.close()


# Into words


def tree(trace: dict[str, Any]) -> str:
    """The spans with their times, each under the one that it belongs to."""
    lines = []
    depths = {None: -1}
    for span in in_order(trace["spans"]):
        depth = depths[span["id"]] = depths[span["parent_id"]] + 1
        head = f"{'  ' * depth}{span['type']} {span['name']}".rstrip()
        end = f"{span['end_ms'] / 1000:7.2f}" if span["end_ms"] is not None else "      –"
        times = f"{span['start_ms'] / 1000:7.2f} {end}"
        lines.append(f"{times}  {head:<26} {span['status']:<12} {words_of(span)}".rstrip())
    return "\n".join(["  start     end  span                       status       what was said", *lines])


def in_order(spans: list[dict[str, Any]], parent: str | None = None) -> list[dict[str, Any]]:
    found = []
    for span in spans:
        if span["parent_id"] == parent:
            found += [span, *in_order(spans, span["id"])]
    return found


def words_of(span: dict[str, Any]) -> str:
    given, gave = span["input"] or {}, span["output"] or {}
    if span["type"] == "tool":
        return f"{json.dumps(given['arguments'])} → {json.dumps(gave['result'])}"
    side = {"user": given, "response": gave}.get(span["type"], {})
    text = side.get("heard_transcript") or side.get("transcript") or ""
    return f"“{text}”" if text else ""


def shortened(value: Any) -> Any:
    """Without nulls and empty things; long texts and lists are cut."""
    if isinstance(value, dict):
        kept = {name: shortened(one) for name, one in value.items()}
        left = [(name, one) for name, one in kept.items() if one not in (None, {}, [], "")]
        return dict(left[:_MOST]) | ({"…": f"{len(left) - _MOST} more"} if len(left) > _MOST else {})
    if isinstance(value, list):
        return [shortened(one) for one in value[:2]] + (["…"] if len(value) > 2 else [])
    if isinstance(value, str) and len(value) > 80:
        return value[:79] + "…"
    return value


def section(trace: dict[str, Any]) -> str:
    cut = next(
        span for span in trace["spans"] if span["type"] == "response" and span["status"] == "cancelled"
    )
    names = ("status", "title", "duration_ms", "turns", "interruptions", "cost_usd", "audio_ms", "metrics")
    whole = shortened({name: trace[name] for name in names})
    return (
        f"{BEGIN}\n```text\n{tree(trace)}\n```\n\n"
        "The answer that was interrupted, shortened (nulls are left out):\n\n"
        f"```json\n{json.dumps(shortened(cut), indent=1, ensure_ascii=False)}\n```\n\n"
        "And of the session:\n\n"
        f"```json\n{json.dumps(whole, indent=1, ensure_ascii=False)}\n```\n{END}"
    )


def write(trace: dict[str, Any]) -> None:
    path = DOCS / "traces.md"
    text = path.read_text()
    before, _, rest = text.partition(BEGIN)
    path.write_text(before + section(trace) + rest.partition(END)[2])


async def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="voxgate-trace-"))
    voxgate = await asyncio.to_thread(start_voxgate, folder)
    try:
        session_id = await call(voxgate)
        trace = await voxgate.finished_session(session_id)
        assert trace["interruptions"] == 1, trace["interruptions"]
        await take_picture(voxgate, session_id)
        write(trace)
    finally:
        await asyncio.to_thread(voxgate.stop)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    asyncio.run(main())
