"""Requests that work for a call are shown with it: under its tool, with their cost beside its own, and never
to another project."""

from __future__ import annotations

from typing import Any

from fastapi.testclient import TestClient

from tests.api.world import World

TOOL = {"id": "span_tool", "parent_id": "span_root", "type": "tool", "name": "look", "start_ms": 5.0}
SPANS = [
    {"id": "span_root", "parent_id": None, "type": "session", "name": "session", "start_ms": 0.0},
    {**TOOL, "input": {"call_id": "call_1"}},
]


def add_request(world: World, session_id: str, parent: str, ref: str | None = None, **more: Any) -> None:
    data = {
        "transport": "http",
        "request": {"path": "/v1/chat/completions"},
        "parent": {"session_id": parent, "ref": ref},
    }
    world.add_session(session_id, data=data, **more)


def add_call(world: World, session_id: str = "sess_1") -> None:
    world.add_session(session_id, cost_usd=0.5)
    world.store.save_spans(session_id, SPANS)


def test_a_call_lists_its_requests_under_their_tools_and_counts_their_cost_beside_its_own(
    world: World, client: TestClient
) -> None:
    add_call(world)
    began = [f"2026-11-22T18:00:0{n}.000Z" for n in range(4)]
    add_request(world, "sess_b", "sess_1", None, started_at=began[1], cost_usd=None)
    add_request(world, "sess_a", "sess_1", "call_1", started_at=began[0], cost_usd=0.25)
    add_request(world, "sess_c", "sess_1", "call_9", started_at=began[2], cost_usd=0.125)
    add_request(world, "sess_d", "sess_2", "call_1", started_at=began[3])
    found = client.get("/api/sessions/sess_1").json()
    assert [(one["id"], one["parent_span_id"]) for one in found["children"]] == [
        ("sess_a", "span_tool"),
        ("sess_b", "span_root"),
        ("sess_c", "span_root"),
    ]
    assert (found["cost_usd"], found["children_cost_usd"]) == (0.5, 0.375)
    assert found["children"][0]["endpoint"] == "chat/completions"
    assert found["parent"] is None


def test_a_request_says_whom_it_works_for_and_whether_there_is_such_a_session(
    world: World, client: TestClient
) -> None:
    add_call(world)
    add_request(world, "sess_a", "sess_1", "call_1")
    add_request(world, "sess_b", "sess_gone")
    assert client.get("/api/sessions/sess_a").json()["parent"] == {
        "session_id": "sess_1",
        "ref": "call_1",
        "found": True,
    }
    assert client.get("/api/sessions/sess_b").json()["parent"]["found"] is False
    world.store.delete_session("sess_1")
    assert client.get("/api/sessions/sess_a").json()["parent"]["found"] is False


def test_another_projects_call_is_as_if_it_were_not_there(world: World, client: TestClient) -> None:
    add_call(world)
    add_request(world, "sess_a", "sess_1", "call_1", project="stranger", cost_usd=9.0)
    call = client.get("/api/sessions/sess_1").json()
    assert (call["children"], call["children_cost_usd"]) == ([], None)
    foreign, unknown = "sess_1", "sess_never"
    add_request(world, "sess_b", unknown, "call_1", project="stranger")
    with world.client(world.key("read", "stranger")) as stranger:
        shown = [stranger.get(f"/api/sessions/{name}").json()["parent"] for name in ("sess_a", "sess_b")]
        listed = stranger.get("/api/sessions", params={"q": f"parent:{foreign}"}).json()["items"]
        assert stranger.get("/api/sessions/sess_1").status_code == 404
    assert [one["found"] for one in shown] == [False, False]
    assert [one["id"] for one in listed] == ["sess_a"]
    with world.client(world.key("read", "shop")) as own:
        assert own.get("/api/sessions", params={"q": "parent:sess_1"}).json()["items"] == []


def test_lists_say_which_endpoint_and_whom_a_request_works_for(world: World, client: TestClient) -> None:
    add_call(world)
    add_request(world, "sess_a", "sess_1", "call_1")
    both = {one["id"]: one for one in client.get("/api/sessions").json()["items"]}
    assert (both["sess_1"]["endpoint"], both["sess_1"]["parent"]) == ("realtime", None)
    assert both["sess_a"]["endpoint"] == "chat/completions"
    assert both["sess_a"]["parent"] == {"session_id": "sess_1", "ref": "call_1"}
    found = {
        q: [one["id"] for one in client.get("/api/sessions", params={"q": q}).json()["items"]]
        for q in ("parent:sess_1", "has:parent", "not has:parent", "parent:sess_2")
    }
    assert found == {
        "parent:sess_1": ["sess_a"],
        "has:parent": ["sess_a"],
        "not has:parent": ["sess_1"],
        "parent:sess_2": [],
    }
