"""OpenAI's and Anthropic's official SDKs for Node get the same through Voxgate as from the provider itself,
whatever they ask, and the provider is asked the same. One Node asks all questions of one side.
(`tests/gateway/requests/test_sdks.py` has those for Python.)"""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pytest

from tests.clients.matrix.environments import (
    JAVASCRIPT,
    Unreachable,
    copy_javascript,
    install_javascript,
)
from tests.clients.programs import Toolchain
from tests.gateway.conftest import ADMIN_KEY, StartGateway, start_gateway
from tests.gateway.requests.documented import PICTURE, SOUND
from tests.gateway.requests.standin import StandIn, asked
from voxgate.testing.http_provider import HttpProvider

__all__ = ["start_gateway"]

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]  # the packages may have to be fetched first
LEFT = ("chat/completions", "responses", "audio/transcriptions", "messages")


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def sdks(toolchain: Toolchain) -> Path:
    copy_javascript()
    try:
        install_javascript("sdks", toolchain)
    except Unreachable as error:
        pytest.skip(f"needs an npm registry to install the SDKs for Node: {error}")
    return JAVASCRIPT / "sdks"


async def answers(node: str, folder: Path, base: str, key: str) -> dict[str, Any]:
    order = {"base": base, "key": key, "PICTURE": PICTURE, "SOUND": base64.b64encode(SOUND).decode()}
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        node, "ask.mjs", cwd=folder, stdin=pipe, stdout=pipe, stderr=pipe
    )
    try:
        said, complaints = await asyncio.wait_for(process.communicate(json.dumps(order).encode()), 120)
    except TimeoutError:
        process.kill()
        raise
    assert process.returncode == 0, complaints.decode()
    found: dict[str, Any] = json.loads(said)
    return found


async def test_the_sdks_for_node_get_the_same(
    toolchain: Toolchain, sdks: Path, start_gateway: StartGateway
) -> None:
    stand_in = StandIn()
    async with HttpProvider(stand_in) as provider:
        known = {"house": {"base_url": provider.base_url, "api_key": "k", "rest_seconds": 0}}
        async with start_gateway(providers=known, routes=[{"model": "*", "providers": ["house"]}]) as gateway:
            expected = await answers(toolchain.node, sdks, provider.base_url, "k")
            sent, told = [asked(each) for each in provider.received], list(stand_in.told)
            provider.received.clear()
            stand_in.told.clear()
            found = await answers(toolchain.node, sdks, f"http://127.0.0.1:{gateway.port}/v1", ADMIN_KEY)
            async with asyncio.timeout(60):
                while any(stand_in.hung_up[path] < 2 for path in LEFT):
                    await asyncio.sleep(0.01)
    for name, answer in expected.items():
        assert found[name] == answer, name
    assert [asked(each) for each in provider.received] == sent
    assert stand_in.told == told
    refused = {name for name, answer in expected.items() if isinstance(answer, dict) and "raised" in answer}
    assert refused == {name for name in expected if "refused" in name or "cut" in name}
