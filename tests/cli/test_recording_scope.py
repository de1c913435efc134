"""What a credential says of recording, and how long recordings are kept, in a whole Voxgate."""

from __future__ import annotations

import base64
import json
import time
from datetime import datetime, timedelta
from pathlib import Path

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


@pytest.mark.anyio
async def test_a_call_without_its_sound_is_kept_for_as_long_as_its_credential_says(tmp_path: Path) -> None:
    environ = {"VOXGATE_RETENTION_DAYS": "30"}
    running = start_voxgate(tmp_path, "--workers", "2", environ=environ)
    try:
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
        blobs = FolderBlobs(tmp_path / "blobs")
        log = b"".join(read_lines(blobs, f"sessions/{session_id}")).decode()
        assert sound not in log
        assert "[not recorded: 4800 bytes]" in log
        assert {key.rpartition("/")[2] for key in blobs.list("sessions")} <= {"events.jsonl", "events.zst"}
        assert trace["delete_after"][:10] in voxgate(running, "sessions", "list")
        shown = voxgate(running, "sessions", "show", session_id)
        assert "audio not recorded" in shown
        assert f"kept until {trace['delete_after'][:10]}" in shown
    finally:
        assert running.stop() == 0


def test_what_is_older_than_the_settings_say_is_deleted(tmp_path: Path) -> None:
    blobs = FolderBlobs(tmp_path / "blobs")
    with Store(f"sqlite:///{tmp_path / 'voxgate.db'}") as store:
        for name, days in (("old", 31), ("new", 29)):
            started_at = iso_utc(now_utc() - timedelta(days=days))
            store.save_session({"id": name, "started_at": started_at, "status": "complete"})
            blobs.put(f"sessions/{name}/events.jsonl", b"PLUM")
        running = start_voxgate(tmp_path, environ={"VOXGATE_RETENTION_DAYS": "30"})
        try:
            deadline = time.monotonic() + 60
            while store.get_session("old") is not None:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        finally:
            assert running.stop() == 0
        assert store.get_session("new") is not None
        assert blobs.list("sessions/") == ["sessions/new/events.jsonl"]
