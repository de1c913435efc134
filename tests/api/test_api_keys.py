"""API keys over the control plane: rotation, expiry, and what revoking takes along."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.api.world import ADMIN_KEY, World
from voxgate.auth import keys as auth_keys
from voxgate.auth.keys import key_hash
from voxgate.core import clock


def make(client: TestClient, **body: Any) -> tuple[str, str]:
    """Its id and its text."""
    made = client.post("/api/keys", json={"name": "backend", "role": "read", **body}).json()
    return made["id"], made["key"]


def works(world: World, raw: str) -> bool:
    return world.client(raw).get("/api/me").status_code == 200


def rotate(client: TestClient, key_id: str, **body: Any) -> dict[str, Any]:
    response = client.post(f"/api/keys/{key_id}/rotate", json=body)
    assert response.status_code == 200, response.text
    assert response.headers["cache-control"] == "no-store"
    answer: dict[str, Any] = response.json()
    return answer


def test_a_rotated_key_keeps_its_name_and_id_and_has_a_new_text(world: World, client: TestClient) -> None:
    key_id, old = make(client, project="shop")
    rotated = rotate(client, key_id, grace_seconds=0)
    new = rotated["key"]
    assert (rotated["id"], rotated["name"], rotated["project"]) == (key_id, "backend", "shop")
    assert rotated["key_hint"] == f"{new[:5]}…{new[-4:]}"
    assert (works(world, old), works(world, new)) == (False, True)
    assert rotated["old_secret_until"] is None
    listed = client.get("/api/keys").text
    assert new not in listed
    assert key_hash(new) not in listed


def test_without_a_word_about_it_the_old_text_is_good_for_a_day(
    world: World, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    key_id, old = make(client)
    response = client.post(f"/api/keys/{key_id}/rotate")
    new, until = response.json()["key"], response.json()["old_secret_until"]
    assert works(world, old)
    day = clock.now_utc() + timedelta(days=1)
    assert clock.iso_utc(day - timedelta(minutes=1)) < until <= clock.iso_utc(day)
    monkeypatch.setattr("voxgate.store.keys.now_utc", lambda: day + timedelta(seconds=1))
    assert (works(world, old), works(world, new)) == (False, True)


@pytest.mark.parametrize("grace", [-1, 30 * 86_400 + 1, "soon", 1.5])
def test_a_wrong_grace_time_rotates_nothing(world: World, client: TestClient, grace: Any) -> None:
    key_id, old = make(client)
    response = client.post(f"/api/keys/{key_id}/rotate", json={"grace_seconds": grace})
    assert (response.status_code, response.json()["error"]["param"]) == (400, "grace_seconds")
    assert works(world, old)


def test_the_keys_of_others_cannot_be_rotated(world: World, client: TestClient) -> None:
    key_id, old = make(client, project="shop")
    bound = world.client(world.key("admin", "other"))
    assert bound.post(f"/api/keys/{key_id}/rotate").status_code == 404
    assert client.post("/api/keys/key_none/rotate").status_code == 404
    assert works(world, old)


def test_a_cookie_ends_with_the_text_that_signed_in(world: World, client: TestClient) -> None:
    """Whoever stole a key and signed in with it is out after the rotation."""
    key_id, old = make(client)
    browser = world.client(None)
    assert browser.post("/api/login", json={"api_key": old}).status_code == 200
    rotate(client, key_id, grace_seconds=600)
    assert browser.get("/api/me").status_code == 200
    rotate(client, key_id, grace_seconds=0)
    assert browser.get("/api/me").status_code == 401


def test_a_key_and_its_cookie_end_at_the_keys_expiry(
    world: World, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_an_hour = clock.now_utc() + timedelta(hours=1)
    _, raw = make(client, expires_at=clock.iso_utc(in_an_hour))
    browser = world.client(None)
    browser.post("/api/login", json={"api_key": raw})
    assert works(world, raw)
    monkeypatch.setattr(auth_keys.clock, "now_utc", lambda: in_an_hour)
    answers = [world.client(raw).get("/api/me"), browser.get("/api/me")]
    assert [answer.json()["error"]["code"] for answer in answers] == ["expired_api_key"] * 2
    assert "'backend' has expired" in answers[0].json()["error"]["message"]


def test_only_hashes_are_stored(world: World, client: TestClient, tmp_path: Any) -> None:
    key_id, first = make(client)
    second = rotate(client, key_id)["key"]
    world.store.close()
    stored = b"".join(path.read_bytes() for path in tmp_path.glob("voxgate.db*"))
    assert not any(raw.encode() in stored for raw in (first, second, ADMIN_KEY))
    assert all(key_hash(raw).encode() in stored for raw in (first, second))


def test_the_use_of_a_key_is_noted_once_a_minute(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    notes: list[str] = []
    monkeypatch.setattr(world.store, "touch_api_key", lambda key_id, when: notes.append(key_id))
    key, raw = world.keys.create("busy", "read")
    now = [1000.0]
    monkeypatch.setattr(auth_keys.time, "monotonic", lambda: now[0])
    for seconds, noted in ((0, 1), (30, 1), (59, 1), (61, 2)):
        now[0] = 1000.0 + seconds
        world.keys.authenticate(raw)
        for thread in auth_keys.threading.enumerate():
            if thread.name == "key-note":
                thread.join(10)
        assert notes == [key.id] * noted
