"""The relays that are compared: how each is started in front of the provider, and which processes are it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
RELAY_CORE, LOAD_CORE = 0, 1
NGINX = """\
worker_processes 1; daemon off; pid {dir}/nginx.pid; error_log {dir}/error.log;
events {{ worker_connections 20000; }}
http {{ access_log off; client_body_temp_path {dir}/b; proxy_temp_path {dir}/p; fastcgi_temp_path {dir}/f;
  uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
  server {{ listen 127.0.0.1:{port} backlog=4096; location / {{
    proxy_pass http://127.0.0.1:{provider}; proxy_http_version 1.1; proxy_buffer_size 64k;
    proxy_buffers 8 64k; proxy_busy_buffers_size 128k;
    proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection Upgrade;
    proxy_read_timeout 3600s; proxy_send_timeout 3600s; }} }} }}
"""
HAPROXY = """\
global
  nbthread 1
  maxconn 8000
defaults
  mode http
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  timeout tunnel 1h
frontend in
  bind 127.0.0.1:{port} backlog 4096
  default_backend out
backend out
  server one 127.0.0.1:{provider}
"""


@dataclass(frozen=True)
class Running:
    """A relay that listens: where callers go, and the processes whose time is the relay's (`beside` are those
    that do the recording, on the other core)."""

    port: int
    path: str
    key: str
    relay: list[int]
    beside: list[int]


class NotHere(Exception):
    """A peer that this machine does not have; the message says what to install."""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


def wait_for_port(port: int, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def program(name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/bin")
    if found is None:
        raise NotHere(f"{name} is not installed (Debian: apt-get install {name})")
    return found


@contextmanager
def started(command: list[str], **options: object) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True, **options  # type: ignore[call-overload]
    )  # fmt: skip
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def pin_to(core: int, pids: list[int]) -> None:
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(task.name), {core % (os.cpu_count() or 1)})


@contextmanager
def direct(provider: int) -> Iterator[Running]:
    """No relay at all: what the load itself costs in latency."""
    yield Running(provider, "/v1/realtime?model=bench", "x", [], [])


@contextmanager
def nginx(provider: int) -> Iterator[Running]:
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        config = Path(folder) / "nginx.conf"
        config.write_text(NGINX.format(dir=folder, port=port, provider=provider))
        with started([program("nginx"), "-p", folder, "-c", str(config)]) as process:
            wait_for_port(port)
            relay = [process.pid, *children(process.pid)]
            pin_to(RELAY_CORE, relay)
            yield Running(port, "/v1/realtime?model=bench", "x", relay, [])


@contextmanager
def haproxy(provider: int) -> Iterator[Running]:
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        config = Path(folder) / "haproxy.cfg"
        config.write_text(HAPROXY.format(port=port, provider=provider))
        with started([program("haproxy"), "-f", str(config), "-db"]) as process:
            wait_for_port(port)
            pin_to(RELAY_CORE, [process.pid])
            yield Running(port, "/v1/realtime?model=bench", "x", [process.pid], [])


@contextmanager
def node_ws(provider: int) -> Iterator[Running]:
    """A relay as many write it: the `ws` package on both sides, every message parsed and written again."""
    folder = HERE / "node-ws"
    if not (folder / "node_modules").is_dir():
        subprocess.run(["npm", "ci", "--silent"], cwd=folder, check=True)
    port = free_port()
    command = [program("node"), str(folder / "relay.mjs"), str(port), str(provider)]
    with started(command) as process:
        wait_for_port(port)
        pin_to(RELAY_CORE, [process.pid])
        yield Running(port, "/v1/realtime?model=bench", "x", [process.pid], [])


@contextmanager
def voxgate(provider: int) -> Iterator[Running]:
    """With recording on: the worker is the relay, the recorder works beside it."""
    with tempfile.TemporaryDirectory() as folder:
        port, key = free_port(), "vg_benchmark_key"
        (Path(folder) / "voxgate.toml").write_text(
            f'[providers.bench]\nbase_url = "http://127.0.0.1:{provider}/v1"\n'
            '[[routes]]\nmodel = "bench"\nproviders = ["bench"]\n'
        )
        command = [sys.executable, "-m", "voxgate", "serve", "--port", str(port), "--drain-seconds", "0"]
        environ = {**os.environ, "VOXGATE_API_KEY": key}
        with started(command, cwd=folder, env=environ) as process:
            _wait_until_ready(port)
            roles = {_role(pid): pid for pid in children(process.pid)}
            relay = [roles["worker"]]
            beside = [pid for role, pid in roles.items() if role != "worker"]
            pin_to(RELAY_CORE, relay)
            pin_to(LOAD_CORE, [process.pid, *beside])
            yield Running(port, "/v1/realtime?model=bench", key, relay, beside)


def _role(pid: int) -> str:
    return re.split(r"\0", Path(f"/proc/{pid}/cmdline").read_text())[-2].split()[0]


def _wait_until_ready(port: int) -> None:
    wait_for_port(port)
    with socket.create_connection(("127.0.0.1", port), 60) as sock:  # answered by a worker, not the backlog
        sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert sock.recv(1000)


PEERS = {"direct": direct, "nginx": nginx, "haproxy": haproxy, "node-ws": node_ws, "voxgate": voxgate}
