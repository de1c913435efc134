"""`--tls-cert` and `--tls-key`: https and wss, with the same relay behind them."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from websockets.asyncio.client import connect

from tests.certificates import make_certificate
from tests.cli.paced import start_with
from tests.running import Voxgate
from voxgate.testing.provider import ScriptedProvider

pytestmark = pytest.mark.anyio


@dataclass
class Serving:
    """Two workers that show the certificate of the folder."""

    voxgate: Voxgate
    folder: Path

    def trusting(self) -> ssl.SSLContext:
        """What trusts the certificate that is there now."""
        return ssl.create_default_context(cafile=str(self.folder / "cert.pem"))

    def call(self, trusted: ssl.SSLContext) -> connect:
        url, headers = f"{self.voxgate.ws_url}?model=echo", self.voxgate.auth
        return connect(url, additional_headers=headers, ssl=trusted, max_size=None)


@pytest.fixture(scope="module")
async def serving(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Serving]:
    folder, data = (tmp_path_factory.mktemp(name) for name in ("tls", "data"))
    certificate, key = make_certificate(folder)
    flags = ["--tls-cert", str(certificate), "--tls-key", str(key), "--workers", "2"]
    async with ScriptedProvider() as provider:
        voxgate = await start_with(provider, data, *flags)
        yield Serving(voxgate, folder)
        assert await asyncio.to_thread(voxgate.stop) == 0


async def test_a_call_over_tls_is_relayed_and_recorded(serving: Serving) -> None:
    assert serving.voxgate.url.startswith("https://")
    trusted = serving.trusting()
    async with serving.call(trusted) as call:
        said = json.dumps({"type": "input_audio_buffer.append", "audio": "AAAA" * 200_000})
        await call.send(said)
        assert await call.recv() == said
        assert call.response is not None
        session_id = call.response.headers["x-voxgate-session-id"]
    trace = await serving.voxgate.finished_session(session_id, ssl=trusted)
    assert trace["tracks"]["user"]["bytes"] == 600_000


async def test_a_renewed_certificate_is_shown_by_every_worker_without_a_signal(serving: Serving) -> None:
    before = serving.trusting()
    async with serving.call(before) as call:
        await call.send("before")
        assert await call.recv() == "before"
        make_certificate(serving.folder)
        renewed = serving.trusting()
        in_a_row = 0
        async with asyncio.timeout(60):
            while in_a_row < 12:  # of either worker
                in_a_row = in_a_row + 1 if await answers(serving.voxgate, renewed) else 0
                await asyncio.sleep(0.05)
        assert not await answers(serving.voxgate, before)
        await call.send("after")
        assert await call.recv() == "after"
    assert sum("get the renewed certificate" in line for line in serving.voxgate.output) == 2


async def answers(running: Voxgate, trusted: ssl.SSLContext) -> bool:
    try:
        return bool(await running.request("GET", "/healthz", ssl=trusted))
    except aiohttp.ClientConnectorCertificateError:
        return False
