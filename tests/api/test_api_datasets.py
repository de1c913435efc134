"""Data sets over HTTP: versions that stay, wrong cases refused by name, blobs in ranges, projects apart."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.api.world import World
from voxgate.api.wav import wav_header

WAV = wav_header(8000, 1, 1600) + bytes(range(200)) * 8
TEXT = {"input": {"kind": "text", "text": "hello"}}


def made(client: TestClient, name: str = "refunds", **more: Any) -> str:
    answer = client.post("/api/datasets", json={"name": name, **more})
    assert answer.status_code == 201, answer.text
    return f"/api/datasets/{answer.json()['id']}"


def add(client: TestClient, base: str, *cases: dict[str, Any]) -> dict[str, Any]:
    answer = client.post(f"{base}/cases", json={"cases": list(cases)})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def refused(answer: Any) -> tuple[int, str | None]:
    return answer.status_code, answer.json()["error"]["param"]


def blob(client: TestClient, base: str, body: bytes = WAV, kind: str = "audio/wav") -> dict[str, Any]:
    answer = client.post(f"{base}/blobs", content=body, headers={"content-type": kind})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def test_a_data_set_is_made_shown_changed_and_deleted(client: TestClient) -> None:
    base = made(client, description="all of them", metadata={"team": "a"})
    found = client.get(base).json()
    assert (found["name"], found["project"], found["version"], found["cases"]) == ("refunds", "default", 0, 0)
    assert (found["description"], found["metadata"], found["created_by"]) == (
        "all of them",
        {"team": "a"},
        "admin",
    )
    assert client.get("/api/datasets", params={"name": "refunds"}).json()["items"] == [found]
    edited = client.patch(base, json={"name": "returns"}).json()
    assert (edited["name"], edited["description"]) == ("returns", "all of them")
    assert client.delete(base).json() == {"id": found["id"], "deleted": True}
    assert client.get(base).status_code == client.delete(base).status_code == 404


def test_a_name_is_there_once_in_a_project(client: TestClient) -> None:
    made(client)
    other = made(client, "other")
    again = client.post("/api/datasets", json={"name": "refunds"})
    assert (again.status_code, again.json()["error"]["param"]) == (409, "name")
    assert client.patch(other, json={"name": "refunds"}).status_code == 409
    made(client, project="shop")


def test_each_request_makes_a_version_and_none_changes_afterwards(client: TestClient) -> None:
    base = made(client)
    full = {
        "id": "a",
        "input": {"kind": "text", "text": "hello", "config": {"voice": "x"}},
        "expected": {"transcript": "hi", "tool_calls": [{"name": "f", "arguments": {"x": 1}}], "value": [1]},
        "metadata": {"m": 1},
        "tags": ["t"],
        "session_id": "sess_1",
        "span_id": "span_1",
    }
    first = add(client, base, full, TEXT)
    assert (first["version"], first["ids"][0]) == (1, "a")
    saved = client.put(f"{base}/cases/a", json={"input": {"kind": "text", "text": "changed"}}).json()
    assert saved == {"version": 2, "ids": ["a"]}
    assert client.delete(f"{base}/cases/a").json() == {"id": "a", "deleted": True, "version": 3}
    assert client.delete(f"{base}/cases/a").status_code == 404
    shown = client.get(f"{base}/cases/a", params={"version": 1}).json()
    assert {**shown, "input": None} == {**full, "input": None}
    assert shown["input"]["config"] == {"voice": "x"}
    assert client.get(f"{base}/cases/a", params={"version": 2}).json()["input"]["text"] == "changed"
    assert client.get(f"{base}/cases/a").status_code == 404
    versions = client.get(f"{base}/versions").json()["items"]
    assert [(each["version"], each["cases"], each["added"], each["changed"]) for each in versions] == [
        (3, 1, 0, 0),
        (2, 2, 0, 1),
        (1, 2, 2, 0),
    ]


def test_pages_stay_with_the_version_that_they_began_with(client: TestClient) -> None:
    base = made(client)
    add(client, base, *({**TEXT, "id": f"c{number}"} for number in range(5)))
    page = client.get(f"{base}/cases", params={"limit": 2}).json()
    add(client, base, {**TEXT, "id": "c9"})
    client.delete(f"{base}/cases/c3")
    ids = [case["id"] for case in page["items"]]
    while page["next_cursor"]:
        cursor = page["next_cursor"]
        page = client.get(f"{base}/cases", params={"limit": 2, "cursor": cursor}).json()
        assert page["version"] == 1
        ids += [case["id"] for case in page["items"]]
    assert ids == ["c0", "c1", "c2", "c3", "c4"]
    assert refused(client.get(f"{base}/cases", params={"cursor": cursor, "version": 2})) == (400, "cursor")
    assert refused(client.get(f"{base}/cases", params={"version": 4})) == (404, "version")


@pytest.mark.parametrize(
    ("case", "param"),
    [
        ({}, "cases.1.input"),
        ({"input": {"kind": "song"}}, "cases.1.input.kind"),
        ({"input": {"kind": "text"}}, "cases.1"),
        ({"input": {"kind": "turn", "recording": "blob_1"}}, "cases.1"),
        ({"input": {"kind": "audio", "clips": [{"content_type": "audio/wav", "path": "x.wav"}]}}, "cases.1"),
        ({"input": {"kind": "value"}, "mood": 1}, "cases.1.mood"),
        ({"id": "a/b", **TEXT}, "cases.1.id"),
        ({**TEXT, "expected": {"tool_calls": [{"arguments": {}}]}}, "cases.1.expected.tool_calls.0.name"),
        (
            {"input": {"kind": "audio", "clips": [{"content_type": "audio/wav", "blob": "blob_none"}]}},
            "cases.1.input",
        ),
        ({"input": {"kind": "session", "recording": "blob_none"}}, "cases.1.input"),
        ({"id": "good", **TEXT}, "id"),
    ],
)
def test_one_wrong_case_is_named_and_none_is_saved(
    client: TestClient, case: dict[str, Any], param: str
) -> None:
    base = made(client)
    body = {"cases": [{"id": "good", **TEXT}, case]}
    assert refused(client.post(f"{base}/cases", json=body)) == (400, param)
    assert client.get(base).json()["version"] == 0


def test_turn_number_zero_is_a_turn(client: TestClient) -> None:
    base = made(client)
    log = blob(client, base, b'{"t": 0}\n', "application/jsonl")["blob"]
    add(client, base, {"input": {"kind": "turn", "recording": log, "turn": 0}})


def test_sound_is_kept_once_and_played_in_ranges(world: World, client: TestClient) -> None:
    base = made(client)
    first = blob(client, base)
    assert (first["content_type"], first["duration_ms"]) == ("audio/wav", 100.0)
    assert blob(client, base) == first
    assert len(world.blobs.list("datasets")) == 1
    whole = client.get(f"{base}/blobs/{first['blob']}")
    assert (whole.content, whole.headers["content-type"]) == (WAV, "audio/wav")
    part = client.get(f"{base}/blobs/{first['blob']}", headers={"range": "bytes=44-99"})
    assert (part.status_code, part.content) == (206, WAV[44:100])
    tag = {"if-none-match": whole.headers["etag"]}
    assert client.get(f"{base}/blobs/{first['blob']}", headers=tag).status_code == 304


def test_an_event_log_is_smaller_where_it_is_stored_and_comes_out_as_it_was(
    world: World, client: TestClient
) -> None:
    base = made(client)
    log = b"".join(b'{"t":%d,"dir":"client","msg":{"type":"x"}}\n' % number for number in range(40_000))
    found = blob(client, base, log, "application/x-ndjson")
    assert (found["content_type"], found["duration_ms"]) == ("application/jsonl", None)
    assert (world.blobs.size(world.blobs.list("datasets")[0]) or 0) < len(log) / 4
    assert client.get(f"{base}/blobs/{found['blob']}").content == log
    part = client.get(f"{base}/blobs/{found['blob']}", headers={"range": "bytes=1000000-1000009"})
    assert part.content == log[1_000_000:1_000_010]


def test_mu_law_and_flac_say_how_long_they_are(client: TestClient) -> None:
    base = made(client)
    fmt = struct.pack("<4sIHHIIHH", b"fmt ", 16, 7, 1, 8000, 8000, 1, 8)
    fact = struct.pack("<4sII", b"fact", 4, 4000)
    data = struct.pack("<4sI", b"data", 4000) + bytes(4000)
    mu_law = struct.pack("<4sI4s", b"RIFF", 4048, b"WAVE") + fmt + fact + data
    assert blob(client, base, mu_law)["duration_ms"] == 500
    stream_info = bytes(10) + (16_000 << 44 | 15 << 36 | 8000).to_bytes(8, "big") + bytes(16)
    flac = b"fLaC" + b"\x80\x00\x00\x22" + stream_info
    assert blob(client, base, flac, "audio/flac")["duration_ms"] == 500
    assert blob(client, base, b"OggS....", "audio/ogg")["duration_ms"] is None


@pytest.mark.parametrize(
    ("body", "kind"),
    [(WAV, "text/html"), (WAV, "audio/<x>"), (b"", "audio/wav"), (WAV[:30], "audio/wav"), (WAV, "")],
)
def test_what_is_neither_sound_nor_a_log_is_refused(
    world: World, client: TestClient, body: bytes, kind: str
) -> None:
    base = made(client)
    answer = client.post(f"{base}/blobs", content=body, headers={"content-type": kind})
    assert answer.status_code == 400
    assert world.blobs.list("datasets") == []


def test_a_deleted_data_set_takes_its_sound_along(world: World, client: TestClient) -> None:
    base, other = made(client), made(client, "other")
    name = blob(client, base)["blob"]
    blob(client, other)
    client.delete(base)
    assert len(world.blobs.list("datasets")) == 1
    assert client.get(f"{base}/blobs/{name}").status_code == 404


def test_a_project_sees_its_own_data_sets_only(world: World, client: TestClient) -> None:
    base = made(client, project="shop")
    name = blob(client, base)["blob"]
    add(client, base, {"id": "a", **TEXT})
    own, stranger = world.client(world.key("admin", "shop")), world.client(world.key("admin", "else"))
    reader = world.client(world.key("read", "shop"))
    for path in ("", "/versions", "/cases", "/cases/a", f"/blobs/{name}"):
        assert own.get(base + path).status_code == reader.get(base + path).status_code == 200
        assert stranger.get(base + path).status_code == 404
    assert stranger.delete(base).status_code == 404
    assert stranger.put(f"{base}/cases/a", json=TEXT).status_code == 404
    assert stranger.post(f"{base}/blobs", content=WAV).status_code == 404
    assert stranger.get("/api/datasets").json()["items"] == []
    assert stranger.post("/api/datasets", json={"name": "x", "project": "shop"}).status_code == 403
    assert stranger.get(made(stranger)).json()["project"] == "else"
    assert reader.put(f"{base}/cases/a", json=TEXT).status_code == 403


def test_a_name_with_the_sign_before_versions_is_refused(client: TestClient) -> None:
    assert refused(client.post("/api/datasets", json={"name": "refunds@3"})) == (400, "name")
