"""`python -m bench.requests`: requests that are no calls, through Voxgate (recording on) and its peers: CPU
at full speed, latency at a pace, plain and as streams of 100 events. With `--docs docs` into
docs/performance-requests.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from bench.figures import Results
from bench.machine import description
from bench.measure import LoadFailed
from bench.peers.process import NotHere
from bench.report import NOISY
from bench.requests.measure import PEERS, Amount, measure
from bench.requests.provider import running
from bench.requests.report import text_of, write_page


def main() -> None:
    options = _parser().parse_args()
    if options.from_json:
        raw = json.loads(options.from_json.read_text())
        results, machine = raw["results"], raw["machine"]
    else:
        results, machine = _measured(options), description()
    print(text_of(results, machine))
    if options.docs is not None:
        write_page(options.docs, results, machine)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.requests", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="how often each peer runs each load [3]")
    parser.add_argument(
        "--requests", type=int, default=3000, help="at full speed, in each round; of streams a fifth [3000]"
    )
    parser.add_argument("--seconds", type=float, default=10.0, help="of each load at a pace [10]")
    parser.add_argument("--peer", action="append", choices=list(PEERS), help="only this one, several times")
    parser.add_argument("--docs", type=Path, metavar="FOLDER", help="write the page and its picture there")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep every measurement in this file")
    parser.add_argument(
        "--from-json", type=Path, metavar="FILE", help="measure nothing: report from that file"
    )
    return parser


def _measured(options: argparse.Namespace) -> Results:
    """In each round every peer's turn comes earlier, so that none is always first."""
    results: Results = {}
    peers = list(options.peer or PEERS)
    amount = Amount(options.requests, options.seconds)
    with running() as provider:
        for number in range(options.rounds):
            first = number % len(peers)
            for peer in peers[first:] + peers[:first]:
                try:
                    for load, result in measure(peer, provider, amount):
                        found = results.setdefault(load, {})
                        found.setdefault(peer, []).append({**result, "round": number})
                        print(f"{load:14} {number + 1}/{options.rounds} {peer:8} {_line(result)}", flush=True)
                except NotHere as missing:
                    print(f"{peer} is left out: {missing}", file=sys.stderr, flush=True)
                except (LoadFailed, OSError) as error:
                    print(f"{peer}: this measurement failed: {error}", file=sys.stderr, flush=True)
            if options.json is not None:
                kept = {"machine": description(), "results": results}
                options.json.write_text(json.dumps(kept, indent=1))
    return {load: {peer: found[peer] for peer in peers if peer in found} for load, found in results.items()}


def _line(run: dict[str, Any]) -> str:
    beside = " ".join(f"{role} {us:,.0f}" for role, us in run["beside_us"].items())
    remarks = [f"{run[name]} {name}" for name in ("lost", "wrong", "anew") if run[name]]
    if run["lost"] or run["wrong"]:
        remarks.append(run["said"])
    if run["others_share"] > NOISY:
        remarks.append(f"DISTURBED: other programs took {run['others_share']:.2f} of a core")
    return (
        f"{run['cpu_us']:8,.0f} µs  p50 {run['p50_ms'] or 0:7.2f} ms  p99 {run['p99_ms'] or 0:7.2f} ms  "
        f"{run['per_second']:6.0f}/s  relay {run['core_share']:.2f}  load {run['load_share']:.2f}  {beside}  "
        f"{'; '.join(remarks)}"
    )


if __name__ == "__main__":
    main()
