"""Searching over HTTP: filters, orders, excerpts, facets and the fields that there are."""

from __future__ import annotations

from typing import Any

from fastapi.testclient import TestClient

from tests.api.world import World
from voxgate.store.fields import FIELDS


def say(world: World, session_id: str, text: str, **row: Any) -> None:
    world.add_session(session_id, **row)
    world.store.save_spans(session_id, [{"id": "span_1", "type": "user", "input": {"transcript": text}}])


def listed(client: TestClient, **query: Any) -> list[dict[str, Any]]:
    answer = client.get("/api/sessions", params=query)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def test_what_was_said_is_found_and_shown_as_plain_text(world: World, client: TestClient) -> None:
    say(world, "sess_1", "I want a <script>refund</script>")
    say(world, "sess_2", "Good morning")
    [found] = listed(client, q="REFUND")
    assert found["id"] == "sess_1"
    assert found["excerpt"] == {
        "speaker": "user",
        "parts": [
            {"text": "I want a <script>", "hit": False},
            {"text": "refund", "hit": True},
            {"text": "</script>", "hit": False},
        ],
    }
    assert [item["id"] for item in listed(client, q="not refund")] == ["sess_2"]


def test_pages_of_another_order_follow_each_other(world: World, client: TestClient) -> None:
    for number, duration in enumerate([2.0, None, 3.0, 1.0]):
        world.add_session(f"sess_{number}", duration_ms=duration)
    first = client.get("/api/sessions", params={"sort": "duration", "order": "asc", "limit": 3}).json()
    query = {"sort": "duration", "order": "asc", "cursor": first["next_cursor"]}
    second = client.get("/api/sessions", params=query).json()
    assert [item["id"] for item in first["items"] + second["items"]] == [
        "sess_3",
        "sess_0",
        "sess_2",
        "sess_1",
    ]


def test_a_wrong_filter_is_answered_with_its_place(client: TestClient) -> None:
    answer = client.get("/api/sessions", params={"q": "refund duration>30"})
    assert answer.status_code == 400
    assert "character 17 ('30')" in answer.json()["error"]["message"]


def test_facets_are_those_that_the_key_may_see(world: World, client: TestClient) -> None:
    world.add_session("sess_1", model="a", tags=["vip"])
    world.add_session("sess_2", model="b", project="other")
    everything = client.get("/api/sessions/facets").json()
    assert everything["facets"]["project"] == [{"value": "other", "count": 1}, {"value": "shop", "count": 1}]
    bound = world.client(world.key("read", "shop"))
    assert bound.get("/api/sessions/facets").json()["facets"]["model"] == [{"value": "a", "count": 1}]
    assert bound.get("/api/sessions/facets", params={"project": "other"}).status_code == 403
    assert client.get("/api/sessions/facets", params={"q": "("}).json()["error"]["param"] == "q"


def test_the_fields_of_a_filter_are_told(client: TestClient) -> None:
    told = client.get("/api/sessions/fields").json()
    fields = {field["name"]: field for field in told["items"]}
    assert fields.keys() == FIELDS.keys()
    assert fields["duration"]["operators"] == [":", "!=", "=", "<", "<=", ">", ">="]
    assert fields["model"]["operators"] == [":", "!=", "="]
    assert (fields["cost"]["can_miss"], fields["cost"]["sortable"], fields["tag"]["sortable"]) == (
        True,
        True,
        False,
    )
    assert told["aliases"]["v2v"] == "v2v_p50"
