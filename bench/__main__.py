"""`python -m bench`: measures the peers side by side, interleaved, and writes docs/performance.md."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.peers import LOAD_CORE, PEERS, NotHere, Running, free_port, pin_to
from bench.report import write_report

HERE = Path(__file__).parent
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pids: list[int]) -> float:
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def memory_kb(pids: list[int]) -> int:
    """Proportional set size: what the processes really take."""
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total


def measure(name: str, scenario: dict[str, Any]) -> dict[str, Any]:
    """One peer under one load. The load runs in a process of its own, so that every run begins alike."""
    provider = free_port()
    with PEERS[name](provider) as running:
        return _run_load(provider, running, scenario)


def _run_load(provider: int, running: Running, scenario: dict[str, Any]) -> dict[str, Any]:
    orders = {
        "provider": provider, "port": running.port, "path": running.path, "key": running.key, **scenario,
    }  # fmt: skip
    with subprocess.Popen(
        [sys.executable, "-m", "bench.drive", json.dumps(orders)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=HERE.parent,
    ) as load:  # fmt: skip
        assert load.stdin is not None
        assert load.stdout is not None
        pin_to(LOAD_CORE, [load.pid])
        before_memory = memory_kb(running.relay)
        load.stdin.write("open\n")
        load.stdin.flush()
        if load.stdout.readline() != "opened\n":
            raise RuntimeError(f"the load could not open its calls: {load.stdout.read()}")
        after_memory = memory_kb(running.relay)
        relay, beside = cpu_seconds(running.relay), cpu_seconds(running.beside)
        load.stdin.write("go\n")
        load.stdin.flush()
        result: dict[str, Any] = json.loads(load.stdout.readline())
        relay, beside = cpu_seconds(running.relay) - relay, cpu_seconds(running.beside) - beside
    messages = max(1, result["messages"])
    return {
        **result,
        "cpu_us": relay / messages * 1e6,
        "beside_us": beside / messages * 1e6,
        "core_share": relay / scenario["seconds"] if scenario["seconds"] else None,
        "kb_per_call": (after_memory - before_memory) / max(1, scenario["calls"]),
    }


def scenarios(quick: bool) -> dict[str, dict[str, Any]]:
    seconds = 3 if quick else 8
    found: dict[str, dict[str, Any]] = {
        f"{size // 1024} KB": {
            "kind": "saturate", "calls": 8, "seconds": seconds, "up_bytes": size, "down_bytes": size,
        }
        for size in (1024, 4096, 16_384, 65_536)
    }  # fmt: skip
    found["voice"] = {"kind": "voice", "calls": 100 if quick else 500, "seconds": seconds + 4}
    found["idle"] = {"kind": "voice", "calls": 200 if quick else 2000, "seconds": 0}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="how often each peer runs each load [3]")
    parser.add_argument("--quick", action="store_true", help="small and short, to see that it works")
    parser.add_argument("--peers", nargs="*", default=list(PEERS), choices=list(PEERS))
    parser.add_argument("--only", nargs="*", help="only these loads")
    parser.add_argument("--no-report", action="store_true", help="print, and leave docs/performance.md alone")
    options = parser.parse_args()
    results: dict[str, dict[str, list[dict[str, Any]]]] = {}
    wanted = {k: v for k, v in scenarios(options.quick).items() if not options.only or k in options.only}
    for load, scenario in wanted.items():
        for number in range(options.rounds):
            for peer in options.peers:
                try:
                    result = measure(peer, scenario)
                except NotHere as error:
                    print(f"{peer}: {error}", file=sys.stderr)
                    continue
                results.setdefault(load, {}).setdefault(peer, []).append(result)
                print(f"{load:6} {number + 1}/{options.rounds} {peer:9} {_line(result)}", flush=True)
    if not options.no_report:
        write_report(HERE.parent / "docs", results, machine())


def _line(result: dict[str, Any]) -> str:
    p50, p99 = result["latency_p50_ms"] or 0, result["latency_p99_ms"] or 0
    return (
        f"{result['cpu_us']:7.2f} µs/message  p50 {p50:6.2f} ms  p99 {p99:7.2f} ms  "
        f"{result['kb_per_call']:7.2f} KB/call  {result['messages']} messages, {result['lost']} lost, "
        f"{result['wrong']} wrong"
    )


def machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":")[1].strip() for line in lines if "model name" in line), platform.machine())
    return f"{os.cpu_count()} cores of {model}, Python {platform.python_version()}"


if __name__ == "__main__":
    main()
