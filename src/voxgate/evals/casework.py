"""One case, one trial: the task makes an output, the call that it was made in is waited for, the scorers
look at it. What fails is tried again where that may help; what comes back is always a result.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from voxgate.core.clock import iso_utc, now_utc
from voxgate.core.errors import VoxgateError
from voxgate.evals.model import Case, Output, Result, Score
from voxgate.evals.protocols import Scorer, Subject, Task, TaskError, Trial
from voxgate.evals.scoring import score_subject, spent_on
from voxgate.evals.session import Session

FIRST_WAIT_SECONDS: Final = 1.0
LONGEST_WAIT_SECONDS: Final = 30.0
Sleep = Callable[[float], Awaitable[None]]
Retried = Callable[[Case, int, Exception], None]
"""Is told which case is tried again, for the how manieth time, and why."""


class Sessions(Protocol):
    async def finished(self, session_id: str) -> Session:
        """The recorded call, once it has ended and its trace is whole. TaskError if that does not come to
        be."""
        ...


def trial_seed(seed: int, case_id: str, trial: int) -> int:
    """The same in every run and on every machine; 31 bits, as services take them."""
    text = f"{seed}\x00{case_id}\x00{trial}".encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:4], "big") >> 1


def error_kind(error: str) -> str:
    """The class that an error of a result was of."""
    return error.split(":", 1)[0]


@dataclass(frozen=True, slots=True)
class Casework:
    task: Task
    scorers: Sequence[Scorer]
    sessions: Sessions
    experiment_id: str
    seed: int = 0
    retries: int = 3
    sleep: Sleep = asyncio.sleep

    async def run(self, case: Case, number: int, retried: Retried | None = None) -> Result:
        trial = Trial(self.experiment_id, number, trial_seed(self.seed, case.id, number))
        started_at, started = iso_utc(now_utc()), time.monotonic()
        output: Output | None = None
        scores: list[Score] = []
        error: str | None = None
        try:
            output, session = await self._tried(case, trial, retried)
            scores = await score_subject(self.scorers, Subject(case, output, session))
        except Exception as failure:  # noqa: BLE001 - whatever a task or a scorer raises is this case's error
            error = f"{type(failure).__name__}: {_words(failure)}"
        return Result(
            case_id=case.id,
            trial=number,
            output=output,
            scores=tuple(scores),
            error=error,
            started_at=started_at,
            duration_ms=round((time.monotonic() - started) * 1000, 3),
            cost_usd=_cost(output, scores),
        )

    async def _tried(
        self, case: Case, trial: Trial, retried: Retried | None
    ) -> tuple[Output, Session | None]:
        for attempt in range(1, self.retries + 1):
            try:
                return await self._once(case, trial)
            except TaskError as error:
                if not error.retryable:
                    raise
                if retried is not None:
                    retried(case, attempt, error)
            await self.sleep(_wait_seconds(attempt, trial.seed))
        return await self._once(case, trial)

    async def _once(self, case: Case, trial: Trial) -> tuple[Output, Session | None]:
        output = await self.task.run(case, trial)
        if output.session_id is None:
            return output, None
        session = await self.sessions.finished(output.session_id)
        return completed(output, session), session


def completed(output: Output, session: Session) -> Output:
    """With what the call says, where the task did not: its cost, what the assistant said, its tool calls."""
    part = session.turn(output.turn_span_id) if output.turn_span_id else session
    if output.cost_usd is None:
        output = replace(output, cost_usd=session.cost_usd)
    if output.text is None and output.value is None and not output.tool_calls:
        output = replace(output, text=part.said("assistant"), tool_calls=tuple(part.tool_calls))
    return output


def _cost(output: Output | None, scores: Sequence[Score]) -> float | None:
    """Of the case and of those who were asked to judge it; None where neither is known."""
    made, judged = None if output is None else output.cost_usd, spent_on(scores)
    return judged or None if made is None else made + judged


def _wait_seconds(attempt: int, seed: int) -> float:
    """Twice as long each time, and not the same for all cases, so that they do not come back together."""
    spread = random.Random(seed + attempt).uniform(0.5, 1)  # noqa: S311
    doubled: float = FIRST_WAIT_SECONDS * 2 ** (attempt - 1)
    return min(LONGEST_WAIT_SECONDS, doubled) * spread


def _words(error: Exception) -> str:
    return error.message if isinstance(error, VoxgateError) else str(error) or "no message"
