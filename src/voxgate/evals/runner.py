"""The run of an experiment: its cases stream out of the store, several are worked on at once, their results
stream back. Nothing is held but what is being worked on, and what is stored is never done again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from voxgate.client.http import ApiError
from voxgate.evals.budget import Budget
from voxgate.evals.casework import Casework
from voxgate.evals.experiments import Experiments, Key
from voxgate.evals.model import Case, Result

Stopped = Literal["budget", "interrupted"]
"""Why a run ended before its cases did."""
_STORE_TRIES: Final = 5
_STORE_WAIT_SECONDS: Final = 0.5
_SERVER_ERROR: Final = 500


class Progress(Protocol):
    """Is told how a run goes on; called from the event loop, so it must not wait."""

    def began(self, case: Case, trial: int) -> None: ...

    def retried(self, case: Case, attempt: int, error: Exception) -> None: ...

    def ended(self, result: Result, spent_usd: float) -> None: ...


@dataclass(slots=True)
class Run:
    """`known` are the cases and trials that have a result already."""

    cases: Callable[[], Iterator[Case]]
    experiments: Experiments
    casework: Casework
    progress: Progress
    trials: int = 1
    concurrency: int = 4
    budget: Budget = field(default_factory=Budget)
    known: set[Key] = field(default_factory=set)
    stopped: Stopped | None = None
    _work: asyncio.Queue[tuple[Case, int] | None] = field(init=False)
    _made: asyncio.Queue[Result | None] = field(init=False)
    _tasks: list[asyncio.Task[None]] = field(init=False, default_factory=list)

    async def run(self) -> Stopped | None:
        """None once all cases have been worked on. ApiError where the results could not be stored."""
        self._work = asyncio.Queue(self.concurrency)
        self._made = asyncio.Queue(4 * self.concurrency)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._write())
                await self._work_off()
                await self._made.put(None)
        except BaseExceptionGroup as failures:
            raise _first(failures) from None
        return self.stopped

    async def _work_off(self) -> None:
        async with asyncio.TaskGroup() as group:
            workers = [self._work_on() for _ in range(self.concurrency)]
            self._tasks = [group.create_task(work) for work in (self._feed(), *workers)]

    def interrupt(self) -> None:
        """Begins nothing more and gives up what runs; what has a result is stored."""
        self.stopped = self.stopped or "interrupted"
        for task in self._tasks:
            task.cancel()

    async def _feed(self) -> None:
        wanted = _pages(self.wanted())
        while self.stopped is None and (page := await asyncio.to_thread(next, wanted, None)):
            for item in page:
                await self._work.put(item)
        for _ in range(self.concurrency):
            await self._work.put(None)

    def wanted(self) -> Iterator[tuple[Case, int]]:
        """What has no result yet."""
        for case in self.cases():
            for trial in range(self.trials):
                if (case.id, trial) not in self.known:
                    yield case, trial

    async def _work_on(self) -> None:
        while (item := await self._work.get()) is not None:
            if self.stopped is not None:
                continue
            await self._one(*item)

    async def _one(self, case: Case, trial: int) -> None:
        aside = self.budget.begin(self.casework.task.estimate_usd(case))
        if aside is None:
            self.stopped = "budget"
            return
        cost: float | None = None
        self.progress.began(case, trial)
        try:
            result = await self.casework.run(case, trial, self.progress.retried)
            cost = result.cost_usd
        finally:
            self.budget.end(aside, cost)
        self.progress.ended(result, self.budget.spent_usd)
        await self._made.put(result)

    async def _write(self) -> None:
        """Stores what there is, at once: while that takes, more comes together."""
        ended = False
        while not ended:
            batch = [await self._made.get()]
            while not self._made.empty():
                batch.append(self._made.get_nowait())
            ended = batch[-1] is None
            results = [result for result in batch if result is not None]
            if results:
                await store_results(self.experiments, self.casework.experiment_id, results)


async def store_results(experiments: Experiments, experiment_id: str, results: list[Result]) -> set[Key]:
    """Those that were stored. Tries again while Voxgate does not answer; ApiError in the end."""
    for attempt in range(_STORE_TRIES):
        try:
            return await asyncio.to_thread(experiments.add_results, experiment_id, results)
        except ApiError as error:
            refused = error.http_status is not None and error.http_status < _SERVER_ERROR
            if refused or attempt == _STORE_TRIES - 1:
                raise
        await asyncio.sleep(_STORE_WAIT_SECONDS * 2**attempt)
    raise AssertionError  # the last try raises


def _pages(items: Iterator[tuple[Case, int]], size: int = 50) -> Iterator[list[tuple[Case, int]]]:
    """So that another thread is asked only now and then."""
    page: list[tuple[Case, int]] = []
    for item in items:
        page.append(item)
        if len(page) == size:
            yield page
            page = []
    if page:
        yield page


def _first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """What went wrong, of all that went wrong after it."""
    first = failures.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
