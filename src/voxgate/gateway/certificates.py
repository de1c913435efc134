"""The port's certificate, renewed while calls run: what changes on disk is shown in new TLS handshakes, and
connections that are open keep what they have.

    the two files → `CertificateWatch`, once a second → a fresh SSLContext → every handshake from then on
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography import x509

from voxgate.core.clock import now_utc
from voxgate.core.errors import SettingsError

_LOOK_SECONDS: Final = 1.0

_Stamp = tuple[tuple[int, int, int] | None, ...]

logger = logging.getLogger(__name__)


def tls_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """SettingsError when the two cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.options |= ssl.OP_NO_RENEGOTIATION

    def no_password() -> str:
        raise SettingsError(f"The key {key} is locked with a password: store it without one.")

    try:
        context.load_cert_chain(certificate, key, password=no_password)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(
            f"The certificate {certificate} with the key {key} cannot be used: {error}"
        ) from error
    return context


class CertificateWatch:
    """Give it to a server's context before the files may change: `attach`, then `run`."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self._files = certificate, key
        self._known = self._stamp()
        self._seen = self._known
        self._renewed: ssl.SSLContext | None = None

    def attach(self, context: ssl.SSLContext) -> None:
        """Handshakes that `context` begins go on with the newest certificate. The live context itself is not
        given it: it would keep one for each kind of key and go on showing an old ECDSA one beside a new RSA
        one, and a pair that does not fit would break it."""
        context.sni_callback = self._choose  # called without a server name, too

    async def run(self) -> None:
        """For ever."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            await asyncio.to_thread(self.look)

    def look(self) -> None:
        """Loads what has changed, once it has been the same for two looks: until then it may be half
        written. What cannot be used is said once, and what was shown before stays."""
        before, self._seen = self._seen, self._stamp()
        if self._seen == self._known or self._seen != before:
            return
        self._known = self._seen
        try:
            self._renewed = tls_context(*self._files)
        except SettingsError as error:
            logger.error("the certificate on disk has changed, and the one before stays: %s", error.message)
        else:
            _announce(self._files[0])

    def _choose(
        self, connection: ssl.SSLSocket | ssl.SSLObject, _name: str | None, _context: ssl.SSLContext
    ) -> None:
        if self._renewed is not None:
            connection.context = self._renewed

    def _stamp(self) -> _Stamp:
        return tuple(map(_stamp_of, self._files))


def _stamp_of(path: Path) -> tuple[int, int, int] | None:
    """None when it is not there. A link counts as the file that it leads to."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _announce(path: Path) -> None:
    until = valid_until(path)
    logger.info("new TLS connections get the renewed certificate, valid until %s", until)
    if until is not None and until <= now_utc():
        logger.error("the renewed certificate %s has expired already", path)


def valid_until(path: Path) -> datetime | None:
    """The end of the first certificate in the file; None when that cannot be read from it."""
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())[0].not_valid_after_utc.astimezone(UTC)
    except (OSError, ValueError, IndexError):
        return None
