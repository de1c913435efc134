"""Two experiments beside each other over HTTP."""

from __future__ import annotations

from fastapi.testclient import TestClient


def made(client: TestClient, values: dict[str, float]) -> str:
    experiment_id: str = client.post("/api/experiments", json={"name": "refunds"}).json()["id"]
    rows = [
        {"case_id": case, "trial": 0, "scores": [{"name": "ok", "value": value}]}
        for case, value in values.items()
    ]
    client.post(f"/api/experiments/{experiment_id}/results", json={"results": rows})
    return experiment_id


def test_the_comparison_names_what_regressed_first(client: TestClient) -> None:
    before = made(client, {f"c{n}": 1.0 for n in range(8)} | {"gone": 1.0})
    after = made(client, {f"c{n}": 0.0 for n in range(8)})
    answer = client.get(f"/api/experiments/{before}/compare/{after}")
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["before"], found["after"], found["only_before"]) == (before, after, ["gone"])
    [score] = found["scores"]
    assert (score["verdict"], score["delta"], score["interval"]) == ("regressed", -1.0, [-1.0, -1.0])
    assert [pair["change"] for pair in score["pairs"]] == ["regressed"] * 8


def test_an_experiment_that_is_not_there_is_not_compared(client: TestClient) -> None:
    before = made(client, {"a": 1.0})
    assert client.get(f"/api/experiments/{before}/compare/exp_none").status_code == 404
