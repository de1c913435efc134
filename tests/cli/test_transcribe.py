"""A whole Voxgate gives a call the words that its provider did not, by itself and when it is asked."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect

from tests.cli.commands import Outcome, run_here
from tests.running import Voxgate, two_workers
from tests.transcription import KEY, Asked, Reply, transcribing_server, words_by_length
from voxgate.testing.provider import ScriptedProvider

pytestmark = pytest.mark.anyio

SETTINGS = f"""
[[routes]]
model = "scribe"
providers = ["words"]
[projects.shop]
transcribe = "scribe"
[providers.words]
api_key = "{KEY}"
base_url = """


async def speak(gateway: Voxgate, lengths_ms: list[int], **logging: Any) -> str:
    """A call with utterances of such lengths, to a provider that sends everything back."""
    key = (await gateway.mint(model="fake", logging=logging))["key"]
    async with connect(
        f"{gateway.ws_url}?model=fake", subprotocols=[f"openai-insecure-api-key.{key}"]
    ) as socket:
        assert socket.response is not None
        for number, ms in enumerate(lengths_ms):
            sound = base64.b64encode(random.Random(ms).randbytes(ms * 48)).decode()
            for message in (
                {"type": "input_audio_buffer.append", "audio": sound},
                {"type": "input_audio_buffer.commit"},
                {"type": "input_audio_buffer.committed", "item_id": f"u{number}"},
                {"type": "response.create"},
            ):
                await socket.send(json.dumps(message))
                await socket.recv()
        return socket.response.headers["x-voxgate-session-id"]


async def until(found: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 60
    while not found():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.05)


async def with_words(gateway: Voxgate, session_id: str) -> dict[str, Any]:
    await gateway.finished_session(session_id)
    deadline = time.monotonic() + 60
    while True:
        trace: dict[str, Any] = await gateway.request("GET", f"/api/sessions/{session_id}")
        if trace["transcription"] is not None:
            return trace
        assert time.monotonic() < deadline, "it has no words"
        await asyncio.sleep(0.05)


def recorder_of(gateway: Voxgate) -> int:
    parent = gateway.process.pid
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return next(int(pid) for pid in children if b"\0recorder" in Path(f"/proc/{pid}/cmdline").read_bytes())


async def facts(gateway: Voxgate, session_id: str) -> list[dict[str, Any]]:
    log: bytes = await gateway.request("GET", f"/api/sessions/{session_id}/events")
    messages = [json.loads(line).get("msg", {}) for line in log.splitlines()]
    return [message for message in messages if message.get("type") == "gateway.transcribed"]


async def transcribe(gateway: Voxgate, *arguments: str) -> Outcome:
    return await asyncio.to_thread(run_here, gateway, "sessions", "transcribe", *arguments)


async def test_calls_get_their_words_by_themselves_and_when_asked_for(tmp_path: Path) -> None:
    with transcribing_server() as server:
        quick = threading.Event()

        def answer(asked: Asked) -> Reply:
            if asked.seconds < 0.25:
                quick.wait(60)
            return words_by_length(asked)

        server.answer = answer
        async with ScriptedProvider() as provider:
            with two_workers(tmp_path, provider, f'{SETTINGS}"{server.base_url}"\n') as gateway:
                # The recorder is killed when it has the words of one utterance, and waits for the other's.
                session_id = await speak(gateway, [300, 200], project_name="shop")
                mark = tmp_path / "transcribe" / f"{session_id}.todo"
                await until(lambda: mark.exists() and b"said in 300 ms" in mark.read_bytes())
                await until(lambda: any(asked.seconds < 0.25 for asked in server.asked))
                os.kill(recorder_of(gateway), signal.SIGKILL)
                quick.set()
                trace = await with_words(gateway, session_id)
                assert trace["title"] == "said in 300 ms"
                assert trace["transcription"] == {
                    "by": "voxgate",
                    "model": "scribe",
                    "items": 2,
                    "failed": [],
                }
                assert [round(asked.seconds * 1000) for asked in server.asked].count(300) == 1
                assert [fact["item_id"] for fact in await facts(gateway, session_id)] == ["u0", "u1"]
                await until(lambda: not mark.exists())  # soon after the words are there

                asked = len(server.asked)
                other = await speak(gateway, [300], project_name="other")
                silent = await speak(gateway, [300], project_name="shop", audio=False)
                for one in (other, silent):
                    await gateway.finished_session(one)
                assert "No model is named" in (await transcribe(gateway, other)).output
                refused = await transcribe(gateway, other, "--model", "nobody")
                assert refused.status == 1
                assert "no route serves the model 'nobody'" in refused.output
                assert "has no sound" in (await transcribe(gateway, silent)).output
                assert (await transcribe(gateway, session_id)).line == f"{session_id} nothing"
                assert len(server.asked) == asked
                done = await transcribe(gateway, "--project", "other", "--model", "scribe")
                assert done.line == f"{other} 1 utterance"
                found = await gateway.request("GET", '/api/sessions?q="said in"')
                assert {item["id"] for item in found["items"]} == {session_id, other}

                # The log can be taken elsewhere, with the words in it.
                asked = len(server.asked)
                log = await gateway.request("GET", f"/api/sessions/{session_id}/events")
                (tmp_path / "own.jsonl").write_bytes(log)
                await gateway.request("DELETE", f"/api/sessions/{session_id}")
                done = await asyncio.to_thread(
                    run_here, gateway, "sessions", "import", str(tmp_path / "own.jsonl")
                )
                assert done.status == 0
                assert "older" not in done.output
                again = await with_words(gateway, session_id)
                assert again["title"] == trace["title"]
                assert len(server.asked) == asked
    assert KEY not in "".join(gateway.output)
