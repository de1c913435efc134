"""A TLS certificate for this machine, by an authority that signs this one and whose key is then forgotten.

names → `make_certificate` (pure) → `write_certificate` → ca.pem for the clients, cert.pem and key.pem for us
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from voxgate.core.clock import now_utc
from voxgate.core.errors import InvalidRequest, SettingsError

OWN_NAMES: Final = ("localhost", "127.0.0.1", "::1")
LONGEST_DAYS: Final = 825
"""Apple's systems refuse certificates of private authorities that are good for longer."""
_CLOCKS_DIFFER: Final = timedelta(hours=1)
_HOST: Final = re.compile(
    r"(?=.{1,253}$)(\*\.)?([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*"
)


@dataclass(frozen=True, slots=True)
class LocalCertificate:
    """All in PEM."""

    authority: bytes
    certificate: bytes
    key: bytes
    names: tuple[str, ...]
    valid_until: datetime


@dataclass(frozen=True, slots=True)
class Files:
    authority: Path
    certificate: Path
    key: Path

    @classmethod
    def within(cls, folder: Path) -> Files:
        return cls(folder / "ca.pem", folder / "cert.pem", folder / "key.pem")


def make_certificate(names: Iterable[str], days: int) -> LocalCertificate:
    """For hosts, `*.hosts` and addresses. InvalidRequest for a name that is none of them."""
    names = tuple(dict.fromkeys(name.strip().lower() for name in names))
    alternatives = [_general_name(name) for name in names]
    now = now_utc()
    until = now + timedelta(days=days)
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    issuer = _named(f"Voxgate development authority of {now:%Y-%m-%d %H:%M}")

    def begin(name: x509.Name, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder(issuer, name, public, x509.random_serial_number())
            .not_valid_before(now - _CLOCKS_DIFFER)
            .not_valid_after(until)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        )

    authority = _as_authority(begin(issuer, authority_key.public_key())).sign(authority_key, hashes.SHA256())
    builder = _as_server(begin(_named("Voxgate development"), key.public_key()), alternatives)
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False
    )
    return LocalCertificate(
        authority.public_bytes(serialization.Encoding.PEM),
        builder.sign(authority_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM),
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
        names,
        until,
    )


def write_certificate(made: LocalCertificate, files: Files, *, overwrite: bool) -> None:
    """SettingsError when one of the files is there and may not be overwritten, or cannot be written."""
    contents: Sequence[tuple[Path, bytes, int]] = (
        (files.authority, made.authority, 0o644),
        (files.certificate, made.certificate, 0o644),
        (files.key, made.key, 0o600),
    )
    for path, _, _ in contents:
        if path.exists() and not overwrite:
            raise SettingsError(
                f"{path} is there already. --force replaces it: clients must then trust the new ca.pem."
            )
    try:
        for folder in (files.key.parent.parent, files.key.parent):  # the mode is for the last one only
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for path, content, mode in contents:
            _write(path, content, mode)
    except OSError as error:
        raise SettingsError(f"{error.filename} cannot be written: {error.strerror}.") from error


def _write(path: Path, content: bytes, mode: int) -> None:
    """Whole or not at all, and never readable by more than `mode` says."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    temporary.replace(path)


def _as_authority(builder: x509.CertificateBuilder) -> x509.CertificateBuilder:
    return builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True).add_extension(
        _usage(key_cert_sign=True, crl_sign=True), critical=True
    )


def _as_server(
    builder: x509.CertificateBuilder, names: Sequence[x509.GeneralName]
) -> x509.CertificateBuilder:
    return (
        builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    )


def _usage(
    *, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _named(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass
    if not _HOST.fullmatch(name):
        raise InvalidRequest(
            f"{name!r} is neither a host nor an address. Examples: voice.test, *.voice.test, 192.0.2.7."
        )
    return x509.DNSName(name)
