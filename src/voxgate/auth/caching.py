"""What a cached answer is kept under: keys made from the caller's own key, for one project each. A temporary
credential carries the secret of its project inside, so credentials of one API key share what is cached; the
gateway has none of these secrets where nobody calls.

    API key, project → scope_secret → CacheKeys: the name of an answer, and how it is sealed (AES-256-GCM)
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Iterable
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SECRET_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_VERSION: Final = b"\x01"


def scope_secret(raw_key: str, project: str | None) -> bytes:
    """Of an API key's text, not of its hash, which the database has. No project is another one than any."""
    scope = b"nowhere" if project is None else b"project:" + project.encode()
    return _derived(raw_key.encode(), b"voxgate cache 1 " + scope, SECRET_BYTES)


class CacheKeys:
    """Of one scope."""

    def __init__(self, secret: bytes) -> None:
        made = _derived(secret, b"voxgate cache 1 keys", 2 * SECRET_BYTES)
        self._naming, self._sealing = made[:SECRET_BYTES], AESGCM(made[SECRET_BYTES:])

    def name(self, parts: Iterable[bytes]) -> str:
        """Of what was asked. Nobody without the secret can tell whether something was."""
        digest = hmac.new(self._naming, digestmod="sha256")
        for part in parts:
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
        return digest.hexdigest()

    def seal(self, name: str, plain: bytes) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return _VERSION + nonce + self._sealing.encrypt(nonce, plain, name.encode())

    def open(self, name: str, sealed: bytes) -> bytes | None:
        """None for what was not sealed under these keys and this name, or is not whole."""
        nonce, rest = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        if not sealed.startswith(_VERSION) or len(nonce) < _NONCE_BYTES:
            return None
        try:
            return self._sealing.decrypt(nonce, rest, name.encode())
        except InvalidTag:
            return None


def _derived(secret: bytes, purpose: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length, salt=None, info=purpose).derive(secret)
