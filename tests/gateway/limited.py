"""What the tests of limits share: calls, how they end, and what is counted."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.gateway.conftest import ADMIN_KEY, RunningGateway
from voxgate.gateway.relay import Call


def call_of(gateway: RunningGateway, key: str = ADMIN_KEY, **options: Any) -> Any:
    """With `ssl` over TLS."""
    headers = {"Authorization": f"Bearer {key}"}
    url = gateway.url.replace("ws:", "wss:") if "ssl" in options else gateway.url
    return connect(f"{url}?model=fake", additional_headers=headers, **options)


async def works(socket: ClientConnection) -> None:
    await socket.send("still here")
    answer = await socket.recv()
    assert answer == "still here", answer


async def end_of(socket: ClientConnection) -> tuple[dict[str, Any], int | None, str | None]:
    """The error that a call ends with, the close code and the reason. Messages before it are skipped."""
    error: dict[str, Any] = {}
    async with asyncio.timeout(60):
        with contextlib.suppress(ConnectionClosed):
            while True:
                message = await socket.recv()
                if "error" in message[:40]:
                    error = json.loads(message)
    return error.get("error", {}), socket.close_code, socket.close_reason


async def refusal_of(gateway: RunningGateway, key: str = ADMIN_KEY) -> tuple[str, int | None, str | None]:
    async with call_of(gateway, key) as socket:
        error, code, reason = await end_of(socket)
        return error["code"], code, reason


async def until(condition: Callable[[], Any], seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


async def metric(gateway: RunningGateway, name: str, code: str) -> float:
    scheme = "https" if gateway.worker.settings.tls_cert else "http"
    async with gateway.http.get(f"{scheme}://127.0.0.1:{gateway.port}/metrics", ssl=False) as answer:
        lines = (await answer.text()).splitlines()
    values = [float(line.split()[-1]) for line in lines if line.startswith(name) and f'code="{code}"' in line]
    return sum(values)


async def only_call(gateway: RunningGateway) -> Call:
    calls = gateway.worker.gateway.calls
    await until(calls.all)
    [call] = calls.all()
    return call
