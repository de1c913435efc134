"""Whole Voxgates on one PostgreSQL and one bucket: both fail for a while, and one of two machines is gone."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cli.processes import children_of
from tests.faults.calls import CALLS, PATIENCE_SECONDS, load, recorded
from tests.faults.conftest import write_config
from tests.postgres import Postgres, running_postgres
from tests.running import Voxgate, start_voxgate
from tests.s3 import S3Server
from voxgate.store import migrate
from voxgate.testing.provider import ScriptedProvider

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(400)]
TAKEOVER_SECONDS = 12
KEY = "vg_" + "k" * 40


@dataclass
class Shared:
    """What the machines have in common."""

    postgres: Postgres
    s3: S3Server
    prefix: str
    environ: dict[str, str]
    provider: ScriptedProvider

    async def machine(self, folder: Path, token_keys: Path | None = None) -> Voxgate:
        folder.mkdir()
        if token_keys is not None:
            shutil.copy(token_keys, folder)
        config = write_config(folder, self.provider)
        flags = ("--config", str(config))
        return await asyncio.to_thread(start_voxgate, folder, *flags, environ=self.environ, local=False)


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    """Of these tests alone: they let it crash, and others are connected to the one that all share."""
    with running_postgres() as server:
        yield server


@pytest.fixture
async def shared(
    postgres: Postgres, new_postgres_url: str, s3: S3Server, provider: ScriptedProvider
) -> Shared:
    await asyncio.to_thread(migrate, new_postgres_url)
    prefix = f"faults/{uuid.uuid4().hex}"
    environ = {
        **s3.environ,
        "VOXGATE_DATABASE_URL": new_postgres_url,
        "VOXGATE_BLOBS_URL": f"s3://{s3.bucket}/{prefix}",
        "VOXGATE_BLOBS_ENDPOINT": s3.url,
        "VOXGATE_TAKEOVER_SECONDS": str(TAKEOVER_SECONDS),
        "VOXGATE_API_KEY": KEY,
    }
    return Shared(postgres, s3, prefix, environ, provider)


async def test_a_database_and_a_bucket_that_are_away_cost_no_call_anything(
    shared: Shared, provider: ScriptedProvider, tmp_path: Path
) -> None:
    gateway = await shared.machine(tmp_path / "one")
    async with load(gateway, provider, CALLS) as calls:
        await calls.go_on(10)
        with shared.s3.failing(500):
            await calls.end(calls.callers[:1])
            await asyncio.to_thread(shared.postgres.stop, signal.SIGQUIT)
            try:
                await calls.begin(2)
                await calls.end(calls.callers[1:2])
                await calls.go_on(60)
                await calls.outlast()
            finally:
                await asyncio.to_thread(shared.postgres.start)
        with shared.s3.failing(503):
            await calls.end(calls.callers[2:3])
            await calls.go_on(40)
            await calls.outlast()
        await calls.end()
        calls.nothing_was_lost_on_the_way()
        await calls.traces_are_whole()
    assert not [line for line in gateway.output if "Traceback" in line]
    assert await asyncio.to_thread(gateway.stop, 60) == 0, "".join(gateway.output)


def kill_all(machine: Voxgate) -> None:
    """As when the power goes: the parent first, so that nothing is started again."""
    workers = children_of(machine.process.pid)
    pids = [machine.process.pid, *workers, *(pid for worker in workers for pid in children_of(worker))]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    machine.process.wait(30)


async def test_calls_of_a_machine_that_is_gone_with_its_disk_are_finished_by_another(
    shared: Shared, provider: ScriptedProvider, tmp_path: Path
) -> None:
    one = await shared.machine(tmp_path / "one")
    two = await shared.machine(tmp_path / "two", tmp_path / "one" / "token-keys.json")
    async with load(two, provider, 1) as calls_of_two, load(one, provider, 2) as calls_of_one:
        await calls_of_one.go_on(20)
        early = [(len(caller.sent), len(caller.received)) for caller in calls_of_one.callers]
        began = len(shared.s3.requests())
        await until_shipped(shared, calls_of_one.callers, began)
        kill_all(one)
        await asyncio.gather(*calls_of_one._tasks, return_exceptions=True)
        shutil.rmtree(one.data_dir)
        for caller, (sent, received) in zip(calls_of_one.callers, early, strict=True):
            trace = await two.finished_session(caller.session_id, seconds=5 * PATIENCE_SECONDS)
            assert trace["status"] == "interrupted"
            client, server = await recorded(two, caller.session_id)
            assert client == as_json(caller.sent)[: len(client)]
            assert server == as_json(caller.received)[: len(server)] or len(server) > len(caller.received)
            assert len(client) >= sent - 1
            assert len(server) >= received - 1
        await calls_of_two.end()  # it has its own calls still
        calls_of_two.nothing_was_lost_on_the_way()
        await calls_of_two.traces_are_whole()
    assert await asyncio.to_thread(two.stop, 60) == 0, "".join(two.output)


async def until_shipped(shared: Shared, callers: list[Any], after: int) -> None:
    """So often that what was there before is in the bucket."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    for caller in callers:
        mark = f"/{caller.session_id}/"
        while sum(mark in line and "/wire/" in line for line in shared.s3.requests()[after:]) < 3:
            assert time.monotonic() < deadline, "nothing is shipped"
            await asyncio.sleep(0.1)


def as_json(texts: list[str]) -> list[Any]:
    return [json.loads(text) for text in texts]
