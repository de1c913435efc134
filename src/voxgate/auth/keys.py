"""API keys: long-lived, hashed at rest, each with a role. The admin key comes from the settings or from the
data folder and is in no database.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import secrets
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Literal, get_args

from voxgate.auth.revocation import revoke_api_key
from voxgate.core import clock
from voxgate.core.errors import ExpiredKey, Forbidden, InvalidKey, InvalidRequest, SettingsError
from voxgate.core.ids import new_id
from voxgate.store import Store

logger = logging.getLogger(__name__)

Role = Literal["admin", "mint", "read", "connect"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)
KEY_PREFIX: Final = "vg_"
_TOUCH_SECONDS: Final = 60.0
DEFAULT_GRACE_SECONDS: Final = 24 * 3600
LONGEST_GRACE_SECONDS: Final = 30 * 24 * 3600
"""That a secret may be good after a rotation."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """Who calls. `project` binds the key to one project; None means all. `secret` is the hash of the text
    that it came with."""

    id: str
    name: str
    role: Role
    project: str | None = None
    secret: str = field(default="", repr=False, compare=False)
    max_requests_per_minute: int | None = None
    """Of what is asked with it, not of what it mints; likewise the next one."""
    max_tokens_per_minute: int | None = None

    def require(self, *roles: Role) -> None:
        """Forbidden unless the key has one of the roles; an admin has all."""
        if self.role not in (*roles, "admin"):
            wanted = " or ".join(repr(role) for role in dict.fromkeys((*roles, "admin")))
            raise Forbidden(
                f"The API key {self.name!r} has the role {self.role!r}; this needs the role {wanted}."
            )


def new_raw_key() -> str:
    return KEY_PREFIX + secrets.token_urlsafe(32)


def key_hash(raw: str) -> str:
    """SHA-256 is enough: the keys are 256 random bits, not words that someone could guess."""
    return hashlib.sha256(raw.encode()).hexdigest()


class KeyRing:
    """Knows all API keys: the admin key and those in the store."""

    def __init__(self, store: Store, admin_key: str) -> None:
        self._store = store
        self._admin_hash = key_hash(admin_key)
        # A part of the hash in the id: whoever signed in with an older admin key is signed out.
        self._admin = ApiKey(f"key_admin_{self._admin_hash[:12]}", "admin", "admin", secret=self._admin_hash)
        self._touched: dict[str, float] = {}

    def is_admin(self, raw: str) -> bool:
        return hmac.compare_digest(key_hash(raw), self._admin_hash)

    def authenticate(self, raw: str) -> ApiKey:
        """InvalidKey for an unknown or revoked key, ExpiredKey past its time."""
        if self.is_admin(raw):
            return self._admin
        if (key := self._find(key_hash(raw))) is None:
            raise InvalidKey(f"Incorrect API key provided: {masked(raw)}.")
        self._touch(key.id)
        return key

    def by_secret(self, secret: str) -> ApiKey:
        """The key whose text has this hash, if it is still good; InvalidKey or ExpiredKey if not."""
        if hmac.compare_digest(secret, self._admin_hash):
            return self._admin
        if (key := self._find(secret)) is None:
            raise InvalidKey("The API key that signed in is no longer good. Sign in again.")
        return key

    def _find(self, secret: str) -> ApiKey | None:
        row = self._store.find_api_key(secret)
        if row is None:
            return None
        if row["expires_at"] and datetime.fromisoformat(row["expires_at"]) <= clock.now_utc():
            raise ExpiredKey(f"The API key {row['name']!r} has expired.")
        limits = row["max_requests_per_minute"], row["max_tokens_per_minute"]
        return ApiKey(row["id"], row["name"], row["role"], row["project"], secret, *limits)

    def _touch(self, key_id: str) -> None:
        """Notes the use, once a minute at most: a busy key must not become a busy database. The caller does
        not wait for it."""
        now = time.monotonic()
        if now - self._touched.get(key_id, float("-inf")) > _TOUCH_SECONDS:
            self._touched[key_id] = now
            threading.Thread(target=self._note, args=(key_id,), name="key-note", daemon=True).start()

    def _note(self, key_id: str) -> None:
        try:
            self._store.touch_api_key(key_id, clock.iso_utc(clock.now_utc()))
        except Exception:  # noqa: BLE001 - a database that is busy or full: a note is no reason to refuse
            logger.warning("the use of the API key %s could not be noted", key_id)

    def create(
        self,
        name: str,
        role: Role,
        project: str | None = None,
        expires_at: str | None = None,
        max_requests_per_minute: int | None = None,
        max_tokens_per_minute: int | None = None,
    ) -> tuple[ApiKey, str]:
        """The key and its text, which is shown once and cannot be had again."""
        if role not in ROLES:
            raise InvalidRequest(f"Unknown role {role!r}; one of {', '.join(ROLES)}.", param="role")
        key, raw = ApiKey(new_id("key"), name, role, project), new_raw_key()
        self._store.add_api_key(
            id=key.id,
            name=name,
            role=role,
            project=project,
            key_hash=key_hash(raw),
            key_hint=masked(raw),
            created_at=clock.iso_utc(clock.now_utc()),
            expires_at=expires_at,
            max_requests_per_minute=max_requests_per_minute,
            max_tokens_per_minute=max_tokens_per_minute,
        )
        return key, raw

    def rotate(self, key_id: str, grace_seconds: int) -> str | None:
        """The key's new text, shown once; None if there is no such key. The text before is good for
        `grace_seconds`; with 0 it and all earlier ones end now."""
        raw = new_raw_key()
        until = clock.now_utc() + timedelta(seconds=grace_seconds) if grace_seconds else None
        return raw if self._store.rotate_api_key(key_id, key_hash(raw), masked(raw), until) else None

    def revoke(self, key_id: str, *, credentials: bool = False, end_sessions: bool = False) -> None:
        revoke_api_key(self._store, key_id, credentials=credentials, end_sessions=end_sessions)


def masked(raw: str) -> str:
    """Enough of a key to recognise it, not to use it."""
    return f"{raw[:5]}…{raw[-4:]}" if len(raw) > 16 else "…"


def load_admin_key(path: Path, configured: str | None) -> tuple[str, bool]:
    """The admin key and whether it was made just now: the configured one, else the data folder's."""
    if configured:
        if configured.startswith("ek_"):
            raise SettingsError("The admin key (VOXGATE_API_KEY) may not start with ek_: credentials do.")
        return configured, False
    if path.exists():
        if not (kept := path.read_text().strip()):
            raise SettingsError(f"The admin key in {path} is empty. Delete the file to have a new one made.")
        return kept, False
    raw = new_raw_key()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(raw + "\n")
    return raw, True
