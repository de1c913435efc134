"""Voxgate as it is started by everybody, with recording on: the worker is the relay; its wire log's writer
and the recorder work beside it, on the load's core.
"""

from __future__ import annotations

import json
import os
import re
import socket
import ssl
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from bench.machine import (
    LOAD_CORE,
    RELAY_CORE,
    arguments,
    descendants,
    free_port,
    pin_to,
    wait_for_port,
    wait_until_quiet,
)
from bench.peers.process import NotHere, Running, Setup, last_words, started

_KEY: Final = "vg_benchmark_key"
_DATA: Final = "voxgate-data"
_START_SECONDS: Final = 60.0
_UNRECORDED: Final = re.compile(r"^voxgate_recording_lost_bytes_total(?:\{.*?\})? (\S+)$", re.MULTILINE)
_RULES: Final = {
    "model": "bench",
    "session": {"lock": ["instructions", "tools"]},
    "allowed_events": ["input_audio_buffer.*", "response.*", "conversation.item.*"],
    "max_tokens": 10**9,
    "ttl_seconds": 3600,
    "logging": {"project_name": "bench"},
}
"""Of a credential: a lock, allowed events and a budget, so that every message is judged three times."""
_SETTINGS: Final = """\
[providers.bench]
base_url = "{scheme}://127.0.0.1:{provider}/v1"
[[routes]]
model = "bench"
providers = ["bench"]
"""


@contextmanager
def voxgate(setup: Setup) -> Iterator[Running]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        port, certificate, log = free_port(), setup.certificate, Path(folder) / "log"
        scheme = "https" if certificate else "http"
        (Path(folder) / "voxgate.toml").write_text(_SETTINGS.format(scheme=scheme, provider=setup.provider))
        command = [sys.executable, "-m", "voxgate", "serve", "--port", str(port), "--drain-seconds", "0"]
        command += ["--workers", str(setup.workers), "--data-dir", str(Path(folder) / _DATA)]
        environ = {**os.environ, "VOXGATE_API_KEY": _KEY}
        if certificate:
            command += ["--tls-cert", str(certificate.path), "--tls-key", str(certificate.key_path)]
            environ["SSL_CERT_FILE"] = str(certificate.path)  # so it trusts the provider's
        with started(command, log, cwd=folder, env=environ) as process:
            try:
                running = _ready(process.pid, f"{scheme}://127.0.0.1:{port}", port, setup.workers, log)
                if setup.rules:
                    running = replace(running, key=_minted(port))
            except OSError as error:
                raise NotHere(f"did not start: {error}; {last_words(log)}") from error
            yield running


def _ready(pid: int, url: str, port: int, workers: int, log: Path) -> Running:
    wait_for_port(port, _START_SECONDS)
    with socket.create_connection(("127.0.0.1", port), _START_SECONDS) as sock:
        sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        sock.recv(1000)  # answered by a worker, or refused by one that speaks TLS; not by the backlog
    family = _family(pid, workers)
    everyone = [pid, *descendants(pid)]
    pin_to(LOAD_CORE, everyone)
    for number, worker in enumerate(family["worker"]):  # of two cores, the second worker has the load's
        pin_to(RELAY_CORE + number, [worker])
    wait_until_quiet(everyone, _START_SECONDS)  # the embedded provider loads its models behind the start
    beside = {role: family[role] for role in ("writer", "recorder")}
    data = log.parent / _DATA
    return Running(port, _KEY, family["worker"], beside, log, lambda: _unrecorded_bytes(url), data)


def _minted(port: int) -> str:
    """The key of a temporary credential with rules."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/credentials",
        json.dumps(_RULES).encode(),
        {"Authorization": f"Bearer {_KEY}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        key: str = json.load(answer)["key"]
    return key


def _unrecorded_bytes(url: str) -> int | None:
    """What the relay passed on and could not record, by its own count."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # our own process, on loopback
    with urllib.request.urlopen(f"{url}/metrics", context=context, timeout=30) as page:
        counts = _UNRECORDED.findall(page.read().decode())
    return int(sum(map(float, counts))) if counts else None


def _family(pid: int, workers: int) -> dict[str, list[int]]:
    """The processes by what they do, as soon as each worker has its writer."""
    deadline = time.monotonic() + _START_SECONDS
    while True:
        family: dict[str, list[int]] = {}
        for one in descendants(pid):
            family.setdefault(_role(one), []).append(one)
        if (
            all(len(family.get(role, [])) == workers for role in ("worker", "writer"))
            and "recorder" in family
        ):
            return family
        if time.monotonic() > deadline:
            raise TimeoutError(f"its processes are {family}, wanted are {workers} workers with their writers")
        time.sleep(0.1)


def _role(pid: int) -> str:
    """`-m voxgate.cli.children worker`, `-m voxgate.recording.writer`."""
    words = arguments(pid)
    return words[-1].rpartition(".")[2] if words else "gone"
