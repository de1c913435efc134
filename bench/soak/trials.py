"""The faults that hit processes: a provider is killed and comes back, the recorder is killed or stopped for a
while, the writer of the wire logs is killed. When, follows from the seed.
"""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections import Counter
from typing import Final

from bench.soak.house import House, signal_pid
from bench.soak.ledger import OPEN, Column, Ledger
from bench.soak.orders import BEFORE_FAULT_SECONDS, SHAKY

_A_MINUTE: Final = {
    "provider killed": 0.35,
    "recorder killed": 0.12,
    "recorder stopped": 0.2,
    "writer killed": 0.2,
}
_STRUCK_SHARE: Final = (0.1, 0.85)
"""The first and last part of a run have none, so that it begins and ends in order."""
_KILLS: Final = ("recorder killed", "writer killed")
_KILLED_SHARE: Final = (0.1, 0.4)
"""Those whose memory is judged are killed early only: what they hold in their last life has to be flat."""
_PROVIDER_AWAY_SECONDS: Final = (0.5, 5.0)
_RECORDER_STOPPED_SECONDS: Final = (2.0, 10.0)


def schedule(seed: int, seconds: float) -> list[tuple[float, str]]:
    chance = random.Random(f"{seed}/trials")
    found = []
    for kind, rate in _A_MINUTE.items():
        begin, end = _KILLED_SHARE if kind in _KILLS else _STRUCK_SHARE
        times = max(1, round(rate * seconds / 60))
        found += [(seconds * chance.uniform(begin, end), kind) for _ in range(times)]
    return sorted(found)


class Trials:
    def __init__(self, house: House, ledger: Ledger, seed: int) -> None:
        self.struck: Counter[str] = Counter()
        self._house = house
        self._ledger = ledger
        self._chance = random.Random(f"{seed}/trial lengths")
        self._stopped: set[int] = set()

    async def run(self, seconds: float) -> None:
        began = time.monotonic()
        for at, kind in schedule(self._house.orders.seed, seconds):
            await asyncio.sleep(max(0.0, began + at - time.monotonic()))
            if await self._strike(kind):
                self.struck[kind] += 1

    def calm(self) -> None:
        """Nobody stays stopped."""
        for pid in list(self._stopped):
            signal_pid(pid, signal.SIGCONT)
        self._stopped.clear()

    async def _strike(self, kind: str) -> bool:
        if kind == "provider killed":
            return await self._kill_provider()
        role = kind.split()[0]
        pids = [one.pid for one in self._house.family() if one.role == role]
        if not pids:
            return False
        pid = self._chance.choice(pids)
        if kind == "recorder stopped":
            return await self._stop_for_a_while(pid)
        return signal_pid(pid, signal.SIGKILL)

    async def _stop_for_a_while(self, pid: int) -> bool:
        if not signal_pid(pid, signal.SIGSTOP):
            return False
        self._stopped.add(pid)
        try:
            await asyncio.sleep(self._chance.uniform(*_RECORDER_STOPPED_SECONDS))
        finally:
            self._stopped.discard(pid)
            signal_pid(pid, signal.SIGCONT)
        return True

    async def _kill_provider(self) -> bool:
        pid = self._house.provider_pid(SHAKY)
        self._mark(pid)
        await asyncio.sleep(BEFORE_FAULT_SECONDS)
        self._house.kill_provider(SHAKY)
        self._mark(pid, struck=True)
        await asyncio.sleep(self._chance.uniform(*_PROVIDER_AWAY_SECONDS))
        await asyncio.to_thread(self._house.start_provider, SHAKY)
        return True

    def _mark(self, pid: int, *, struck: bool = False) -> None:
        """Notes what had been sent in each call of this provider; with `struck`, that it is gone."""
        ledger = self._ledger
        for call in range(ledger.rows_used()):
            if ledger.get(call, Column.PROVIDER_PID) != pid or ledger.get(call, Column.PROVIDER_ENDED):
                continue
            if struck:
                ledger.set(call, Column.KILLED, 1)
            elif ledger.get(call, Column.STATE) == OPEN:
                ledger.set(call, Column.KILL_UP, ledger.get(call, Column.UP_SENT))
                ledger.set(call, Column.KILL_DOWN, ledger.get(call, Column.DOWN_SENT))
