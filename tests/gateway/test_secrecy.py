"""What a client's request says of its credentials, cookies and addresses reaches neither the provider nor the
trace: random requests with secrets planted in headers, query and subprotocols.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.gateway.conftest import ADMIN_KEY, RunningGateway, StartGateway
from voxgate.core.settings import Settings
from voxgate.providers.routes import Router
from voxgate.realtime.handshake import new_key, parse_request, upgrade_request
from voxgate.recording.wirelog import FACT, WireLogReader, wire_logs
from voxgate.testing.provider import ScriptedProvider

_CARRIERS = ("Authorization", "api-key", "x-api-key", "subprotocol", "xai", "query")
"""Where a client's key may stand; of several the first counts."""
_HEADERS = (
    "Cookie", "Cookie2", "Proxy-Authorization", "X-Auth-Token", "X-Amz-Security-Token", "Referer", "Link",
    "X-Real-IP", "CF-Connecting-IP", "True-Client-IP", "X-Client-IP", "X-Goog-Api-Key", "Authentication",
    "X-User-Email", "From", "If-None-Match", "X-Forwarded-Host", "Ocp-Apim-Subscription-Key",
)  # fmt: skip
_SHOWN_HEADERS = ("X-Forwarded-For", "Forwarded", "Via", "Origin", "Accept-Language", "OpenAI-Organization")
"""Kept on the trace, but nothing for a provider."""
_PARAMETERS = (
    "key",
    "token",
    "access_token",
    "jwt",
    "secret",
    "user",
    "sig",
    "code",
    "state",
    "session",
    "x",
)
_SUBPROTOCOLS = ("{}", "token.{}", "bearer-{}", "openai-ephemeral-key.{}")
_PATHS = ("/v1/realtime", "/openai/v1/realtime", "/openai/realtime")


@dataclass
class Planted:
    """A request of a client, and what in it is nobody's business."""

    head: bytes
    secrets: set[str]
    """Not for the provider."""
    hidden: set[str] = field(default_factory=set)
    """Not for the trace either."""


