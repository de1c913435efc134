"""Many sessions at once, and views: tags, deleting, exporting, lists with a name."""

from __future__ import annotations

import json

from fastapi.testclient import TestClient

from tests.api.world import World


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
    assert (answer.status_code, answer.json()) == (200, {"ids": ["sess_1", "sess_2"]})
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
    assert answer.json() == {"ids": ["sess_1"], "live": ["sess_2"]}
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
