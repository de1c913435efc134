"""`--tls-cert` and `--tls-key`: https and wss, with the same relay behind them."""

from __future__ import annotations

import json
import ssl
from pathlib import Path

import pytest
from websockets.asyncio.client import connect

from tests.certificates import make_certificate
from tests.running import start_voxgate

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
