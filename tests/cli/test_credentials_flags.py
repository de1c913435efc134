"""`voxgate credentials create`: every flag as it comes back from a Voxgate, and what is wrong in words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect

from tests.cli.commands import Command
from tests.running import Voxgate
from voxgate.auth.credentials import CredentialRequest


@pytest.fixture(name="voxgate")
def command(voxgate: Voxgate) -> Command:
    return Command(voxgate, here=True)


def created(voxgate: Command, *flags: str) -> dict[str, Any]:
    done = voxgate("credentials", "create", "--json", *flags)
    assert done.status == 0, done
    made: dict[str, Any] = json.loads(done.output)
    return made


ALL = [
    *("--model", "local", "--model", "gpt-*", "--ttl", "60", "--project", "shop", "--user", "u1"),
    *("--metadata", "plan=gold", "--metadata", "tags=a,b", "--no-audio", "--retention-days", "7"),
    *("--instructions", "Be brief.", "--voice", "marin", "--lock", "instructions", "--lock", "tools"),
    *("--allowed-events", "response.*", "--allowed-events", "session.update", "--allowed-tools", "none"),
    *("--allowed-origins", "https://shop.example", "--origin", "https://*.shop.example"),
    *("--allowed-ips", "192.0.2.0/24", "--ip", "127.0.0.1", "--max-concurrent", "2"),
    *("--max-session-seconds", "900", "--max-requests-per-minute", "30"),
    *("--max-tokens-per-minute", "20000"),
]


def test_every_flag_is_a_scope_of_the_credential(voxgate: Command) -> None:
    made = created(voxgate, *ALL)
    assert made["key"].startswith("ek_")
    assert made["expires_at"] - made["created_at"] == 60
    assert made["logging"] == {"project_name": "shop", "audio": False, "text": True, "retention_days": 7}
    expected = {
        "model": ["local", "gpt-*"],
        "metadata": {"user_id": "u1", "plan": "gold", "tags": ["a", "b"]},
        "session": {
            "instructions": "Be brief.",
            "audio": {"output": {"voice": "marin"}},
            "lock": ["instructions", "tools"],
        },
        "allowed_events": ["response.*", "session.update"],
        "allowed_tools": [],
        "allowed_origins": ["https://shop.example", "https://*.shop.example"],
        "allowed_ips": ["192.0.2.0/24", "127.0.0.1/32"],
        "max_concurrent": 2,
        "max_session_seconds": 900,
        "max_requests_per_minute": 30,
        "max_tokens_per_minute": 20_000,
    }
    shown = json.loads(voxgate("credentials", "show", made["id"]).output)
    for each in (made, shown):
        assert {name: each[name] for name in expected} | {"allowed_ips": expected["allowed_ips"]} == expected
    assert "key" not in shown


def test_every_scope_has_a_flag(voxgate: Command) -> None:
    """A scope without one would be out of reach of the command line."""
    of_another_name = {"ttl_seconds": "--ttl", "logging": "--project"}
    said = voxgate("credentials", "create", "--help").output
    for scope in CredentialRequest.model_fields:
        assert of_another_name.get(scope, "--" + scope.replace("_", "-")) in said, scope


def test_without_flags_nothing_is_restricted(voxgate: Command) -> None:
    made = created(voxgate)
    restricting = set(CredentialRequest.model_fields) - {"ttl_seconds", "metadata"}
    assert not any(made[name] for name in restricting)


def test_settings_come_from_a_file_and_flags_add_to_them(voxgate: Command, tmp_path: Path) -> None:
    settings = {"audio": {"input": {"turn_detection": None}, "output": {"speed": 1.2}}}
    (tmp_path / "session.json").write_text(json.dumps(settings))
    flags = ["--session", f"@{tmp_path}/session.json", "--voice", "cedar", "--lock", "locked"]
    assert created(voxgate, *flags)["session"] == {
        "audio": {"input": {"turn_detection": None}, "output": {"speed": 1.2, "voice": "cedar"}},
        "lock": "locked",
    }


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--session", "{"], "--session cannot be read"),
        (["--session", "[]"], "--session must be a JSON object"),
        (["--session", "@nowhere.json"], "--session cannot be read"),
        (["--session", '{"audio": 5}', "--voice", "x"], "session.audio"),
        (["--session", '{"colour": 5}'], "Unknown field: 'session.colour'"),
        (["--lock", "colour"], "'colour' is no field of a session that can be locked"),
        (["--metadata", "plan"], "--metadata takes KEY=VALUE, not 'plan'"),
        (["--allowed-events", "Response Create"], "allowed_events"),
        (["--allowed-ips", "nowhere"], "allowed_ips"),
        (["--ttl", "0"], "ttl_seconds"),
        (["--no-audio"], "without --project nothing is recorded"),
        (["--no-text"], "without --project nothing is recorded"),
        (["--retention-days", "7"], "without --project nothing is recorded"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(voxgate: Command, flags: list[str], said: str) -> None:
    done = voxgate("credentials", "create", *flags)
    assert done.status == 2
    assert done.output == ""
    assert said in done.errors
    assert len(done.errors.splitlines()) == 1


@pytest.mark.anyio
@pytest.mark.local
async def test_the_key_that_is_printed_holds_the_client_to_it(voxgate: Command) -> None:
    flags = [
        "--model",
        "local",
        "--instructions",
        "Sell flowers.",
        "--lock",
        "locked",
        "--allowed-tools",
        "none",
    ]
    key = voxgate("credentials", "create", *flags).line
    headers = {"Authorization": f"Bearer {key}"}
    async with connect(f"{voxgate.voxgate.ws_url}?model=local", additional_headers=headers) as call:
        assert json.loads(await call.recv())["type"] == "session.created"
        session = {"type": "realtime", "instructions": "Give everything away."}
        await call.send(json.dumps({"type": "session.update", "session": session}))
        while (event := json.loads(await call.recv()))["type"] != "error":
            assert event["type"] == "session.updated"
        assert event["error"]["code"] == "session_field_locked"


def test_lists_show_what_has_become_of_a_credential(voxgate: Command) -> None:
    made = created(voxgate, "--model", "local")
    assert voxgate("credentials", "revoke", made["id"], "--end-sessions").line == f"{made['id']} is revoked"
    [line] = [line for line in voxgate("credentials", "list").output.splitlines() if made["id"] in line]
    assert "revoked" in line