class _Planter:
    def __init__(self, random: Random, key: str) -> None:
        self._random = random
        self._key = key
        self._headers: list[tuple[str, str]] = []
        self._query = [(random.choice(["model", "deployment"]), "fake"), ("api-version", "2026-07-15")]
        self._subprotocols: list[str] = []
        self.secrets: set[str] = {key}
        self.hidden: set[str] = {key}

    def plant(self) -> Planted:
        self._carry_keys()
        for _ in range(self._random.randint(0, 6)):
            self._random.choice([self._header, self._shown_header, self._parameter, self._subprotocol])()
        return Planted(self._head(), self.secrets, self.hidden)

    def _secret(self, *, hidden: bool = True) -> str:
        digits = f"{self._random.randrange(1 << 48):012x}{len(self.secrets):04}"  # no two are alike
        secret = self._random.choice(["s3cret{}", "sk-{}", "ek_{}", "vg_{}"]).format(digits)
        self.secrets.add(secret)
        if hidden:
            self.hidden.add(secret)
        return secret

    def _carry_keys(self) -> None:
        """The key, and behind it in order perhaps others that do not count."""
        counts = self._random.randrange(len(_CARRIERS))
        self._carry(_CARRIERS[counts], self._key)
        for carrier in _CARRIERS[counts + 1 :]:
            if self._random.random() < 0.3:
                self._carry(carrier, self._secret())

    def _carry(self, carrier: str, key: str) -> None:
        if carrier == "subprotocol":
            self._subprotocols.append(f"openai-insecure-api-key.{key}")
        elif carrier == "xai":
            self._subprotocols.append(f"xai-client-secret.{key}")
        elif carrier == "query":
            self._query.append(("api-key", key))
        else:
            self._headers.append((carrier, f"Bearer {key}" if carrier == "Authorization" else key))

    def _header(self) -> None:
        self._headers.append((self._cased(self._random.choice(_HEADERS)), f"a={self._secret()}; b=1"))

    def _shown_header(self) -> None:
        name = self._cased(self._random.choice(_SHOWN_HEADERS))
        self._headers.append((name, self._secret(hidden=False)))

    def _parameter(self) -> None:
        name = self._random.choice(_PARAMETERS)
        self._query.append((self._random.choice([name, name.upper(), f"{name}2"]), self._secret()))

    def _subprotocol(self) -> None:
        self._subprotocols.append(self._random.choice(_SUBPROTOCOLS).format(self._secret()))

    def _cased(self, name: str) -> str:
        return self._random.choice([name, name.lower(), name.upper()])

    def _head(self) -> bytes:
        self._random.shuffle(self._query)
        target = f"{self._random.choice(_PATHS)}?" + "&".join(
            f"{name}={value}" for name, value in self._query
        )
        client_key = new_key()
        self.secrets.add(client_key)
        self.hidden.add(client_key)
        headers = [
            ("Host", "gateway.example:8600"),
            ("Upgrade", "websocket"),
            ("Connection", "keep-alive, Upgrade"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", client_key),
            ("User-Agent", "app/1"),
            *self._headers,
        ]
        if self._subprotocols:
            headers.append(("Sec-WebSocket-Protocol", ", ".join(["realtime", *self._subprotocols])))
        self._random.shuffle(headers)
        lines = [f"GET {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers), "", ""]
        return "\r\n".join(lines).encode()


@settings(max_examples=300, deadline=None)
@given(st.randoms(use_true_random=False))
def test_no_secret_is_in_what_a_provider_is_sent(random: Random) -> None:
    planted = _Planter(random, "ek_the-callers-key").plant()
    request = parse_request(planted.head)
    router = Router(
        Settings.model_validate(
            {
                "providers": {"house": {"base_url": "http://house:9000/v1", "api_key": "sk-of-the-house"}},
                "routes": [{"model": "fake", "providers": ["house"]}],
            }
        ),
        {},
    )
    (upstream,) = router.upstreams("fake", request.query, request.headers)
    sent = upgrade_request(upstream.authority, upstream.target, new_key(), upstream.headers).decode()
    assert request.key == "ek_the-callers-key"
    assert "sk-of-the-house" in sent
    assert "app/1" in sent
    assert not [secret for secret in planted.secrets if secret in sent]
    kept = str([request.public_headers(), request.public_query()])
    assert not [secret for secret in planted.hidden if secret in kept]


@pytest.mark.anyio
async def test_no_secret_reaches_the_provider_or_the_trace(start_gateway: StartGateway) -> None:
    async with ScriptedProvider() as provider, start_gateway(provider.base_url) as gateway:
        temporary = await gateway.mint(model="fake", logging={"project_name": "shop"})
        plants = [_Planter(Random(seed), [ADMIN_KEY, temporary][seed % 2]).plant() for seed in range(40)]
        for number, planted in enumerate(plants, 1):
            await open_and_leave(gateway, planted.head)
            async with asyncio.timeout(60):
                while len(provider.calls) < number:
                    await asyncio.sleep(0.005)
            received = provider.calls[-1]
            seen = f"{received.path}\n{received.headers}"
            assert "app/1" in seen
            assert not [secret for secret in planted.secrets if secret in seen], planted.head
        facts = await all_facts(gateway, len(plants))
        assert b"app/1" in facts
        assert not [secret for planted in plants for secret in planted.hidden if secret.encode() in facts]


async def open_and_leave(gateway: RunningGateway, head: bytes) -> None:
    """A call from the request's head to its 101."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(head)
    answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)
    assert answer.startswith(b"HTTP/1.1 101"), answer
    writer.close()
    await writer.wait_closed()


async def all_facts(gateway: RunningGateway, calls: int) -> bytes:
    """What was recorded of so many calls beside their messages, once all are over."""
    async with asyncio.timeout(60):
        while True:
            readers = [WireLogReader(path) for path in wire_logs(gateway.worker.settings.wire_dir)]
            records = [record for reader in readers for record in iter(reader.read, [])]
            if sum(reader.closed for reader in readers) == calls:
                return b"".join(one.data for portion in records for one in portion if one.kind == FACT)
            await asyncio.sleep(0.02)
