"""`python -m bench.soak`: many paced calls for an hour, with random faults, into docs/soak.md; with `--kills`
processes are killed instead, so many and at random, into docs/kills.md. The exit code is 1 when a criterion
failed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import FrameType
from typing import Final

from bench.soak.conductor import BrokenOff, Conductor
from bench.soak.criteria import Criterion, criteria, long_call
from bench.soak.house import ROOT, DidNotStart, House, free_port
from bench.soak.kills import SECONDS_A_KILL, Kills
from bench.soak.ledger import Ledger
from bench.soak.orders import SHORTEST_STALL_SECONDS, Orders
from bench.soak.report import write_kills_report, write_report

_LONGEST_STALL_SECONDS: Final = 60.0
_USUAL: Final = {"minutes": 60.0, "calls": 300, "workers": 1, "recorders": 1, "lives": (30.0, 300.0)}
_WITH_KILLS: Final = {
    "calls": 40, "workers": 3, "recorders": 2, "lives": (5.0, 40.0),
    "fault_share": 0.0, "shaky_share": 0.0, "sampled": 1 << 30,
}  # fmt: skip
_OF_KILLS: Final = ("fault_share", "shaky_share", "sampled")
"""Nothing else happens, and every session is compared."""


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, help="at full load [60, with kills 1.8 s for each]")
    parser.add_argument("--calls", type=int, help="at a time [300, with kills 40]")
    parser.add_argument("--workers", type=int, help="of voxgate serve [1, with kills 3]")
    parser.add_argument("--recorders", type=int, help="of voxgate serve [1, with kills 2]")
    parser.add_argument("--kills", type=int, help="only these: so many processes are killed, at random")
    parser.add_argument("--seed", type=int, help="of the faults [random, and shown]")
    parser.add_argument("--fault-share", type=float, default=0.12, help="calls that meet a fault [0.12]")
    parser.add_argument("--shaky-share", type=float, default=0.15, help="calls at the killed provider [0.15]")
    parser.add_argument("--pcm-share", type=float, default=0.5, help="calls in PCM, the rest in G.711 [0.5]")
    parser.add_argument("--stall-limit", type=float, default=20.0, help="[limits] stall_seconds [20]")
    parser.add_argument("--sampled", type=int, default=300, help="calls whose sound is compared [300]")
    parser.add_argument("--long-call", type=float, default=60.0, help="minutes of the call after it [60]")
    parser.add_argument("--folder", type=Path, help="where the data folder is made [the temporary one]")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="where the report goes [docs]")
    parser.add_argument("--keep", action="store_true", help="leave the data folder and the log")
    chosen = parser.parse_args()
    usual = _USUAL if chosen.kills is None else {**_WITH_KILLS, "minutes": chosen.kills * SECONDS_A_KILL / 60}
    for name, value in usual.items():
        if getattr(chosen, name, None) is None or name in _OF_KILLS:
            setattr(chosen, name, value)
    return chosen


def orders(chosen: argparse.Namespace, work: Path) -> Orders:
    seconds = chosen.minutes * 60
    shortest_call, longest_call = chosen.lives
    longest_call = min(longest_call, max(shortest_call + 10, seconds / 2))
    longest_stall = min(_LONGEST_STALL_SECONDS, max(SHORTEST_STALL_SECONDS + 1, seconds / 4))
    return Orders(
        seed=chosen.seed if chosen.seed is not None else random.randrange(1 << 31),
        calls=chosen.calls,
        seconds=seconds,
        shortest_call_seconds=shortest_call,
        longest_call_seconds=longest_call,
        longest_stall_seconds=longest_stall if chosen.kills is None else 0.0,
        fault_share=chosen.fault_share,
        shaky_share=chosen.shaky_share,
        pcm_share=chosen.pcm_share,
        ledger=str(work / "ledger"),
        steady_port=free_port(),
        shaky_port=free_port(),
    )


def soak(chosen: argparse.Namespace, work: Path) -> list[Criterion]:
    plan = orders(chosen, work)
    settings = f"recorders = {chosen.recorders}\n[limits]\nstall_seconds = {chosen.stall_limit:g}\n"
    ledger = Ledger.make(Path(plan.ledger))
    print(f"{plan.calls} calls for {chosen.minutes:g} minutes, seed {plan.seed}, in {work}", flush=True)
    house = House(work, plan, chosen.workers, settings)
    try:
        house.start()
        house.start_callers()
        kills = Kills(house, ledger, plan.seed, chosen.kills) if chosen.kills is not None else None
        conductor = Conductor(house, ledger, chosen.sampled, chosen.stall_limit, kills)
        outcome = asyncio.run(conductor.run(plan.seconds))
        found = criteria(outcome)
        if kills is None and chosen.long_call:
            found.append(long_call(chosen.long_call, measure_long_call(chosen.long_call, work)))
        processes = f"`--workers {chosen.workers}`, `--recorders {chosen.recorders}`"
        if kills is None:
            shown = f"{processes}, `stall_seconds = {chosen.stall_limit:g}`"
            write_report(chosen.docs, plan, outcome, found, conductor.trials.struck, shown)
        else:
            write_kills_report(chosen.docs, plan, outcome, found, processes)
    finally:
        house.stop()
    return found


def measure_long_call(minutes: float, folder: Path) -> float:
    """MB that the recorder grew by; in a process of its own, since it is measured from its own beginning."""
    print(f"a call of {minutes:g} minutes", flush=True)
    command = [sys.executable, "-m", "bench.long_call", "--minutes", str(minutes), "--folder", str(folder)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return float(json.loads(done.stdout)["recorder_mb"])


def main() -> int:
    chosen = options()
    signal.signal(signal.SIGTERM, _interrupt)
    work = Path(tempfile.mkdtemp(prefix="voxgate-soak-", dir=chosen.folder))
    held = False
    try:
        found = soak(chosen, work)
        held = all(one.held for one in found)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    except (BrokenOff, DidNotStart) as error:
        print(f"broken off: {error}", file=sys.stderr)
        return 1
    finally:
        _tidy(work, keep=chosen.keep, held=held)
    _say(found)
    return 0 if held else 1


def _tidy(work: Path, *, keep: bool, held: bool) -> None:
    """What was recorded goes; Voxgate's log stays when something failed."""
    if keep or not held:
        print(f"the log is {work / 'voxgate.log'}", file=sys.stderr)
    if not keep:
        shutil.rmtree(work / "data" if not held else work, ignore_errors=True)


def _say(found: list[Criterion]) -> None:
    for one in found:
        print(f"{'held  ' if one.held else 'FAILED'}  {one.name}: {one.found}")
        for detail in one.details[:20]:
            print(f"        {detail}")


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
