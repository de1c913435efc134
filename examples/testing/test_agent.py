"""Tests of `agent.py` against a recorded call: no server, no key, no network, the same answers every time.

pip install pytest openai voxgate && pytest
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from agent import ORDERS, ask
from openai import AsyncOpenAI

from voxgate.testing.replays import replaying

pytest_plugins = ["voxgate.testing.fixtures"]
RECORDING = Path(__file__).parent / "recordings" / "order.jsonl"


def test_the_desk_looks_the_order_up_and_says_its_state() -> None:
    async def scenario() -> str:
        async with replaying(RECORDING) as replay:
            client = AsyncOpenAI(base_url=replay.base_url, api_key=replay.key)
            answer = await ask(client, "Where is my order 4711?")
            replay.assert_played()
            return answer

    assert asyncio.run(scenario()) == "Your order 4711 has been shipped."


def test_what_the_desk_does_otherwise_is_found(voxgate_replay, monkeypatch) -> None:
    monkeypatch.setitem(ORDERS, "4711", "lost")  # a bug: the tool says something else than it did
    replay = voxgate_replay(RECORDING)
    client = AsyncOpenAI(base_url=replay.base_url, api_key=replay.key)
    with pytest.raises(RuntimeError, match=r"shipped.* in the recording and .*lost.* now"):
        asyncio.run(ask(client, "Where is my order 4711?"))
