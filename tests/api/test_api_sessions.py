"""Sessions, events, keys, projects, models, failures and the OpenAPI document."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.api.world import MODELS, World
from voxgate.api import sessions
from voxgate.core.ids import new_id
from voxgate.store import Store

SPAN = {
    "id": "span_1",
    "parent_id": None,
    "type": "response",
    "name": "gpt-realtime",
    "start_ms": 10.5,
    "end_ms": 20.0,
    "status": "complete",
    "error": None,
    "input": [{"role": "user", "transcript": "hi"}],
    "output": {"transcript": "hello \ud800"},
    "usage": {"total_tokens": 4},
    "cost_usd": 0.5,
    "metrics": {"model_ttfa_ms": 1},
    "attachments": [
        {
            "id": "att_1",
            "name": "what was said",
            "content_type": "audio/wav",
            "duration_ms": 50.0,
            "track": "user",
        }
        | {"start_byte": 0, "end_byte": 2400, "note": None}
    ],
}


def error(response: Any) -> dict[str, Any]:
    assert response.headers["content-type"] == "application/json"
    assert response.json().keys() == {"error"}
    found: dict[str, Any] = response.json()["error"]
    assert found.keys() == {"message", "type", "code", "param"}
    return found


def test_a_list_item_has_every_field_of_the_contract(world: World, client: TestClient) -> None:
    row = {
        "project": "shop",
        "model": "gpt-realtime",
        "provider": "openai",
        "started_at": "2026-11-22T18:00:00.000Z",
        "ended_at": "2026-11-22T18:00:42.500Z",
        "duration_ms": 42_500.0,
        "turns": 3,
        "interruptions": 1,
        "cost_usd": 0.0123,
        "tags": ["vip"],
        "metadata": {"user_id": "u_7"},
        "credential_id": "cred_1",
        "title": "A refund",
        "delete_after": "2026-12-22T18:00:00.000Z",
    }
    world.add_session(**row, data={"metrics": {"v2v_p50": 480.5, "snr_db": None}, "errors": 2, "tracks": {}})
    page = client.get("/api/sessions").json()
    more = {"id": "sess_1", "status": "complete", "metrics": {"v2v_p50": 480.5, "snr_db": None}, "errors": 2}
    more |= {"excerpt": None, "scores": {}, "tools": [], "wave": None, "endpoint": "realtime", "parent": None}
    assert page == {"items": [row | more], "next_cursor": None}


def test_pages_follow_each_other_to_the_end(world: World, client: TestClient) -> None:
    for n in range(5):
        world.add_session(f"sess_{n}", started_at=f"2026-01-01T00:00:0{n}Z")
    first = client.get("/api/sessions", params={"limit": 3}).json()
    second = client.get("/api/sessions", params={"limit": 3, "cursor": first["next_cursor"]}).json()
    assert [item["id"] for item in first["items"] + second["items"]] == [f"sess_{n}" for n in (4, 3, 2, 1, 0)]
    assert second["next_cursor"] is None


def test_the_filter_and_the_project_narrow_the_list(world: World, client: TestClient) -> None:
    world.add_session("sess_1", credential_id="cred_1")
    world.add_session("sess_2", project="other", credential_id="cred_1")
    by_credential = client.get("/api/sessions", params={"q": "credential:cred_1"}).json()["items"]
    assert {item["id"] for item in by_credential} == {"sess_1", "sess_2"}
    both = client.get("/api/sessions", params={"q": "credential:cred_1", "project": "other"}).json()["items"]
    assert [item["id"] for item in both] == ["sess_2"]


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=many", "limit"),
        ("cursor=made-up", "cursor"),
        ("q=colour:red", "q"),
        ("q=%22open", "q"),
        ("sort=model", "sort"),
        ("order=up", "order"),
    ],
)
def test_a_wrong_parameter_is_named(client: TestClient, query: str, param: str) -> None:
    response = client.get(f"/api/sessions?{query}")
    assert response.status_code == 400
    assert error(response)["param"] == param
    assert error(response)["type"] == "invalid_request_error"


def test_a_session_comes_with_its_spans_and_the_places_of_its_clips(world: World, client: TestClient) -> None:
    data = {"usage": {"total_tokens": 4}, "close": {"code": 1000, "side": "client"}, "events_count": 12}
    data |= {"errors": [{"code": "x"}], "voice": "alloy"}
    world.add_session(
        data=data
        | {
            "items": [1],
            "status": "not this one",
            "tracks": {"user": {"rate": 8000, "channels": 1, "bytes": 2}},
        }
    )
    world.store.save_spans("sess_1", [SPAN])
    trace = client.get("/api/sessions/sess_1").json()
    assert {key: trace[key] for key in data} == data
    assert "items" not in trace
    assert trace["status"] == "complete"
    assert trace["tracks"] == {"user": {"rate": 8000, "channels": 1, "bytes": 2}}
    assert trace["metrics"] == {}
    (span,) = trace["spans"]
    assert span.pop("position") == 0
    assert span.pop("attachments") == [
        {
            "id": "att_1",
            "name": "what was said",
            "content_type": "audio/wav",
            "duration_ms": 50.0,
            "url": "/api/sessions/sess_1/attachments/att_1",
            "track": "user",
            "start_byte": 0,
            "end_byte": 2400,
        }
    ]
    assert span == {key: SPAN[key] for key in span} | {"output": {"transcript": "hello ?"}}
    assert span.keys() == SPAN.keys() - {"attachments"}


@pytest.mark.parametrize(
    "path", ["", "/events", "/audio", "/attachments/a", "/peaks", "/stream", "/../../etc/passwd", "/nothing"]
)
def test_what_is_not_there_is_a_404_in_json(client: TestClient, path: str) -> None:
    response = client.get(f"/api/sessions/sess_none{path}")
    assert response.status_code == 404
    assert error(response)["code"] == "not_found"


def test_the_event_log_comes_line_by_line(world: World, client: TestClient) -> None:
    world.add_session()
    log = b"".join(b'{"t":%d,"dir":"client"}\n' % n for n in range(30_000))
    world.blobs.append("sessions/sess_1/events.jsonl", log)
    response = client.get("/api/sessions/sess_1/events")
    assert response.headers["content-type"] == "application/x-ndjson"
    assert response.content == log


def test_the_event_log_of_a_live_call_ends_with_a_whole_line(world: World, client: TestClient) -> None:
    world.add_session(status="live")
    assert client.get("/api/sessions/sess_1/events").content == b""
    lines = b'{"t":1}\n' * 40_000  # more than one chunk
    world.blobs.append("sessions/sess_1/events.jsonl", lines + b'{"t":2,"half of an ev')
    assert client.get("/api/sessions/sess_1/events").content == lines
    world.store.save_session({"id": "sess_1", "status": "interrupted"})
    assert client.get("/api/sessions/sess_1/events").content == lines + b'{"t":2,"half of an ev'


def test_the_rest_of_a_growing_event_log_comes_from_where_the_last_answer_ended(
    world: World, client: TestClient
) -> None:
    world.add_session(status="live")
    blob, url = "sessions/sess_1/events.jsonl", "/api/sessions/sess_1/events"
    world.blobs.append(blob, b'{"t":1}\n{"t":2')
    first = client.get(url)
    start = first.headers["x-voxgate-next-start"]
    assert (first.content, start) == (b'{"t":1}\n', "8")
    assert client.get(url, params={"start": start}).content == b""
    world.blobs.append(blob, b'2}\n{"t":3}\n')
    assert client.get(url, params={"start": start}).content == b'{"t":22}\n{"t":3}\n'


def test_an_event_log_without_sound_has_its_size_in_its_place(world: World, client: TestClient) -> None:
    world.add_session()
    sound = b'{"t":1,"dir":"client","msg":{"type":"input_audio_buffer.append","audio":"%b"}}\n' % (
        b"QUJD" * 100
    )
    words = b'{"t":2,"dir":"server","msg":{"type":"x","delta":"%b"}}\n' % (b"words, " * 100)
    world.blobs.append("sessions/sess_1/events.jsonl", (sound + words) * 2000)
    lines = client.get("/api/sessions/sess_1/events", params={"audio": "false"}).content.splitlines(True)
    short = sound.replace(b"QUJD" * 100, b"[400 characters of base64]")
    assert lines == [short, words] * 2000


def test_an_ended_session_without_an_event_log_says_so(world: World, client: TestClient) -> None:
    world.add_session()
    response = client.get("/api/sessions/sess_1/events")
    assert response.status_code == 404
    assert "no event log" in error(response)["message"]


def test_ending_a_live_call_leaves_a_signal(world: World, client: TestClient) -> None:
    world.add_session(status="live")
    response = client.post("/api/sessions/sess_1/end")
    assert (response.status_code, response.json()) == (202, {"id": "sess_1", "status": "ending"})
    assert world.store.signals_after(0) == [(1, "end_session", "sess_1")]


def test_a_call_that_the_recorder_has_not_stored_yet_can_be_ended(
    world: World, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    session_id, stored = new_id("sess"), type(world.store).get_session

    def stored_after_the_first_look(store: Store, wanted: str, **how: Any) -> Any:
        row = stored(store, wanted, **how)
        if row is None:
            world.add_session(session_id, status="live")
        return row

    monkeypatch.setattr(sessions, "JUST_BEGUN_SECONDS", 60.0)
    monkeypatch.setattr(Store, "get_session", stored_after_the_first_look)
    assert client.post(f"/api/sessions/{session_id}/end").status_code == 202
    assert world.store.signals_after(0) == [(1, "end_session", session_id)]


def test_a_session_that_nobody_stores_is_waited_for_only_a_moment(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "JUST_BEGUN_SECONDS", 0.2)
    assert client.get(f"/api/sessions/{new_id('sess')}").status_code == 404


def test_a_call_that_is_over_cannot_be_ended(world: World, client: TestClient) -> None:
    world.add_session()
    response = client.post("/api/sessions/sess_1/end")
    assert (response.status_code, error(response)["code"]) == (409, "conflict")
    assert world.store.signals_after(0) == []


def test_deleting_takes_the_rows_and_the_blobs_of_that_session_only(world: World, client: TestClient) -> None:
    for session_id in ("sess_1", "sess_12"):
        world.add_session(session_id)
        world.add_pcm("user", b"\0\0", session_id)
    assert client.delete("/api/sessions/sess_1").json() == {"id": "sess_1", "deleted": True}
    assert client.get("/api/sessions/sess_1").status_code == 404
    assert world.blobs.list() == ["sessions/sess_12/user.pcm"]
    assert client.get("/api/sessions/sess_12").status_code == 200


def test_a_live_session_cannot_be_deleted(world: World, client: TestClient) -> None:
    world.add_session(status="live")
    world.add_pcm("user", b"\0\0")
    assert client.delete("/api/sessions/sess_1").status_code == 409
    assert world.blobs.list() == ["sessions/sess_1/user.pcm"]
    assert world.store.get_session("sess_1") is not None


def test_projects_and_models_are_listed(world: World, client: TestClient) -> None:
    world.add_session(started_at="2026-01-01T00:00:00Z")
    projects = [{"name": "shop", "sessions": 1, "last_session_at": "2026-01-01T00:00:00.000Z"}]
    assert client.get("/api/projects").json() == {"items": projects, "next_cursor": None}
    assert client.get("/api/models").json() == {"items": MODELS, "next_cursor": None}


def test_a_key_is_shown_once_works_and_can_be_revoked(world: World, client: TestClient) -> None:
    body = {"name": " CI ", "role": "read", "project": "shop", "expires_at": "2126-01-01T01:00:00+01:00"}
    response = client.post("/api/keys", json=body)
    assert response.status_code == 201
    assert response.headers["cache-control"] == "no-store"
    made = response.json()
    raw = made.pop("key")
    assert (made["name"], made["role"], made["project"]) == ("CI", "read", "shop")
    assert made["expires_at"] == "2126-01-01T00:00:00.000Z"
    assert world.client(raw).get("/api/me").json() == {"name": "CI", "role": "read", "project": "shop"}
    listed = client.get("/api/keys")
    (item,) = listed.json()["items"]
    assert item | {"last_used_at": None} == made
    assert raw not in listed.text
    assert client.delete(f"/api/keys/{made['id']}").json() == {"id": made["id"], "revoked": True}
    assert world.client(raw).get("/api/me").status_code == 401
    assert client.delete(f"/api/keys/{made['id']}").status_code == 404


def test_a_bound_admin_manages_the_keys_of_its_project(world: World, client: TestClient) -> None:
    foreign = client.post("/api/keys", json={"name": "x", "role": "read", "project": "other"}).json()
    bound = world.client(world.key("admin", "shop"))
    assert bound.post("/api/keys", json={"name": "y", "role": "read"}).json()["project"] == "shop"
    assert bound.post("/api/keys", json={"name": "y", "role": "read", "project": "other"}).status_code == 403
    assert {row["project"] for row in bound.get("/api/keys").json()["items"]} == {"shop"}
    assert bound.delete(f"/api/keys/{foreign['id']}").status_code == 404


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "name"),
        ({"name": "", "role": "read"}, "name"),
        ({"name": "x"}, "role"),
        ({"name": "x", "role": "king"}, "role"),
        ({"name": "x", "role": "read", "colour": "red"}, "colour"),
        ({"name": "x", "role": "read", "expires_at": "tomorrow"}, "expires_at"),
        ({"name": "x", "role": "read", "expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"name": "x", "role": "read", "expires_at": "2126-01-01T00:00:00"}, "expires_at"),
        ([], None),
    ],
)
def test_a_wrong_field_is_named(client: TestClient, body: Any, param: str | None) -> None:
    response = client.post("/api/keys", json=body)
    assert (response.status_code, error(response)["param"]) == (400, param)


@pytest.mark.parametrize("body", [b"{", b"", b"\xff\xfe", b'{"api_key": NaN}', b"[" * 5000])
def test_a_body_that_is_not_json_is_a_400(client: TestClient, body: bytes) -> None:
    response = client.post("/api/login", content=body, headers={"content-type": "application/json"})
    assert response.status_code == 400
    assert error(response)["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    "path", ["/api", "/api/", "/api/nothing", "/api/sessions/", "/favicon.ico", "/api/docs"]
)
def test_an_unknown_address_is_a_404_in_json(client: TestClient, path: str) -> None:
    response = client.get(path, follow_redirects=False)
    assert response.status_code == 404
    assert path in error(response)["message"]


def test_a_wrong_method_is_a_405_that_says_what_is_allowed(client: TestClient) -> None:
    response = client.put("/api/me")
    assert response.status_code == 405
    assert error(response)["code"] == "method_not_allowed"
    assert response.headers["allow"] == "GET"


def test_a_defect_of_the_server_is_a_500_in_json(world: World, client: TestClient) -> None:
    world.store.close()

    def broken(**_: Any) -> None:
        raise RuntimeError("a secret detail")

    world.store.list_sessions = broken  # type: ignore[method-assign, assignment]
    response = client.get("/api/sessions")
    assert response.status_code == 500
    assert error(response)["type"] == "server_error"
    assert "secret" not in response.text


ROUTES = {
    ("post", "/api/login"),
    ("post", "/api/logout"),
    ("get", "/api/me"),
    ("get", "/api/projects"),
    ("get", "/api/models"),
    ("get", "/api/settings"),
    ("get", "/api/privacy"),
    ("get", "/api/providers"),
    ("post", "/api/providers/{name}/check"),
    ("get", "/api/credentials/schema"),
    ("get", "/api/keys"),
    ("post", "/api/keys"),
    ("post", "/api/keys/{key_id}/rotate"),
    ("delete", "/api/keys/{key_id}"),
    ("get", "/api/sessions"),
    ("get", "/api/sessions/count"),
    ("get", "/api/sessions/{session_id}/images/{digest}"),
    ("post", "/api/sessions/import"),
    ("post", "/api/sessions/tags"),
    ("post", "/api/sessions/delete"),
    ("get", "/api/sessions/export"),
    ("get", "/api/stats"),
    ("get", "/api/views"),
    ("post", "/api/views"),
    ("delete", "/api/views/{view_id}"),
    ("get", "/api/sessions/facets"),
    ("get", "/api/sessions/fields"),
    ("get", "/api/sessions/{session_id}"),
    ("delete", "/api/sessions/{session_id}"),
    ("post", "/api/sessions/{session_id}/end"),
    ("post", "/api/sessions/{session_id}/rebuild"),
    ("post", "/api/sessions/{session_id}/transcribe"),
    ("get", "/api/sessions/{session_id}/events"),
    ("get", "/api/sessions/{session_id}/audio"),
    ("get", "/api/sessions/{session_id}/attachments/{attachment_id}"),
    ("get", "/api/sessions/{session_id}/peaks"),
    ("get", "/api/sessions/{session_id}/stream"),
    ("get", "/api/sessions/{session_id}/listen"),
    ("get", "/api/sessions/{session_id}/scores"),
    ("post", "/api/sessions/{session_id}/scores"),
    ("delete", "/api/sessions/{session_id}/scores/{score_id}"),
    ("get", "/api/stream/sessions"),
    ("get", "/api/datasets"),
    ("post", "/api/datasets"),
    ("get", "/api/datasets/{dataset_id}"),
    ("patch", "/api/datasets/{dataset_id}"),
    ("delete", "/api/datasets/{dataset_id}"),
    ("get", "/api/datasets/{dataset_id}/versions"),
    ("get", "/api/datasets/{dataset_id}/cases"),
    ("post", "/api/datasets/{dataset_id}/cases"),
    ("get", "/api/datasets/{dataset_id}/cases/{case_id}"),
    ("put", "/api/datasets/{dataset_id}/cases/{case_id}"),
    ("delete", "/api/datasets/{dataset_id}/cases/{case_id}"),
    ("post", "/api/datasets/{dataset_id}/blobs"),
    ("post", "/api/datasets/{dataset_id}/from-sessions"),
    ("post", "/api/datasets/{dataset_id}/import"),
    ("get", "/api/datasets/{dataset_id}/blobs/{blob}"),
    ("get", "/api/experiments"),
    ("post", "/api/experiments"),
    ("get", "/api/experiments/{experiment_id}"),
    ("patch", "/api/experiments/{experiment_id}"),
    ("delete", "/api/experiments/{experiment_id}"),
    ("get", "/api/experiments/{experiment_id}/results"),
    ("post", "/api/experiments/{experiment_id}/results"),
    ("get", "/api/experiments/{before_id}/compare/{after_id}"),
    ("get", "/api/experiments/{experiment_id}/cases"),
    ("post", "/api/experiments/{experiment_id}/cases"),
    ("get", "/api/rules"),
    ("post", "/api/rules"),
    ("get", "/api/rules/{rule_id}"),
    ("patch", "/api/rules/{rule_id}"),
    ("delete", "/api/rules/{rule_id}"),
    ("get", "/api/agreement"),
    ("post", "/api/rules/{rule_id}/run"),
    ("get", "/api/rules/{rule_id}/runs"),
    ("delete", "/api/rules/{rule_id}/runs/{run_id}"),
}


def test_the_openapi_document_lists_every_route_with_its_types(client: TestClient) -> None:
    document = client.get("/api/openapi.json").json()
    listed = {(method, path) for path, methods in document["paths"].items() for method in methods}
    assert listed == ROUTES
    operations = [operation for methods in document["paths"].values() for operation in methods.values()]
    assert len({operation["operationId"] for operation in operations}) == len(ROUTES)
    for operation in operations:
        good = next(answer for status, answer in operation["responses"].items() if status.startswith("2"))
        assert "204" in operation["responses"] or good["content"]
        assert "ErrorBody" in str(operation["responses"]["4XX"])
        assert "422" not in operation["responses"]
    assert set(document["components"]["schemas"]["Trace"]["required"]) >= {"id", "status", "spans", "metrics"}
    assert set(document["components"]["securitySchemes"]) == {"bearer", "x-api-key", "api-key", "cookie"}


def test_the_control_plane_does_not_load_numpy() -> None:
    code = "import sys, voxgate.api.app; print([m for m in ('numpy', 'soundfile') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
