"""What all peers share: what they are asked for, what they answer, and how their processes start and end."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bench.certificate import Certificate
from bench.machine import descendants

PATH: Final = "/v1/realtime?model=bench"
_STOP_SECONDS: Final = 20.0


@dataclass(frozen=True)
class Setup:
    """The provider's port, and how the relay is to run: TLS on both sides or on none, how many workers, and
    whether calls come with a credential whose rules every message has to pass."""

    provider: int
    certificate: Certificate | None = None
    workers: int = 1
    rules: bool = False


@dataclass(frozen=True)
class Running:
    """A relay that listens: where callers go, and the processes whose time is the relay's. Those `beside` do
    the recording, by what they do; `unrecorded_bytes` is what they missed, where they say that."""

    port: int
    key: str = "x"
    relay: list[int] = field(default_factory=list)
    beside: dict[str, list[int]] = field(default_factory=dict)
    log: Path | None = None
    unrecorded_bytes: Callable[[], int | None] = lambda: None
    data: Path | None = None
    """The data folder of one that records."""

    @property
    def recording(self) -> list[int]:
        return [pid for pids in self.beside.values() for pid in pids]


class NotHere(Exception):
    """A peer that this machine does not have, or that cannot do what is asked; the message says what is
    missing."""


def program(name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/bin")
    if found is None:
        raise NotHere(f"{name} is not installed (Debian: apt-get install {name})")
    return found


@contextmanager
def started(command: list[str], log: Path, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """The process while it is needed; what it prints goes to `log`. Afterwards it and all that it started
    are gone."""
    with log.open("wb") as out:
        process: subprocess.Popen[str] = subprocess.Popen(
            command, stdout=out, stderr=out, text=True, **options
        )
    try:
        yield process
    finally:
        family = [process.pid, *descendants(process.pid)] if process.poll() is None else []
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_SECONDS)
        _end(family)
        process.wait()


def _end(family: list[int]) -> None:
    """Kills whoever of the family has not ended by itself."""
    deadline = time.monotonic() + _STOP_SECONDS
    while (left := [pid for pid in family if _lives(pid)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    for pid in left:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def last_words(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-15:])
