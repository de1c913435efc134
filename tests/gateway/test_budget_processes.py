"""Budgets and uses with whole worker processes, which share only the database."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from tests.gateway.metered import PRICES, RESPONSE_USD, USAGE, Metered, heard_to_the_end, respond, say
from tests.gateway.processes import call_of, made_by_command
from tests.running import Voxgate, sleeping, two_workers, workers_of
from voxgate.testing.provider import ScriptedProvider

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform != "linux", reason="finds the worker processes in /proc"),
]
RESPONSES = 30
"""In a budget."""


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def provider(anyio_backend: str) -> AsyncIterator[ScriptedProvider]:
    async with ScriptedProvider(Metered()) as running:
        yield running


@pytest.fixture(scope="module")
def voxgate(provider: ScriptedProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Voxgate]:
    prices = "".join(f"{name} = {dollars}\n" for name, dollars in PRICES["fake"].items())
    with two_workers(tmp_path_factory.mktemp("voxgate"), provider, f"[prices.fake]\n{prices}") as running:
        yield running


async def until_used(voxgate: Voxgate, credential_id: str, **wanted: Any) -> None:
    async with asyncio.timeout(60):
        while True:
            used = (await voxgate.request("GET", f"/v1/credentials/{credential_id}"))["used"]
            if all(used[name] == value for name, value in wanted.items()):
                return
            await asyncio.sleep(0.05)


async def code_of(voxgate: Voxgate, key: str) -> str:
    """With which the call begins."""
    async with call_of(voxgate, key) as call:
        event = json.loads(await call.recv())
        return str(event["error"]["code"] if event["type"] == "error" else event["type"])


async def test_two_workers_together_open_one_call_for_one_use(
    voxgate: Voxgate, provider: ScriptedProvider
) -> None:
    before = len(provider.calls)
    workers = workers_of(voxgate)
    for _ in range(3):
        made = await voxgate.mint(model="fake", max_uses=1)
        key, credential_id = made["key"], made["id"]
        first, second = await asyncio.gather(*(code_of(voxgate, key) for _ in range(2)))
        assert {first, second} == {"session.created", "no_use_left"}
        await until_used(voxgate, credential_id, uses=1)
    with sleeping(workers[0]):
        key = await asyncio.to_thread(made_by_command, voxgate, "--max-uses", "1")
        assert await code_of(voxgate, key) == "session.created"
    with sleeping(workers[1]):
        assert await code_of(voxgate, key) == "no_use_left"
    assert len(provider.calls) == before + 4


async def test_what_one_worker_spends_the_other_knows(voxgate: Voxgate) -> None:
    """One spends nearly all of it, so that the other would go on for long by what it has spent itself."""
    budgets = {
        "max_tokens": RESPONSES * USAGE["total_tokens"],
        "max_cost_usd": RESPONSES * RESPONSE_USD,
        "max_audio_seconds": RESPONSES * 0.5 + 0.1,
    }
    for scope, budget in budgets.items():
        made = await voxgate.mint(model="fake", **{scope: budget})
        await spend_in_both(voxgate, made["key"], made["id"], scope)


async def spend_in_both(voxgate: Voxgate, key: str, credential_id: str, scope: str) -> None:
    first, second = workers_of(voxgate)
    with sleeping(second):
        here = await call_of(voxgate, key)
        await respond(here)
    with sleeping(first):
        there = await call_of(voxgate, key)
    async with here, there:
        for _ in range(RESPONSES - 1):
            await respond(there)
        await until_used(voxgate, credential_id, tokens=RESPONSES * 100, audio_seconds=RESPONSES * 0.5)
        await ends_by_itself(here, scope)
        for _ in range(4):  # whichever worker takes it
            assert await code_of(voxgate, key) == "budget_spent"


async def ends_by_itself(call: ClientConnection, scope: str) -> None:
    """At a response that voice activity begins, as soon as its worker knows."""
    ended = asyncio.ensure_future(heard_to_the_end(call))
    while not ended.done():
        with contextlib.suppress(ConnectionClosed):
            await say(call, "speak")
        await asyncio.wait([ended], timeout=0.5)
    events, code, _ = await ended
    error = events[-1]["error"]
    assert (error["code"], error["param"], code) == ("budget_spent", scope, 4029)
    responses = Counter(event["type"] for event in events)["response.done"]
    assert responses < RESPONSES // 2, "it is known within two seconds, or on a slow machine a few"
