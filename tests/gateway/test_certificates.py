"""A certificate that is renewed while the gateway serves calls over TLS."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from tests.certificates import make_certificate, make_rsa_certificate
from tests.gateway.conftest import RunningGateway, StartGateway
from tests.gateway.limited import call_of, until, works
from voxgate.cli.local_certificate import make_certificate as pems
from voxgate.core.errors import SettingsError
from voxgate.gateway import certificates
from voxgate.gateway.certificates import tls_context
from voxgate.testing.provider import ScriptedProvider

pytestmark = pytest.mark.anyio

MakeCertificate = Callable[[Path], tuple[Path, Path]]


def trusting(certificate: bytes) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=certificate.decode())
    return context


async def is_trusted(gateway: RunningGateway, context: ssl.SSLContext, name: str | None = None) -> bool:
    """Whether a new handshake shows a certificate that this client trusts."""
    try:
        _, writer = await asyncio.open_connection(
            "127.0.0.1", gateway.port, ssl=context, server_hostname=name or "127.0.0.1"
        )
    except ssl.SSLCertVerificationError:
        return False
    writer.close()
    return True


async def until_trusted(gateway: RunningGateway, context: ssl.SSLContext) -> None:
    async with asyncio.timeout(60):
        while not await is_trusted(gateway, context):
            await asyncio.sleep(0.02)


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificates, "_LOOK_SECONDS", 0.05)


@pytest.fixture
async def provider() -> AsyncIterator[ScriptedProvider]:
    async with ScriptedProvider() as running:
        yield running


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (make_certificate, make_certificate),
        (make_certificate, make_rsa_certificate),
        (make_rsa_certificate, make_certificate),
    ],
    ids=["ECDSA", "ECDSA to RSA", "RSA to ECDSA"],
)
async def test_new_connections_get_the_renewed_certificate_and_calls_go_on(
    start_gateway: StartGateway,
    provider: ScriptedProvider,
    tmp_path: Path,
    before: MakeCertificate,
    after: MakeCertificate,
) -> None:
    certificate, key = before(tmp_path)
    old = trusting(certificate.read_bytes())
    async with start_gateway(provider.base_url, tls_cert=certificate, tls_key=key) as gateway:
        async with call_of(gateway, ssl=old) as call:
            await works(call)
            after(tmp_path)
            new = trusting(certificate.read_bytes())
            await until_trusted(gateway, new)
            assert not await is_trusted(gateway, old)
            await works(call)
            async with call_of(gateway, ssl=new) as another:
                await works(another)


def half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


def foreign(path: Path) -> None:
    path.write_bytes(pems(["localhost"], 1).key)


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (lambda certificate, key: certificate.unlink(), "No such file"),
        (lambda certificate, key: half(certificate), "cannot be used"),
        (lambda certificate, key: half(key), "cannot be used"),
        (lambda certificate, key: foreign(key), "KEY_VALUES_MISMATCH|key values mismatch"),
    ],
    ids=["gone", "half a certificate", "half a key", "another key"],
)
async def test_files_that_cannot_be_used_change_nothing_and_are_told_once(
    start_gateway: StartGateway,
    provider: ScriptedProvider,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    break_it: Callable[[Path, Path], None],
    said: str,
) -> None:
    certificate, key = make_certificate(tmp_path)
    trusted = trusting(certificate.read_bytes())
    async with start_gateway(provider.base_url, tls_cert=certificate, tls_key=key) as gateway:
        with caplog.at_level(logging.ERROR, certificates.__name__):
            break_it(certificate, key)
            await until(lambda: caplog.records)
            looks = asyncio.Event()
            asyncio.get_running_loop().call_later(0.2, looks.set)
            await looks.wait()
        [record] = caplog.records
        assert "the one before stays" in record.message
        assert str(certificate) in record.message
        assert any(part in record.message for part in said.split("|"))
        async with call_of(gateway, ssl=trusted) as call:
            await works(call)
        make_certificate(tmp_path)  # put right again
        await until_trusted(gateway, trusting(certificate.read_bytes()))


def test_a_pair_of_which_one_is_still_being_written_is_left_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    certificate, key = make_certificate(tmp_path)
    watch = certificates.CertificateWatch(certificate, key)
    renewed = pems(["127.0.0.1"], 1)
    certificate.write_bytes(renewed.certificate)
    watch.look()
    key.write_bytes(renewed.key)
    for _ in range(3):
        watch.look()
    assert watch._renewed is not None
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_files_that_are_behind_links_are_watched(tmp_path: Path) -> None:
    """As certbot and Kubernetes keep them."""
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        make_certificate(tmp_path / name)
    link = tmp_path / "live"
    link.symlink_to("first")
    watch = certificates.CertificateWatch(link / "cert.pem", link / "key.pem")
    watch.look()
    watch.look()
    assert watch._renewed is None
    fresh = tmp_path / "next"
    fresh.symlink_to("second")
    fresh.replace(link)
    watch.look()
    watch.look()
    assert watch._renewed is not None


def test_a_renewed_certificate_that_has_expired_is_an_error_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    certificate, key = make_certificate(tmp_path)
    watch = certificates.CertificateWatch(certificate, key)
    expired = pems(["127.0.0.1"], 0)
    certificate.write_bytes(expired.certificate)
    key.write_bytes(expired.key)
    watch.look()
    watch.look()
    assert "has expired already" in caplog.text


def test_a_key_with_a_password_is_refused_in_words_and_asks_nobody(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    private = serialization.load_pem_private_key(key.read_bytes(), None)
    locked = serialization.BestAvailableEncryption(b"secret")
    key.write_bytes(
        private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked)
    )
    with pytest.raises(SettingsError, match=r"key\.pem is locked with a password"):
        tls_context(certificate, key)
