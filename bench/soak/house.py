"""The processes of a run: Voxgate as a user starts it, two providers and the callers. Starts them, finds
Voxgate's own children, and ends everything that it started and nothing else.
"""

from __future__ import annotations

import ctypes
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, replace
from json import dumps, loads
from pathlib import Path
from typing import Any, Final

from bench.soak.orders import SHAKY, STEADY, Orders

ROOT: Final = Path(__file__).parents[2]
_START_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 60.0
_DEATH_SIGNAL: Final = 1  # prctl(2): PR_SET_PDEATHSIG
_CONFIG: Final = """\
[providers.steady]
base_url = "http://127.0.0.1:{steady}/v1"
[providers.shaky]
base_url = "http://127.0.0.1:{shaky}/v1"
[[routes]]
model = "{steady_model}"
providers = ["steady"]
[[routes]]
model = "{shaky_model}"
providers = ["shaky", "steady"]
"""


class DidNotStart(Exception):
    """A process of the run did not come up; the message says which and what it said."""


@dataclass(frozen=True, slots=True)
class Found:
    """A process below `voxgate serve`."""

    pid: int
    role: str
    parent: int = 0
    born: int = 0
    """In ticks since the machine began: tells it from one that had its id before."""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


def _end_with_us() -> None:
    ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGTERM)


def _spawn(command: list[str], **options: Any) -> subprocess.Popen[bytes]:
    # A session of its own: a Ctrl-C is for the conductor, which stops everything in order.
    return subprocess.Popen(
        command, start_new_session=True, preexec_fn=_end_with_us, **options  # noqa: PLW1509 - no threads yet
    )  # fmt: skip


class House:
    def __init__(self, work: Path, orders: Orders, workers: int, settings: str) -> None:
        self.work = work
        self.data = work / "data"
        self.log = work / "voxgate.log"
        self.orders = orders
        self.url = ""
        self.admin_key = "vg_" + secrets.token_urlsafe(30)
        self._workers = workers
        self._settings = settings
        self._voxgate: subprocess.Popen[bytes] | None = None
        self._providers: dict[str, subprocess.Popen[bytes]] = {}
        self.callers: subprocess.Popen[bytes] | None = None

    # Starting

    def start(self) -> None:
        self.start_provider(STEADY)
        self.start_provider(SHAKY)
        self._start_voxgate()
        port = int(self.url.rsplit(":", 1)[1])
        self.orders = replace(self.orders, gateway_port=port, key=self._mint())

    def start_provider(self, model: str) -> None:
        port = self.orders.steady_port if model == STEADY else self.orders.shaky_port
        process = self._python("bench.soak.provider", str(port), self.orders.to_json())
        self._providers[model] = process
        assert process.stdout is not None
        if process.stdout.readline() != b"ready\n":
            raise DidNotStart(f"the provider of {model} did not start")

    def start_callers(self) -> None:
        self.callers = self._python("bench.soak.callers", self.orders.to_json())

    def _python(self, module: str, *arguments: str) -> subprocess.Popen[bytes]:
        return _spawn(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
        )

    def _start_voxgate(self) -> None:
        config = self.work / "voxgate.toml"
        text = self._settings + _CONFIG.format(
            steady=self.orders.steady_port,
            shaky=self.orders.shaky_port,
            steady_model=STEADY,
            shaky_model=SHAKY,
        )
        config.write_text(text)
        clean = {key: value for key, value in os.environ.items() if not key.startswith("VOXGATE_")}
        with self.log.open("wb") as log:
            self._voxgate = _spawn(
                [
                    sys.executable, "-m", "voxgate", "serve", "--port", "0", "--config", str(config),
                    "--data-dir", str(self.data), "--workers", str(self._workers),
                ],
                stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd=self.work,
                env={**clean, "VOXGATE_API_KEY": self.admin_key, "PYTHONUNBUFFERED": "1", "COLUMNS": "200"},
            )  # fmt: skip
        self._wait_for_voxgate()

    def _wait_for_voxgate(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while True:
            said = self.log.read_text(errors="replace")
            opened = re.search(r"Open +(http://[^/\s]+)", said)
            if opened is not None and "Stop with Ctrl-C" in said:
                self.url = opened[1]
                return
            if not self.voxgate_runs or time.monotonic() > deadline:
                raise DidNotStart(f"voxgate did not start:\n{said}")
            time.sleep(0.1)

    def _mint(self) -> str:
        body = {"ttl_seconds": 86_400, "logging": {"project_name": "soak"}}
        request = urllib.request.Request(
            f"{self.url}/v1/credentials",
            dumps(body).encode(),
            {"authorization": f"Bearer {self.admin_key}", "content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            key: str = loads(answer.read())["key"]
            return key

    # While it runs

    @property
    def voxgate_runs(self) -> bool:
        return self._voxgate is not None and self._voxgate.poll() is None

    def provider_pid(self, model: str) -> int:
        return self._providers[model].pid

    def kill_provider(self, model: str) -> None:
        self._providers[model].kill()
        self._providers[model].wait()

    def tell_everybody(self) -> None:
        """The run is over: the stalls end, the calls come to their end."""
        for process in [*self._providers.values(), *([self.callers] if self.callers else [])]:
            if process.poll() is None and process.stdin is not None:
                process.stdin.write(b"stop\n")
                process.stdin.flush()

    def family(self) -> list[Found]:
        """Voxgate's processes. What a worker started itself, or the supervisor beside it, writes the logs."""
        if self._voxgate is None:
            return []
        below: dict[int, list[tuple[int, int]]] = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and (origin := _origin(int(entry.name))) is not None:
                parent, born = origin
                below.setdefault(parent, []).append((int(entry.name), born))
        found = [Found(self._voxgate.pid, "supervisor")]
        for one in found:
            found += [Found(pid, _role(pid, one.role), one.pid, born) for pid, born in below.get(one.pid, [])]
        return found

    def load(self) -> list[Found]:
        processes = [*self._providers.values(), *([self.callers] if self.callers else [])]
        return [Found(process.pid, "load") for process in processes if process.poll() is None]

    # Stopping

    def stop_voxgate(self) -> int | None:
        if self._voxgate is None:
            return None
        for one in self.family():
            signal_pid(one.pid, signal.SIGCONT)
        self._voxgate.send_signal(signal.SIGTERM)
        try:
            return self._voxgate.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            for one in self.family():
                signal_pid(one.pid, signal.SIGKILL)
            self._voxgate.wait()
            return None

    def stop(self) -> None:
        for process in [self.callers, *self._providers.values()]:
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()
        if self.voxgate_runs:
            self.stop_voxgate()


def signal_pid(pid: int, number: signal.Signals) -> bool:
    """Whether it was still there."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def _origin(pid: int) -> tuple[int, int] | None:
    """Its parent and when it was started."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return int(fields[1]), int(fields[19])
    except (FileNotFoundError, ProcessLookupError):
        return None


def _role(pid: int, parent_role: str) -> str:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return "gone"
    if "resource_tracker" in command:
        return "tracker"
    if "voxgate.api.archive_process" in command:  # reads what was put away, for whoever asks a worker
        return "archive"
    if parent_role == "worker" or "voxgate.recording" in command:
        return "writer"
    for role in ("worker", "recorder", "local"):
        if f"voxgate.cli.children {role}" in command:
            return role
    return "other"
