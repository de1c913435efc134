"""What a run may use up: money and sessions. A case begins only if what is left covers what it is likely to
cost, with those that run.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from voxgate.evals.model import Case
from voxgate.evals.protocols import Task

SAMPLE: Final = 200
"""So many cases are estimated; the rest is taken to be like them."""


@dataclass(slots=True)
class Budget:
    """None: without a limit."""

    usd: float | None = None
    sessions: int | None = None
    spent_usd: float = 0.0
    begun: int = 0
    _reserved_usd: float = 0.0
    _dearest_usd: float = 0.0
    """What a case of unknown cost is taken to cost: as much as the dearest before."""

    def begin(self, estimate_usd: float | None) -> float | None:
        """What is set aside for the case, to be given back by `end`; None if it may not begin."""
        aside = self._dearest_usd if estimate_usd is None else estimate_usd
        if self.sessions is not None and self.begun >= self.sessions:
            return None
        if self.usd is not None and self.spent_usd + self._reserved_usd + aside > self.usd:
            return None
        self.begun += 1
        self._reserved_usd += aside
        return aside

    def end(self, aside: float, cost_usd: float | None) -> None:
        self._reserved_usd -= aside
        self.spent_usd += cost_usd or 0.0
        self._dearest_usd = max(self._dearest_usd, cost_usd or 0.0)

    def says(self) -> str:
        """What the limit is, in words."""
        limits = [] if self.usd is None else [f"${self.usd:,.2f}"]
        return " and ".join(limits + ([] if self.sessions is None else [f"{self.sessions} sessions"]))


def estimate(task: Task, cases: Iterable[Case], runs: int) -> float | None:
    """What `runs` runs of cases like these cost together; None where the task cannot say."""
    known = [cost for case in cases if (cost := task.estimate_usd(case)) is not None]
    return sum(known) / len(known) * runs if known else None
