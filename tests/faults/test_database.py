"""The database is locked, and away, while calls run and others begin."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time

import aiohttp
import pytest
from websockets.asyncio.client import connect

from tests.faults.calls import CALLS, Load, load
from tests.running import Voxgate
from voxgate.testing.provider import ScriptedProvider

pytestmark = pytest.mark.anyio


async def make_key(gateway: Voxgate, name: str) -> str:
    made = await gateway.request("POST", "/api/keys", json={"name": name, "role": "connect"})
    return str(made["key"])


async def refusal(gateway: Voxgate, key: str) -> tuple[str, int | None]:
    """The error's code and the close code that a new call gets."""
    headers = {"Authorization": f"Bearer {key}"}
    async with connect(f"{gateway.ws_url}?model=fake", additional_headers=headers) as socket:
        event = json.loads(await asyncio.wait_for(socket.recv(), 60))
        await asyncio.wait_for(socket.wait_closed(), 60)
        return event["error"]["code"], socket.close_code


async def status_of(gateway: Voxgate, method: str, path: str) -> tuple[int, str]:
    async with (
        aiohttp.ClientSession(headers=gateway.auth) as http,
        http.request(method, gateway.url + path, json={}) as answer,
    ):
        return answer.status, (await answer.json())["error"]["code"]


async def follow(gateway: Voxgate, session_id: str) -> str:
    """What the live stream of a session says last."""
    url = f"{gateway.url}/api/sessions/{session_id}/stream"
    async with aiohttp.ClientSession(headers=gateway.auth) as http, http.get(url) as answer:
        return (await answer.read()).decode().strip().splitlines()[-1]


async def all_is_well_afterwards(calls: Load, began: float, broke: float, mended: float) -> None:
    await calls.go_on(5)
    await calls.end()
    calls.nothing_was_lost_on_the_way()
    await calls.traces_are_whole()
    assert calls.was_not_slowed(began, broke, mended)


async def test_a_locked_database_keeps_no_call_waiting(gateway: Voxgate, provider: ScriptedProvider) -> None:
    api_key = await make_key(gateway, "locked out")
    other = sqlite3.connect(gateway.data_dir / "voxgate.db", isolation_level=None)
    async with load(gateway, provider, CALLS) as calls:
        began = time.monotonic()
        await calls.go_on(15)
        other.execute("BEGIN EXCLUSIVE")
        broke = time.monotonic()
        await calls.begin(2)
        credential, calls.key = calls.key, api_key
        await calls.begin(1)
        calls.key = credential
        await calls.end(calls.callers[:2])
        await calls.go_on(30)
        mended = time.monotonic()
        other.execute("ROLLBACK")
        other.close()
        await all_is_well_afterwards(calls, began, broke, mended)


async def test_a_database_that_is_away_is_needed_by_no_call_with_a_temporary_credential(
    gateway: Voxgate, provider: ScriptedProvider
) -> None:
    api_key = await make_key(gateway, "away")
    path, away = gateway.data_dir / "voxgate.db", gateway.data_dir / "voxgate.db.away"
    async with load(gateway, provider, CALLS) as calls:
        began = time.monotonic()
        await calls.go_on(15)
        watched = calls.callers[-1].session_id
        following = asyncio.create_task(follow(gateway, watched))
        await calls.go_on(5)
        path.rename(away)
        path.mkdir()
        try:
            broke = time.monotonic()
            await calls.begin(2)
            await calls.end(calls.callers[:2])
            assert await refusal(gateway, api_key) == ("database_unavailable", 1013)
            for method, place in (("GET", "/api/sessions"), ("POST", "/v1/credentials")):
                assert await status_of(gateway, method, place) == (503, "database_unavailable")
            await calls.go_on(20)
            mended = time.monotonic()
        finally:
            path.rmdir()
            away.rename(path)
        assert not following.done()
        await all_is_well_afterwards(calls, began, broke, mended)
        assert json.loads((await following).removeprefix("data: ")) == {"id": watched, "status": "complete"}
    assert not [line for line in gateway.output if "Traceback" in line]
