"""`--tls-cert` and `--tls-key`: https and wss, with the same relay behind them."""

from __future__ import annotations

import datetime
import ipaddress
import json
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from websockets.asyncio.client import connect

from tests.running import start_voxgate

pytestmark = [pytest.mark.anyio, pytest.mark.local]


def make_certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "voxgate test")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    paths = folder / "cert.pem", folder / "key.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    )
    return paths


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
