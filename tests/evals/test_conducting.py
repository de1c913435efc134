"""Evaluations from declaration to outcome, without a server."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections import Counter
from typing import Any

import pytest

from tests.evals.house import Watched, kept, new_house
from voxgate.core.errors import InvalidRequest
from voxgate.evals.casework import trial_seed
from voxgate.evals.conducting import House, Options, conduct
from voxgate.evals.evaluation import Eval, collecting
from voxgate.evals.model import Case, Json, Output, Score
from voxgate.evals.outcome import Outcome
from voxgate.evals.protocols import TaskError, Trial
from voxgate.evals.scoring import scorer
from voxgate.evals.session import Session


@scorer
def exact(output: str, expected: str) -> bool:
    return output == expected


def greeting(name: str) -> str:
    return f"Hello, {name}!"


def cases(count: int) -> list[dict[str, Any]]:
    return [{"id": f"c{n:05}", "input": f"n{n}", "expected": f"Hello, n{n}!"} for n in range(count)]


def run(evaluation: Eval, house: House | None = None, **options: Any) -> tuple[Outcome, Watched]:
    watched = Watched()
    outcome = asyncio.run(conduct(evaluation, house or new_house(), watched, Options(**options)))
    return outcome, watched


class Priced:
    """A task that costs a tenth of a dollar each time and fails as often as it is told, by case id."""

    name = "priced"

    def __init__(self, failures: dict[str, int] | None = None, *, retryable: bool = True) -> None:
        self.failures = dict(failures or {})
        self.ran: Counter[tuple[str, int]] = Counter()
        self.seeds: dict[tuple[str, int], int] = {}
        self._retryable = retryable

    def describe(self) -> Json:
        return {"kind": "priced"}

    def estimate_usd(self, case: Case) -> float | None:
        return 0.1

    async def run(self, case: Case, trial: Trial) -> Output:
        self.ran[case.id, trial.number] += 1
        self.seeds[case.id, trial.number] = trial.seed
        if self.failures.get(case.id, 0) > 0:
            self.failures[case.id] -= 1
            raise TaskError("the provider was away", retryable=self._retryable)
        return Output(text=greeting(case.input.text or ""), cost_usd=0.1)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voxgate.evals.casework.FIRST_WAIT_SECONDS", 0.0)
    monkeypatch.setattr("voxgate.evals.runner._STORE_WAIT_SECONDS", 0.0)


def test_every_case_is_run_scored_and_stored_for_each_trial() -> None:
    house = new_house()
    outcome, watched = run(Eval("hello", data=cases(5), task=greeting, scores=[exact], trials=3), house)
    assert outcome.exit_code == 0
    assert outcome.experiment["status"] == "complete"
    assert outcome.experiment["scores"]["exact"]["mean"] == 1.0
    assert len(watched.done) == 15
    assert watched.is_closed
    assert watched.plans[0].runs == 15
    assert set(kept(house).kept[outcome.id]) == {(f"c{n:05}", t) for n in range(5) for t in range(3)}


def test_the_record_says_what_was_run_and_where_from() -> None:
    evaluation = Eval("hello", data=cases(2), task=greeting, scores=[exact], gate={"exact": ">=1"}, seed=7)
    row = run(evaluation)[0].experiment
    assert row["task"] == {"kind": "function", "name": "greeting", "module": __name__}
    assert [one["name"] for one in row["scorers"]] == ["exact"]
    assert (row["seed"], row["trials"], row["git"]["branch"]) == (7, 1, "main")
    assert row["metadata"]["gate"] == {"exact": ">=1"}


@pytest.mark.parametrize(("wanted", "code"), [(">=1", 0), (">1", 1)])
def test_the_gate_decides_the_exit_code(wanted: str, code: int) -> None:
    outcome, _ = run(Eval("hello", data=cases(2), task=greeting, scores=[exact], gate={"exact": wanted}))
    assert outcome.exit_code == code


def test_no_more_cases_run_at_once_than_are_allowed() -> None:
    async def slow(name: str) -> str:
        await asyncio.sleep(0.001)
        return greeting(name)

    _, watched = run(Eval("hello", data=cases(30), task=slow, scores=[exact], max_concurrency=3))
    assert watched.most_running <= 3
    assert len(watched.done) == 30


def test_a_provider_that_comes_back_is_asked_again() -> None:
    task = Priced({"c00001": 2})
    outcome, watched = run(Eval("hello", data=cases(3), task=task, scores=[exact]))
    assert outcome.exit_code == 0
    assert task.ran["c00001", 0] == 3
    assert watched.retries == ["c00001", "c00001"]


def test_a_provider_that_stays_away_is_infrastructure_and_never_a_failed_gate() -> None:
    house, task = new_house(), Priced({"c00001": 99})
    outcome, _ = run(Eval("h", data=cases(3), task=task, scores=[exact], gate={"exact": ">1"}), house)
    assert outcome.exit_code == 3
    assert task.ran["c00001", 0] == 4
    assert outcome.experiment["status"] == "running"


def test_what_will_be_refused_again_is_not_tried_again() -> None:
    task = Priced({"c00001": 99}, retryable=False)
    run(Eval("hello", data=cases(3), task=task))
    assert task.ran["c00001", 0] == 1


def test_an_error_of_the_evaluation_itself_is_the_users_to_mend() -> None:
    def broken(name: str) -> str:
        raise KeyError("name")

    outcome, _ = run(Eval("hello", data=cases(2), task=broken, scores=[exact], gate={"exact": ">=1"}))
    assert (outcome.exit_code, outcome.experiment["status"]) == (2, "failed")
    assert outcome.tally.error_kinds == {"KeyError": 2}


def test_an_experiment_with_errors_is_taken_up_again_and_only_they_run() -> None:
    house, task = new_house(), Priced({"c00001": 99})
    evaluation = Eval("hello", data=cases(3), task=task, scores=[exact])
    first, _ = run(evaluation, house)
    task.failures.clear()
    task.ran.clear()
    second, watched = run(evaluation, house, resume="last")
    assert second.id == first.id
    assert (second.exit_code, second.experiment["status"]) == (0, "complete")
    assert list(task.ran) == [("c00001", 0)]
    assert watched.plans[0].known == 2


def test_a_finished_experiment_is_not_taken_up_again() -> None:
    house = new_house()
    evaluation = Eval("hello", data=cases(1), task=greeting)
    first, _ = run(evaluation, house)
    with pytest.raises(InvalidRequest, match="cannot be taken up again"):
        run(evaluation, house, resume=first.id)
    with pytest.raises(InvalidRequest, match="no unfinished experiment"):
        run(evaluation, house, resume="last")


def test_ctrl_c_keeps_what_there_is_and_the_rest_runs_later() -> None:
    house = new_house()
    pressed = threading.Event()

    async def interrupted(name: str) -> str:
        if name == "n5" and not pressed.is_set():
            pressed.set()
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.sleep(3600)
        return greeting(name)

    evaluation = Eval("hello", data=cases(8), task=interrupted, scores=[exact], max_concurrency=1)
    first, watched = run(evaluation, house)
    assert (first.stopped, first.exit_code) == ("interrupted", 3)
    assert watched.is_closed
    assert len(kept(house).kept[first.id]) == 5
    second, again = run(evaluation, house, resume=first.id)
    assert (second.id, second.exit_code) == (first.id, 0)
    assert again.done == [("c00005", 0), ("c00006", 0), ("c00007", 0)]
    assert kept(house).refused == []


def test_the_budget_ends_a_run_before_it_is_overdrawn() -> None:
    task = Priced()
    house = new_house()
    evaluation = Eval("hello", data=cases(20), task=task, scores=[exact], budget_usd=0.55)
    outcome, watched = run(evaluation, house)
    assert watched.plans[0].estimate_usd == pytest.approx(2.0)
    assert (outcome.stopped, outcome.exit_code) == ("budget", 2)
    assert sum(task.ran.values()) == 5
    again, _ = run(evaluation, house, resume=outcome.id)
    assert again.stopped == "budget"
    assert sum(task.ran.values()) == 5


def test_what_judges_cost_counts_too() -> None:
    @scorer
    def dear(output: str) -> Score:
        return Score("dear", 1.0, params={"cost_usd": 0.25, "votes": 3})

    house = new_house()
    outcome, _ = run(
        Eval("hello", data=cases(20), task=Priced(), scores=[dear, exact], budget_usd=1.0), house
    )
    assert outcome.stopped == "budget"
    costs = [result.cost_usd for result in kept(house).results(outcome.id)]
    assert costs
    assert costs == pytest.approx([0.35] * len(costs))
    free, _ = run(Eval("greeting", data=cases(2), task=greeting, scores=[dear]), house)
    assert [result.cost_usd for result in kept(house).results(free.id)] == [0.25, 0.25]


def test_a_budget_of_sessions_counts_runs() -> None:
    task = Priced()
    outcome, _ = run(Eval("hello", data=cases(20), task=task, max_sessions=7))
    assert outcome.stopped == "budget"
    assert sum(task.ran.values()) == 7


def test_a_run_gets_the_same_seeds_every_time_and_every_trial_its_own() -> None:
    first, second = Priced(), Priced()
    for task in (first, second):
        run(Eval("hello", data=cases(3), task=task, trials=2, seed=5))
    assert first.seeds == second.seeds
    assert len(set(first.seeds.values())) == 6
    assert first.seeds["c00001", 1] == trial_seed(5, "c00001", 1) != trial_seed(6, "c00001", 1)


def test_it_is_compared_with_the_last_complete_run_of_the_main_branch() -> None:
    house = new_house("main")
    gate = {"exact": "no-regression"}
    good, _ = run(Eval("hello", data=cases(10), task=greeting, scores=[exact]), house)
    other = new_house("feature")
    branch = House(other.client, house.experiments, house.sessions, other.git, "main")
    worse, _ = run(Eval("hello", data=cases(10), task=str.upper, scores=[exact], gate=gate), branch)
    assert worse.exit_code == 1
    assert worse.comparison is not None
    assert (worse.comparison.before, worse.comparison.scores[0].verdict) == (good.id, "regressed")
    same, _ = run(Eval("hello", data=cases(10), task=greeting, scores=[exact], gate=gate), branch)
    assert (same.exit_code, same.baseline and same.baseline["id"]) == (0, good.id)


def test_a_baseline_can_be_named_by_id_name_or_branch() -> None:
    house = new_house("main")
    first, _ = run(Eval("first", data=cases(2), task=greeting, scores=[exact]), house)
    for wanted in (first.id, "first"):
        outcome, _ = run(Eval("second", data=cases(2), task=greeting, baseline=wanted), house)
        assert outcome.baseline is not None
        assert outcome.baseline["id"] == first.id
    second, _ = run(Eval("second", data=cases(2), task=greeting), house, baseline="branch:main")
    assert second.baseline is not None
    assert run(Eval("second", data=cases(2), task=greeting, baseline=False), house)[0].baseline is None
    with pytest.raises(InvalidRequest, match="no complete experiment 'nothing'"):
        run(Eval("second", data=cases(2), task=greeting, baseline="nothing"), house)


def test_no_regression_without_a_baseline_is_said_before_anything_runs() -> None:
    task = Priced()
    with pytest.raises(InvalidRequest, match="no complete experiment of that name on main"):
        run(Eval("hello", data=cases(2), task=task, scores=[exact], gate={"exact": "no-regression"}))
    assert not task.ran


def test_results_are_stored_although_voxgate_is_away_for_a_moment() -> None:
    house = new_house()
    kept(house).down = 3
    outcome, _ = run(Eval("hello", data=cases(4), task=greeting, scores=[exact]), house)
    assert (outcome.exit_code, outcome.tally.results) == (0, 4)


def test_recorded_calls_are_scored_as_they_are_without_a_task() -> None:
    @scorer(direction="min", unit="ms")
    def length(session: Session) -> float:
        return session.duration_ms

    trace = {"id": "sess_1", "status": "complete", "duration_ms": 1200.0, "spans": [], "cost_usd": 3.0}
    house = new_house("main", trace)
    data = [{"id": "a", "input": {"kind": "session"}, "session_id": "sess_1"}]
    outcome, _ = run(Eval("length", data=data, scores=[length], budget_usd=0.01), house)
    assert outcome.tally.by_case("length") == {"a": [1200.0]}
    assert outcome.tally.cost_usd == 0


def test_a_case_without_a_recorded_call_needs_a_task() -> None:
    outcome, _ = run(Eval("length", data=cases(1), scores=[exact]))
    assert outcome.exit_code == 2
    assert "InvalidRequest" in outcome.tally.error_kinds


def test_a_call_that_was_never_recorded_is_infrastructure() -> None:
    async def lost(name: str) -> Output:
        return Output(text=name, session_id="sess_lost")

    assert run(Eval("hello", data=cases(1), task=lost, scores=[exact], retries=0))[0].exit_code == 3


def test_cases_stream_and_are_not_held() -> None:
    behind: list[int] = []
    done = Counter[str]()

    async def counted(name: str) -> str:
        done["ran"] += 1
        behind.append(read["rows"] - done["ran"])
        return greeting(name)

    read = Counter[str]()
    house = new_house()
    held = kept(house)

    def streamed(_: str) -> Any:
        for case in list(held.kept_cases[next(iter(held.rows))].values()):
            read["rows"] += 1
            yield case

    held.cases = streamed  # type: ignore[method-assign]
    outcome, _ = run(Eval("many", data=lambda: iter(cases(2_000)), task=counted, scores=[exact]), house)
    assert outcome.tally.results == 2_000
    assert max(behind) < 300  # a sample for the estimate, and a page ahead of what is worked on


def test_data_without_cases_is_an_error() -> None:
    with pytest.raises(InvalidRequest, match="has no cases"):
        run(Eval("hello", data=[], task=greeting))


def test_evals_of_a_file_are_collected_in_their_order() -> None:
    with collecting() as made:
        Eval("a", data=[1])
        Eval("b", data=[1])
    Eval("c", data=[1])
    assert [evaluation.name for evaluation in made] == ["a", "b"]


def test_a_gate_brings_the_scorer_that_it_needs() -> None:
    evaluation = Eval("hello", data=[1], scores=[exact], gate={"v2v.p95": "<=1500", "exact.p50": ">=1"})
    assert [one.name for one in evaluation.scorers] == ["exact", "v2v"]
