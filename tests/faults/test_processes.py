"""The writer, the recorder and the worker are stopped and killed in the middle of calls."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.cli.processes import children_of, command_of
from tests.faults.calls import (
    CALLS,
    PATIENCE_SECONDS,
    Caller,
    load,
    metric,
    recorded,
    until_metric,
)
from tests.running import Voxgate
from voxgate.testing.provider import ScriptedProvider

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform != "linux", reason="finds the processes as Linux shows them"),
]


def process_of(gateway: Voxgate, name: str) -> int | None:
    """The writer's is the only process of the only worker."""
    workers = [pid for pid in children_of(gateway.process.pid) if "children worker" in command_of(pid)]
    pids = children_of(gateway.process.pid) + [pid for worker in workers for pid in children_of(worker)]
    return next((pid for pid in pids if command_of(pid).strip().endswith(name)), None)


WRITER, RECORDER, WORKER = "voxgate.recording.writer", "children recorder", "children worker"


def find(gateway: Voxgate, name: str) -> int:
    pid = process_of(gateway, name)
    assert pid is not None, f"no process {name}"
    return pid


@contextmanager
def held_up(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def kill(gateway: Voxgate, name: str) -> None:
    """And waits until another one runs in its place."""
    before = find(gateway, name)
    os.kill(before, signal.SIGKILL)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while process_of(gateway, name) in (None, before):
        assert time.monotonic() < deadline, f"no other {name}"
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("name", [WRITER, RECORDER])
async def test_a_process_that_is_held_up_as_by_a_slow_disk_costs_no_call_anything(
    gateway: Voxgate, provider: ScriptedProvider, name: str
) -> None:
    lost = await metric(gateway, "voxgate_recording_lost_bytes_total")
    async with load(gateway, provider, CALLS) as calls:
        began = time.monotonic()
        await calls.go_on(15)
        with held_up(find(gateway, name)):
            broke = time.monotonic()
            await calls.go_on(15)
            await calls.begin(2)
            await calls.end(calls.callers[:2])
            await calls.go_on(15)
            mended = time.monotonic()
            if name == WRITER:
                assert await metric(gateway, "voxgate_recording_waiting_bytes") > 30 * CALLS * 2400
            else:
                await until_metric(gateway, "voxgate_recording_unfinished_logs", lambda n: n >= CALLS + 2)
        await calls.go_on(5)
        await calls.end()
        calls.nothing_was_lost_on_the_way()
        await calls.traces_are_whole()
        assert calls.was_not_slowed(began, broke, mended)
    assert await metric(gateway, "voxgate_recording_lost_bytes_total") == lost
    await until_metric(gateway, "voxgate_recording_waiting_bytes", lambda waiting: waiting == 0)


@pytest.mark.parametrize("name", [WRITER, RECORDER])
async def test_a_process_that_is_killed_again_and_again_leaves_no_gap_and_nothing_twice(
    gateway: Voxgate, provider: ScriptedProvider, name: str
) -> None:
    starts = await metric(gateway, "voxgate_recording_writer_starts_total")
    async with load(gateway, provider, CALLS) as calls:
        for number in range(3):
            await kill(gateway, name)
            await calls.go_on(5)
            await calls.end(calls.callers[number : number + 1])
        await kill(gateway, name)
        await calls.end()
        calls.nothing_was_lost_on_the_way()
        await calls.traces_are_whole()
    more = await metric(gateway, "voxgate_recording_writer_starts_total") - starts
    assert more == (4 if name == WRITER else 0)


def parted_at(recorded: list[object], passed: list[str]) -> int:
    """How much of what passed is recorded; it has to be the same as far as both go."""
    known = min(len(recorded), len(passed))
    assert recorded[:known] == [json.loads(text) for text in passed[:known]]
    return known


async def test_of_a_call_whose_worker_is_killed_everything_up_to_the_kill_is_recorded(
    gateway: Voxgate, provider: ScriptedProvider
) -> None:
    async with load(gateway, provider, CALLS) as calls:
        await calls.go_on(20)
        killed_at = time.monotonic()
        await kill(gateway, WORKER)
        await asyncio.gather(*calls._tasks, return_exceptions=True)
        provided = {call.messages[0]: call.messages for call in provider.calls if call.messages}
        for caller in calls.callers:
            await is_recorded_up_to(gateway, caller, provided[caller.sent[0]], killed_at)
        async with load(gateway, provider, 2) as others:
            await others.end()
            await others.traces_are_whole()


async def is_recorded_up_to(gateway: Voxgate, caller: Caller, at_provider: list, killed_at: float) -> None:
    trace = await gateway.finished_session(caller.session_id, seconds=PATIENCE_SECONDS)
    assert trace["status"] == "interrupted"
    client, server = await recorded(gateway, caller.session_id)
    known = parted_at(server, caller.received)
    assert all(at > killed_at - 0.1 for at in caller.received_at[known:])
    known = parted_at(client, at_provider)
    assert all(caller.sent_at(number) > killed_at - 0.1 for number in range(known, len(at_provider)))
    assert min(len(server), len(client)) > 20
