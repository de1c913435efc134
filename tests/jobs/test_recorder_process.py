"""The recorder as a process of its own: it starts, records and stops when it is told or left alone."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from voxgate.core.settings import Settings
from voxgate.recording.spool import Spool
from voxgate.store import Store


@pytest.mark.parametrize("how", ["signal", "end of its input"])
def test_the_process_records_and_ends_when_told(tmp_path: Path, how: str) -> None:
    settings = Settings(data_dir=tmp_path)
    command = [sys.executable, "-m", "voxgate.cli.children", "recorder"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps({"settings": settings.model_dump(mode="json")}).encode() + b"\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"ready\n"
        writer = Spool(tmp_path / "wire", "worker_1")
        log = writer.open("sess_1")
        log.fact({"type": "gateway.opened", "session_id": "sess_1", "started_at": "2026-11-22T10:00:00Z"})
        log.close(1000, "", "client")
        writer.stop()
        with Store(settings.database_url) as store:
            deadline = time.monotonic() + 60
            while (row := store.get_session("sess_1")) is None or row["status"] != "complete":
                assert time.monotonic() < deadline
                time.sleep(0.02)
        if how == "signal":
            process.send_signal(signal.SIGTERM)
        else:
            process.stdin.close()
        assert process.wait(60) == 0
