"""One peer under all loads: CPU is read from its processes around each, and what records beside it is waited
for, since what it put off is its cost too.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.figures import Run
from bench.measure import LoadFailed, Reading
from bench.peers.litellm import litellm
from bench.peers.portkey import headers as portkey_headers
from bench.peers.portkey import portkey
from bench.peers.process import Running, Setup, last_words
from bench.peers.proxies import direct, nginx_requests
from bench.peers.voxgate import voxgate
from bench.requests.provider import TOLD

PEERS: Final[dict[str, Callable[[Setup], AbstractContextManager[Running]]]] = {
    "direct": direct,
    "nginx": nginx_requests,
    "voxgate": voxgate,
    "portkey": portkey,
    "litellm": litellm,
}
_ROOT: Final = Path(__file__).parent.parent.parent
_AT_ONCE: Final = 8
_WARM: Final = 60
_CATCH_UP_SECONDS: Final = 120.0
_LOOK_SECONDS: Final = 0.05


@dataclass(frozen=True)
class Scenario:
    """`rate` requests a second, or as many as are answered (None). `slow` is the share of it that a peer gets
    which could not carry all."""

    streams: bool
    rate: float | None = None
    slow: float = 1.0


SCENARIOS: Final = {
    "plain": Scenario(streams=False),
    "stream": Scenario(streams=True),
    "plain, paced": Scenario(streams=False, rate=100, slow=0.2),
    "stream, paced": Scenario(streams=True, rate=20, slow=0.15),
}
_SLOW: Final = frozenset({"litellm"})


@dataclass(frozen=True)
class Amount:
    requests: int
    """Of a load at full speed; of streams a fifth."""
    seconds: float
    """Of a paced one."""


def measure(peer: str, provider: tuple[int, int], amount: Amount) -> Iterator[tuple[str, Run]]:
    """Starts it once. `provider` are its port and process."""
    setup = Setup(provider[0])
    with PEERS[peer](setup) as running:
        for name, scenario in SCENARIOS.items():
            rate = scenario.rate
            if rate is not None and peer in _SLOW:
                rate *= scenario.slow
            orders = {
                "port": running.port, "key": running.key, "streams": scenario.streams, "rate": rate,
                "seconds": amount.seconds, "count": amount.requests // (5 if scenario.streams else 1),
                "at_once": _AT_ONCE, "warm": _WARM // (5 if scenario.streams else 1),
                "provider_pid": provider[1],
                "headers": portkey_headers(setup) if peer == "portkey" else {},
            }  # fmt: skip
            yield name, carry(running, provider[0], orders)


def carry(running: Running, provider: int, orders: dict[str, Any]) -> Run:
    with subprocess.Popen(
        [sys.executable, "-m", "bench.requests.load", json.dumps(orders)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=_ROOT,
    ) as load:  # fmt: skip
        assert load.stdin is not None
        assert load.stdout is not None
        if load.stdout.readline() != "warm\n":
            raise LoadFailed(_said(running))
        _caught_up(running)
        _told(provider)
        kept = _kept(running)
        before = Reading(running)
        load.stdin.write("go\n")
        load.stdin.flush()
        line = load.stdout.readline()
        after, ended = Reading(running), time.monotonic()
        if not line:
            raise LoadFailed(_said(running))
    result: Run = json.loads(line)
    left = _left(running)
    _caught_up(running)
    behind = time.monotonic() - ended
    late, done = Reading(running), max(1, result["requests"])
    cpu = after.since(before, running.relay)
    received = _told(provider)
    return {
        **result,
        "wrong": result["wrong"] + received.get("wrong", 0),
        "anew": result["anew"] + received.get("anew", 0),
        "calls_lost": 0,
        "cpu_us": cpu / done * 1e6,
        "beside_us": {role: late.since(before, pids) / done * 1e6 for role, pids in running.beside.items()},
        "core_share": cpu / (after.at - before.at),
        "others_share": after.others_since(before, result["load_seconds"]) / (after.at - before.at),
        "per_second": done / result["seconds"],
        "left": left,
        "caught_up_seconds": behind,
        "recorded": None if kept is None else (_kept(running) or 0) - kept,
        "unrecorded_bytes": running.unrecorded_bytes(),
    }


def _said(running: Running) -> str:
    said = last_words(running.log) if running.log and running.log.is_file() else ""
    return f"the load ended early; the relay said: {said or 'nothing'}"


def _told(provider: int) -> dict[str, int]:
    """What the provider was asked since it was asked this."""
    with urllib.request.urlopen(f"http://127.0.0.1:{provider}{TOLD}", timeout=30) as answer:
        found: dict[str, int] = json.load(answer)
    return found


def _left(running: Running) -> int:
    """Wire logs that wait for the recorder."""
    return 0 if running.data is None else sum(1 for _ in (running.data / "wire").glob("*/*.vgw"))


def _caught_up(running: Running) -> None:
    """Until no wire log is left: those of requests that have just ended may still be on their way."""
    deadline, quiet = time.monotonic() + _CATCH_UP_SECONDS, 0
    while running.data is not None and quiet < 4 and time.monotonic() < deadline:
        quiet = 0 if _left(running) else quiet + 1
        time.sleep(_LOOK_SECONDS)


def _kept(running: Running) -> int | None:
    """Requests that are recorded to their end."""
    if running.data is None:
        return None
    with closing(sqlite3.connect(f"file:{running.data / 'voxgate.db'}?mode=ro", uri=True)) as database:
        (count,) = database.execute("SELECT count(*) FROM sessions WHERE status = 'complete'").fetchone()
        return int(count)
