"""`python -m bench.live_page` in short: the call that goes on, and the look at its page."""

from __future__ import annotations

import json
import shutil
from typing import Any

import numpy as np
import pytest
from bench.live_call import Answering, Plan, plan
from bench.live_page import Look, growth, look, opened
from websockets.asyncio.client import connect

from voxgate.testing.provider import ScriptedProvider

pytestmark = [pytest.mark.anyio]
APPEND = '{"type":"input_audio_buffer.append","audio":""}'


@pytest.fixture
def planned() -> Plan:
    """Turns of three tenths of a second; who speaks hums."""
    return plan(0.3, lambda text: np.full(len(text) * 100, 3_000, np.int16))


def _ws(provider: ScriptedProvider) -> str:
    return provider.base_url.replace("http", "ws", 1)


async def test_each_turn_of_the_user_is_answered_and_each_fifth_by_a_tool_first(planned: Plan) -> None:
    heard: list[str] = []
    async with ScriptedProvider(Answering(planned)) as provider, connect(_ws(provider)) as call:
        for turn in range(6):
            for _ in range(planned.every):
                await call.send(APPEND)
            while heard.count("response.output_audio.done") <= turn:
                told: dict[str, Any] = json.loads(await call.recv())
                heard.append(told["type"])
                if told["type"] == "response.function_call_arguments.done":
                    await call.send('{"type":"response.create"}')
    assert heard[0] == "session.created"
    assert heard.count("input_audio_buffer.speech_started") == 6
    assert heard.count("response.function_call_arguments.done") == 2


def test_what_a_turn_takes_is_told_by_the_second_half() -> None:
    def seen(turns: int, heap_mb: float) -> Look:
        return Look(0, turns, 0, turns * 3.5, 0, 0, heap_mb, 0, 0, 0, 0, 0, 0)

    told = growth([seen(0, 1), seen(10, 9), seen(20, 9.05), seen(30, 9.1)])
    assert told == "a turn took 5.00 KB of heap and 3.50 KB of trace in the second half"


@pytest.mark.browser
@pytest.mark.skipif(not (shutil.which("chromium") or shutil.which("chromium-browser")), reason="no Chromium")
async def test_the_page_of_a_running_call_is_looked_at(planned: Plan) -> None:
    async with opened(planned, "conversation", listen=True) as house:
        await house.devtools.until("document.querySelectorAll('[data-testid=entry-assistant]').length > 2")
        seen = await look(house, 0)
    assert seen.turns >= 3
    assert seen.spans >= 9
    assert seen.heap_mb > 1
    assert seen.nodes > 300
    assert seen.held_mb > 10
    assert seen.process_mb > 10
