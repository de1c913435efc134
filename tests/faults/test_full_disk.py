"""A filesystem that is full: a small one of its own, which only the Voxgate of the test sees."""

from __future__ import annotations

import asyncio
import errno
import itertools
import json
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from io import FileIO
from pathlib import Path

import pytest

from tests.faults.calls import (
    CALLS,
    OUTAGE_SECONDS,
    PATIENCE_SECONDS,
    Caller,
    load,
    metric,
    recorded,
    until_metric,
)
from tests.faults.conftest import write_config
from tests.running import Voxgate, start_voxgate
from voxgate.testing.provider import ScriptedProvider

pytestmark = pytest.mark.anyio

UNSHARE = ["unshare", "--user", "--map-root-user", "--mount"]
"""A mount namespace, which needs no privileges where user namespaces are allowed."""
MOUNT = 'mount -t tmpfs -o size="$1" tmpfs "$2" && shift 2 && exec "$@"'
DISK = f"{48 + 4 * OUTAGE_SECONDS:.0f}m"
"""With room for what calls write in so long."""
LOST_RECORDS = "voxgate_recording_lost_records_total"
ADMIN_KEY = "vg_admin_key_of_the_faults_000000000000000"


@pytest.fixture(scope="module", autouse=True)
def _mounts() -> None:
    """Skips where no filesystem can be mounted."""
    command = [*UNSHARE, "sh", "-c", MOUNT, "sh", "1m", "/tmp", "true"]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no filesystem can be mounted here: {error}")


@asynccontextmanager
async def start_on_small_disk(
    folder: Path, provider: ScriptedProvider, place: str, size: str, settings: str = ""
) -> AsyncIterator[tuple[Voxgate, Path]]:
    """A Voxgate with a filesystem of that size in a place of its data folder, and the way there."""
    data_dir = folder / "data"
    (data_dir / place).mkdir(parents=True)
    config = write_config(folder, provider, settings)
    running = await asyncio.to_thread(
        start_voxgate,
        data_dir,
        "--config",
        str(config),
        environ={"VOXGATE_API_KEY": ADMIN_KEY},
        local=False,
        launcher=[*UNSHARE, "sh", "-c", MOUNT, "sh", size, str(data_dir / place)],
    )
    yield running, Path(f"/proc/{running.process.pid}/root{data_dir / place}")
    assert await asyncio.to_thread(running.stop) == 0, "".join(running.output)


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """Nothing more goes onto that disk meanwhile."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            fill(file, bytes(size))
        try:
            yield
        finally:
            file.truncate(0)
    filler.unlink()


def fill(file: FileIO, data: bytes) -> None:
    try:
        while file.write(data):
            pass
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise


async def test_a_full_disk_costs_no_call_anything_and_what_waits_is_recorded_afterwards(
    tmp_path: Path, provider: ScriptedProvider
) -> None:
    """The whole data folder is on it: wire logs, blobs and the database."""
    async with start_on_small_disk(tmp_path, provider, "", DISK) as (gateway, disk):
        async with load(gateway, provider, CALLS) as calls:
            began = time.monotonic()
            await calls.go_on(15)
            with full(disk):
                broke = time.monotonic()
                await until_metric(gateway, "voxgate_recording_waiting_bytes", lambda n: n > 100_000)
                await calls.begin(2)
                await calls.end(calls.callers[:2])
                await calls.go_on(20)
                await calls.outlast()
                mended = time.monotonic()
                assert await metric(gateway, "voxgate_recording_lost_bytes_total") == 0
            await calls.go_on(5)
            await calls.end()
            calls.nothing_was_lost_on_the_way()
            await calls.traces_are_whole()
            assert calls.was_not_slowed(began, broke, mended)
        assert await metric(gateway, "voxgate_recording_waiting_bytes") == 0
        assert await metric(gateway, LOST_RECORDS) == 0


async def test_what_is_too_much_for_memory_is_lost_counted_and_marked_and_the_rest_is_right(
    tmp_path: Path, provider: ScriptedProvider
) -> None:
    """The messages are so large that gaps begin and end in the middle of them."""
    settings, count = "recording_buffer_bytes = 4194304\n", 3
    async with start_on_small_disk(tmp_path, provider, "wire", "96m", settings) as (gateway, disk):
        async with load(gateway, provider, count, sound_bytes=60_000, pause_seconds=0.07) as calls:
            await calls.go_on(5)
            for _ in range(2):
                with full(disk):
                    lost = await metric(gateway, LOST_RECORDS) + count * 8
                    await until_metric(gateway, LOST_RECORDS, lost.__le__)
                    await calls.go_on(5)
                await until_metric(gateway, "voxgate_recording_waiting_bytes", lambda n: n < 1_000_000)
                await calls.go_on(10)
            await calls.begin(2)
            await calls.end()
            calls.nothing_was_lost_on_the_way()
            lacks = [await lost_of(gateway, caller) for caller in calls.callers]
        assert sum(lacks) == await metric(gateway, "voxgate_recording_lost_bytes_total")
        assert min(lacks[:count]) > 0
        assert lacks[count:] == [0, 0]


async def lost_of(gateway: Voxgate, caller: Caller) -> int:
    """What the trace says that it lacks, after a look at all that it has."""
    trace = await gateway.finished_session(caller.session_id, seconds=PATIENCE_SECONDS)
    assert trace["status"] == "complete"
    marks = [each for each in trace["events"] if each["type"] == "gateway.lost"]
    client, server = await recorded(gateway, caller.session_id)
    for side, messages, passed in (("client", client, caller.sent), ("provider", server, caller.received)):
        gaps = gaps_of(messages, [json.loads(text) for text in passed])
        told = len([mark for mark in marks if mark["side"] == side])
        assert gaps <= told  # two may follow each other with no whole message between them
        assert bool(gaps) == bool(told)
    lost = trace["lost"] or {"records": 0, "bytes": 0}
    for name, total in lost.items():
        assert sum(mark[name] for mark in marks) == total
    return int(lost["bytes"])


def gaps_of(recorded: list, passed: list) -> int:
    """How often something is missing. All that is there is right and in its order, up to the last message."""
    place = {message["event_id"]: number for number, message in enumerate(passed)}
    numbers = [place[message["event_id"]] for message in recorded]
    assert numbers == sorted(set(numbers))
    assert [passed[number] for number in numbers] == recorded
    assert numbers[-1] == len(passed) - 1
    return sum(b > a + 1 for a, b in itertools.pairwise(numbers))
