"""Several machines on one experiment: its cases go as jobs into a queue on PostgreSQL (procrastinate),
workers take them, and each stores its results. A worker that dies loses nothing: what it was at is taken up
again once its heartbeat has been missing for a while.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import psycopg
from procrastinate import App, PsycopgConnector, RetryStrategy
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException

from voxgate.evals.casework import Casework
from voxgate.evals.conducting import House, Reporter
from voxgate.evals.evaluation import Eval
from voxgate.evals.model import Case, Json
from voxgate.evals.protocols import InfrastructureError
from voxgate.evals.runner import Run, Stopped, store_results

TASK: Final = "voxgate.case"
DEAD_AFTER_SECONDS: Final = 30.0
"""A worker that has not been heard of for so long is taken to be dead."""
_BEATS: Final = 6
"""Heartbeats in that time."""
_POLL_SECONDS: Final = 0.5
_ROW_SECONDS: Final = 5.0
"""How old what is known of an experiment may be: a budget is kept to that much."""
_RETRY: Final = RetryStrategy(max_attempts=20, wait=5)
"""Where Voxgate does not take a result; what fails in a case itself is its result."""


class QueueUnavailable(InfrastructureError):
    """The queue's database does not answer."""


def queue_name(evaluation: str) -> str:
    return f"voxgate-evals:{evaluation}"


@contextlib.asynccontextmanager
async def opened(url: str) -> AsyncIterator[App]:
    """A queue on the PostgreSQL of this URL. Its tables are made on the first use."""
    app = App(connector=PsycopgConnector(conninfo=url))
    try:
        # The pool would try for half a minute, and tell nobody why.
        await (await psycopg.AsyncConnection.connect(url)).close()
        async with app.open_async():
            if not await app.check_connection_async():
                with contextlib.suppress(ConnectorException):  # another one makes them at this moment
                    await app.schema_manager.apply_schema_async()
            yield app
    except (ConnectorException, psycopg.OperationalError) as error:
        raise QueueUnavailable(f"The queue does not answer: {error.__cause__ or error}") from error


async def through_queue(app: App, run: Run, name: str, reporter: Reporter) -> Stopped | None:
    """Hands the cases of a run out and waits until workers have done them. What has been handed out before
    and waits still is not handed out again."""
    app.task(name=TASK)(_never)
    for case, trial in run.wanted():
        if run.budget.begin(run.casework.task.estimate_usd(case)) is None:
            run.stopped = "budget"
            break
        await _hand_out(app, run.casework.experiment_id, name, case, trial)
    while run.stopped != "interrupted":
        row = await asyncio.to_thread(run.experiments.get, run.casework.experiment_id)
        reporter.counted(row["results"], row["errors"], row["cost_usd"] or 0.0)
        if await _open_jobs(app, name) == 0:
            return run.stopped or ("budget" if _spent(row, run.budget.usd) else None)
        await asyncio.sleep(_POLL_SECONDS)
    return run.stopped


async def _never() -> None:
    """What hands cases out does none."""


async def _hand_out(app: App, experiment_id: str, name: str, case: Case, trial: int) -> None:
    job = app.configure_task(TASK, queue=queue_name(name), queueing_lock=f"{experiment_id} {case.id} {trial}")
    body = {**case.to_json(), "dataset_id": case.dataset_id}
    with contextlib.suppress(AlreadyEnqueued):
        await job.defer_async(experiment_id=experiment_id, name=name, case=body, trial=trial)


async def _open_jobs(app: App, name: str) -> int:
    queues = await app.job_manager.list_queues_async(queue=queue_name(name))
    return sum(queue["todo"] + queue["doing"] for queue in queues)


def _spent(row: Json, limit_usd: float | None) -> bool:
    return limit_usd is not None and (row["cost_usd"] or 0.0) >= limit_usd


@dataclass(slots=True)
class Worker:
    """Works on the cases of these evaluations, whoever has handed them out."""

    house: House
    evaluations: Sequence[Eval]
    concurrency: int = 4
    dead_after_seconds: float = DEAD_AFTER_SECONDS
    done: int = 0
    _rows: dict[str, tuple[float, Json]] = field(default_factory=dict)

    async def work(self, app: App, *, wait: bool = True) -> None:
        """Until it is cancelled or gets a signal; without `wait` until nothing is left to take."""
        app.task(name=TASK, retry=_RETRY)(self._job)
        rescue = asyncio.create_task(self._rescue_for_ever(app))
        try:
            await app.run_worker_async(
                queues=self._queues,
                concurrency=self.concurrency,
                wait=wait,
                fetch_job_polling_interval=_POLL_SECONDS,
                update_heartbeat_interval=self.dead_after_seconds / _BEATS,
                stalled_worker_timeout=self.dead_after_seconds,
                delete_jobs="successful",
            )
        finally:
            rescue.cancel()

    @property
    def _queues(self) -> list[str]:
        return [queue_name(evaluation.name) for evaluation in self.evaluations]

    async def _rescue_for_ever(self, app: App) -> None:
        while True:
            with contextlib.suppress(
                ConnectorException
            ):  # the queue is away for a moment, or another was first
                for queue in self._queues:
                    await self._rescue(app, queue)
            await asyncio.sleep(self.dead_after_seconds / _BEATS)

    async def _rescue(self, app: App, queue: str) -> None:
        """What dead workers were at goes back into the queue."""
        dead = await app.job_manager.get_stalled_jobs(
            queue=queue, seconds_since_heartbeat=self.dead_after_seconds
        )
        for job in dead:
            with contextlib.suppress(ConnectorException):  # another worker has put it back
                await app.job_manager.retry_job(job)

    async def _job(self, experiment_id: str, name: str, case: Json, trial: int) -> None:
        evaluation = next(one for one in self.evaluations if one.name == name)
        row = await asyncio.to_thread(self._row, experiment_id)
        if row["status"] != "running" or _spent(row, evaluation.budget_usd):
            return
        read = Case.from_json(case)
        if await asyncio.to_thread(self._is_known, experiment_id, read.id, trial):
            return
        casework = Casework(
            evaluation.task,
            evaluation.scorers,
            self.house.sessions,
            experiment_id,
            int(row["seed"]),
            evaluation.retries,
        )
        result = await casework.run(read, trial)
        await store_results(self.house.experiments, experiment_id, [result])
        self.done += 1

    def _row(self, experiment_id: str) -> Json:
        known = self._rows.get(experiment_id)
        if known is None or time.monotonic() - known[0] > _ROW_SECONDS:
            self._rows[experiment_id] = known = (time.monotonic(), self.house.experiments.get(experiment_id))
        return known[1]

    def _is_known(self, experiment_id: str, case_id: str, trial: int) -> bool:
        results: Iterator[Any] = self.house.experiments.results(experiment_id, case_id)
        return any(one.trial == trial and one.error is None for one in results)
