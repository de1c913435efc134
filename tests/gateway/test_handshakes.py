"""The recorded upgrade requests of real clients, byte for byte but for their keys, against a real gateway."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.gateway.conftest import ADMIN_KEY, RunningGateway, StartGateway
from voxgate.providers.openai import ALIASES
from voxgate.testing.provider import ScriptedProvider

pytestmark = pytest.mark.anyio

KEYS = re.compile(r"sk-test-key|az-key|ek_68af[0-9a-f]*")
ANYTHING = {"routes": [{"model": "*", "providers": ["fake0"]}]}


@dataclass
class Recorded:
    name: str
    text: str
    """The request's head, keys and all."""

    @property
    def target(self) -> str:
        return self.text.split(" ")[1]

    @property
    def is_served(self) -> bool:
        """Sidebands and the APIs that are not this one are refused."""
        return (
            "call_id=" not in self.target
            and "/translations" not in self.target
            and "/live" not in self.target
        )

    @property
    def model(self) -> str | None:
        """What the provider has to be asked for."""
        named = re.search(r"[?&](?:model|deployment)=([^&]*)", self.target)
        asked = named[1] if named else None
        return ALIASES["gpt-4o-realtime-preview*"] if asked and asked.startswith("gpt-4o-") else asked

    def head(self, temporary: str) -> bytes:
        text = KEYS.sub(lambda found: temporary if found[0].startswith("ek_") else ADMIN_KEY, self.text)
        return text.encode() + b"\r\n\r\n"


def recorded(shared: Path) -> list[Recorded]:
    found = []
    for path in sorted((shared / "fixtures/realtime/handshakes").glob("*.http")):
        head = path.read_text().partition("\n\n")[0].partition("\n")[2]
        if head.startswith("GET "):
            found.append(Recorded(path.name, head.replace("\n", "\r\n")))
    return found


async def open_call(gateway: RunningGateway, head: bytes) -> tuple[dict[str, str], bytes]:
    """The headers of the 101, and what stands right behind it when the gateway has closed or said enough."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(head)
    async with asyncio.timeout(60):
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        assert first == "HTTP/1.1 101 Switching Protocols", (first, head)
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        said = (
            await reader.read(4096) if b"call_id=" in head or b"/live" in head or b"/transl" in head else b""
        )
    writer.close()
    await writer.wait_closed()
    return headers, said


async def test_every_recorded_client_gets_its_101_and_its_provider(
    start_gateway: StartGateway, shared: Path
) -> None:
    heads = recorded(shared)
    assert len(heads) >= 25
    async with ScriptedProvider() as provider, start_gateway(provider.base_url, **ANYTHING) as gateway:
        temporary = await gateway.mint()
        reached = 0
        for each in heads:
            headers, said = await open_call(gateway, each.head(temporary))
            offers = "sec-websocket-protocol:" in each.text.lower()
            assert headers.get("sec-websocket-protocol") == ("realtime" if offers else None), each.name
            assert "sec-websocket-extensions" not in headers, each.name
            assert bool(said) != each.is_served, each.name
            if not each.is_served:
                assert b'"invalid_request_error"' in said, each.name
                continue
            reached += 1
            await check_provider(provider, each, reached)
        assert reached >= 20
        assert len(provider.calls) == reached


async def check_provider(provider: ScriptedProvider, each: Recorded, number: int) -> None:
    """It is asked for the live model and is shown nothing of the client's key and account."""
    async with asyncio.timeout(60):
        while len(provider.calls) < number:
            await asyncio.sleep(0.005)
    call = provider.calls[-1]
    model = f"model={each.model}" if each.model else ""
    intent = "intent=transcription" if "intent=" in each.target else ""
    assert {model, intent} <= {"", *call.path.partition("?")[2].split("&")}, (each.name, call.path)
    assert ("model=" in call.path) == bool(model), (each.name, call.path)
    seen = f"{call.path} {call.headers}"
    for secret in ("ek_", ADMIN_KEY, "org-ABC", "proj_XYZ", "insecure", "sec-websocket-protocol"):
        assert secret not in seen, (each.name, seen)


async def test_a_call_without_a_model_takes_the_credentials(start_gateway: StartGateway) -> None:
    paths = ("/v1/realtime", "/openai/v1/realtime", "/openai/realtime", "/voice-live/realtime")
    queries = ("", "?utm_source=x&temperature=0.8", "?api-version=2026-07-15&deployment=")
    async with ScriptedProvider() as provider, start_gateway(provider.base_url) as gateway:
        key = await gateway.mint(model="fake")
        for number, target in enumerate([path + query for path in paths for query in queries], 1):
            await open_call(gateway, upgrade(target, key))
            async with asyncio.timeout(60):
                while len(provider.calls) < number:
                    await asyncio.sleep(0.005)
            assert "model=fake" in provider.calls[-1].path, target
            assert "utm_source" not in provider.calls[-1].path


def upgrade(target: str, key: str) -> bytes:
    return (
        f"GET {target} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\napi-key: {key}\r\n\r\n"
    ).encode()
