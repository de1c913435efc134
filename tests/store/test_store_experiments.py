"""Experiments keep each case and trial once, and say what they come to, in both databases."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from voxgate.store import Store


def score(name: str, value: float | None, **more: Any) -> dict[str, Any]:
    return {"name": name, "value": value, "direction": "max", "unit": None, **more}


def result(case_id: str, trial: int = 0, *scores: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"case_id": case_id, "trial": trial, "scores": list(scores), "error": None, **more}


@pytest.fixture
def run(store: Store) -> str:
    return str(store.add_experiment({"project": "shop", "name": "refunds"})["id"])


def results_of(store: Store, experiment_id: str, **asked: Any) -> list[dict[str, Any]]:
    items, cursor = store.list_results(experiment_id, **asked)
    while cursor is not None:
        more, cursor = store.list_results(experiment_id, cursor=cursor, **asked)
        items += more
    return items


def summary(store: Store, experiment_id: str) -> dict[str, Any]:
    found = store.get_experiment(experiment_id)
    assert found is not None
    return dict(found["summary"])


def test_an_experiment_is_read_as_it_was_saved(store: Store) -> None:
    given = {"project": "shop", "name": "refunds", "task": {"model": "m"}, "scorers": [{"name": "wer"}]}
    saved = store.add_experiment(given | {"trials": 3, "seed": 1 << 40, "git": {"branch": "main"}})
    assert (saved["status"], saved["task"], saved["seed"], saved["trials"]) == (
        "running",
        {"model": "m"},
        1 << 40,
        3,
    )
    assert saved["summary"] == {"results": 0, "errors": 0, "cost_usd": None, "scores": {}}
    assert store.get_experiment(saved["id"]) == saved
    assert store.get_experiment("exp_none") is None


def test_experiments_are_found_newest_first_by_what_they_are_of(store: Store) -> None:
    for name, branch in (("a", "main"), ("a", "next"), ("b", "main")):
        store.add_experiment({"project": "shop", "name": name, "branch": branch, "dataset_id": f"d{name}"})
    store.add_experiment({"project": "else", "name": "a"})

    def names(**wanted: Any) -> list[str]:
        return sorted(row["name"] for row in store.list_experiments(**wanted)[0])

    assert names(project="shop") == ["a", "a", "b"]
    assert names(project="shop", name="a", branch="main") == ["a"]
    assert names(dataset="db", status="running") == ["b"]
    assert names(status="complete") == []
    first, cursor = store.list_experiments(limit=3)
    rest, end = store.list_experiments(limit=3, cursor=cursor)
    ids = [row["id"] for row in first + rest]
    assert (ids, len(ids), end) == (sorted(ids, reverse=True), 4, None)


def test_the_first_result_of_a_case_and_trial_counts(store: Store, run: str) -> None:
    assert store.add_results(run, [result("b"), result("a", 1)]) == ([("a", 1), ("b", 0)], [])
    again = [result("b", 0, score("wer", 9)), result("b", 1)]
    assert store.add_results(run, again) == ([("b", 1)], [("b", 0)])
    assert [(one["case_id"], one["trial"], one["scores"]) for one in results_of(store, run)] == [
        ("a", 1, []),
        ("b", 0, []),
        ("b", 1, []),
    ]


def test_an_error_is_replaced_by_what_comes_later(store: Store, run: str) -> None:
    store.add_results(run, [result("a", 0, score("old", 1), error="the network")])
    assert summary(store, run)["errors"] == 1
    assert store.add_results(run, [result("a", 0, score("new", 2))]) == ([("a", 0)], [])
    assert store.add_results(run, [result("a", 0, error="again")]) == ([], [("a", 0)])
    found = summary(store, run)
    assert (found["results"], found["errors"], list(found["scores"])) == (1, 0, ["new"])


def test_many_that_store_the_same_result_store_it_once(store: Store, run: str) -> None:
    stored: list[int] = []
    both = threading.Barrier(4)

    def add(number: int) -> None:
        both.wait(60)
        for case_id in ("a", "b", "c"):
            new = [result(case_id, 0, score("who", number)), result(case_id, 1, score("who", number))]
            answer = store.add_results(run, new if number % 2 else new[::-1])
            assert answer is not None
            stored.append(len(answer[0]))

    threads = [threading.Thread(target=add, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(stored), sum(stored)) == (12, 6)
    assert summary(store, run)["scores"]["who"]["n"] == 6


def test_scores_are_summed_up_over_cases_and_not_over_trials(store: Store, run: str) -> None:
    rows = [
        result("a", 0, score("ok", 1.0), cost_usd=0.5),
        result("a", 1, score("ok", 1.0), cost_usd=0.25),
        result("b", 0, score("ok", 0.0), score("ms", 5.0, direction="min", unit="ms")),
        result("c", 0, score("ok", None)),
    ]
    store.add_results(run, rows)
    found = summary(store, run)
    assert (found["results"], found["errors"], found["cost_usd"]) == (4, 0, 0.75)
    # Of two cases, 1 and 0: the mean 0.5, the standard deviation √0.5, divided by √2.
    assert found["scores"] == {
        "ms": {"mean": 5.0, "stderr": None, "n": 1, "missing": 0, "direction": "min", "unit": "ms"},
        "ok": {
            "mean": 0.5,
            "stderr": pytest.approx(0.5),
            "n": 3,
            "missing": 1,
            "direction": "max",
            "unit": None,
        },
    }


def test_values_that_differ_little_keep_their_standard_error(store: Store, run: str) -> None:
    values = [1e9, 1e9 + 1, 1e9 + 2]
    store.add_results(run, [result(str(value), 0, score("t", value)) for value in values])
    found = summary(store, run)["scores"]["t"]
    assert (found["mean"], found["stderr"]) == (1e9 + 1, pytest.approx((1 / 3) ** 0.5))


def test_scores_that_nothing_was_measured_of_have_no_mean(store: Store, run: str) -> None:
    store.add_results(run, [result("a", 0, score("wer", None)), result("b", 0, score("wer", None))])
    found = summary(store, run)["scores"]["wer"]
    assert (found["mean"], found["stderr"], found["n"], found["missing"]) == (None, None, 0, 2)


def test_an_experiment_that_is_over_does_not_change(store: Store, run: str) -> None:
    store.add_results(run, [result("a", 0, score("ok", 1.0))])
    assert store.edit_experiment(run, {"metadata": {"x": 1}}) is not None
    ended = store.edit_experiment(run, {"status": "complete"})
    assert ended is not None
    assert (ended["status"], ended["metadata"], ended["summary"]["results"]) == ("complete", {"x": 1}, 1)
    assert ended["ended_at"] is not None
    assert store.edit_experiment(run, {"metadata": {}}) is None
    assert store.add_results(run, [result("b")]) is None
    assert not store.add_experiment_cases(run, [{"id": "a"}])
    assert store.get_experiment(run) == ended


def test_pages_of_results_are_in_a_stable_order(store: Store, run: str) -> None:
    for number in range(250):
        store.add_results(run, [result(f"case {number * 37 % 250:03}", trial) for trial in (1, 0)])
    expected = [(f"case {number:03}", trial) for number in range(250) for trial in (0, 1)]
    assert [(one["case_id"], one["trial"]) for one in results_of(store, run, limit=33)] == expected
    of_one = results_of(store, run, case_id="case 007", limit=1)
    assert [(one["case_id"], one["trial"]) for one in of_one] == [("case 007", 0), ("case 007", 1)]


def test_the_order_of_case_ids_is_that_of_their_bytes(store: Store, run: str) -> None:
    ids = ["a b", "B", "ä", "_x", "a-b", "A"]
    store.add_results(run, [result(case_id) for case_id in ids])
    assert [one["case_id"] for one in results_of(store, run, limit=2)] == sorted(ids)


def test_the_cases_of_a_list_are_kept_with_the_experiment(store: Store, run: str) -> None:
    assert store.add_experiment_cases(run, [{"id": "b", "x": 1}, {"id": "a"}])
    assert store.add_experiment_cases(run, [{"id": "b", "x": 2}, {"id": "c"}])
    first, cursor = store.list_experiment_cases(run, limit=2)
    rest, end = store.list_experiment_cases(run, limit=2, cursor=cursor)
    assert (first + rest, end) == ([{"id": "b", "x": 1}, {"id": "a"}, {"id": "c"}], None)


def test_a_deleted_experiment_leaves_nothing(store: Store, run: str) -> None:
    store.add_results(run, [result("a", 0, score("ok", 1.0))])
    store.add_experiment_cases(run, [{"id": "a"}])
    assert store.delete_experiment(run)
    assert not store.delete_experiment(run)
    assert results_of(store, run) == []
    assert store.list_experiment_cases(run) == ([], None)


RULE = {"name": "quality", "enabled": True, "filter": "model:x", "sampling_rate": 0.5, "scorers": []}


def test_rules_are_kept_edited_and_deleted(store: Store) -> None:
    made = store.add_rule(RULE | {"project": "shop", "alert": {"score": "wer"}})
    assert store.get_rule(made["id"]) == made
    assert store.has_rules()
    edited = store.edit_rule(made["id"], {"enabled": False, "alert": None})
    assert edited is not None
    assert not store.has_rules()
    assert (edited["enabled"], edited["alert"], edited["filter"]) == (False, None, "model:x")
    store.remember_of_rule(made["id"], {"alerted": True})
    found = store.get_rule(made["id"])
    assert found is not None
    assert (found["state"], found["updated_at"]) == ({"alerted": True}, edited["updated_at"])
    assert store.delete_rule(made["id"])
    assert not store.delete_rule(made["id"])
    assert store.edit_rule(made["id"], {"enabled": True}) is None


def test_rules_are_listed_by_project_and_by_whether_they_are_on(store: Store) -> None:
    for project, enabled in (("shop", True), ("else", True), (None, False)):
        store.add_rule(RULE | {"project": project, "name": str(project), "enabled": enabled})

    def names(**asked: Any) -> set[str]:
        return {rule["name"] for rule in store.list_rules(**asked)}

    assert names() == {"shop", "else", "None"}
    assert names(project="shop") == {"shop"}
    assert names(project="shop", of_all=True) == {"shop", "None"}
    assert names(enabled=True) == {"shop", "else"}
