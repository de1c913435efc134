"""Experiments and rules over HTTP: results once, the end is the end, projects apart, wrong fields named."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.api.world import World

TEXT = {"input": {"kind": "text", "text": "hello"}}
RULE: dict[str, Any] = {
    "name": "quality",
    "filter": "model:x",
    "scorers": [{"name": "wer", "params": {"a": 1}}],
}
ALERT = {"score": "wer", "window": 20, "threshold": 0.2, "direction": "min", "webhook": "https://x.test/hook"}


def run(client: TestClient, **more: Any) -> str:
    answer = client.post("/api/experiments", json={"name": "refunds", **more})
    assert answer.status_code == 201, answer.text
    return f"/api/experiments/{answer.json()['id']}"


def id_of(base: str) -> str:
    return base.rpartition("/")[2]


def result(case_id: str, trial: int = 0, **more: Any) -> dict[str, Any]:
    return {"case_id": case_id, "trial": trial, "scores": [{"name": "ok", "value": 1}], **more}


def store(client: TestClient, base: str, *results: dict[str, Any]) -> Any:
    return client.post(f"{base}/results", json={"results": list(results)})


def refused(answer: Any) -> tuple[int, str | None]:
    return answer.status_code, answer.json()["error"]["param"]


@pytest.fixture
def dataset(client: TestClient) -> str:
    made: str = client.post("/api/datasets", json={"name": "refunds", "project": "shop"}).json()["id"]
    cases = [{"id": name, **TEXT} for name in "ab"]
    client.post(f"/api/datasets/{made}/cases", json={"cases": cases})
    client.post(f"/api/datasets/{made}/cases", json={"cases": [{"id": "c", **TEXT}]})
    return made


def test_an_experiment_over_a_version_of_a_data_set(client: TestClient, dataset: str) -> None:
    git = {"branch": "main", "commit": "abc", "dirty": False}
    base = run(client, dataset={"id": dataset, "version": 1}, trials=2, seed=7, git=git, task={"model": "m"})
    found = client.get(base).json()
    assert found["dataset"] == {"id": dataset, "name": "refunds", "version": 1}
    assert (found["project"], found["status"], found["git"], found["task"]) == (
        "shop",
        "running",
        git,
        {"model": "m"},
    )
    assert (found["results"], found["errors"], found["scores"], found["cost_usd"]) == (0, 0, {}, None)
    page = client.get(f"{base}/cases", params={"limit": 1}).json()
    assert ([case["id"] for case in page["items"]], page["version"]) == (["a"], 1)
    rest = client.get(f"{base}/cases", params={"cursor": page["next_cursor"]}).json()
    assert [case["id"] for case in rest["items"]] == ["b"]
    newest = run(client, dataset={"id": dataset})
    assert client.get(newest).json()["dataset"]["version"] == 2


def test_results_are_stored_once_and_counted(client: TestClient) -> None:
    base = run(client)
    output = {"text": "hi", "tool_calls": [{"name": "f", "arguments": {"x": 1}}], "session_id": "sess_1"}
    first = result("a", output=output, cost_usd=0.5, duration_ms=12.5, started_at="2026-01-01T00:00:00Z")
    assert store(client, base, first, result("b")).json() == {"stored": [["a", 0], ["b", 0]], "known": []}
    assert store(client, base, result("a"), result("a", 1)).json() == {
        "stored": [["a", 1]],
        "known": [["a", 0]],
    }
    page = client.get(f"{base}/results", params={"limit": 2}).json()
    assert [(each["case_id"], each["trial"]) for each in page["items"]] == [("a", 0), ("a", 1)]
    assert (page["items"][0]["output"]["text"], page["items"][0]["cost_usd"]) == ("hi", 0.5)
    rest = client.get(f"{base}/results", params={"cursor": page["next_cursor"]}).json()
    assert [each["case_id"] for each in rest["items"]] == ["b"]
    assert len(client.get(f"{base}/results", params={"case_id": "a"}).json()["items"]) == 2
    found = client.get(base).json()
    assert (found["results"], found["scores"]["ok"]["mean"], found["cost_usd"]) == (3, 1, 0.5)


def test_what_is_over_does_not_change(client: TestClient) -> None:
    base = run(client)
    store(client, base, result("a"))
    assert client.patch(base, json={"metadata": {"x": 1}, "cases": 4}).json()["cases"] == 4
    ended = client.patch(base, json={"status": "complete"}).json()
    assert (ended["status"], ended["scores"]["ok"]["n"]) == ("complete", 1)
    assert client.patch(base, json={"status": "running"}).status_code == 409
    assert store(client, base, result("b")).status_code == 409
    assert client.post(f"{base}/cases", json={"cases": [{"id": "a", **TEXT}]}).status_code == 409
    assert client.get(base).json() == ended


def test_experiments_are_found_by_what_they_are_of(client: TestClient, dataset: str) -> None:
    first = run(client, dataset={"id": dataset}, git={"branch": "main"})
    second = run(client, baseline=id_of(first), scored_from=id_of(first))
    client.patch(second, json={"status": "failed"})

    def found(**wanted: str) -> list[str]:
        items = client.get("/api/experiments", params=wanted).json()["items"]
        return [each["id"] for each in items]

    assert found() == found(name="refunds") == [id_of(second), id_of(first)]
    assert found(branch="main") == found(dataset=dataset) == found(project="shop") == [id_of(first)]
    assert found(status="failed") == [id_of(second)]
    assert client.get(second).json()["baseline"] == id_of(first)
    page = client.get("/api/experiments", params={"limit": 1}).json()
    assert found(cursor=page["next_cursor"]) == [id_of(first)]


def test_the_cases_of_a_list_are_sent_by_themselves(client: TestClient, dataset: str) -> None:
    base = run(client)
    local = {"id": "b", "input": {"kind": "audio", "clips": [{"content_type": "audio/wav", "path": "b.wav"}]}}
    logged = {"id": "a", "input": {"kind": "session"}, "session_id": "sess_1"}
    assert client.post(f"{base}/cases", json={"cases": [local, logged]}).json() == {"ids": ["b", "a"]}
    page = client.get(f"{base}/cases").json()
    assert ([case["id"] for case in page["items"]], page["version"]) == (["b", "a"], None)
    of_data_set = run(client, dataset={"id": dataset})
    assert client.post(f"{of_data_set}/cases", json={"cases": [local]}).status_code == 409


def test_the_record_stays_when_its_data_set_is_deleted(client: TestClient, dataset: str) -> None:
    base = run(client, dataset={"id": dataset})
    client.delete(f"/api/datasets/{dataset}")
    assert client.get(base).json()["dataset"]["name"] == "refunds"
    assert client.get(f"{base}/cases").status_code == 404


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "name"),
        ({"name": "x", "trials": 0}, "trials"),
        ({"name": "x", "seed": 1 << 63}, "seed"),
        ({"name": "x", "baseline": "exp_none"}, "baseline"),
        ({"name": "x", "git": {"tag": "x"}}, "git.tag"),
    ],
)
def test_a_wrong_field_of_an_experiment_is_named(client: TestClient, body: Any, param: str) -> None:
    assert refused(client.post("/api/experiments", json=body)) == (400, param)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"trial": 0}, "results.0.case_id"),
        (result("a", -1), "results.0.trial"),
        (result("a") | {"scores": [{"name": "x"}]}, "results.0.scores.0.value"),
        (result("a") | {"scores": [{"name": "x", "value": None}]}, "results"),
        (
            result("a") | {"scores": [{"name": "x", "value": 1, "direction": "up"}]},
            "results.0.scores.0.direction",
        ),
    ],
)
def test_a_wrong_field_of_a_result_is_named(client: TestClient, body: Any, param: str) -> None:
    assert refused(store(client, run(client), body)) == (400, param)


def test_a_project_sees_its_own_experiments_only(world: World, client: TestClient, dataset: str) -> None:
    base = run(client, project="shop")
    stranger, own = world.client(world.key("admin", "else")), world.client(world.key("admin", "shop"))
    for path in ("", "/cases", "/results"):
        assert (own.get(base + path).status_code, stranger.get(base + path).status_code) == (200, 404)
    assert stranger.patch(base, json={}).status_code == 404
    assert store(stranger, base, result("a")).status_code == 404
    assert stranger.delete(base).status_code == 404
    assert (
        stranger.post("/api/experiments", json={"name": "x", "dataset": {"id": dataset}}).status_code == 404
    )
    assert refused(stranger.post("/api/experiments", json={"name": "x", "baseline": id_of(base)}))[0] == 400
    assert stranger.get("/api/experiments").json()["items"] == []
    assert own.delete(base).json()["deleted"]


def test_a_rule_is_made_changed_and_deleted(client: TestClient) -> None:
    made = client.post("/api/rules", json=RULE | {"alert": ALERT, "sampling_rate": 0.25})
    assert made.status_code == 201
    rule = made.json()
    assert (rule["enabled"], rule["sampling_rate"], rule["alert"], rule["project"]) == (
        True,
        0.25,
        ALERT,
        None,
    )
    base = f"/api/rules/{rule['id']}"
    edited = client.patch(base, json={"enabled": False}).json()
    assert (edited["enabled"], edited["alert"]) == (False, ALERT)
    assert client.patch(base, json={"alert": None}).json()["alert"] is None
    assert client.get("/api/rules").json()["items"] == [client.get(base).json()]
    assert client.delete(base).json()["deleted"]
    assert client.get(base).status_code == 404


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"filter": "duration>soon"}, "filter"),
        ({"sampling_rate": 1.5}, "sampling_rate"),
        ({"scorers": []}, "scorers"),
        ({"alert": ALERT | {"webhook": "file:///x"}}, "alert.webhook"),
        ({"alert": ALERT | {"window": 0}}, "alert.window"),
    ],
)
def test_a_wrong_field_of_a_rule_is_named(client: TestClient, wrong: Any, param: str) -> None:
    assert refused(client.post("/api/rules", json=RULE | wrong)) == (400, param)
    made = client.post("/api/rules", json=RULE).json()["id"]
    assert refused(client.patch(f"/api/rules/{made}", json=wrong)) == (400, param)


def test_a_project_sees_its_own_rules_only(world: World, client: TestClient) -> None:
    client.post("/api/rules", json=RULE)
    own = world.client(world.key("admin", "shop"))
    made = own.post("/api/rules", json=RULE).json()
    assert made["project"] == "shop"
    assert [rule["id"] for rule in own.get("/api/rules").json()["items"]] == [made["id"]]
    stranger = world.client(world.key("admin", "else"))
    assert stranger.get(f"/api/rules/{made['id']}").status_code == 404
    assert stranger.delete(f"/api/rules/{made['id']}").status_code == 404
    assert stranger.post("/api/rules", json=RULE | {"project": "shop"}).status_code == 403
