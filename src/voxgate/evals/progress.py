"""How a run goes on, for who watches: a bar with what runs, what is left and what it costs on a terminal, a
line now and then elsewhere. All of it on standard error; results go to standard output.
"""

from __future__ import annotations

import time
from typing import Final

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from voxgate.evals.conducting import Plan, Reporter
from voxgate.evals.model import Case, Result

PLAIN_SECONDS: Final = 10.0
_SHOWN: Final = 3
"""So many of the cases that run are named."""


def shown_progress(console: Console | None = None) -> Reporter:
    console = console or Console(stderr=True, highlight=False)
    return BarProgress(console) if console.is_terminal else PlainProgress(console)


def plan_line(plan: Plan) -> str:
    runs = "1 case" if plan.cases == 1 else f"{plan.cases} cases"
    runs += "" if plan.runs == plan.cases else f", {plan.runs} runs"
    parts = [f"{plan.name}: {runs}"]
    if plan.known:
        parts.append(f"{plan.known} done before")
    cost = plan.estimate_usd
    parts.append("cost not known" if cost is None else f"about ${cost:,.2f}")
    if limit := plan.budget.says():
        parts.append(f"at most {limit}")
    return ", ".join(parts) + f" ({plan.experiment['id']})"


def warning_of(plan: Plan) -> str | None:
    """Where the budget will not do."""
    cost, limit = plan.estimate_usd, plan.budget.usd
    if cost is None or limit is None or cost <= limit - plan.budget.spent_usd:
        return None
    return f"That is more than the budget of ${limit:,.2f}: the run will stop before its end."


class BarProgress:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._running: dict[str, None] = {}
        self._errors = 0
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[cost]}"),
            TextColumn("[dim]{task.fields[running]}"),
            console=console,
            transient=True,
        )
        self._task = TaskID(0)

    def planned(self, plan: Plan) -> None:
        self._console.print(plan_line(plan), markup=False)
        if warning := warning_of(plan):
            self._console.print(warning, style="yellow", markup=False)
        self._task = self._bar.add_task(plan.name, total=plan.runs, completed=plan.known, cost="", running="")
        self._bar.start()

    def began(self, case: Case, trial: int) -> None:
        self._running[f"{case.id} {trial}"] = None
        self._show()

    def retried(self, case: Case, attempt: int, error: Exception) -> None:
        self._bar.console.print(f"{case.id}: try {attempt + 1} after: {error}", style="yellow", markup=False)

    def ended(self, result: Result, spent_usd: float) -> None:
        self._running.pop(f"{result.case_id} {result.trial}", None)
        if result.error:
            self._errors += 1
            self._bar.console.print(f"{result.case_id}: {result.error}", style="red", markup=False)
        failed = f" [red]{self._errors} failed[/red]" if self._errors else ""
        self._bar.update(self._task, advance=1, cost=f"{_spent(spent_usd)}{failed}")
        self._show()

    def counted(self, done: int, errors: int, spent_usd: float) -> None:
        failed = f" [red]{errors} failed[/red]" if errors else ""
        self._bar.update(self._task, completed=done, cost=f"{_spent(spent_usd)}{failed}")

    def closed(self) -> None:
        self._bar.stop()

    def _show(self) -> None:
        named = [key.rsplit(" ", 1)[0] for key in list(self._running)[:_SHOWN]]
        more = len(self._running) - len(named)
        self._bar.update(self._task, running=" ".join(named) + (f" +{more}" if more > 0 else ""))


class PlainProgress:
    def __init__(self, console: Console, every_seconds: float = PLAIN_SECONDS) -> None:
        self._console = console
        self._every_seconds = every_seconds
        self._said = self._started = time.monotonic()
        self._done = self._total = self._fresh = self._errors = 0

    def planned(self, plan: Plan) -> None:
        self._say(plan_line(plan))
        if warning := warning_of(plan):
            self._say(warning)
        self._done, self._total = plan.known, plan.runs
        self._said = self._started = time.monotonic()

    def began(self, case: Case, trial: int) -> None:
        """Only what ended is told."""

    def retried(self, case: Case, attempt: int, error: Exception) -> None:
        self._say(f"{case.id}: try {attempt + 1} after: {error}")

    def ended(self, result: Result, spent_usd: float) -> None:
        self._done, self._fresh = self._done + 1, self._fresh + 1
        if result.error:
            self._errors += 1
            self._say(f"{result.case_id}: {result.error}")
        now = time.monotonic()
        if now - self._said >= self._every_seconds or self._done == self._total:
            self._said = now
            self._say(self._line(now, spent_usd))

    def counted(self, done: int, errors: int, spent_usd: float) -> None:
        self._fresh += max(0, done - self._done)
        changed, self._done, self._errors = done > self._done, done, errors
        now = time.monotonic()
        if changed and (now - self._said >= self._every_seconds or done >= self._total):
            self._said = now
            self._say(self._line(now, spent_usd))

    def closed(self) -> None:
        """Nothing is held."""

    def _line(self, now: float, spent_usd: float) -> str:
        left = (now - self._started) / self._fresh * (self._total - self._done)
        failed = f", {self._errors} failed" if self._errors else ""
        rest = f", about {left:.0f} s left" if self._done < self._total else ""
        spent = f", {_spent(spent_usd)}" if spent_usd else ""
        return f"{self._done} of {self._total}{failed}{spent}{rest}"

    def _say(self, line: str) -> None:
        self._console.print(line, markup=False, soft_wrap=True)


def _spent(usd: float) -> str:
    """Nothing at all mostly means that no price is known."""
    return f"${usd:,.4f}" if usd else ""
