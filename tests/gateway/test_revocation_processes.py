"""Revocation with two whole worker processes: whichever of them is asked, both act on it."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from tests.gateway.limited import end_of, works
from tests.gateway.processes import call_of, refused
from tests.running import Voxgate, sleeping, two_workers, workers_of
from voxgate.core.clock import iso_utc, now_utc
from voxgate.testing.provider import ScriptedProvider

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform != "linux", reason="finds the worker processes in /proc"),
]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def voxgate(anyio_backend: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Voxgate]:
    async with ScriptedProvider() as provider:
        with two_workers(tmp_path_factory.mktemp("voxgate"), provider) as running:
            yield running


async def an_api_key(voxgate: Voxgate, **body: Any) -> dict[str, Any]:
    made: dict[str, Any] = await voxgate.request(
        "POST", "/api/keys", json={"name": "backend", "role": "mint"} | body
    )
    return made


async def refusal_in(voxgate: Voxgate, other: int, key: str) -> tuple[str, int | None]:
    """By the worker that is not the other one."""
    with sleeping(other):
        return await refused(voxgate, key)


async def test_a_revoked_credential_starts_no_call_and_its_calls_end_in_every_worker(
    voxgate: Voxgate,
) -> None:
    first, second = workers_of(voxgate)
    for here, there in ((first, second), (second, first)):
        made = await voxgate.mint(model="fake")
        with sleeping(here):
            elsewhere = await call_of(voxgate, made["key"])
            await works(elsewhere)
        with sleeping(there):
            own = await call_of(voxgate, made["key"])
            await works(own)
            await voxgate.request("DELETE", f"/v1/credentials/{made['id']}?end_sessions=true")
        for call in (own, elsewhere):
            error, code, _ = await end_of(call)
            assert (error["code"], code) == ("session_ended", 4001)
        for other in (here, there):
            assert await refusal_in(voxgate, other, made["key"]) == ("invalid_api_key", 3000)


async def test_an_api_key_that_was_revoked_or_expired_starts_no_call_in_any_worker(voxgate: Voxgate) -> None:
    first, second = workers_of(voxgate)
    made = await an_api_key(voxgate)
    temporary = await voxgate.request(
        "POST",
        "/v1/credentials",
        json={"model": "fake"},
        headers={"Authorization": f"Bearer {made['key']}"},
    )
    with sleeping(first):
        own = await call_of(voxgate, made["key"])
        await works(own)
        users = await call_of(voxgate, temporary["key"])
        await works(users)
    with sleeping(second):
        path = f"/api/keys/{made['id']}?credentials=true&end_sessions=true"
        await voxgate.request("DELETE", path)
    for call in (own, users):
        error, code, _ = await end_of(call)
        assert (error["code"], code) == ("session_ended", 4001)
    for other in (first, second):
        assert await refusal_in(voxgate, other, made["key"]) == ("invalid_api_key", 3000)
    await refused_soon(voxgate, second, temporary["key"], "invalid_api_key")
    assert await refusal_in(voxgate, first, temporary["key"]) == ("invalid_api_key", 3000)
    expiring = await an_api_key(voxgate, expires_at=iso_utc(now_utc() + timedelta(seconds=1)))
    for other in (first, second):
        await refused_soon(voxgate, other, expiring["key"], "expired_api_key")


async def refused_soon(voxgate: Voxgate, other: int, key: str, code: str) -> None:
    """By the worker that is not the other one. A call that it took just before it heard is ended."""
    async with asyncio.timeout(60):
        while True:
            with sleeping(other):
                async with call_of(voxgate, key) as call:
                    with contextlib.suppress(ConnectionClosed):
                        await call.send("still here")
                    answer = await call.recv()
                    if code in str(answer):
                        return
                    assert answer == "still here" or "session_ended" in str(answer)
            await asyncio.sleep(0.1)
