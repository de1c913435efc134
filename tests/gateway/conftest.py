"""A gateway worker in the test's own event loop, with scripted providers behind it."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest

from tests.databases import new_database
from tests.nursery import HAS_NURSERY
from tests.running import NURSERY
from voxgate.core.settings import Settings
from voxgate.gateway import leg as legs
from voxgate.gateway.serving import GatewayServer
from voxgate.recording import link
from voxgate.recording.wirelog import FACT, WireLogReader, WireRecord, wire_logs
from voxgate.server import Worker, build_worker

ADMIN_KEY = "vg_test_admin_key_of_forty_characters_0000"


@pytest.fixture(scope="package", autouse=True)
def _writers_start_quickly() -> Iterator[None]:
    """Each of a thousand gateways has one."""
    if not HAS_NURSERY:
        yield
        return
    quick = SimpleNamespace(Popen=NURSERY.popen, DEVNULL=subprocess.DEVNULL)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(link, "subprocess", quick)
        yield


@dataclass
class RunningGateway:
    worker: Worker
    server: GatewayServer
    port: int
    http: aiohttp.ClientSession

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/v1/realtime"

    @property
    def unseen_url(self) -> str:
        """By this path calls are relayed unseen from the start: its clients speak the dialect of today."""
        return f"ws://127.0.0.1:{self.port}/openai/v1/realtime"

    async def mint(self, **body: Any) -> str:
        answer = await self.post("/v1/credentials", body)
        assert answer[0] == 200, answer
        key: str = answer[1]["key"]
        return key

    async def post(self, path: str, body: Any, key: str | None = ADMIN_KEY) -> tuple[int, Any]:
        headers = {"authorization": f"Bearer {key}"} if key else {}
        async with self.http.post(
            f"http://127.0.0.1:{self.port}{path}", json=body, headers=headers
        ) as answer:
            return answer.status, await answer.json()

    async def get(self, path: str, key: str | None = ADMIN_KEY) -> tuple[int, Any]:
        headers = {"authorization": f"Bearer {key}"} if key else {}
        async with self.http.get(f"http://127.0.0.1:{self.port}{path}", headers=headers) as answer:
            return answer.status, await answer.json(content_type=None)

    async def records(self, session_id: str = "") -> list[WireRecord]:
        """All records of that call, or of the only one that was logged, once its log is complete."""
        async with asyncio.timeout(60):
            while True:
                for path in wire_logs(self.worker.settings.wire_dir):
                    if not path.name.startswith(session_id):
                        continue
                    reader = WireLogReader(path)
                    records: list[WireRecord] = []
                    while portion := reader.read():
                        records += portion
                    if reader.closed:
                        return records
                await asyncio.sleep(0.01)

    async def facts(self) -> list[bytes]:
        return [record.data for record in await self.records() if record.kind == FACT]


ON_UVLOOP = pytest.mark.parametrize("anyio_backend", [True], ids=["uvloop"], indirect=True, scope="module")
"""For a module about what is decided, not about how bytes go on: its tests run once, as workers do."""

StartGateway = Callable[..., AbstractAsyncContextManager[RunningGateway]]


@pytest.fixture(scope="module", params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> Iterator[tuple[str, dict[str, bool]]]:
    """Both event loops, since their transports differ in small ways; and with asyncio the relay in Python,
    with uvloop the compiled one, if it was built."""
    with pytest.MonkeyPatch.context() as patch:
        if not request.param:
            patch.setattr(legs, "_compiled", None)
        yield "asyncio", {"use_uvloop": request.param}


@contextlib.asynccontextmanager
async def run_gateway(
    folder: Path, *providers: str, environ: dict[str, str] | None = None, **settings: Any
) -> AsyncIterator[RunningGateway]:
    """`providers` are base URLs; the model `fake` is routed to them in order."""
    names = {f"fake{number}": {"base_url": url} for number, url in enumerate(providers)}
    for part in ("wire", "blobs"):
        (folder / part).mkdir(exist_ok=True)
    routes = [{"model": "fake*", "providers": list(names)}] if names else []
    given = settings.pop("providers", {})
    checked = Settings.model_validate(
        {
            "data_dir": folder,
            "drain_seconds": 0,
            "routes": routes,
            **settings,
            "providers": names | given,
        }
    )
    if checked.database_url.startswith("sqlite"):
        new_database(folder)
    worker = build_worker(checked, environ or {}, ADMIN_KEY, None)
    server = GatewayServer(worker.app, worker.gateway, worker.settings, worker.place)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with contextlib.suppress(ValueError):
            task = asyncio.create_task(server._serve([listener]))
        async with aiohttp.ClientSession() as http:
            while not server.started:
                await asyncio.sleep(0.005)
            try:
                yield RunningGateway(worker, server, port, http)
            finally:
                server.should_exit = True
                await task
                worker.gateway.spool.stop()
                worker.store.close()


@pytest.fixture
def start_gateway(tmp_path: Path) -> StartGateway:
    return functools.partial(run_gateway, tmp_path)
