"""One process of `voxgate serve` (a gateway worker, the recorder, the embedded provider): a program of its
own, as the parent starts and stops it and as it hears from its parent. `supervisor` decides when.

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
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

_READY: Final = b"ready\n"
_LONGEST_PAUSE: Final = 10.0
_HEALTHY_SECONDS: Final = 60.0
"""A child that ran so long began well: what happened before is forgotten."""
_HURRIED_SECONDS: Final = 15.0
_KILL_SECONDS: Final = 5.0
_POLL_SECONDS: Final = 0.02

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Child:
    """One process and what is needed to start it again. `descriptors` are inherited sockets."""

    name: str
    orders: dict[str, Any]
    descriptors: Sequence[int] = ()
    stop_seconds: float = 10.0
    """How long it may take to end when it is told to; then it is killed."""
    environ: Mapping[str, str] = field(default_factory=dict)
    """What its environment has beside ours."""
    on_call: Callable[[], bool] | None = None
    """Whether there is anything for it to do; it is not started before. None: it always runs."""
    process: subprocess.Popen[bytes] | None = None
    ready: threading.Event = field(default_factory=threading.Event)
    failures: int = 0
    restart_at: float = 0.0
    started_at: float = 0.0

    def start(self) -> None:
        self.ready.clear()
        self.started_at = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "voxgate.cli.children", self.kind],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=self.descriptors,
            env={**os.environ, **self.environ},
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
    def kind(self) -> str:
        return self.name.split()[0]

    @property
    def is_awaited(self) -> bool:
        """Whether it is to run: one that has had nothing to do yet is not."""
        return self.on_call is None or self.process is not None or self.on_call()

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def tell(self, number: signal.Signals) -> None:
        if self.running and self.process is not None:
            self.process.send_signal(number)

    def plan_restart(self) -> float:
        """Notes that it ended by itself. How many seconds it is left alone: more from time to time."""
        now = time.monotonic()
        if now - self.started_at >= _HEALTHY_SECONDS:
            self.failures = 0
        self.failures += 1
        pause: float = min(_LONGEST_PAUSE, 0.1 * 2**self.failures)
        self.restart_at = now + pause
        return pause

    def kill(self) -> None:
        """Only this process: what writes its logs is a process of its own, and ends when all is written."""
        if self.process is None:
            return
        self.process.kill()
        try:
            self.process.wait(_KILL_SECONDS)
        except subprocess.TimeoutExpired:  # it hangs in the kernel, as on a disk that is gone
            logger.error("%s could not be killed", self.name)


def stop_children(children: Iterable[Child], in_a_hurry: Callable[[], bool]) -> None:
    """Tells them to end and waits for that, but not for ever. `in_a_hurry` may become true meanwhile: then
    they are told so."""
    waiting = list(children)
    for child in waiting:
        child.tell(signal.SIGTERM)
    started, hurried_at = time.monotonic(), 0.0
    while waiting := [child for child in waiting if child.running]:
        now = time.monotonic()
        if not hurried_at and in_a_hurry():
            hurried_at = now
            for child in waiting:
                child.tell(signal.SIGINT)
        for child in list(waiting):
            if now > started + child.stop_seconds or (hurried_at and now > hurried_at + _HURRIED_SECONDS):
                logger.warning("%s did not stop in time and is killed", child.name)
                child.kill()
                waiting.remove(child)
        time.sleep(_POLL_SECONDS)


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
