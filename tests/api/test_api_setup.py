"""Providers, settings and rules over the control plane: what is shown, from where, to whom, and no secret."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.api.world import World
from voxgate.api.access import House
from voxgate.auth.credentials import CredentialRequest
from voxgate.core.clock import now_utc
from voxgate.core.settings import load_settings, sources_of
from voxgate.core.upstreams import ProviderSettings
from voxgate.providers.health import Health
from voxgate.providers.routes import Router

FILE = """
port = 9000
database_url = "postgresql://voxgate:pg-secret@db/voxgate"

[providers.house]
base_url = "http://user:url-secret@127.0.0.1:9/v1"
api_key = "key-in-the-file"

[providers.openai]
base_url = "https://api.openai.com/v1"
api_key_env = "OPENAI_API_KEY"

[[routes]]
model = "gpt-realtime"
providers = ["openai", "house"]

[limits]
idle_seconds = 600

[projects.shop]
retention_days = 30
redact = ["email"]

[projects.clinic]
audio = false
"""
ENVIRON = {"VOXGATE_API_KEY": "vg_admin-secret", "VOXGATE_WORKERS": "3", "OPENAI_API_KEY": "sk-live-secret"}
SECRETS = ("pg-secret", "url-secret", "key-in-the-file", "admin-secret", "live-secret")


@pytest.fixture
def health() -> dict[str, Health]:
    return {}


@pytest.fixture(autouse=True)
def house(world: World, tmp_path: Path, health: dict[str, Health]) -> None:
    config = tmp_path / "voxgate.toml"
    config.write_text(FILE)
    flags = {"host": "0.0.0.0", "port": None}
    settings = load_settings(flags, ENVIRON, config)
    local = ProviderSettings(base_url="http://127.0.0.1:1/v1", api_key="inner")  # type: ignore[arg-type]
    router = Router(settings, ENVIRON, local)
    sources = sources_of(flags, ENVIRON, config)
    made = House(settings, sources, router, lambda: health)
    control = world.app.state.control
    world.app.state.control = replace(control, house=made)


def rows(client: TestClient) -> dict[str, Any]:
    return {row["key"]: row for row in client.get("/api/settings").json()["items"]}


def test_settings_are_shown_with_where_they_come_from(client: TestClient) -> None:
    found = rows(client)
    shown = {key: (row["value"], row["source"].split("/")[-1]) for key, row in found.items()}
    assert shown["port"] == (9000, "voxgate.toml, line 2")
    assert shown["host"] == ("0.0.0.0", "the flag --host")
    assert shown["workers"] == (3, "the environment variable VOXGATE_WORKERS")
    assert shown["limits.idle_seconds"] == (600, "voxgate.toml, line 18")
    assert shown["limits.stall_seconds"] == (30, "default")
    assert shown["projects.shop.retention_days"] == (30, "voxgate.toml, line 21")
    assert shown["projects.shop.audio"] == (True, "default")


def test_no_answer_has_a_secret_in_it(client: TestClient) -> None:
    found = rows(client)
    assert found["api_key"] | {"source": ""} == {
        "key": "api_key",
        "value": "(set)",
        "source": "",
        "secret": True,
    }
    assert found["providers.house.api_key"]["value"] == "(set)"
    assert found["database_url"]["value"] == "postgresql://…@db/voxgate"
    told = "".join(client.get(path).text for path in ("/api/settings", "/api/providers", "/api/privacy"))
    assert not [secret for secret in SECRETS if secret in told]


def test_providers_are_listed_with_what_they_serve_and_whether_they_have_a_key(client: TestClient) -> None:
    answer = client.get("/api/providers").json()
    found = {item["name"]: item for item in answer["items"]}
    assert set(found) == {"local", "openai", "house"}
    openai = found["openai"]
    assert (openai["kind"], openai["has_key"], openai["key_from"]) == ("openai", True, "OPENAI_API_KEY")
    assert (openai["models"], openai["health"]["state"]) == (["gpt-realtime"], "untried")
    assert (found["house"]["key_from"], found["house"]["base_url"]) == ("settings", "http://…@127.0.0.1:9/v1")
    assert (found["local"]["kind"], found["local"]["models"]) == ("embedded", ["local"])
    [route] = answer["routes"]
    assert (route["model"], route["providers"], route["is_default"]) == (
        "gpt-realtime",
        ["openai", "house"],
        False,
    )
    assert answer["workers"] == 3


def test_a_viewer_sees_that_a_provider_fails_but_not_the_words(
    world: World, client: TestClient, health: dict[str, Health]
) -> None:
    now = now_utc()
    health["openai"] = Health(failed_at=now, failure="could not be connected to: 10.0.0.7")
    health["house"] = Health(answered_at=now, failed_at=now - timedelta(minutes=1), rests_for_seconds=None)
    viewer = world.client(world.key("read"))
    seen = {item["name"]: item["health"] for item in viewer.get("/api/providers").json()["items"]}
    assert (seen["openai"]["state"], seen["openai"]["failure"]) == ("failing", None)
    assert seen["house"]["state"] == "answering"
    health["openai"].rests_for_seconds = 4.0
    own = {item["name"]: item["health"] for item in client.get("/api/providers").json()["items"]}
    assert (own["openai"]["state"], own["openai"]["failure"]) == (
        "resting",
        "could not be connected to: 10.0.0.7",
    )


def test_a_key_of_a_project_sees_its_own_rules_and_nothing_of_the_others(world: World) -> None:
    viewer, admin = world.client(world.key("read", "shop")), world.client(world.key("admin", "shop"))
    found = viewer.get("/api/privacy").json()["items"]
    assert [rules["project"] for rules in found] == [None, "shop"]
    assert (found[1]["retention_days"], list(found[1]["redact"])) == (30, ["email"])
    assert viewer.get("/api/providers").status_code == 403
    assert admin.get("/api/settings").status_code == 403
    assert admin.post("/api/providers/openai/check").status_code == 403


def test_a_check_names_the_provider_and_what_failed(client: TestClient) -> None:
    answer = client.post("/api/providers/house/check", json={}).json()
    assert (answer["provider"], answer["model"], answer["status"]) == ("house", "gpt-realtime", "failed")
    assert [step["name"] for step in answer["steps"]] == ["key", "models"]
    assert not [secret for secret in SECRETS if secret in str(answer)]
    missing = client.post("/api/providers/nobody/check")
    assert (missing.status_code, missing.json()["error"]["param"]) == (404, "name")
    assert client.post("/api/providers/house/check", json={"modle": "x"}).status_code == 400


def test_the_schema_of_a_credential_is_that_of_its_endpoint(client: TestClient) -> None:
    schema = client.get("/api/credentials/schema").json()
    assert set(schema["properties"]) == set(CredentialRequest.model_fields)
    assert schema["properties"]["ttl_seconds"]["maximum"] == 86_400
