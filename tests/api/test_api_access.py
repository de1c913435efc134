"""Who may do what: keys, cookies, roles, projects."""

from __future__ import annotations

import time

import pytest
from fastapi.testclient import TestClient

from tests.api.world import ADMIN_KEY, World
from voxgate.auth.keys import KeyRing
from voxgate.auth.web import COOKIE_SECONDS
from voxgate.core import clock


def error(response: object) -> dict[str, str | None]:
    body: dict[str, dict[str, str | None]] = response.json()  # type: ignore[attr-defined]
    assert body.keys() == {"error"}
    assert body["error"].keys() == {"message", "type", "code", "param"}
    return body["error"]


def signed_in(world: World, key: str = ADMIN_KEY, base_url: str = "http://voxgate.test") -> TestClient:
    client = world.client(None, base_url)
    assert client.post("/api/login", json={"api_key": key}).status_code == 200
    return client


READS = [
    "/api/projects",
    "/api/sessions",
    "/api/sessions/sess_1",
    "/api/sessions/sess_1/events",
    "/api/sessions/sess_1/audio?track=user",
    "/api/sessions/sess_1/attachments/att_1",
    "/api/sessions/sess_1/peaks",
    "/api/sessions/sess_1/stream",
]
CHANGES = [
    ("GET", "/api/keys"),
    ("POST", "/api/keys"),
    ("DELETE", "/api/keys/key_1"),
    ("POST", "/api/sessions/sess_1/end"),
    ("DELETE", "/api/sessions/sess_1"),
]


def full(world: World) -> None:
    span = {"id": "s", "type": "user", "start_ms": 0}
    clip = {"id": "att_1", "name": "clip", "track": "user", "start_byte": 0, "end_byte": 100}
    world.add_session()
    world.store.save_spans("sess_1", [span | {"attachments": [clip]}])
    world.add_pcm("user", b"\1\0" * 2400)
    world.blobs.append("sessions/sess_1/events.jsonl", b"{}\n")
    world.blobs.put("sessions/sess_1/peaks.json", b"{}")


@pytest.mark.parametrize("method_path", [*[("GET", path) for path in READS], *CHANGES, ("GET", "/api/me")])
def test_without_a_key_nothing_is_answered(world: World, method_path: tuple[str, str]) -> None:
    full(world)
    body = {"name": "x", "role": "read"} if method_path[0] == "POST" else None
    response = world.client(None).request(*method_path, json=body)
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    assert "API key" in str(error(response)["message"])


@pytest.mark.parametrize("path", READS)
def test_reading_needs_the_role_read_or_admin(world: World, path: str) -> None:
    full(world)
    answers = {
        role: world.client(world.key(role)).get(path).status_code for role in ("read", "mint", "connect")
    }  # type: ignore[arg-type]
    assert answers == {"read": 200, "mint": 403, "connect": 403}
    assert world.client().get(path).status_code == 200


@pytest.mark.parametrize("method_path", CHANGES)
def test_changing_needs_an_admin(world: World, method_path: tuple[str, str]) -> None:
    full(world)
    body = {"name": "x", "role": "read"} if method_path[0] == "POST" else None
    response = world.client(world.key("read")).request(*method_path, json=body)
    assert response.status_code == 403
    assert error(response)["code"] == "forbidden"
    assert world.store.get_session("sess_1") is not None
    assert world.store.signals_after(0) == []


@pytest.mark.parametrize(
    "headers", [{"x-api-key": ADMIN_KEY}, {"api-key": ADMIN_KEY}, {"authorization": f"bearer {ADMIN_KEY}"}]
)
def test_a_key_counts_in_each_of_its_headers(world: World, headers: dict[str, str]) -> None:
    response = world.client(None).get("/api/me", headers=headers)
    assert response.json() == {"name": "admin", "role": "admin", "project": None}


def test_an_unknown_an_expired_and_a_revoked_key_are_refused(world: World) -> None:
    expired = world.key("read", expires_at="2020-01-01T00:00:00Z")
    key, revoked = world.keys.create("gone", "read")
    world.keys.revoke(key.id)
    codes = [error(world.client(raw).get("/api/me"))["code"] for raw in ("vg_unknown", expired, revoked)]
    assert codes == ["invalid_api_key", "expired_api_key", "invalid_api_key"]


