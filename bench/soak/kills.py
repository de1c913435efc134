"""Kills at random moments, many of them: gateway workers, the writers beside them and recorders, one after
the other while calls run. `--kills` puts them in the place of all other faults.
"""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections import Counter
from typing import Final

from bench.soak.house import Found, House, signal_pid
from bench.soak.ledger import OPEN, OPENING, Column, Ledger

_ROUND: Final = ("writer", "writer", "recorder", "worker")
"""A writer is back at once; the others are left alone for longer each time that they die."""
AT_MOST_BACK_SECONDS: Final = 0.1
"""What had arrived so long before a worker was killed is in the trace."""
_CALM_SHARE: Final = 0.05
_LOOK_SECONDS: Final = 0.2
SECONDS_A_KILL: Final = 1.8


class Kills:
    def __init__(self, house: House, ledger: Ledger, seed: int, wanted: int) -> None:
        self.struck: Counter[str] = Counter()
        self.wanted = wanted
        self._house = house
        self._ledger = ledger
        self._chance = random.Random(f"{seed}/kills")
        self._killed: set[tuple[int, int]] = set()
        """They may take a while to be gone; in a long run their ids are given to others."""
        self._due: list[str] = []
        """What is left of the round."""

    async def run(self, seconds: float) -> None:
        """All of them in this time, but for its first and last part; longer where there is nobody to kill."""
        began = time.monotonic() + seconds * _CALM_SHARE
        moments = sorted(self._chance.uniform(0, seconds * (1 - 2 * _CALM_SHARE)) for _ in range(self.wanted))
        for moment in moments:
            await asyncio.sleep(max(0.0, began + moment - time.monotonic()))
            while not (self._unharmed() and await self._strike()):  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(_LOOK_SECONDS)
            await asyncio.sleep(_LOOK_SECONDS)  # a machine that is behind makes up for nothing
        while self._unharmed() < self._house.orders.calls:  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_SECONDS)

    def calm(self) -> None:
        """Who was killed is started again by its parent."""

    def _unharmed(self) -> int:
        """Calls that run since no worker was killed, so that there is a load."""
        ledger = self._ledger
        return sum(
            ledger.get(call, Column.STATE) == OPEN
            and not ledger.get(call, Column.WORKER_KILLED)
            and ledger.get(call, Column.UP_RECEIVED) > 0
            for call in range(ledger.rows_used())
        )

    async def _strike(self) -> bool:
        """One of those that run now; whether there was one. Each round kills the same, in an order of chance:
        by chance alone a short run might kill no worker. What a worker without a writer had in memory goes
        with it, as documented: so a worker is left alone until it has another one."""
        family = [one for one in self._house.family() if (one.pid, one.born) not in self._killed]
        with_writer = {one.parent for one in family if one.role == "writer"}
        there: dict[str, list[Found]] = {}
        for one in family:
            if one.role != "worker" or one.pid in with_writer:
                there.setdefault(one.role, []).append(one)
        self._due = self._due or self._chance.sample(_ROUND, len(_ROUND))
        role = next((due for due in self._due if due in there), None)
        if role is None:
            return False
        victim = self._chance.choice(there[role])
        if role == "worker":
            await self._mark()
        killed = signal_pid(victim.pid, signal.SIGKILL)
        self._killed.add((victim.pid, victim.born))
        if killed:
            self._due.remove(role)
            self.struck[f"{role} killed"] += 1
        return killed

    async def _mark(self) -> None:
        """Notes what has arrived of every call. Whose calls the worker has, nobody tells: those of the others
        go on."""
        ledger = self._ledger
        for call in self._running():
            ledger.set(call, Column.KEPT_UP, ledger.get(call, Column.UP_RECEIVED))
            ledger.set(call, Column.KEPT_DOWN, ledger.get(call, Column.DOWN_RECEIVED))
        await asyncio.sleep(AT_MOST_BACK_SECONDS)
        for call in self._running():  # also those that were opened meanwhile
            ledger.set(call, Column.WORKER_KILLED, 1)

    def _running(self) -> list[int]:
        rows = range(self._ledger.rows_used())
        return [call for call in rows if self._ledger.get(call, Column.STATE) in (OPENING, OPEN)]
