"""`python -m bench`: measures the peers side by side, interleaved, and writes docs/performance.md."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from bench.certificate import Certificate, make_certificate
from bench.figures import Results
from bench.machine import description, raise_file_limit
from bench.measure import LoadFailed, Result, measure
from bench.peers import PEERS, NotHere
from bench.report import NOISY, write_report
from bench.scenarios import VARIANTS, Scenario, scenarios

_DOCS: Final = Path(__file__).parent.parent / "docs"


def main() -> None:
    options = _parser().parse_args()
    if options.from_json:
        raw = json.loads(options.from_json.read_text())
        write_report(_DOCS, raw["results"], raw["machine"])
        return
    wanted = {
        name: scenario
        for name, scenario in scenarios(quick=options.quick).items()
        if not options.load or name in options.load
    }
    raise_file_limit()  # the relays and the load inherit it
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(set(options.peer or PEERS), make_certificate(Path(folder)), options.json)
        for number in range(options.rounds):
            bench.round(number, options.rounds, wanted)
    print(f"{(time.monotonic() - began) / 60:.1f} minutes")
    if options.quick or options.peer or options.load:
        print("docs/performance.md is left alone, because only a part was measured")
    elif not options.no_report:
        write_report(_DOCS, bench.results, description())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="how often each peer runs each load [3]")
    parser.add_argument(
        "--quick", action="store_true", help="a tenth of the calls, short, no report: to see that all works"
    )
    loads = list(scenarios(quick=False))
    parser.add_argument("--peer", action="append", choices=list(PEERS), help="only this relay")
    parser.add_argument("--load", action="append", choices=loads, help="only this load")
    parser.add_argument("--no-report", action="store_true", help="leave docs/performance.md alone")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep every measurement in this file")
    parser.add_argument(
        "--from-json", type=Path, metavar="FILE", help="measure nothing: report from that file"
    )
    return parser


class Bench:
    """All rounds of a run. In each round every peer's turn comes earlier, so that none is always first."""

    def __init__(self, peers: set[str], certificate: Certificate, raw: Path | None) -> None:
        self.results: Results = {}
        self._peers = peers | (set(VARIANTS) if "voxgate" in peers else set())
        self._certificate = certificate
        self._raw = raw
        self._absent: set[str] = set()

    def round(self, number: int, rounds: int, wanted: dict[str, Scenario]) -> None:
        starts: dict[str, dict[str, Scenario]] = {}
        for name, scenario in wanted.items():
            starts.setdefault(scenario.start or name, {})[name] = scenario
        for loads in starts.values():
            peers = [peer for peer in next(iter(loads.values())).peers if peer in self._peers - self._absent]
            first = number % max(1, len(peers))
            for peer in peers[first:] + peers[:first]:
                for load, result in self._measure(peer, loads):
                    self._keep(load, peer, {**result, "round": number})
                    print(f"{load:10} {number + 1}/{rounds} {peer:19} {_line(result)}", flush=True)

    def _measure(self, peer: str, loads: dict[str, Scenario]) -> Iterator[tuple[str, Result]]:
        try:
            yield from measure(peer, loads, self._certificate)
        except NotHere as error:
            print(f"{peer} is left out: {error}", file=sys.stderr, flush=True)
            self._absent.add(peer)
        except (LoadFailed, OSError) as error:
            print(f"{peer}: this measurement failed: {error}", file=sys.stderr, flush=True)

    def _keep(self, load: str, peer: str, result: Result) -> None:
        self.results.setdefault(load, {}).setdefault(peer, []).append(result)
        if self._raw is not None:
            self._raw.write_text(json.dumps({"machine": description(), "results": self.results}, indent=1))


def _line(result: dict[str, Any]) -> str:
    p50, p99 = result["latency_p50_ms"] or 0, result["latency_p99_ms"] or 0
    beside = " ".join(f"{role} {us:.1f}" for role, us in result["beside_us"].items() if us >= 0.1)
    remarks = [f"{result[name]} {name}" for name in ("lost", "wrong", "calls_lost") if result[name]]
    if result["unrecorded_bytes"]:
        remarks.append(f"{result['unrecorded_bytes'] / 1e6:.0f} MB not recorded")
    if result["calls_share"] < 1:
        remarks.append(f"{result['calls_share']:.0%} of the calls with one worker")
    if result["others_share"] > NOISY:
        remarks.append(f"DISTURBED: other programs took {result['others_share']:.2f} of a core")
    return (
        f"{result['cpu_us']:7.2f} µs/message  p50 {p50:7.2f} ms  p99 {p99:7.2f} ms  "
        f"{result['kb_per_call']:6.2f} KB/call  {result['calls']} calls  {result['messages']} messages  "
        f"relay {result['core_share']:.2f}  load {result['load_share']:.2f}  {beside}  {'; '.join(remarks)}"
    )


if __name__ == "__main__":
    main()
