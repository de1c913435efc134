"""Scores over HTTP: added, shown with the session, replaced, deleted; wrong ones refused by name."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.api.world import World

SCORES = "/api/sessions/sess_1/scores"
SPAN = {"id": "span_1", "type": "turn", "name": "turn", "start_ms": 0, "end_ms": 1}


@pytest.fixture
def scored(world: World, client: TestClient) -> TestClient:
    world.add_session()
    world.store.save_spans("sess_1", [SPAN])
    return client


def test_a_score_is_shown_with_its_session_and_in_lists(scored: TestClient) -> None:
    evidence = [{"span_id": "span_1", "start_ms": 0.5, "end_ms": 1}]
    body = {"name": "rating", "value": 4, "span_id": "span_1", "comment": "<b>", "evidence": evidence}
    added = scored.post(SCORES, json=body)
    assert added.status_code == 201
    score = added.json()
    assert (score["author"], score["source"], score["evidence"]) == ("admin", "human", evidence)
    assert scored.get("/api/sessions/sess_1").json()["scores"] == [score]
    assert scored.get(SCORES).json() == {"items": [score], "next_cursor": None}
    assert scored.get("/api/sessions", params={"q": "score.rating>=4"}).json()["items"][0]["scores"] == {
        "rating": 4
    }


def test_what_is_said_again_takes_the_place_of_what_was_said(scored: TestClient) -> None:
    for value in (2, 5):
        scored.post(SCORES, json={"name": "rating", "value": value, "replace": True})
    assert [score["value"] for score in scored.get(SCORES).json()["items"]] == [5]


def test_a_deleted_score_is_gone(scored: TestClient) -> None:
    score_id = scored.post(SCORES, json={"name": "verdict", "label": "pass"}).json()["id"]
    assert scored.delete(f"{SCORES}/{score_id}").json() == {"id": score_id, "deleted": True}
    assert scored.delete(f"{SCORES}/{score_id}").status_code == 404


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "name"),
        ({"name": "a b"}, "name"),
        ({"name": "x", "value": "much"}, "value"),
        ({"name": "x", "span_id": "span_2"}, "span_id"),
        ({"name": "x", "source": "dog"}, "source"),
        ({"name": "x", "mood": 1}, "mood"),
        ({"name": "x", "evidence": [{"start_ms": -1, "end_ms": 2}]}, "evidence.0.start_ms"),
    ],
)
def test_a_wrong_field_is_named(scored: TestClient, body: dict[str, Any], param: str) -> None:
    refused = scored.post(SCORES, json=body)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, param)


def test_readers_see_scores_and_add_none_and_other_projects_see_nothing(world: World) -> None:
    world.add_session()
    reader = world.client(world.key("read"))
    assert reader.get(SCORES).status_code == 200
    assert reader.post(SCORES, json={"name": "x"}).status_code == 403
    stranger = world.client(world.key("admin", "elsewhere"))
    assert stranger.get(SCORES).status_code == 404
    assert stranger.post(SCORES, json={"name": "x"}).status_code == 404
