"""A Voxgate that is shared by the faults that leave it healthy, and none that outlives its test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.faults.calls import answer
from tests.running import Voxgate, none_left_running, start_voxgate
from voxgate.testing.provider import ScriptedProvider


@pytest.fixture(autouse=True)
def _nothing_is_left_running() -> Iterator[None]:
    """After a test that failed; the children end with their parent."""
    with none_left_running():
        yield


@pytest.fixture(scope="package")
async def provider() -> AsyncIterator[ScriptedProvider]:
    async with ScriptedProvider(answer) as running:
        yield running


@pytest.fixture(scope="package")
async def gateway(
    provider: ScriptedProvider, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Voxgate]:
    folder = tmp_path_factory.mktemp("faults")
    config = write_config(folder, provider)
    running = await asyncio.to_thread(start_voxgate, folder, "--config", str(config), local=False)
    yield running
    assert await asyncio.to_thread(running.stop) == 0, "".join(running.output)


def write_config(folder: Path, provider: ScriptedProvider, more: str = "") -> Path:
    path = folder / "faults.toml"
    path.write_text(
        f'{more}\n[providers.fake]\nbase_url = "{provider.base_url}"\n'
        '[[routes]]\nmodel = "fake*"\nproviders = ["fake"]\n'
    )
    return path
