"""Signals that programs with threads wait for. Python runs a handler in the middle of whatever the main
thread does, and an event that is set there while the main thread begins or ends to wait for it hangs for
ever. So here a handler writes a byte, and a thread reads it and does the rest.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterable
from types import FrameType


def on_signals(numbers: Iterable[signal.Signals], act: Callable[[int], None]) -> None:
    """From now on each of these signals calls `act` with its number, in a thread, one after the other."""
    heard, told = os.pipe()
    os.set_blocking(told, False)

    def tell(number: int, frame: FrameType | None) -> None:
        with contextlib.suppress(BlockingIOError):  # so many wait already that one more says nothing new
            os.write(told, bytes([number]))

    def listen() -> None:
        while number := os.read(heard, 1):
            act(number[0])

    threading.Thread(target=listen, name="signals", daemon=True).start()
    for each in numbers:
        signal.signal(each, tell)
