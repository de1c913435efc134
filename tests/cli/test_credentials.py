"""`voxgate credentials create` against a whole Voxgate with two workers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from websockets.asyncio.client import connect

from tests.running import Voxgate, start_voxgate

SHOP, EVIL = "https://shop.example", "https://evil.example"


def create(running: Voxgate, *flags: str) -> str:
    environ = {**os.environ, "VOXGATE_URL": running.url, "VOXGATE_API_KEY": running.key}
    done = subprocess.run(
        [sys.executable, "-m", "voxgate", "credentials", "create", "--model", "local", *flags],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.strip()


async def first_event(running: Voxgate, key: str, **headers: str) -> str:
    """The code of the error with which a call begins, else the type of its first event."""
    sent = {"Authorization": f"Bearer {key}", **headers}
    async with connect(f"{running.ws_url}?model=local", additional_headers=sent) as call:
        event = json.loads(await call.recv())
        code: str = event["error"]["code"] if event["type"] == "error" else event["type"]
        return code


@pytest.mark.anyio
async def test_pages_and_addresses_hold_in_every_worker(tmp_path: Path) -> None:
    config = tmp_path / "voxgate.toml"
    config.write_text(f'[projects.shop]\nallowed_origins = ["{SHOP}"]\n')
    running = start_voxgate(tmp_path, "--workers", "2", "--config", str(config))
    try:
        for_pages = create(running, "--origin", SHOP, "--origin", "https://*.shop.example")
        for_project = create(running, "--project", "shop")
        elsewhere = create(running, "--ip", "192.0.2.0/24")
        for _ in range(4):  # whichever worker takes it
            assert await first_event(running, for_pages, Origin=EVIL) == "origin_not_allowed"
            assert await first_event(running, for_project, Origin=EVIL) == "origin_not_allowed"
            assert await first_event(running, elsewhere) == "address_not_allowed"
        for key in (for_pages, for_project):
            assert await first_event(running, key, Origin=SHOP) == "session.created"
    finally:
        assert running.stop() == 0
