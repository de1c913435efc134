"""What the nursery forks is as a program that was started."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.cli.processes import runs
from tests.nursery import HAS_NURSERY
from tests.running import NURSERY, none_left_running, start_voxgate, workers_of

pytestmark = pytest.mark.skipif(not HAS_NURSERY, reason="forks on Linux only")


def test_its_words_and_its_exit_code_are_heard(tmp_path: Path) -> None:
    environ = {**os.environ, "COLUMNS": "200", "VOXGATE_PORT": "many"}
    process = NURSERY.start(["voxgate", "serve"], tmp_path, environ)
    assert process.wait(60) == 2
    said = process.stdout.read()
    process.stdout.close()
    assert "VOXGATE_PORT" in said
    assert "Traceback" not in said


def test_it_and_its_children_show_their_arguments_and_heed_signals(tmp_path: Path) -> None:
    with none_left_running():
        voxgate = start_voxgate(tmp_path, "--drain-seconds", "0", local=False)
        shown = Path(f"/proc/{voxgate.process.pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
        assert shown[-2:] == [b"--drain-seconds", b"0"]
        assert Path(f"/proc/{voxgate.process.pid}/cwd").readlink() == tmp_path
        [worker] = workers_of(voxgate)
        assert os.getsid(worker) == worker
        voxgate.process.send_signal(signal.SIGKILL)
        assert voxgate.process.wait(60) == -signal.SIGKILL
        deadline = time.monotonic() + 60
        while runs(worker):  # its parent's end is its own
            assert time.monotonic() < deadline
            time.sleep(0.02)
