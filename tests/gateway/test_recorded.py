"""Calls whose sound or words are not to be recorded, over real connections, up to the files of the trace."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests.gateway.conftest import RunningGateway, StartGateway
from voxgate.jobs.recorder import Recorder
from voxgate.recording.eventlog import EventLogBuilder
from voxgate.store import FolderBlobs, Store
from voxgate.testing.provider import ScriptedProvider, Upstreamed

pytestmark = pytest.mark.anyio

USER = base64.b64encode(b"\x01\x02" * 2400).decode()
VOICE = base64.b64encode(b"\x03\x04" * 4800).decode()
WORDS = ("The code is PLUM", "Say PLUM", "I said PLUM", "my name is PLUM")
LOCKED = {"session": {"instructions": "Say PLUM", "lock": "locked"}}


async def voice_service(call: Upstreamed) -> None:
    session: dict[str, Any] = {"type": "realtime", "instructions": "Say PLUM", "model": "m"}
    await call.send(json.dumps({"type": "session.created", "event_id": "e1", "session": session}))
    async for message in call:
        if isinstance(message, bytes):
            continue
        event = json.loads(message)
        if event["type"] == "session.update":
            await call.send(json.dumps({"type": "session.updated", "event_id": "e2", "session": session}))
        if event["type"] == "response.create":
            await _answer(call)


async def _answer(call: Upstreamed) -> None:
    ids = {"response_id": "resp_1", "item_id": "item_1"}
    usage = {"total_tokens": 9, "input_tokens": 4, "output_tokens": 5}
    for event in (
        {"type": "response.created", "response": {"id": "resp_1"}},
        {"type": "response.output_audio.delta", "delta": VOICE, **ids},
        {"type": "response.output_audio_transcript.delta", "delta": "The code is PLUM", **ids},
        {"type": "response.done", "response": {"id": "resp_1", "status": "completed", "usage": usage}},
    ):
        await call.send(json.dumps(event))


async def talk(socket: ClientConnection) -> list[str]:
    await socket.send(json.dumps({"type": "input_audio_buffer.append", "audio": USER}))
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "I said PLUM"}]}
    await socket.send(json.dumps({"type": "conversation.item.create", "item": item}))
    await socket.send(b"\x01\x02 I said PLUM")
    await socket.send(json.dumps({"type": "response.create"}))
    heard: list[str] = []
    while not heard or '"response.done"' not in heard[-1]:
        heard.append(str(await asyncio.wait_for(socket.recv(), 60)))
    await socket.close(1000, "my name is PLUM")
    return heard


async def recorded(gateway: RunningGateway) -> str:
    """All that the wire log of the only call says, with its frames decoded."""
    builder = EventLogBuilder()
    lines = [line for record in await gateway.records() for line, _ in builder.entries(record)]
    raw = [base64.b64decode(entry["raw"]).decode() for entry in map(json.loads, lines) if "raw" in entry]
    return b"".join(lines).decode() + "".join(raw)


def trace_of(gateway: RunningGateway) -> dict[str, Any]:
    settings = gateway.worker.settings
    with Store(settings.database_url) as store:
        recorder = Recorder(wire_dir=settings.wire_dir, store=store, blobs=FolderBlobs(settings.blobs_dir))
        for _ in range(200):
            recorder.step()
        rows, _ = store.list_sessions()
        assert [row["status"] for row in rows] == ["complete"]
        row = store.get_session(rows[0]["id"])
        assert row is not None
        return row


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("scopes", [{}, LOCKED], ids=["unseen", "mediated"])
@pytest.mark.parametrize(("audio", "text"), [(False, True), (True, False), (False, False), (True, True)])
async def test_what_is_not_to_be_recorded_reaches_no_file(
    start_gateway: StartGateway, tmp_path: Path, scopes: dict[str, Any], *, audio: bool, text: bool
) -> None:
    async with ScriptedProvider(voice_service) as provider, start_gateway(provider.base_url) as gateway:
        logging = {"project_name": "p", "audio": audio, "text": text}
        key = await gateway.mint(model="fake" if scopes else None, logging=logging, **scopes)
        headers = {"Authorization": f"Bearer {key}"}
        async with connect(f"{gateway.unseen_url}?model=fake", additional_headers=headers) as socket:
            heard = await talk(socket)
        assert any(VOICE in message for message in heard)
        assert any(USER in str(message) for message in provider.calls[0].messages)
        kept = await recorded(gateway)
        assert (USER in kept, VOICE in kept) == (audio, audio)
        assert [words in kept for words in WORDS if words != "Say PLUM" or scopes] == [text] * (
            3 + bool(scopes)
        )
        row = trace_of(gateway)
        data, files = row["data"], files_of(tmp_path / "blobs")
        assert data["recorded"] == {"audio": audio, "text": text}
        assert ("PLUM" in json.dumps(row, default=str)) == text
        assert b"PLUM" not in b"".join(files.values()) or text
        assert set(data["tracks"]) == ({"user", "assistant", "heard", "mix"} if audio else set())
        assert any(name.endswith(".pcm") for name in files) == audio
        assert [bool(span["attachments"]) for span in row["spans"] if span["type"] == "session"] == [audio]


@pytest.mark.parametrize(("audio", "text"), [(False, True), (False, False)])
async def test_a_call_without_recorded_sound_is_measured_all_the_same(
    start_gateway: StartGateway, *, audio: bool, text: bool
) -> None:
    async with ScriptedProvider(voice_service) as provider, start_gateway(provider.base_url) as gateway:
        key = await gateway.mint(logging={"project_name": "p", "audio": audio, "text": text})
        headers = {"Authorization": f"Bearer {key}"}
        async with connect(f"{gateway.unseen_url}?model=fake", additional_headers=headers) as socket:
            await talk(socket)
        await gateway.records()
        row = trace_of(gateway)
        assert row["data"]["audio_ms"]["in"] == 100
        assert row["data"]["audio_ms"]["generated"] == 200
        assert row["data"]["usage"]["total_tokens"] == 9
        (response,) = [span for span in row["spans"] if span["type"] == "response"]
        assert response["metrics"]["model_ttfa"] is not None
        assert response["metrics"]["audio_generated_ms"] == 200


async def test_metadata_and_retention_are_on_the_trace(start_gateway: StartGateway) -> None:
    async with ScriptedProvider(voice_service) as provider, start_gateway(provider.base_url) as gateway:
        key = await gateway.mint(
            logging={"project_name": "shop", "retention_days": 7, "text": False},
            metadata={"user_id": "u 42", "tags": ["vip"]},
        )
        headers = {"Authorization": f"Bearer {key}"}
        async with connect(f"{gateway.unseen_url}?model=fake", additional_headers=headers) as socket:
            await talk(socket)
        await gateway.records()
        row = trace_of(gateway)
        assert (row["project"], row["metadata"], row["tags"]) == ("shop", {"user_id": "u 42"}, ["vip"])
        assert row["data"]["retention_days"] == 7
        assert row["delete_after"][:10] > row["started_at"][:10]


@pytest.mark.parametrize(
    ("logging", "param"),
    [
        ({"project_name": "p", "audio": "no"}, "logging.audio"),
        ({"project_name": "p", "retention_days": 0}, "logging.retention_days"),
        ({"project_name": "p", "retention": 7}, "logging.retention"),
        ({"audio": False}, "logging.project_name"),
    ],
)
async def test_a_wrong_logging_scope_is_refused(
    start_gateway: StartGateway, logging: dict[str, Any], param: str
) -> None:
    async with start_gateway() as gateway:
        status, body = await gateway.post("/v1/credentials", {"logging": logging})
        assert (status, body["error"]["param"]) == (400, param)
