"""What a process asks of the scheduler, looked up where the system tells it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ASK = """
import os
from voxgate.core import scheduling
os.nice(5)
took = scheduling.take_short_slices(0.0005)
scheduling.step_aside()
print(took, os.nice(0), open('/proc/self/sched').read() if took else '')
"""


def asked() -> str:
    """In a process of its own: this one keeps its slices."""
    return subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, check=True).stdout


@pytest.mark.skipif(not Path("/proc/self/sched").exists(), reason="the system does not tell")
def test_slices_become_short_and_niceness_stays() -> None:
    told = asked()
    if told.startswith("False"):
        pytest.skip("this system has no slices that a process may choose")
    assert told.startswith(f"True {min(os.nice(0) + 5, 19)} ")
    slices = [line for line in told.splitlines() if line.startswith("se.slice")]
    assert [line.split()[-1] for line in slices] == ["500000"]


@pytest.mark.skipif(not hasattr(os, "SCHED_IDLE"), reason="this system has no such policy")
def test_what_the_system_takes_without_heeding_it_counts_for_nothing() -> None:
    """As Linux before 6.12 does with all processes, and with those that run only when nobody else does."""
    code = f"import os; os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))\n{ASK}"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.startswith("False")


def test_a_system_that_has_none_is_no_trouble() -> None:
    code = f"import platform; platform.machine = lambda: 'abacus'\n{ASK}"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.startswith("False")


@pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="this system has no autogroups")
def test_a_session_of_its_own_is_nice_as_a_whole() -> None:
    code = (
        "from voxgate.core import scheduling as s; s.be_nice(7); print(open('/proc/self/autogroup').read())"
    )
    command = [sys.executable, "-c", code]
    told = subprocess.run(command, capture_output=True, text=True, check=True, start_new_session=True).stdout
    assert told.strip().endswith("nice 7")
    ours = Path("/proc/self/autogroup").read_text()
    subprocess.run(command, capture_output=True, check=True)
    assert Path("/proc/self/autogroup").read_text() == ours, "another's session stays as it is"
