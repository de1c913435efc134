"""A house for evaluations without a Voxgate: experiments in memory, kept by the rules that the API has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from voxgate.client.http import ApiError
from voxgate.core.ids import new_id
from voxgate.evals.conducting import House, Plan
from voxgate.evals.experiments import Key
from voxgate.evals.model import Case, Json, Result
from voxgate.evals.protocols import TaskError
from voxgate.evals.session import Session
from voxgate.evals.tally import tally_of


class KeptExperiments:
    """`down` answers nothing so many times."""

    def __init__(self) -> None:
        self.rows: dict[str, Json] = {}
        self.kept_cases: dict[str, dict[str, Case]] = {}
        self.kept: dict[str, dict[Key, Result]] = {}
        self.refused: list[Key] = []
        self.down = 0

    def create(self, body: Json) -> Json:
        row = {"id": new_id("exp"), "status": "running", **body}
        row["branch"] = (body.get("git") or {}).get("branch")
        self.rows[row["id"]], self.kept_cases[row["id"]], self.kept[row["id"]] = row, {}, {}
        return self.get(row["id"])

    def get(self, experiment_id: str) -> Json:
        if experiment_id not in self.rows:
            raise ApiError(f"There is no experiment {experiment_id}.", 404)
        tally = tally_of(self.kept[experiment_id].values())
        counted = {"results": tally.results, "errors": tally.errors, "scores": tally.summaries()}
        return {**self.rows[experiment_id], **counted, "cost_usd": tally.cost_usd}

    def edit(self, experiment_id: str, **values: Any) -> Json:
        if self.rows[experiment_id]["status"] != "running":
            raise ApiError("The experiment is over.", 409)
        self.rows[experiment_id] |= values
        return self.get(experiment_id)

    def latest(self, **wanted: str | None) -> Json | None:
        for row in reversed(self.rows.values()):
            if all(value is None or row.get(name) == value for name, value in wanted.items()):
                return self.get(row["id"])
        return None

    def add_cases(self, experiment_id: str, cases: Iterable[Case]) -> int:
        kept = self.kept_cases[experiment_id]
        for case in cases:
            kept.setdefault(case.id, Case.from_json(case.to_json()))
        return len(kept)

    def cases(self, experiment_id: str) -> Iterator[Case]:
        yield from self.kept_cases[experiment_id].values()

    def add_results(self, experiment_id: str, results: Sequence[Result]) -> set[Key]:
        if self.down:
            self.down -= 1
            raise ApiError("No Voxgate answers.")
        kept, stored = self.kept[experiment_id], set()
        for result in results:
            key = (result.case_id, result.trial)
            if key in kept and kept[key].error is None:
                self.refused.append(key)
            else:
                kept[key] = result
                stored.add(key)
        return stored

    def results(self, experiment_id: str, case_id: str | None = None) -> Iterator[Result]:
        kept = self.kept[experiment_id].items()
        yield from [result for (kept_id, _), result in sorted(kept) if case_id in (None, kept_id)]


class KeptSessions:
    def __init__(self, *traces: Json) -> None:
        self._traces = {trace["id"]: trace for trace in traces}

    async def finished(self, session_id: str) -> Session:
        if session_id not in self._traces:
            raise TaskError(f"The session {session_id} is not recorded.", retryable=False)
        return Session(self._traces[session_id])


class Watched:
    """A reporter that remembers."""

    def __init__(self) -> None:
        self.plans: list[Plan] = []
        self.retries: list[str] = []
        self.running = 0
        self.most_running = 0
        self.done: list[Key] = []
        self.is_closed = False

    def planned(self, plan: Plan) -> None:
        self.plans.append(plan)

    def began(self, case: Case, trial: int) -> None:
        self.running += 1
        self.most_running = max(self.most_running, self.running)

    def retried(self, case: Case, attempt: int, error: Exception) -> None:
        self.retries.append(case.id)

    def ended(self, result: Result, spent_usd: float) -> None:
        self.running -= 1
        self.done.append((result.case_id, result.trial))

    def counted(self, done: int, errors: int, spent_usd: float) -> None:
        """Nobody else works here."""

    def closed(self) -> None:
        self.is_closed = True


class NoClient:
    """Nothing here asks a server."""

    url = "http://127.0.0.1:1"


def new_house(branch: str | None = "main", *traces: Json) -> House:
    git = branch and {"branch": branch, "commit": "0" * 40, "dirty": False}
    nobody: Any = NoClient()
    return House(nobody, KeptExperiments(), KeptSessions(*traces), git or None, "main" if branch else None)


def kept(house: House) -> KeptExperiments:
    assert isinstance(house.experiments, KeptExperiments)
    return house.experiments
