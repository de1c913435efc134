"""Tokens that carry their own proof: signed and encrypted claims that any worker opens without a database.

A token is a JWE (RFC 7516) in compact form with a direct 256-bit key and AES-GCM, which both hides and
authenticates the claims. Its letters are those of base64url and dots, so it is a legal WebSocket subprotocol
token. The key's id is in the header: a new key seals, older ones still open, which is how keys are rotated.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import orjson
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from voxgate.core import clock
from voxgate.core.errors import ExpiredKey, InvalidKey, SettingsError
from voxgate.core.ids import new_id

TOKEN_KEYS_NAME: Final = "token-keys.json"
_ALGORITHMS: Final = ["dir", "A256GCM"]


class TokenBox:
    """Seals and opens tokens. The first key seals; all of them open."""

    def __init__(self, keys: dict[str, bytes]) -> None:
        """`keys` maps key ids to 32 random bytes, the newest first."""
        if not keys:
            raise SettingsError("no token keys: the file token-keys.json in the data folder is empty")
        self._keys = {key_id: OctKey.import_key(key) for key_id, key in keys.items()}
        self._newest = next(iter(self._keys))

    def seal(self, claims: dict[str, Any], *, purpose: str) -> str:
        header = {"alg": "dir", "enc": "A256GCM", "kid": self._newest}
        plaintext = orjson.dumps({**claims, "purpose": purpose})
        return jwe.encrypt_compact(header, plaintext, self._keys[self._newest], algorithms=_ALGORITHMS)

    def open(self, token: str, *, purpose: str) -> dict[str, Any]:
        """The claims. InvalidKey when a byte is wrong or the token was made for something else; ExpiredKey
        when its time (`exp`, unix seconds) is over."""
        try:
            opened = jwe.decrypt_compact(token, self._key_of, algorithms=_ALGORITHMS)
            claims: dict[str, Any] = orjson.loads(opened.plaintext or b"null")
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise InvalidKey("The temporary credential is not valid: it was altered or cut.") from error
        if not isinstance(claims, dict) or claims.pop("purpose", None) != purpose:
            raise InvalidKey("The token is not meant for this.")
        if clock.unix_seconds() >= claims.get("exp", 0):
            raise ExpiredToken(claims)
        return claims

    def _key_of(self, guest: Any) -> OctKey:
        return self._keys[guest.headers()["kid"]]


class ExpiredToken(ExpiredKey):
    """A genuine token past its time; `claims` still says what it was."""

    def __init__(self, claims: dict[str, Any]) -> None:
        super().__init__("The temporary credential has expired. Ask your backend for a new one.")
        self.claims = claims


def load_token_keys(path: Path) -> dict[str, bytes]:
    """The keys of the data folder, made on the first start (mode 0600). To rotate, add a key at the front."""
    if not path.exists():
        _write_private(path, orjson.dumps({"keys": [{"id": new_id("tk"), "key": os.urandom(32).hex()}]}))
    try:
        return {entry["id"]: bytes.fromhex(entry["key"]) for entry in orjson.loads(path.read_bytes())["keys"]}
    except (ValueError, KeyError, TypeError) as error:
        raise SettingsError(f"{path} is damaged: it should hold the token keys as JSON ({error})") from error


def _write_private(path: Path, data: bytes) -> None:
    """Whole or not at all, and readable by its owner only from its first moment."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)  # of a start that crashed, with the same process id
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    temporary.replace(path)
