"""A long call costs little memory: five minutes here, an hour with `python -m bench.long_call`."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.conftest import REPOSITORY


def test_a_long_call_is_not_held_in_memory() -> None:
    """Five minutes are 29 MB of samples in two tracks, as many in the mix, and 40 MB of event log."""
    command = [sys.executable, "-m", "bench.long_call", "--minutes", "5"]
    done = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True)
    taken = json.loads(done.stdout)
    assert taken["recorder_mb"] < 12
    assert taken["archive_mb"] < 12
    assert taken["asking_mb"] < 12
    assert 10 < max(taken["encoder_mb"].values()) < 80  # nearly all of it are libraries
