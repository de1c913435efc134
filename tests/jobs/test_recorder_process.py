"""The recorder as a process of its own: it starts, records and stops when it is told or left alone."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from voxgate.recording.wirelog import WireLogWriter
from voxgate.store import Store

SCRIPT = (
    "import sys\n"
    "from pathlib import Path\n"
    "from voxgate.jobs.process import run_recorder\n"
    "ready = lambda: print('ready', flush=True)\n"
    "run_recorder(Path(sys.argv[1]), sys.argv[2], ready=ready, parent_pipe=True)\n"
)


@pytest.mark.parametrize("how", ["signal", "end of its input"])
def test_the_process_records_and_ends_when_told(tmp_path: Path, how: str) -> None:
    url = f"sqlite:///{tmp_path / 'voxgate.db'}"
    command = [sys.executable, "-c", SCRIPT, str(tmp_path), url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
        writer = WireLogWriter(tmp_path / "wire", "worker_1")
        log = writer.open("sess_1")
        log.fact({"type": "gateway.opened", "session_id": "sess_1", "started_at": "2026-11-22T10:00:00Z"})
        log.fact({"type": "gateway.closed", "code": 1000, "side": "client", "reason": ""})
        log.close()
        writer.stop()
        with Store(url) as store:
            deadline = time.monotonic() + 20
            while (row := store.get_session("sess_1")) is None or row["status"] != "complete":
                assert time.monotonic() < deadline
                time.sleep(0.02)
        if how == "signal":
            process.send_signal(signal.SIGTERM)
        else:
            process.stdin.close()
        assert process.wait(20) == 0
