"""Who may call while the database does not answer."""

from __future__ import annotations

import asyncio
import threading

import aiohttp
import pytest

from tests.gateway.conftest import ADMIN_KEY, RunningGateway, StartGateway
from voxgate.core.errors import StoreUnavailable
from voxgate.gateway import admission
from voxgate.gateway.admission import Admission
from voxgate.testing.provider import ScriptedProvider

pytestmark = pytest.mark.anyio


class StuckStore:
    """A database that gives no answer before it is told to."""

    def __init__(self) -> None:
        self.go_on = threading.Event()

    def find_api_key(self, key_hash: str) -> None:
        self.go_on.wait(60)


async def call(gateway: RunningGateway, key: str) -> bytes | str:
    """What the first message is answered with."""
    async with gateway.http.ws_connect(
        f"{gateway.url}?model=fake", headers={"authorization": f"Bearer {key}"}
    ) as socket:
        await socket.send_str("hello")
        message = await asyncio.wait_for(socket.receive(), 60)
        assert message.type is aiohttp.WSMsgType.TEXT
        return str(message.data)


async def test_a_database_that_does_not_answer_keeps_no_credential_waiting(
    start_gateway: StartGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many others wait for their API keys to be looked up; they are told in the end."""
    async with ScriptedProvider() as provider, start_gateway(provider.base_url) as gateway:
        key = await gateway.mint()
        stuck = StuckStore()
        monkeypatch.setattr(gateway.worker.gateway.admission.gatekeeper._keys, "_store", stuck)
        others = [asyncio.create_task(call(gateway, f"vg_unknown_{number}")) for number in range(20)]
        try:
            while sum(thread.name.startswith("keys") for thread in threading.enumerate()) < 8:
                await asyncio.sleep(0.01)
            assert await call(gateway, key) == "hello"
            assert await call(gateway, ADMIN_KEY) == "hello"
            assert not any(other.done() for other in others)
            monkeypatch.setattr(admission, "_WAIT_SECONDS", 0.05)
            assert "database_unavailable" in str(await call(gateway, "vg_unknown"))
        finally:
            stuck.go_on.set()
            await asyncio.gather(*others, return_exceptions=True)


async def test_a_key_that_cannot_be_looked_up_in_time_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "_WAIT_SECONDS", 0.01)
    stuck = StuckStore()

    class Gatekeeper:
        def needs_store(self, key: str | None) -> bool:
            return True

        def admit(self, key: str | None) -> None:
            stuck.go_on.wait(60)

    admitting = Admission(Gatekeeper())  # type: ignore[arg-type]
    with pytest.raises(StoreUnavailable, match="credentials work"):
        await admitting.admit("vg_key")
    stuck.go_on.set()
    admitting.stop()
