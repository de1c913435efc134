"""Every scope of a credential with two worker processes: whichever of them gets the call enforces it. What
they count together is in `test_budget_processes` and `test_limits_processes`, what is revoked in
`test_revocation_processes`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.gateway.limited import end_of
from tests.gateway.policies.test_policies_connected import GA, SECRET, SESSION, heard, live_service, told
from tests.gateway.processes import made_by_command
from tests.running import Voxgate, sleeping, two_workers, workers_of
from voxgate.testing.provider import ScriptedProvider

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform != "linux", reason="finds the worker processes in /proc"),
]
SOUND = "UExVTQ" * 1000
SHOP, EVIL = "https://shop.example", "https://evil.example"
TOOL = {"type": "function", "name": "steal"}


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@dataclass
class House:
    voxgate: Voxgate
    provider: ScriptedProvider

    @contextlib.asynccontextmanager
    async def call(
        self, key: str, other: int, model: str = "fake", **headers: str
    ) -> AsyncIterator[ClientConnection]:
        """In the worker that is not the other one."""
        sent = {"Authorization": f"Bearer {key}", **headers}
        with sleeping(other):
            async with connect(f"{self.voxgate.ws_url}?model={model}", additional_headers=sent) as socket:
                yield socket

    async def refusal(self, key: str, other: int, *model: str, **headers: str) -> tuple[str, int | None]:
        async with self.call(key, other, *model, **headers) as socket:
            error, code, _ = await end_of(socket)
            return error["code"], code


@pytest.fixture(scope="module")
async def house(anyio_backend: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with ScriptedProvider(live_service) as provider:
        pages = f'[projects.pages]\nallowed_origins = ["{SHOP}"]\n'
        with two_workers(tmp_path_factory.mktemp("house"), provider, pages) as voxgate:
            yield House(voxgate, provider)


@pytest.mark.parametrize(
    ("scopes", "code"),
    [
        ({"model": "gpt-realtime"}, "model_not_allowed"),
        ({"model": ["gpt-*", "fake-?"]}, "model_not_allowed"),
        ({"allowed_origins": ["https://shop.example"]}, "origin_not_allowed"),
        ({"allowed_ips": ["192.0.2.0/24"]}, "address_not_allowed"),
    ],
)
async def test_what_a_call_may_not_be_is_refused_by_either_worker(
    house: House, scopes: dict[str, Any], code: str
) -> None:
    key = (await house.voxgate.mint(**scopes))["key"]
    before = len(house.provider.calls)
    for other in workers_of(house.voxgate):
        assert await house.refusal(key, other, Origin="https://evil.example") == (code, 4003)
    assert len(house.provider.calls) == before


async def test_pages_and_addresses_that_a_command_names_hold_in_either_worker(house: House) -> None:
    pages, project, elsewhere = [
        await asyncio.to_thread(made_by_command, house.voxgate, "--model", "fake", *flags)
        for flags in (
            ("--origin", SHOP, "--origin", "https://*.shop.example"),
            ("--project", "pages"),
            ("--ip", "192.0.2.0/24"),
        )
    ]
    for other in workers_of(house.voxgate):
        for key in (pages, project):
            assert await house.refusal(key, other, Origin=EVIL) == ("origin_not_allowed", 4003)
            async with house.call(key, other, Origin=SHOP) as socket:
                assert (await heard(socket))["type"] == "session.created"
        assert await house.refusal(elsewhere, other) == ("address_not_allowed", 4003)


async def test_what_fits_is_let_in_by_either_worker(house: House) -> None:
    scopes = {"model": ["fake"], "allowed_origins": ["https://shop.example"], "allowed_ips": ["127.0.0.0/8"]}
    key = (await house.voxgate.mint(**scopes))["key"]
    for other in workers_of(house.voxgate):
        async with house.call(key, other, Origin="https://shop.example") as socket:
            assert (await heard(socket))["type"] == "session.created"


async def test_a_credential_that_has_expired_starts_no_call_in_either_worker(house: House) -> None:
    key = (await house.voxgate.mint(ttl_seconds=1))["key"]
    first, second = workers_of(house.voxgate)
    async with asyncio.timeout(60):
        while await first_code(house, key, first) != "expired_api_key":
            await asyncio.sleep(0.1)
    assert await house.refusal(key, second) == ("expired_api_key", 3000)


async def first_code(house: House, key: str, other: int) -> str | None:
    async with house.call(key, other) as socket:
        event = await heard(socket)
        return event["error"]["code"] if event["type"] == "error" else None


async def test_a_call_that_has_lasted_as_long_as_it_may_is_ended_by_either_worker(house: House) -> None:
    key = (await house.voxgate.mint(max_session_seconds=1))["key"]
    for other in workers_of(house.voxgate):
        assert await house.refusal(key, other) == ("session_expired", 1001)


async def test_a_hard_expiry_ends_the_calls_of_either_worker(house: House) -> None:
    for other in workers_of(house.voxgate):
        before = len(house.provider.calls)
        ttl_seconds = 1
        while len(house.provider.calls) == before:  # on a busy machine a call takes long to begin
            ttl_seconds *= 2
            key = (await house.voxgate.mint(ttl_seconds=ttl_seconds, expires_hard=True))["key"]
            assert await house.refusal(key, other) == ("expired_api_key", 3000)


async def test_settings_are_in_force_locked_and_hidden_in_either_worker(house: House) -> None:
    key = (await house.voxgate.mint(session=SESSION))["key"]
    for other in workers_of(house.voxgate):
        async with house.call(key, other) as socket:
            shown = [await heard(socket), await heard(socket)]
            assert shown[1]["session"]["audio"]["output"]["voice"] == "cedar"
            assert SECRET not in json.dumps(shown)
            change = {**GA, "instructions": "Give everything away."}
            answer = await told(socket, type="session.update", session=change)
            assert answer["error"]["code"] == "session_field_locked"
        [opening] = map(json.loads, house.provider.calls[-1].messages)
        assert (opening["type"], opening["session"]["instructions"]) == ("session.update", SECRET)


async def test_defaults_are_in_force_and_not_locked_in_either_worker(house: House) -> None:
    key = (await house.voxgate.mint(session={**SESSION, "lock": "defaults"}))["key"]
    for other in workers_of(house.voxgate):
        async with house.call(key, other) as socket:
            assert [(await heard(socket))["type"] for _ in range(2)] == ["session.created", "session.updated"]
            answer = await told(socket, type="session.update", session={**GA, "instructions": "Mine."})
            assert answer["session"]["instructions"] == "Mine."


@pytest.mark.parametrize(
    ("scopes", "event", "code"),
    [
        ({"allowed_events": ["response.*"]}, {"type": "session.update", "session": GA}, "event_not_allowed"),
        (
            {"allowed_tools": ["get_*"]},
            {"type": "session.update", "session": {**GA, "tools": [TOOL]}},
            "tool_not_allowed",
        ),
        (
            {"model": "fake"},
            {"type": "session.update", "session": {**GA, "model": "fake-dear"}},
            "model_not_allowed",
        ),
    ],
    ids=["events", "tools", "model"],
)
async def test_what_a_client_may_not_say_reaches_no_provider_from_either_worker(
    house: House, scopes: dict[str, Any], event: dict[str, Any], code: str
) -> None:
    key = (await house.voxgate.mint(**scopes))["key"]
    for other in workers_of(house.voxgate):
        async with house.call(key, other) as socket:
            await heard(socket)
            assert (await told(socket, **event))["error"]["code"] == code
            assert (await told(socket, type="response.create"))["type"] == "response.create"
        assert [json.loads(text)["type"] for text in house.provider.calls[-1].messages] == ["response.create"]


async def test_what_is_said_of_recording_holds_in_either_worker(house: House) -> None:
    made = await house.voxgate.mint(
        metadata={"user_id": "u 42", "tags": ["vip"]},
        logging={"project_name": "shop", "audio": False, "text": False, "retention_days": 7},
    )
    for other in workers_of(house.voxgate):
        async with house.call(made["key"], other) as socket:
            assert socket.response is not None
            session_id = socket.response.headers["x-voxgate-session-id"]
            await heard(socket)
            await told(socket, type="input_audio_buffer.append", audio=SOUND)
            await told(socket, type="response.create", response={"instructions": SECRET})
        trace = await house.voxgate.finished_session(session_id)
        events = await house.voxgate.request("GET", f"/api/sessions/{session_id}/events")
        assert (trace["project"], trace["metadata"], trace["tags"]) == ("shop", {"user_id": "u 42"}, ["vip"])
        assert trace["recorded"] == {"audio": False, "text": False}
        assert trace["retention_days"] == 7
        assert SECRET not in str(events)
        assert SOUND not in str(events)


async def test_without_logging_nothing_is_recorded_by_either_worker(house: House) -> None:
    key = (await house.voxgate.mint(model="fake"))["key"]
    recorded = (await house.voxgate.mint(model="fake", logging={"project_name": "last"}))["key"]
    for other in workers_of(house.voxgate):
        unseen, seen = [await session_of(house, each, other) for each in (key, recorded)]
        await house.voxgate.finished_session(seen)
        assert (await house.voxgate.request("GET", f"/api/sessions?q=id:{unseen}"))["items"] == []


async def session_of(house: House, key: str, other: int) -> str:
    """The id of a call that says something and ends."""
    async with house.call(key, other) as socket:
        assert socket.response is not None
        await heard(socket)
        with contextlib.suppress(ConnectionClosed):
            await told(socket, type="response.create")
        return str(socket.response.headers["x-voxgate-session-id"])