def test_a_bound_key_sees_its_project_only(world: World) -> None:
    full(world)
    world.add_session("sess_2", project="other")
    client = world.client(world.key("admin", "other"))
    assert [item["id"] for item in client.get("/api/sessions").json()["items"]] == ["sess_2"]
    assert [item["name"] for item in client.get("/api/projects").json()["items"]] == ["other"]
    assert {client.get(path).status_code for path in READS[2:]} == {404}
    assert client.delete("/api/sessions/sess_1").status_code == 404
    assert client.post("/api/sessions/sess_1/end").status_code == 404
    assert client.get("/api/sessions?project=other").status_code == 200
    refused = client.get("/api/sessions?project=shop")
    assert (refused.status_code, error(refused)["param"]) == (403, "project")
    assert client.get("/api/sessions?q=project:shop").json()["items"] == []


def test_signing_in_gives_a_cookie_that_no_script_and_no_other_site_gets(world: World) -> None:
    response = world.client(None).post("/api/login", json={"api_key": world.key("read", "shop")})
    assert response.json() == {"name": "read of shop", "role": "read", "project": "shop"}
    cookie = response.headers["set-cookie"]
    assert cookie.startswith("voxgate_session=")
    assert {"HttpOnly", "Path=/", "SameSite=strict", "Max-Age=2592000"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    assert response.headers["cache-control"] == "no-store"


def test_over_tls_the_cookie_is_secure(world: World) -> None:
    client = world.client(None, "https://voxgate.test")
    assert "; Secure" in client.post("/api/login", json={"api_key": ADMIN_KEY}).headers["set-cookie"]


def test_a_wrong_key_does_not_sign_in(world: World) -> None:
    response = world.client(None).post("/api/login", json={"api_key": "vg_wrong"})
    assert response.status_code == 401
    assert "set-cookie" not in response.headers


def test_the_cookie_stands_for_its_key(world: World) -> None:
    world.add_session()
    world.add_session("sess_2", project="other")
    client = signed_in(world, world.key("read", "shop"))
    assert client.get("/api/me").json() == {"name": "read of shop", "role": "read", "project": "shop"}
    assert [item["id"] for item in client.get("/api/sessions").json()["items"]] == ["sess_1"]
    assert client.get("/api/keys").status_code == 403


def test_signing_out_forgets_the_cookie(world: World) -> None:
    client = signed_in(world)
    assert client.get("/api/me").status_code == 200
    assert client.post("/api/logout").status_code == 204
    assert client.get("/api/me").status_code == 401


def test_the_cookie_of_a_revoked_key_is_worth_nothing(world: World) -> None:
    key, raw = world.keys.create("gone", "read")
    client = signed_in(world, raw)
    world.keys.revoke(key.id)
    response = client.get("/api/me")
    assert (response.status_code, error(response)["code"]) == (401, "invalid_api_key")


def test_a_new_admin_key_signs_out_whoever_used_the_old_one(world: World) -> None:
    cookie = signed_in(world).cookies["voxgate_session"]
    world.keys = KeyRing(world.store, "vg_another-admin-key")
    world.__post_init__()
    client = world.client(None)
    client.cookies.set("voxgate_session", cookie)
    assert client.get("/api/me").status_code == 401


def test_the_use_of_a_key_is_noted(world: World) -> None:
    _, raw = world.keys.create("busy", "read")
    assert world.client(raw).get("/api/me").status_code == 200
    deadline = time.monotonic() + 60
    while not world.store.list_api_keys()[0]["last_used_at"]:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_cookie_ends_after_thirty_days(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    client = signed_in(world)
    later = clock.unix_seconds() + COOKIE_SECONDS + 1
    monkeypatch.setattr(clock, "unix_seconds", lambda: later)
    assert error(client.get("/api/me"))["code"] == "expired_api_key"


def test_a_token_made_for_something_else_is_no_cookie(world: World) -> None:
    claims = {"key_id": world.keys.authenticate(ADMIN_KEY).id, "exp": 2**40}
    client = world.client(None)
    client.cookies.set("voxgate_session", world.cookies.seal(claims, purpose="call"))
    assert client.get("/api/me").status_code == 401
    client.cookies.set("voxgate_session", "nonsense")
    assert client.get("/api/me").status_code == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({"origin": "http://evil.test"}, 403),
        ({"origin": "null"}, 403),
        ({"x-voxgate-csrf": "0"}, 403),
        ({"x-voxgate-csrf": "1"}, 200),
        ({"origin": "http://voxgate.test"}, 200),
    ],
)
def test_a_change_by_cookie_must_come_from_our_own_page(
    world: World, headers: dict[str, str], status: int
) -> None:
    world.add_session()
    client = signed_in(world)
    assert client.delete("/api/sessions/sess_1", headers=headers).status_code == status
    assert (world.store.get_session("sess_1") is None) == (status == 200)


def test_a_change_by_key_needs_no_such_proof(world: World) -> None:
    world.add_session()
    assert world.client().delete("/api/sessions/sess_1").status_code == 200
