"""Agreement over HTTP: who is paired with whom, by project, and sorting and charting by scores."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.api.world import World


def say(world: World, session_id: str, value: float, source: str = "human", **more: Any) -> None:
    fields = {"name": "polite", "value": value, "source": source, "author": source, **more}
    assert world.store.add_score(session_id, fields) is not None


@pytest.fixture
def judged(world: World) -> World:
    for number, (human, judge) in enumerate([(1, 1), (1, 0), (0, 0), (0, 0)]):
        session_id = f"sess_j{number}"
        started = f"2026-11-22T10:00:0{number}.000Z"
        world.store.save_session(
            {
                "id": session_id,
                "project": "shop" if number else "lab",
                "status": "complete",
                "started_at": started,
            }
        )
        say(world, session_id, human)
        say(world, session_id, judge, "judge")
    say(world, "sess_j0", 0, "code", name="other")  # nobody else says anything of it
    say(world, "sess_j0", 0, "judge", span_id="span_1")  # of something else
    return world


def test_a_scorer_is_set_against_what_people_say_of_the_same(judged: World) -> None:
    client = judged.client()
    (item,) = client.get("/api/agreement").json()["items"]
    assert (item["name"], item["source"], item["author"]) == ("polite", "judge", "judge")
    assert (item["pairs"], item["equal"], item["kappa"]) == (4, 0.75, 0.5)  # pe = 0.5 * 0.25 + 0.5 * 0.75
    assert [one["session_id"] for one in item["disagreements"]] == ["sess_j1"]
    (shop,) = client.get("/api/agreement", params={"project": "shop"}).json()["items"]
    assert shop["pairs"] == 3
    assert client.get("/api/agreement", params={"name": "none"}).json()["items"] == []


def test_lists_are_sorted_by_a_score_with_those_that_have_none_at_the_end(judged: World) -> None:
    client: TestClient = judged.client()
    for number, value in ((1, 0.2), (2, 0.9), (3, 0.5)):
        say(judged, f"sess_j{number}", value, "code", name="tone")

    def ids(**how: Any) -> list[str]:
        found, cursor = list[str](), None
        while True:
            params = {"limit": 1, "sort": "score.tone", "q": "id:sess_j*", "cursor": cursor, **how}
            page = client.get(
                "/api/sessions", params={k: v for k, v in params.items() if v is not None}
            ).json()
            found += [one["id"] for one in page["items"]]
            if (cursor := page["next_cursor"]) is None:
                return found

    assert ids() == ["sess_j2", "sess_j3", "sess_j1", "sess_j0"]
    assert ids(order="asc") == ["sess_j1", "sess_j3", "sess_j2", "sess_j0"]
    assert client.get("/api/sessions", params={"sort": "score."}).status_code == 400
    listed = client.get("/api/sessions", params={"q": "not has:score.tone id:sess_j*"}).json()["items"]
    assert [one["id"] for one in listed] == ["sess_j0"]


def test_a_score_without_a_value_is_not_had(judged: World) -> None:
    judged.store.add_score("sess_j0", {"name": "wer", "source": "code", "details": {"reason_missing": "x"}})
    listed = judged.client().get("/api/sessions", params={"q": "has:score.wer"}).json()["items"]
    assert listed == []


def test_a_score_is_charted_over_time(judged: World) -> None:
    for value in (0.2, 0.4):
        say(judged, "sess_j1", value, "code", name="tone")
    say(judged, "sess_j2", 0.9, "code", name="tone")
    params = {
        "start": "2026-11-22T00:00:00Z",
        "end": "2026-11-24T00:00:00Z",
        "bucket": "day",
        "score": "tone",
    }
    stats = judged.client().get("/api/stats", params=params).json()
    assert stats["total"]["score"] == {"mean": pytest.approx(0.6), "sessions": 2}  # of 0.3 and 0.9
    assert [one["score"] for one in stats["buckets"]] == [{"mean": pytest.approx(0.6), "sessions": 2}, None]
    del params["score"]
    assert judged.client().get("/api/stats", params=params).json()["total"]["score"] is None
