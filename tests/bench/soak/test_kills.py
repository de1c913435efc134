"""A short run of the soak's kills, as `make soak ARGS="--kills 12"` does it, with few calls."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

KILLS = 12


@pytest.mark.timeout(600)
@pytest.mark.skipif(sys.platform != "linux", reason="finds the processes as Linux shows them")
def test_after_random_kills_every_trace_is_there_and_right(tmp_path: Path) -> None:
    command = [
        sys.executable, "-m", "bench.soak", "--kills", str(KILLS), "--calls", "5", "--workers", "2",
        "--minutes", "0.3", "--pcm-share", "0", "--folder", str(tmp_path), "--docs", str(tmp_path / "docs"),
    ]  # fmt: skip
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=590)
    said = done.stdout + done.stderr
    log = next(tmp_path.glob("voxgate-soak-*/voxgate.log"), None)
    assert done.returncode == 0, said + (log.read_text()[-5000:] if log else "")
    assert said.count("held  ") == 6
    report = (tmp_path / "docs" / "kills.md").read_text()
    assert f"| Processes were killed at random moments | yes | {KILLS}: " in report
    assert "worker killed" in report
