"""What a credential says of recording, and how long recordings are kept, in a whole Voxgate."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from websockets.asyncio.client import connect

from tests.cli.commands import run_here
from tests.running import Voxgate, start_voxgate
from voxgate.core.clock import iso_utc, now_utc
from voxgate.recording.reading import read_lines
from voxgate.store import FolderBlobs, Store


def voxgate(running: Voxgate, *words: str) -> str:
    done = run_here(running, *words)
    assert done.status == 0, done
    return done.output


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Voxgate]:
    """Keeps recordings for thirty days, and starts with an older and a younger one."""
    folder = tmp_path_factory.mktemp("voxgate")
    blobs = FolderBlobs(folder / "blobs")
    with Store(f"sqlite:///{folder / 'voxgate.db'}") as store:
        for name, days in (("old", 31), ("new", 29)):
            started_at = iso_utc(now_utc() - timedelta(days=days))
            store.save_session({"id": name, "started_at": started_at, "status": "complete"})
            blobs.put(f"sessions/{name}/events.jsonl", b"PLUM")
    running = start_voxgate(folder, "--workers", "2", environ={"VOXGATE_RETENTION_DAYS": "30"})
    yield running
    assert running.stop() == 0


@pytest.mark.anyio
async def test_a_call_without_its_sound_is_kept_for_as_long_as_its_credential_says(running: Voxgate) -> None:
    flags = ("--project", "shop", "--no-audio", "--retention-days", "7")
    key = voxgate(running, "credentials", "create", "--model", "local", *flags).strip()
    headers = {"Authorization": f"Bearer {key}"}
    sound = base64.b64encode(b"\x01\x02" * 2400).decode()
    async with connect(f"{running.ws_url}?model=local", additional_headers=headers) as call:
        assert call.response is not None
        session_id = call.response.headers["x-voxgate-session-id"]
        assert json.loads(await call.recv())["type"] == "session.created"
        await call.send(json.dumps({"type": "input_audio_buffer.append", "audio": sound}))
        await call.send(json.dumps({"type": "input_audio_buffer.clear"}))
        while json.loads(await call.recv())["type"] != "input_audio_buffer.cleared":
            pass
    trace = await running.finished_session(session_id)
    assert trace["recorded"] == {"audio": False, "text": True}
    assert trace["audio_ms"]["in"] == 100
    kept = datetime.fromisoformat(trace["delete_after"]) - datetime.fromisoformat(trace["started_at"])
    assert kept == timedelta(days=7)
    blobs = FolderBlobs(running.data_dir / "blobs")
    log = b"".join(read_lines(blobs, f"sessions/{session_id}")).decode()
    assert sound not in log
    assert "[not recorded: 4800 bytes]" in log
    assert {key.rpartition("/")[2] for key in blobs.list(f"sessions/{session_id}")} <= {
        "events.jsonl",
        "events.zst",
    }
    assert trace["delete_after"][:10] in voxgate(running, "sessions", "list")
    shown = voxgate(running, "sessions", "show", session_id)
    assert "audio not recorded" in shown
    assert f"kept until {trace['delete_after'][:10]}" in shown


@pytest.mark.anyio
async def test_what_is_older_than_the_settings_say_is_deleted(running: Voxgate) -> None:
    blobs = FolderBlobs(running.data_dir / "blobs")
    async with asyncio.timeout(60):
        while "old" in await sessions_of(running) or blobs.list("sessions/old/"):
            await asyncio.sleep(0.05)
    assert "new" in await sessions_of(running)
    assert blobs.list("sessions/new/") == ["sessions/new/events.jsonl"]


async def sessions_of(running: Voxgate) -> set[str]:
    return {row["id"] for row in (await running.request("GET", "/api/sessions"))["items"]}
