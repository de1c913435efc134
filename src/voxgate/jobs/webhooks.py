"""Webhooks: messages in files of one folder, sent signed, and again until they are taken. The form is that of
Standard Webhooks (standardwebhooks.com): `webhook-id`, `webhook-timestamp` and `webhook-signature`, which is
`v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`.

Whoever makes a rule names the address, so a webhook could be used to reach what only this machine can reach.
Unless the settings allow it, nothing is sent to addresses that are not public, redirects are not followed,
and of an answer nothing but its status is kept.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import ipaddress
import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
import orjson
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from voxgate.core.errors import SettingsError
from voxgate.core.ids import new_id

SECRET_PREFIX: Final = "whsec_"
_MOST_ATTEMPTS: Final = 12
_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 600.0
"""Twelve attempts are about 35 minutes."""
_POLL_SECONDS: Final = 0.5
_TIMEOUT_SECONDS: Final = 10.0
_LATER: Final = frozenset({408, 409, 425, 429})

logger = logging.getLogger(__name__)


class PrivateAddress(OSError):
    """Not one that webhooks may go to."""


class Webhooks:
    def __init__(self, folder: Path, secret: str, *, private_addresses: bool = False) -> None:
        self._folder = folder
        self._secret = secret_bytes(secret)
        self._private = private_addresses
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def add(self, url: str, message: Mapping[str, Any]) -> None:
        """It is sent by `run`, whenever that is."""
        name = new_id("msg")
        self._keep(
            name, {"url": url, "body": orjson.dumps(message).decode(), "attempts": 0, "not_before": 0.0}
        )

    def run(self, stop: threading.Event) -> None:
        """Until `stop`; what is not sent then is sent after the next start."""
        while not stop.wait(_POLL_SECONDS):
            try:
                self.send_due()
            except OSError as error:
                logger.warning("webhooks wait: %s", error)

    def send_due(self) -> None:
        """What waits and may be sent now."""
        for path in sorted(self._folder.glob("msg_*.json")):
            waiting = orjson.loads(path.read_bytes())
            if time.time() >= waiting["not_before"]:
                self._send(path, waiting)

    def _send(self, path: Path, waiting: dict[str, Any]) -> None:
        name, body = path.stem, waiting["body"].encode()
        headers = signed(self._secret, name, int(time.time()), body)
        failure, is_final = asyncio.run(self._post(waiting["url"], headers, body))
        waiting["attempts"] += 1
        host = urlsplit(waiting["url"]).hostname
        if failure is None:
            logger.info("webhook %s was taken by %s", name, host)
            path.unlink(missing_ok=True)
        elif is_final or waiting["attempts"] >= _MOST_ATTEMPTS:
            logger.error("webhook %s is given up: %s: %s", name, host, failure)
            path.rename(path.with_suffix(".failed"))
        else:
            pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** (waiting["attempts"] - 1))
            logger.warning("webhook %s is sent again in %g s: %s: %s", name, pause, host, failure)
            self._keep(name, {**waiting, "not_before": time.time() + pause})

    async def _post(self, url: str, headers: dict[str, str], body: bytes) -> tuple[str | None, bool]:
        """What went wrong, and whether it would again."""
        resolver = ThreadedResolver() if self._private else PublicAddresses()
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS)
        try:
            if not self._private:
                check_literal(urlsplit(url).hostname or "")
            async with (
                aiohttp.TCPConnector(resolver=resolver) as connector,
                aiohttp.ClientSession(connector=connector, timeout=timeout) as http,
                http.post(url, data=body, headers=headers, allow_redirects=False) as answer,
            ):
                is_final = 300 <= answer.status < 500 and answer.status not in _LATER
                return (None, False) if answer.ok and answer.status < 300 else (str(answer.status), is_final)
        except PrivateAddress as error:
            return str(error), True
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            cause = error.__cause__ if isinstance(error.__cause__, PrivateAddress) else None
            return str(cause or error) or type(error).__name__, cause is not None

    def _keep(self, name: str, waiting: Mapping[str, Any]) -> None:
        """Whole or not at all."""
        path = self._folder / f"{name}.json"
        fresh = path.with_suffix(".new")
        fresh.write_bytes(orjson.dumps(waiting))
        fresh.replace(path)


class PublicAddresses(AbstractResolver):
    """Names of which every address is a public one: the connection goes to what was looked at."""

    def __init__(self) -> None:
        self._inner = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        for one in found:
            _check(one["host"], host)
        return found

    async def close(self) -> None:
        await self._inner.close()


def check_literal(host: str) -> None:
    """PrivateAddress for an address that is written as one and is not public."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return
    _check(host, host)


def _check(address: str, host: str) -> None:
    found = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None)
    if not (mapped or found).is_global:
        raise PrivateAddress(
            f"{host} is not a public address; webhook_private_addresses = true allows such webhooks"
        )


def signed(secret: bytes, name: str, at: int, body: bytes) -> dict[str, str]:
    """The headers of a message."""
    digest = hmac.new(secret, f"{name}.{at}.".encode() + body, hashlib.sha256).digest()
    return {
        "content-type": "application/json",
        "webhook-id": name,
        "webhook-timestamp": str(at),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def secret_bytes(secret: str) -> bytes:
    """Of `whsec_…`; SettingsError if it is none."""
    try:
        found = base64.b64decode(secret.strip().removeprefix(SECRET_PREFIX), validate=True)
    except ValueError:
        found = b""
    if len(found) < 16:
        raise SettingsError("The secret of webhooks is whsec_ and the base64 of 16 bytes or more.")
    return found


def load_secret(path: Path, configured: str | None) -> str:
    """The configured one, else that of the file, which is made where it is not there."""
    if configured:
        return configured
    if not path.exists():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(SECRET_PREFIX + base64.b64encode(secrets.token_bytes(24)).decode() + "\n")
    return path.read_text().strip()
