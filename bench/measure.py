"""One measurement: a peer under a load. The load runs in a process of its own, so that every one begins
alike; CPU and memory are read from the relay's processes around it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, Final

from bench.certificate import Certificate
from bench.machine import (
    busy_seconds,
    cpu_seconds,
    free_port,
    memory_kb,
    open_files,
    touch_memory,
    wait_until_quiet,
)
from bench.peers import PEERS, Running, Setup
from bench.peers.process import PATH, last_words
from bench.scenarios import FOR_BETA, REWRITING, TWO_WORKERS, VARIANTS, WITH_RULES, Scenario

_ROOT: Final = Path(__file__).parent.parent
_CATCH_UP_SECONDS: Final = 40.0

Result = dict[str, Any]


class LoadFailed(Exception):
    """The load could not do its work; the message says what it met."""


def measure(peer: str, loads: dict[str, Scenario], certificate: Certificate) -> Iterator[tuple[str, Result]]:
    """Starts the peer once and has it carry the loads one after the other. They need the same start: all with
    TLS or all without."""
    workers = 2 if peer == TWO_WORKERS else 1
    with_tls = any(scenario.tls for scenario in loads.values())
    setup = Setup(free_port(), certificate if with_tls else None, workers, rules=peer == WITH_RULES)
    with PEERS["voxgate" if peer in VARIANTS else peer](setup) as running:
        for name, scenario in loads.items():
            wait_until_quiet(running.recording, _CATCH_UP_SECONDS)  # what an earlier load left
            orders = {
                **scenario.orders, "provider": setup.provider, "port": running.port, "path": PATH,
                "key": running.key, "beta": peer == FOR_BETA, "calls": scenario.calls(peer),
                "touches": scenario.touches(peer), "relay_cores": workers,
                "compiled": not with_tls and peer not in (FOR_BETA, *REWRITING),
            }  # fmt: skip
            if setup.certificate:
                orders["certificate"] = str(setup.certificate.path)
                orders["certificate_key"] = str(setup.certificate.key_path)
            yield name, _carry(running, orders, catch_up=scenario.catch_up)


def _carry(running: Running, orders: Result, *, catch_up: bool) -> Result:
    with subprocess.Popen(
        [sys.executable, "-m", "bench.drive", json.dumps(orders)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=_ROOT,
    ) as load:  # fmt: skip
        try:
            return _observe(load, running, orders, catch_up=catch_up)
        except LoadFailed as error:
            said = last_words(running.log) if running.log else ""
            raise LoadFailed(f"{error}. The relay said: {said or 'nothing'}") from None
        finally:
            if load.poll() is None:
                load.kill()


def _observe(load: subprocess.Popen[str], running: Running, orders: Result, *, catch_up: bool) -> Result:
    base = Memory(running.relay)
    memory = {"base_kb": base.kb, "base_beside_kb": memory_kb(running.recording)}
    _tell(load, "open")
    if _hear(load) != "opened\n":
        raise LoadFailed("the load could not open its calls; its traceback is above")
    memory |= Memory(running.relay).since(base, orders["calls"])
    touch_memory(orders["touches"])
    before = Reading(running)
    _tell(load, "go")
    line = _hear(load)
    if not line:
        raise LoadFailed("the load ended early; its traceback is above")
    result: Result = {**json.loads(line), **memory, "calls": orders["calls"]}
    after = Reading(running)
    if catch_up:  # what those beside the relay have put off is their cost too
        wait_until_quiet(running.recording, _CATCH_UP_SECONDS)
    result |= _figures(running, result, before, after, Reading(running))
    _tell(load, "close")
    load.wait(60)
    return result


def _figures(running: Running, result: Result, before: Reading, after: Reading, late: Reading) -> Result:
    messages, seconds = max(1, result["messages"]), after.at - before.at
    relay_seconds = after.since(before, running.relay)
    return {
        "cpu_us": relay_seconds / messages * 1e6,
        "beside_us": {
            role: late.since(before, pids) / messages * 1e6 for role, pids in running.beside.items()
        },
        "core_share": relay_seconds / seconds,
        "others_share": after.others_since(before, result["load_seconds"]) / seconds,
        "unrecorded_bytes": running.unrecorded_bytes(),
    }


class Memory:
    """What the relay's processes hold at one moment: memory, and files, which tell the calls of each."""

    def __init__(self, relay: list[int]) -> None:
        self.kb = memory_kb(relay)
        self._files = [open_files(pid) for pid in relay]

    def since(self, earlier: Memory, calls: int) -> Result:
        files = [now - then for now, then in zip(self._files, earlier._files, strict=True)]
        everyones = sum(files)
        return {
            "kb_per_call": (self.kb - earlier.kb) / max(1, calls),
            "calls_share": max(files) / everyones if everyones and len(files) > 1 else 1.0,
        }


class Reading:
    """The CPU time of every process of a peer, and of the machine, at one moment."""

    def __init__(self, running: Running) -> None:
        self.at = time.monotonic()
        self._busy = busy_seconds()
        everyone = [*running.relay, *running.recording]
        self._cpu = {pid: cpu_seconds(pid) for pid in everyone}

    def since(self, earlier: Reading, pids: Iterable[int]) -> float:
        return sum(self._cpu[pid] - earlier._cpu[pid] for pid in pids)

    def others_since(self, earlier: Reading, load_seconds: float) -> float:
        """What processes took that have no part in this: a disturbed measurement."""
        ours = self.since(earlier, self._cpu) + load_seconds
        return max(0.0, self._busy - earlier._busy - ours)


def _tell(load: subprocess.Popen[str], word: str) -> None:
    _pipe(load.stdin).write(word + "\n")
    _pipe(load.stdin).flush()


def _hear(load: subprocess.Popen[str]) -> str:
    return _pipe(load.stdout).readline()


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe
