"""`python -m tests.fuzz --minutes 3`: wrong keys, heads, messages and frames against a whole Voxgate, for as
long as wanted. Ends by itself; the exit code is 1 when something broke, and its seed and bytes are shown.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz.campaign import Broken
from tests.fuzz.house import running, summary

_SAY_SECONDS = 10.0


async def fuzz(seconds: float, seed: int, folder: Path) -> None:
    started = said = time.monotonic()
    async with running(folder) as house:
        number = 0
        while time.monotonic() < started + seconds:
            try:
                await house.campaign.round(random.Random(f"{seed}-{number}"))
                house.check()
            except Broken:
                print(f"round {number} of seed {seed} broke", flush=True)
                raise
            number += 1
            if time.monotonic() >= said + _SAY_SECONDS:
                said = time.monotonic()
                print(f"{said - started:6.0f} s  {number} rounds  {summary(house)}", flush=True)
        print(f"nothing broke in {number} rounds: {summary(house)}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=3.0, help="how long [3]")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 31), help="of all bytes [random]")
    chosen = parser.parse_args()
    print(f"seed {chosen.seed}, {chosen.minutes:g} minutes", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        try:
            asyncio.run(fuzz(chosen.minutes * 60, chosen.seed, Path(folder)))
        except Broken as broken:
            print(str(broken)[:20_000], flush=True)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
