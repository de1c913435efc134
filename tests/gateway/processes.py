"""Calls of a whole Voxgate whose model is `fake`."""

from __future__ import annotations

import json

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.cli.commands import run_here
from tests.running import Voxgate


def made_by_command(voxgate: Voxgate, *flags: str) -> str:
    """The key of a temporary credential."""
    return run_here(voxgate, "credentials", "create", *flags).line


def call_of(voxgate: Voxgate, key: str) -> connect:
    return connect(f"{voxgate.ws_url}?model=fake", additional_headers={"Authorization": f"Bearer {key}"})


async def refused(voxgate: Voxgate, key: str) -> tuple[str, int | None]:
    async with call_of(voxgate, key) as call:
        code = json.loads(await call.recv())["error"]["code"]
        with pytest.raises(ConnectionClosed):
            await call.recv()
        return code, call.close_code
