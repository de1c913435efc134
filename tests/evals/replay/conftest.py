"""A whole Voxgate before a stand-in provider, and calls that were recorded with both."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.evals.replay.standin import Standin
from tests.running import Voxgate, start_voxgate
from voxgate.client.http import Client
from voxgate.client.realtime import RealtimeSession, realtime_session
from voxgate.testing.provider import ScriptedProvider

Json = dict[str, Any]


@dataclass
class Stage:
    voxgate: Voxgate
    standin: Standin

    async def record(
        self, *turns: bytes | str, session: Json | None = None, tools: Json | None = None
    ) -> str:
        """A call with the stand-in in which the user says these things, one after the other; its id."""
        async with realtime_session(Client(), "fake", project="default") as call:
            assert call.id is not None
            await call.send({"type": "session.update", "session": {"type": "realtime", **(session or {})}})
            await heard(call, "session.updated")
            for turn in turns:
                await say(call, turn)
                await call.send({"type": "response.create"})
                await answered(call, tools or {})
        await self.voxgate.finished_session(call.id)
        return call.id


async def say(call: RealtimeSession, turn: bytes | str) -> None:
    if isinstance(turn, str):
        content = [{"type": "input_text", "text": turn}]
        await call.send(
            {
                "type": "conversation.item.create",
                "item": {"type": "message", "role": "user", "content": content},
            }
        )
        return
    await append(call, turn)
    await call.send({"type": "input_audio_buffer.commit"})


async def append(call: RealtimeSession, sound: bytes) -> None:
    await call.send({"type": "input_audio_buffer.append", "audio": base64.b64encode(sound).decode()})


async def heard(call: RealtimeSession, name: str) -> Json:
    while (event := await call.receive())["type"] != name:
        pass
    return event


async def answered(call: RealtimeSession, tools: Json) -> None:
    done = (await heard(call, "response.done"))["response"]
    calls = [item for item in done["output"] if item["type"] == "function_call"]
    for item in calls:
        output = {"type": "function_call_output", "call_id": item["call_id"], "output": tools[item["name"]]}
        await call.send({"type": "conversation.item.create", "item": output})
    if calls:
        await call.send({"type": "response.create"})
        await answered(call, tools)


@pytest.fixture(scope="module")
async def _running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    standin = Standin()
    folder = tmp_path_factory.mktemp("replay")
    async with ScriptedProvider(standin.script) as provider:
        config = folder / "voxgate.toml"
        config.write_text(
            f'drain_seconds = 0\n[providers.fake]\nbase_url = "{provider.base_url}"\n'
            '[[routes]]\nmodel = "fake*"\nproviders = ["fake"]\n'
        )
        running = start_voxgate(folder, "--config", str(config), local=False)
        yield Stage(running, standin)
        assert running.stop() == 0, "".join(running.output)


@pytest.fixture
def stage(_running: Stage, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Shared by the tests of a file, with a stand-in as new."""
    _running.standin.__init__()  # type: ignore[misc]
    reach(_running.voxgate, monkeypatch)
    return _running


def reach(voxgate: Voxgate, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `Client` goes by."""
    monkeypatch.setenv("VOXGATE_URL", voxgate.url)
    monkeypatch.setenv("VOXGATE_API_KEY", voxgate.key)
