"""A child process as its parent sees it: started, started again, stopped in time."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from voxgate.cli.processes import Child, stop_children

STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(99)"
)
WILLING_WHEN_HURRIED = (
    "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "signal.signal(signal.SIGINT, lambda *_: sys.exit(7)); print(flush=True); time.sleep(99)"
)


def run(program: str, stop_seconds: float) -> Child:
    child = Child("stubborn", {}, stop_seconds=stop_seconds)
    child.process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert child.process.stdout is not None
    child.process.stdout.readline()
    return child


@pytest.fixture
def stubborn() -> Iterator[Child]:
    child = run(STUBBORN, 0.2)
    yield child
    child.kill()
    assert child.process is not None
    assert child.process.stdout is not None
    child.process.stdout.close()


def test_a_child_that_does_not_end_in_time_is_killed(stubborn: Child) -> None:
    stop_children([stubborn], in_a_hurry=lambda: False)
    assert stubborn.process is not None
    assert stubborn.process.returncode == -signal.SIGKILL


def test_a_child_with_much_time_is_told_when_it_is_in_a_hurry() -> None:
    child = run(WILLING_WHEN_HURRIED, 1000)
    stop_children([child], in_a_hurry=lambda: True)
    assert child.process is not None
    assert child.process.stdout is not None
    child.process.stdout.close()
    assert child.process.returncode == 7


def test_the_pause_grows_with_every_failure_and_is_forgotten_after_a_healthy_minute() -> None:
    child = Child("worker 1", {}, started_at=time.monotonic())
    pauses = [child.plan_restart() for _ in range(10)]
    assert pauses == sorted(pauses)
    assert pauses[-1] == 10
    child.started_at = time.monotonic() - 61
    assert child.plan_restart() == pauses[0]
    assert child.failures == 1
