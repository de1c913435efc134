"""`--tls-cert` and `--tls-key`: https and wss, with the same relay behind them."""

from __future__ import annotations

import asyncio
import json
import ssl
from pathlib import Path

import aiohttp
import pytest
from websockets.asyncio.client import connect

from tests.certificates import make_certificate
from tests.running import Voxgate, start_voxgate

pytestmark = [pytest.mark.anyio, pytest.mark.local]


async def test_a_call_over_tls_is_relayed_and_recorded(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    data = tmp_path / "data"
    data.mkdir()
    running = start_voxgate(data, "--tls-cert", str(certificate), "--tls-key", str(key))
    assert running.url.startswith("https://")
    trusted = ssl.create_default_context(cafile=str(certificate))
    async with connect(
        f"{running.ws_url}?model=local", additional_headers=running.auth, ssl=trusted, max_size=None
    ) as call:
        assert json.loads(await call.recv())["type"] == "session.created"
        await call.send(json.dumps({"type": "input_audio_buffer.append", "audio": "AAAA" * 200_000}))
        await call.send('{"type":"input_audio_buffer.clear"}')
        assert json.loads(await call.recv())["type"] == "input_audio_buffer.cleared"
        assert call.response is not None
        session_id = call.response.headers["x-voxgate-session-id"]
    trace = await running.finished_session(session_id, ssl=trusted)
    assert trace["tracks"]["user"]["bytes"] == 600_000
    assert running.stop() == 0


async def test_a_renewed_certificate_is_shown_by_every_worker_without_a_signal(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    data = tmp_path / "data"
    data.mkdir()
    flags = ["--tls-cert", str(certificate), "--tls-key", str(key), "--workers", "2"]
    running = start_voxgate(data, *flags)
    before = ssl.create_default_context(cafile=str(certificate))
    async with connect(f"{running.ws_url}?model=local", additional_headers=running.auth, ssl=before) as call:
        assert json.loads(await call.recv())["type"] == "session.created"
        make_certificate(tmp_path)
        renewed = ssl.create_default_context(cafile=str(certificate))
        in_a_row = 0
        async with asyncio.timeout(60):
            while in_a_row < 12:  # of either worker
                in_a_row = in_a_row + 1 if await answers(running, renewed) else 0
                await asyncio.sleep(0.05)
        assert not await answers(running, before)
        await call.send('{"type":"input_audio_buffer.clear"}')
        assert json.loads(await call.recv())["type"] == "input_audio_buffer.cleared"
    assert sum("get the renewed certificate" in line for line in running.output) == 2
    assert running.stop() == 0


async def answers(running: Voxgate, trusted: ssl.SSLContext) -> bool:
    try:
        return bool(await running.request("GET", "/healthz", ssl=trusted))
    except aiohttp.ClientConnectorCertificateError:
        return False
