"""Many sessions at once, and views: tags, deleting, exporting, lists with a name."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.api.world import World
from voxgate.api import bulk


def tags_of(client: TestClient, session_id: str) -> list[str]:
    tags: list[str] = client.get(f"/api/sessions/{session_id}").json()["tags"]
    return tags


def test_tags_that_people_give_hold_when_the_recorder_saves_the_session_again(
    world: World, client: TestClient
) -> None:
    world.add_session("sess_1", tags=["own", "wrong"])
    world.add_session("sess_2")
    body = {"ids": ["sess_1", "sess_2", "sess_none"], "add": ["vip"], "remove": ["wrong"]}
    answer = client.post("/api/sessions/tags", json=body)
    assert (answer.status_code, answer.json()) == (200, {"ids": ["sess_1", "sess_2"], "next_cursor": None})
    world.add_session("sess_1", tags=["own", "wrong", "later"])
    assert tags_of(client, "sess_1") == ["own", "later", "vip"]
    found = client.get("/api/sessions", params={"q": "tag:vip not tag:wrong"}).json()["items"]
    assert {item["id"] for item in found} == {"sess_1", "sess_2"}
    client.post("/api/sessions/tags", json={"ids": ["sess_1"], "add": ["wrong"], "remove": ["vip", "own"]})
    world.add_session("sess_1", tags=["own", "wrong"])
    assert tags_of(client, "sess_1") == ["wrong"]


def test_a_tag_cannot_be_added_and_removed_at_once(world: World, client: TestClient) -> None:
    world.add_session()
    answer = client.post("/api/sessions/tags", json={"ids": ["sess_1"], "add": ["a"], "remove": ["a"]})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "remove")


def test_deleting_many_leaves_those_that_run_and_those_of_others(world: World) -> None:
    for session_id, more in (("sess_1", {}), ("sess_2", {"status": "live"}), ("sess_3", {"project": "lab"})):
        world.add_session(session_id, **more)
        world.add_pcm("user", b"\0\0", session_id)
    shop = world.client(world.key("admin", "shop"))
    answer = shop.post("/api/sessions/delete", json={"ids": ["sess_1", "sess_2", "sess_3", "sess_4"]})
    assert answer.json() == {"ids": ["sess_1"], "live": ["sess_2"], "next_cursor": None}
    left = world.client().get("/api/sessions").json()["items"]
    assert {item["id"] for item in left} == {"sess_2", "sess_3"}
    assert world.blobs.size("sessions/sess_1/user.pcm") is None
    assert world.blobs.size("sessions/sess_3/user.pcm") is not None


def test_an_export_has_a_line_for_each_session_that_the_filter_finds(
    world: World, client: TestClient
) -> None:
    for number in range(1, 4):
        world.add_session(f"sess_{number}", tags=["odd"] if number % 2 else [])
    world.add_session("sess_4", tags=["odd"], status="live")
    answer = client.get("/api/sessions/export", params={"q": "tag:odd"})
    assert "sessions.jsonl" in answer.headers["content-disposition"]
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert {line["id"] for line in lines} == {"sess_1", "sess_3"}
    assert lines[0] == client.get(f"/api/sessions/{lines[0]['id']}?items=true").json()
    some = client.get("/api/sessions/export", params={"id": ["sess_2", "sess_none"]})
    assert [json.loads(line)["id"] for line in some.text.splitlines()] == ["sess_2"]
    assert client.get("/api/sessions/export", params={"q": "nope:1"}).status_code == 400


def test_views_are_ones_own_until_an_admin_shares_them(world: World, client: TestClient) -> None:
    reader, other = world.client(world.key("read")), world.client(world.key("read", "shop"))
    own = reader.post("/api/views", json={"name": "Slow", "search": {"q": "v2v>1s"}}).json()
    assert own["search"] == {"q": "v2v>1s"}
    assert reader.post("/api/views", json={"name": "x", "search": {}, "shared": True}).status_code == 403
    body = {"name": "All failed", "search": {"q": "status:failed", "project": "shop"}, "shared": True}
    shared = client.post("/api/views", json=body).json()
    lab = {**body, "search": {"project": "lab"}}
    client.post("/api/views", json=lab)
    names = lambda who: [view["name"] for view in who.get("/api/views").json()["items"]]  # noqa: E731
    assert names(reader) == ["All failed", "All failed", "Slow"]
    assert names(other) == ["All failed"]
    assert other.delete(f"/api/views/{own['id']}").status_code == 404
    assert reader.delete(f"/api/views/{shared['id']}").status_code == 404
    assert reader.delete(f"/api/views/{own['id']}").status_code == 200
    assert client.delete(f"/api/views/{shared['id']}").status_code == 200
    assert names(reader) == ["All failed"]


def test_a_list_shows_the_waveform_that_the_recorder_left(world: World, client: TestClient) -> None:
    wave = {"user": "0f" * 30, "assistant": "f0" * 30}
    world.add_session("sess_1", data={"wave": wave})
    world.add_session("sess_2")
    items = {item["id"]: item["wave"] for item in client.get("/api/sessions").json()["items"]}
    assert items == {"sess_1": wave, "sess_2": None}


def test_stats_are_of_what_the_key_sees_and_say_what_is_wrong(world: World, client: TestClient) -> None:
    world.add_session("sess_1", cost_usd=0.5)
    world.add_session("sess_2", project="lab")
    found = world.client(world.key("read", "shop")).get("/api/stats", params={"by": "project"}).json()
    assert (found["total"]["calls"], found["bucket_seconds"]) == (1, 6 * 3600)
    assert [group["value"] for group in found["groups"]] == ["shop"]
    assert sum(bucket["calls"] for bucket in found["buckets"]) == 1
    for query, param in (
        ({"q": "nope:1"}, "q"),
        ({"start": "2026-01-01T00:00:00Z", "end": "2025-01-01T00:00:00Z"}, "start"),
        ({"start": "2020-01-01T00:00:00Z", "bucket": "minute"}, "bucket"),
    ):
        answer = client.get("/api/stats", params=query)
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


def test_all_that_a_filter_finds_are_changed_page_after_page(
    world: World, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "MOST_IDS", 2)
    monkeypatch.setattr(bulk, "_PAGE", 2)
    for number in range(5):
        world.add_session(f"sess_{number}", tags=["odd"], status="live" if number == 3 else "complete")
    world.add_session("sess_other")
    world.add_session("sess_lab", project="lab", tags=["odd"])
    wanted = {"q": "tag:odd", "project": "shop"}
    assert client.get("/api/sessions/count", params=wanted).json() == {"sessions": 5, "live": 1}

    def all_of(path: str, **more: Any) -> list[dict[str, Any]]:
        answers = [client.post(path, json={**wanted, **more}).json()]
        while cursor := answers[-1]["next_cursor"]:
            answers.append(client.post(path, json={**wanted, **more, "cursor": cursor}).json())
        return answers

    # The filter does not find them any more once they are changed: the cursor is a place all the same.
    tagged = all_of("/api/sessions/tags", add=["seen"], remove=["odd"])
    assert [len(answer["ids"]) for answer in tagged] == [2, 2, 1]
    wanted = {"q": "tag:seen"}
    deleted = all_of("/api/sessions/delete")
    assert {name for answer in deleted for name in answer["ids"]} == {
        f"sess_{number}" for number in (0, 1, 2, 4)
    }
    assert [name for answer in deleted for name in answer["live"]] == ["sess_3"]
    left = client.get("/api/sessions").json()["items"]
    assert {item["id"] for item in left} == {"sess_3", "sess_other", "sess_lab"}


def test_sessions_are_said_by_ids_or_by_a_filter_and_never_by_nothing(
    world: World, client: TestClient
) -> None:
    world.add_session()
    for body in ({}, {"project": "shop"}, {"ids": ["sess_1"], "q": ""}):
        answer = client.post("/api/sessions/delete", json=body)
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, "ids")
    lab = world.client(world.key("admin", "lab"))
    assert lab.post("/api/sessions/delete", json={"q": ""}).json()["ids"] == []
    assert client.get("/api/sessions/sess_1").status_code == 200


def test_an_export_as_csv_has_a_row_for_each_session_and_no_formulas(
    world: World, client: TestClient
) -> None:
    world.add_session(
        "sess_1", title='=HYPERLINK("http://x")', cost_usd=0.5, tags=["a", "b"], metadata={"n": 1}
    )
    answer = client.get("/api/sessions/export", params={"format": "csv"})
    assert "sessions.csv" in answer.headers["content-disposition"]
    (row,) = csv.DictReader(io.StringIO(answer.text))
    assert (row["id"], row["cost_usd"], row["tags"], row["ended_at"]) == ("sess_1", "0.5", '["a","b"]', "")
    assert row["title"] == '\'=HYPERLINK("http://x")'
    assert client.get("/api/sessions/export", params={"format": "csv", "q": "nope:1"}).status_code == 400
