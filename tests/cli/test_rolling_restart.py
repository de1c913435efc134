"""`kill -HUP`: the workers of a running Voxgate are replaced, and no caller notices."""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
import shutil
import signal
import ssl
import termios
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import pytest
from websockets.asyncio.client import connect

from tests.certificates import make_certificate
from tests.cli.paced import Paced, begin_calls, start_with, write_config
from tests.cli.processes import children_of, command_of, runs
from tests.running import Voxgate, start_voxgate
from voxgate.testing.provider import ScriptedProvider

pytestmark = pytest.mark.anyio


@pytest.fixture
async def provider() -> AsyncIterator[ScriptedProvider]:
    async with ScriptedProvider() as running:
        yield running


def workers_of(gateway: Voxgate) -> set[int]:
    pids = children_of(gateway.process.pid)
    return {pid for pid in pids if "children worker" in command_of(pid) and runs(pid)}


async def until(condition: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def until_replaced(gateway: Voxgate, old: set[int]) -> None:
    await until(lambda: len(now := workers_of(gateway)) == len(old) and not now & old)


Series = dict[str, float]


async def scrape(gateway: Voxgate) -> Series:
    """What `/metrics` says, from whichever worker answers."""
    text = (await gateway.request("GET", "/metrics")).decode()
    lines = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
    return {series: float(value) for series, value in lines}


def total(series: Series, name: str) -> float:
    return sum(value for key, value in series.items() if re.fullmatch(rf"{name}(\{{.*\}})?", key))


async def scrape_until(gateway: Voxgate, name: str, value: float) -> Series:
    """A worker hears of the others about once a second."""
    deadline = time.monotonic() + 60
    while total(series := await scrape(gateway), name) != value:
        assert time.monotonic() < deadline, series
        await asyncio.sleep(0.05)
    return series


class Stream:
    """New short calls and new requests without pause, until it is enough. No attempt may fail."""

    def __init__(self, gateway: Voxgate) -> None:
        self.calls = 0
        self.requests = 0
        self._gateway = gateway
        self._stop = asyncio.Event()
        self._tasks = [asyncio.create_task(self._call()) for _ in range(2)]
        self._tasks.append(asyncio.create_task(self._request()))

    async def end(self) -> None:
        self._stop.set()
        await asyncio.gather(*self._tasks)

    async def _call(self) -> None:
        while not self._stop.is_set():
            call = await Paced(self._gateway).run(messages=3)
            assert call.whole, call
            self.calls += 1

    async def _request(self) -> None:
        while not self._stop.is_set():
            async with aiohttp.ClientSession() as http, http.get(f"{self._gateway.url}/readyz") as answer:
                assert answer.status == 200
            self.requests += 1
            await asyncio.sleep(0.03)


async def test_a_rolling_restart_of_two_workers_loses_no_call_and_no_attempt(
    tmp_path: Path, provider: ScriptedProvider
) -> None:
    flags = "--drain-seconds", "30", "--workers", "2"
    gateway = await start_with(provider, tmp_path, *flags, as_users=True)
    old = workers_of(gateway)
    assert len(old) == 2
    calls, tasks = await begin_calls(gateway, 10)
    stream = Stream(gateway)
    await until(lambda: stream.calls > 10)
    gateway.process.send_signal(signal.SIGHUP)
    await until(lambda: len(workers_of(gateway) - old) == 2)
    before = [call.received for call in calls]
    await until(lambda: all(call.received > b for call, b in zip(calls, before, strict=True)))
    for call in calls:
        call.enough.set()
    await until_replaced(gateway, old)
    count = stream.calls
    await until(lambda: stream.calls > count + 5)
    await stream.end()
    assert all(call.whole for call in await asyncio.gather(*tasks))
    # The workers that are gone had counted most of them.
    series = await scrape_until(gateway, "voxgate_calls_started_total", stream.calls + len(calls))
    assert total(series, "voxgate_workers_replaced_total") == 2
    messages = 3 * stream.calls + sum(call.sent for call in calls)
    await scrape_until(gateway, "voxgate_relayed_messages_total", 2 * messages)  # there and back
    await scrape_until(gateway, "voxgate_calls_running", 0)
    assert await asyncio.to_thread(gateway.stop) == 0


async def test_one_worker_is_replaced_too_and_closes_with_a_reason_what_outlives_its_drain(
    tmp_path: Path, provider: ScriptedProvider
) -> None:
    gateway = await start_with(provider, tmp_path, "--drain-seconds", "1")
    old = workers_of(gateway)
    [call], [task] = await begin_calls(gateway, 1)
    stream = Stream(gateway)
    gateway.process.send_signal(signal.SIGHUP)
    await task
    assert (call.code, call.reason) == (1001, "server_error.draining")
    await until_replaced(gateway, old)
    await stream.end()
    assert stream.calls
    assert stream.requests
    assert (await gateway.finished_session(call.session_id))["close"]["code"] == 1001
    assert await asyncio.to_thread(gateway.stop) == 0


async def test_settings_are_read_anew_and_wrong_ones_change_nothing(
    tmp_path: Path, provider: ScriptedProvider
) -> None:
    gateway = await start_with(provider, tmp_path)
    old = workers_of(gateway)
    (tmp_path / "voxgate.toml").write_text("[limits]\nidle_seconds = -1\n")
    gateway.process.send_signal(signal.SIGHUP)
    await until(lambda: any("nothing was restarted" in line for line in gateway.output))
    assert any("voxgate.toml, line 2: limits.idle_seconds" in line for line in gateway.output)
    assert workers_of(gateway) == old
    assert (await Paced(gateway).run(messages=1)).whole
    write_config(tmp_path, provider, "host = '::1'\nworkers = 2\nlargest_message_bytes = 2000")
    gateway.process.send_signal(signal.SIGHUP)
    await until(lambda: len(workers_of(gateway)) == 2 and not workers_of(gateway) & old)
    assert any("host has changed: that needs a stop and a start" in line for line in gateway.output)
    headers = gateway.auth
    async with connect(f"{gateway.ws_url}?model=echo", additional_headers=headers) as socket:
        await socket.send("x" * 3000)
        await socket.wait_closed()
        assert socket.close_code == 1009
    assert await asyncio.to_thread(gateway.stop) == 0


async def test_a_new_certificate_is_taken_up(tmp_path: Path) -> None:
    for name in ("first", "second", "data"):
        (tmp_path / name).mkdir()
    certificate, key = make_certificate(tmp_path / "first")
    flags = ["--tls-cert", str(certificate), "--tls-key", str(key)]
    gateway = await asyncio.to_thread(start_voxgate, tmp_path / "data", *flags, local=False)
    old = workers_of(gateway)
    renewed = make_certificate(tmp_path / "second")
    for new, used in zip(renewed, (certificate, key), strict=True):
        shutil.copy(new, used)
    gateway.process.send_signal(signal.SIGHUP)
    await until_replaced(gateway, old)
    trusted = ssl.create_default_context(cafile=str(renewed[0]))
    assert await gateway.request("GET", "/healthz", ssl=trusted) == {"status": "ok"}
    assert await asyncio.to_thread(gateway.stop) == 0


def test_a_terminal_that_is_closed_means_a_stop_and_no_restart(tmp_path: Path) -> None:
    ours, theirs = os.openpty()
    gateway = start_voxgate(
        tmp_path,
        local=False,
        stdin=theirs,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    children = children_of(gateway.process.pid)
    os.close(theirs)
    os.close(ours)
    assert gateway.process.wait(60) == 0
    assert not any(runs(child) for child in children)


async def test_a_worker_that_crashes_takes_only_its_own_calls_along(
    tmp_path: Path, provider: ScriptedProvider
) -> None:
    gateway = await start_with(provider, tmp_path, "--workers", "2")
    calls, tasks = await begin_calls(gateway, 12)
    old = workers_of(gateway)
    series = await scrape_until(gateway, "voxgate_calls_running", len(calls))
    running = {key: value for key, value in series.items() if key.startswith("voxgate_calls_running{")}
    victim = min(old)
    os.kill(victim, signal.SIGKILL)
    await until(lambda: len(workers_of(gateway) - old) == 1)
    for call in calls:
        call.enough.set()
    await asyncio.gather(*tasks)
    whole, lost = [c for c in calls if c.whole], [c for c in calls if not c.whole]
    assert sorted(map(len, (whole, lost))) == sorted(int(count) for count in running.values())
    assert {call.code for call in lost} <= {1006}
    for call in lost:
        assert (await gateway.finished_session(call.session_id))["status"] == "interrupted"
    assert (await Paced(gateway).run(messages=1)).whole
    series = await scrape_until(gateway, "voxgate_calls_started_total", len(calls) + 1)
    for _ in range(8):  # of either worker
        assert total(await scrape(gateway), "voxgate_calls_started_total") == len(calls) + 1
    assert series['voxgate_process_restarts_total{process="worker"}'] == 1
    assert await asyncio.to_thread(gateway.stop) == 0
