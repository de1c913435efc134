"""A whole Voxgate puts a call away by itself; the commands and the API read it as before."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import random
import time
import wave
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect

from tests.cli.commands import Command
from tests.running import Voxgate, two_workers
from voxgate.testing.provider import ScriptedProvider

pytestmark = pytest.mark.anyio


async def call(gateway: Voxgate, messages: list[dict[str, Any]]) -> str:
    """Against a provider that sends everything back."""
    async with connect(f"{gateway.ws_url}?model=fake", additional_headers=gateway.auth) as socket:
        assert socket.response is not None
        for message in messages:
            await socket.send(json.dumps(message))
            assert json.loads(await socket.recv()) == message
        return socket.response.headers["x-voxgate-session-id"]


async def until_put_away(folder: Path, session_id: str) -> set[str]:
    deadline = time.monotonic() + 60
    while True:
        names = {path.name for path in (folder / "blobs" / "sessions" / session_id).iterdir()}
        if "events.zst" in names and not {"events.jsonl", "user.pcm", "assistant.pcm"} & names:
            return names
        assert time.monotonic() < deadline, names
        await asyncio.sleep(0.05)


def samples(wav: bytes) -> bytes:
    with wave.open(io.BytesIO(wav)) as file:
        return file.readframes(file.getnframes())


async def test_a_call_is_put_away_exported_and_rebuilt(tmp_path: Path) -> None:
    up, down = (random.Random(seed).randbytes(48_000) for seed in (1, 2))
    append = {"type": "input_audio_buffer.append", "audio": base64.b64encode(up).decode()}
    names = {"item_id": "item_1", "response_id": "resp_1"}
    created = {"type": "response.created", "response": {"id": "resp_1"}}
    delta = {"type": "response.output_audio.delta", "delta": base64.b64encode(down).decode(), **names}
    done = {"type": "response.done", "response": {"id": "resp_1", "status": "completed"}}
    async with ScriptedProvider() as provider:
        with two_workers(tmp_path, provider) as gateway:
            session_id = await call(gateway, [append, created, delta, done])
            trace = await gateway.finished_session(session_id)
            kept = await until_put_away(tmp_path, session_id)
            tracks, plans = {"user.flac", "assistant.flac"}, {"lanes.json", "peaks.json", "peaks.bin"}
            assert kept == {"events.zst", *tracks, *plans}
            run = Command(gateway, here=True)
            folder = tmp_path / "exported"
            assert Command(gateway)("sessions", "export", session_id, "--to", str(folder)).status == 0
            lines = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
            for direction in ("client", "server"):
                messages = [line["msg"] for line in lines if line["dir"] == direction and "msg" in line]
                assert messages == [append, created, delta, done]
            assert samples((folder / "user.wav").read_bytes()) == up
            assert samples((folder / "assistant.wav").read_bytes()) == down
            assert len(samples((folder / "mix.wav").read_bytes())) == trace["tracks"]["mix"]["bytes"]
            assert run("sessions", "rebuild", session_id).line == f"{session_id} rebuilt"
            assert run("sessions", "rebuild", "--q", "last:1h").line == f"{session_id} rebuilt"
            assert run("sessions", "rebuild", "--outdated").line == f"{session_id} current"
            assert await gateway.request("GET", f"/api/sessions/{session_id}") == trace
            await gateway.request("DELETE", f"/api/sessions/{session_id}")
            assert not (tmp_path / "blobs" / "sessions" / session_id).exists()
