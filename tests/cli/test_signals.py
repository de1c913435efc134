"""Signals come in the middle of whatever a program does."""

from __future__ import annotations

import subprocess
import sys

# Sets an event by a signal again and again while it waits for that event, in the shortest of steps.
WAITS = """
import random, signal, threading, time
from voxgate.cli.signals import on_signals

event, heard, ends = threading.Event(), [], time.monotonic() + 2

def act(number):
    heard.append(number)
    event.set()
    if time.monotonic() < ends:
        signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-5, 5e-4))

on_signals([signal.SIGALRM], act)
signal.setitimer(signal.ITIMER_REAL, 0.001)
while time.monotonic() < ends:
    event.wait(0.0003)
    event.clear()
print(len(heard) > 10, set(heard) == {signal.SIGALRM})
"""


def test_a_signal_may_come_at_any_moment_of_waiting_for_it() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WAITS], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (0, "True True\n"), done.stderr
