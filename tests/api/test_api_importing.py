"""Imports over HTTP: who may, into which project, and what is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from tests.api.world import World
from voxgate.api.access import Imports
from voxgate.api.app import build_api
from voxgate.auth.web import WebSignIn
from voxgate.recording.wirelog import wire_logs
from voxgate.store import Kept

LOG = "".join(
    json.dumps({"t_ms": number, "event": event}) + "\n"
    for number, event in enumerate(
        [{"type": "session.created", "session": {"id": "s", "model": "m"}}, {"type": "response.create"}]
    )
)


@pytest.fixture
def importing(world: World, tmp_path: Path) -> World:
    world.app = build_api(
        store=world.store,
        blobs=world.blobs,
        keys=world.keys,
        sign_in=WebSignIn(world.keys, world.cookies),
        models=list,
        kept=Kept(30),
        imports=Imports(tmp_path / "uploads", tmp_path / "wire", f"sqlite:///{tmp_path}/voxgate.db", {}),
    )
    return world


def logs(folder: Path) -> list[str]:
    return [path.stem for path in wire_logs(folder / "wire")]


def test_a_file_becomes_wire_logs_and_nothing_of_the_upload_stays(importing: World, tmp_path: Path) -> None:
    query = {"name": "call.jsonl", "project": "shop", "tag": ["a", "b"], "model": "gpt-realtime"}
    answer = importing.client().post("/api/sessions/import", params=query, content=LOG)
    assert answer.status_code == 200, answer.text
    [item] = answer.json()["items"]
    assert (item["status"], item["project"], item["model"], item["events"]) == (
        "imported",
        "shop",
        "gpt-realtime",
        2,
    )
    assert logs(tmp_path) == [item["id"]]
    assert list((tmp_path / "uploads").iterdir()) == []
    again = importing.client().post("/api/sessions/import", params=query, content=LOG)
    assert [one["status"] for one in again.json()["items"]] == ["exists"]
    dry = importing.client().post("/api/sessions/import", params={"dry_run": "true"}, content=LOG)
    assert [one["status"] for one in dry.json()["items"]] == ["checked"]
    assert len(logs(tmp_path)) == 1


def test_only_admins_import_and_only_into_their_own_project(importing: World, tmp_path: Path) -> None:
    assert (
        importing.client(importing.key("read")).post("/api/sessions/import", content=LOG).status_code == 403
    )
    assert importing.client(None).post("/api/sessions/import", content=LOG).status_code == 401
    bound = importing.client(importing.key("admin", "shop"))
    assert bound.post("/api/sessions/import", params={"project": "other"}, content=LOG).status_code == 403
    assert logs(tmp_path) == []
    own = {
        "t": 0,
        "dir": "gateway",
        "msg": {"type": "gateway.opened", "session_id": "sess_1", "project": "other"},
    }
    line = {"t": 1, "dir": "client", "msg": {"type": "response.create"}}
    log = f"{json.dumps(own)}\n{json.dumps(line)}\n"
    [item] = bound.post("/api/sessions/import", content=log).json()["items"]
    assert (item["id"], item["project"]) == ("sess_1", "shop")


def test_what_is_wrong_is_said_with_its_line(importing: World, tmp_path: Path) -> None:
    answer = importing.client().post(
        "/api/sessions/import", params={"name": "x.jsonl"}, content=LOG + "{oops\n"
    )
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "file"
    assert answer.json()["error"]["message"].startswith("x.jsonl, line 3 is not valid JSON")
    for query in ({"time_unit": "h"}, {"started_at": "soon"}, {"dry_run": "perhaps"}):
        wrong = importing.client().post("/api/sessions/import", params=query, content=LOG)
        assert wrong.status_code == 400
        assert wrong.json()["error"]["param"] == next(iter(query))
    old = importing.client().post(
        "/api/sessions/import", params={"started_at": "2020-01-01T00:00:00Z"}, content=LOG
    )
    assert "deleted at once" in old.json()["error"]["message"]
    assert logs(tmp_path) == []
    assert list((tmp_path / "uploads").iterdir()) == []


def test_without_a_place_for_them_imports_are_not_found(client: TestClient) -> None:
    assert client.post("/api/sessions/import", content=LOG).status_code == 404
