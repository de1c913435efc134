"""What every form of report is made of, and how numbers are written in all of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from voxgate.evals.comparing import ScoreComparison
from voxgate.evals.experiments import Experiments
from voxgate.evals.model import Case, Json, Result
from voxgate.evals.outcome import Outcome
from voxgate.evals.session import Session

_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Report:
    """`session` reads a recorded call, None where it is gone; `url` is where Voxgate's pages are."""

    outcome: Outcome
    experiments: Experiments
    session: Callable[[str], Session | None]
    url: str

    @property
    def experiment(self) -> Json:
        return self.outcome.experiment

    @property
    def title(self) -> str:
        return str(self.experiment["name"])

    def results(self) -> Iterator[Result]:
        return self.experiments.results(self.outcome.id)

    def cases(self) -> Iterator[Case]:
        return self.experiments.cases(self.outcome.id)

    def rows(self) -> list[ScoreRow]:
        """One for each score, those that regressed first."""
        summaries = self.outcome.tally.summaries()
        compared = (
            {score.name: score for score in self.outcome.comparison.scores} if self.outcome.comparison else {}
        )
        names = [*compared, *(name for name in sorted(summaries) if name not in compared)]
        return [ScoreRow(name, summaries[name], compared.get(name)) for name in names]


@dataclass(frozen=True, slots=True)
class ScoreRow:
    name: str
    summary: Json
    compared: ScoreComparison | None

    @property
    def unit(self) -> str | None:
        unit: str | None = self.summary["unit"]
        return unit

    @property
    def mean(self) -> str:
        value = figure(self.summary["mean"], self.unit)
        stderr = self.summary["stderr"]
        return value if not stderr else f"{value} ± {figure(stderr, None)}"

    @property
    def measured(self) -> str:
        """How many values there are, and how many are missing."""
        missing = self.summary["missing"]
        return f"{self.summary['n']}" + (f" ({missing} missing)" if missing else "")

    @property
    def before(self) -> str:
        return figure(self.compared.before, self.unit) if self.compared else ""

    @property
    def delta(self) -> str:
        return signed(self.compared.delta, self.unit) if self.compared else ""

    @property
    def interval(self) -> str:
        interval = self.compared.interval if self.compared else None
        return f"{signed(interval.low, None)} … {signed(interval.high, None)}" if interval else ""

    @property
    def verdict(self) -> str:
        return self.compared.verdict if self.compared else ""

    @property
    def changes(self) -> str:
        """Cases that are better and worse."""
        one = self.compared
        return f"{one.count('improved')} better, {one.count('regressed')} worse" if one else ""


def figure(value: float | None, unit: str | None) -> str:
    """As people write it: 812 ms, 0.934, $0.0123."""
    if value is None:
        return "–"
    if unit == "share":
        unit = None
    if unit == "usd":
        return f"${value:,.4f}"
    text = (
        f"{value:,.0f}"
        if abs(value) >= 100
        else f"{value:.3g}"
        if abs(value) >= 0.001 or not value
        else f"{value:.1g}"
    )
    return f"{text} {unit}" if unit else text


def signed(value: float | None, unit: str | None) -> str:
    if value is None:
        return "–"
    return figure(value, unit) if value < 0 or not value else f"+{figure(value, unit)}"


def seconds(ms: float | None) -> str:
    return "" if ms is None else f"{ms / 1000:.1f} s"


def legible(text: str) -> str:
    """Without characters that XML cannot hold and terminals obey."""
    return _NOT_XML.sub("�", text)


def headline(outcome: Outcome) -> str:
    """How it ended, in a few words."""
    tally = outcome.tally
    done = f"{tally.results} results"
    if tally.errors:
        done += f", {tally.errors} failed"
    if outcome.stopped == "budget":
        return f"stopped at the budget, {done}"
    if outcome.stopped:
        return f"interrupted, {done}"
    failed = sum(not check.passed for check in outcome.checks)
    if failed:
        return f"{failed} of {len(outcome.checks)} gates failed, {done}"
    return f"all gates passed, {done}" if outcome.checks else done
