"""Figures from measurements: medians with their range over the rounds, and ratios between two peers in the
same round, because the machine's mood changes between rounds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median
from typing import Any

Run = dict[str, Any]
Results = dict[str, dict[str, list[Run]]]
"""By load, by peer: one for each round."""


@dataclass(frozen=True)
class Figure:
    """A median and the smallest and largest of what it is the median of."""

    middle: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Iterable[float | None]) -> Figure | None:
        found = [value for value in values if value is not None]
        return cls(median(found), min(found), max(found)) if found else None

    def text(self, digits: int) -> str:
        middle, least, most = (f"{value:,.{digits}f}" for value in (self.middle, self.least, self.most))
        return middle if least == most else f"{middle} ({least}–{most})"


def intact(runs: list[Run]) -> bool:
    return not any(run["lost"] or run["wrong"] or run["calls_lost"] for run in runs)


class Load:
    """The measurements of one load."""

    def __init__(self, peers: dict[str, list[Run]]) -> None:
        self.peers = peers

    def figure(self, peer: str, name: str) -> Figure | None:
        return Figure.of(run[name] for run in self._runs(peer))

    def added(self, peer: str, name: str) -> Figure | None:
        """A latency beyond that of the load without a relay."""
        return Figure.of(self._paired(peer, "direct", lambda run, direct: _less(run[name], direct[name])))

    def ratio(self, peer: str, other: str, name: str) -> Figure | None:
        return Figure.of(self._paired(peer, other, lambda run, base: _share(run[name], base[name])))

    def ratio_of_added(self, peer: str, other: str, name: str) -> Figure | None:
        direct = {run["round"]: run[name] for run in self._runs("direct")}

        def added_share(run: Run, base: Run) -> float | None:
            nothing = direct.get(run["round"])
            return _share(_less(run[name], nothing), _less(base[name], nothing))

        return Figure.of(self._paired(peer, other, added_share))

    def compare(self, peer: str, other: str, figure: Callable[[Run, Run], float | None]) -> Figure | None:
        return Figure.of(self._paired(peer, other, figure))

    def _runs(self, peer: str) -> list[Run]:
        """None of a peer that lost or altered a message: it has no figure."""
        runs = self.peers.get(peer, [])
        return runs if intact(runs) else []

    def _paired(
        self, peer: str, other: str, figure: Callable[[Run, Run], float | None]
    ) -> list[float | None]:
        base = {run["round"]: run for run in self._runs(other)}
        return [figure(run, base[run["round"]]) for run in self._runs(peer) if run["round"] in base]


def _less(value: float | None, base: float | None) -> float | None:
    return None if value is None or base is None else value - base


def _share(value: float | None, base: float | None) -> float | None:
    return None if value is None or base is None or base <= 0 else value / base


def capacity(run: Run, single: Run) -> float | None:
    """How many times the calls of one worker several carry: what a message costs with one and with several,
    less what their uneven shares waste (the busiest is full first)."""
    return _share(single["cpu_us"], run["cpu_us"] * run["calls_share"])
