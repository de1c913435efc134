"""Certificates for 127.0.0.1 that a test makes for itself."""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from voxgate.cli import local_certificate


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """The PEM files of a certificate, with the authority that a client has to trust, and of its key."""
    files = local_certificate.Files.within(folder)
    made = local_certificate.make_certificate(local_certificate.OWN_NAMES, days=1)
    local_certificate.write_certificate(made, files, overwrite=True)
    files.certificate.write_bytes(made.certificate + made.authority)
    return files.certificate, files.key


def make_rsa_certificate(folder: Path) -> tuple[Path, Path]:
    """The same with an older kind of key, signed by itself."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "voxgate test")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "cert.pem", folder / "key.pem"
    plain = serialization.NoEncryption()
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    )
    return paths
