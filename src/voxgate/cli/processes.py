"""The processes of `voxgate serve`: gateway workers, the recorder and the embedded provider, each a program
of its own that this one starts, watches, starts again when it dies, and stops in the right order.

A child reads its orders as one line of JSON from its standard input, says `ready` on its standard output,
and ends when its standard input ends: so no child outlives its parent, however the parent died.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from voxgate.core.errors import SettingsError

_READY: Final = b"ready\n"
_START_SECONDS: Final = 60.0
_LONGEST_PAUSE: Final = 10.0

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Child:
    """One process and what is needed to start it again. `descriptors` are inherited sockets."""

    name: str
    orders: dict[str, Any]
    descriptors: Sequence[int] = ()
    needed: bool = True
    """Whether the start fails when this child does not come up."""
    process: subprocess.Popen[bytes] | None = None
    ready: threading.Event = field(default_factory=threading.Event)
    failures: int = 0
    restart_at: float = 0.0

    def start(self) -> None:
        self.ready.clear()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "voxgate.cli.children", self.name.split()[0]],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=self.descriptors,
            start_new_session=True,  # a Ctrl-C is for the parent, which stops the children in order
        )
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(self.orders).encode() + b"\n")
        self.process.stdin.flush()
        threading.Thread(target=self._listen, args=(self.process,), daemon=True).start()

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            if line == _READY:
                self.ready.set()

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def tell(self, number: signal.Signals) -> None:
        if self.running and self.process is not None:
            self.process.send_signal(number)

    def wait(self, seconds: float) -> None:
        """Until it has ended; it is killed when that takes longer."""
        if self.process is None:
            return
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            logger.warning("%s did not stop within %g s and is killed", self.name, seconds)
            self.process.kill()
            self.process.wait()


class Supervisor:
    """Runs the children until a signal. `groups` are stopped one after the other, in this order."""

    def __init__(self, groups: Sequence[Sequence[Child]], stop_seconds: float) -> None:
        self._groups = groups
        self._stop_seconds = stop_seconds
        self._signals = 0
        self._wake = threading.Event()

    @property
    def _children(self) -> list[Child]:
        return [child for group in self._groups for child in group]

    def run(self, on_ready: Callable[[], None]) -> None:
        """SettingsError when a needed child does not come up."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        try:
            for child in reversed(self._children):
                child.start()
            self._wait_until_ready()
            if not self._signals:
                on_ready()
            while not self._signals:
                self._wake.wait(0.2)
                self._restart_dead()
        finally:
            self._stop()

    def _on_signal(self, number: int, frame: object) -> None:
        self._signals += 1
        self._wake.set()
        if self._signals > 1:  # in a hurry: whoever was asked already is asked again
            for child in self._groups[0]:
                child.tell(signal.SIGTERM)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        for child in self._children:
            while child.needed and not child.ready.wait(0.05) and not self._signals:
                if not child.running or time.monotonic() > deadline:
                    raise SettingsError(f"The {child.name} process did not start; the lines above say why.")

    def _restart_dead(self) -> None:
        now = time.monotonic()
        for child in self._children:
            if child.running:
                continue
            if not child.restart_at:
                child.failures += 1
                pause = min(_LONGEST_PAUSE, 0.2 * 2**child.failures)
                child.restart_at = now + pause
                code = child.process.returncode if child.process else None
                logger.error("the %s process ended (%s); starting it again in %g s", child.name, code, pause)
            elif now >= child.restart_at:
                child.restart_at = 0.0
                try:
                    child.start()
                except OSError as error:  # no process to be had just now: it is tried again
                    logger.warning("the %s process could not be started: %s", child.name, error)

    def _stop(self) -> None:
        for group in self._groups:
            for child in group:
                child.tell(signal.SIGTERM)
            for child in group:
                child.wait(self._stop_seconds)


def receive_orders() -> dict[str, Any]:
    """In a child: what the parent wants. Afterwards `end_with_parent` watches the same pipe."""
    line = sys.stdin.buffer.readline()
    orders: dict[str, Any] = json.loads(line)
    return orders


def end_with_parent(stop: Callable[[], None]) -> None:
    """In a child: calls `stop` when the parent is gone."""

    def watch() -> None:
        while os.read(sys.stdin.fileno(), 1024):
            pass
        stop()

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


def say_ready() -> None:
    sys.stdout.buffer.write(_READY)
    sys.stdout.buffer.flush()
