"""Each mode against the embedded provider: what it hears and says decides, on both sides of a scenario."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from tests.evals.replay.conftest import answered, append, heard, reach
from tests.running import Voxgate
from voxgate.client.http import Client
from voxgate.client.realtime import RealtimeSession, realtime_session
from voxgate.evals.model import Case, Input
from voxgate.evals.protocols import Trial
from voxgate.evals.replay import replay
from voxgate.evals.scenario import read_scenario

pytestmark = pytest.mark.anyio
TRIAL = Trial("exp_1", 0, 7)
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "Look up the weather for a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
QUIET = bytes(48 * 600)


@pytest.fixture(autouse=True)
def _reached(voxgate: Voxgate, monkeypatch: pytest.MonkeyPatch) -> None:
    reach(voxgate, monkeypatch)


async def spoken(call: RealtimeSession, words: str) -> bytes:
    """The words in the embedded provider's own voice, said beside the conversation."""
    asked = {"conversation": "none", "instructions": f"Say exactly: {words}"}
    await call.send({"type": "response.create", "response": asked})
    sound = b""
    while (event := await call.receive())["type"] != "response.done":
        if event["type"] == "response.output_audio.delta":
            sound += base64.b64decode(event["delta"])
    return sound


@pytest.fixture(scope="module")
async def recorded(voxgate: Voxgate) -> str:
    """A call in which the weather of two cities is asked for, and the provider hears when."""
    with pytest.MonkeyPatch.context() as patch:
        reach(voxgate, patch)
        async with realtime_session(Client(), "local") as call:
            said = [await spoken(call, f"What is the weather in {city}?") for city in ("Paris", "London")]
        async with realtime_session(Client(), "local", project="default") as call:
            detection = {"type": "server_vad", "silence_duration_ms": 400}
            session = {
                "type": "realtime",
                "tools": [WEATHER],
                "audio": {"input": {"turn_detection": detection}},
            }
            await call.send({"type": "session.update", "session": session})
            await heard(call, "session.updated")
            for sound in said:
                await append(call, sound + QUIET)
                await answered(call, {"get_weather": '{"forecast": "sunny"}'})
    assert call.id is not None
    await voxgate.finished_session(call.id)
    return call.id


async def test_a_turn_is_answered_as_it_was_and_otherwise_with_other_instructions(recorded: str) -> None:
    case = Case("second", Input("turn", turn=1), session_id=recorded)

    same = await replay().run(case, TRIAL)
    other = await replay(instructions="Never call any tool.").run(case, TRIAL)

    assert [(one.name, one.result) for one in same.tool_calls] == [("get_weather", {"forecast": "sunny"})]
    assert same.text == "Sunny."
    assert other.tool_calls == ()
    assert "london" in (other.text or "").lower()


async def test_a_session_does_not_diverge_by_itself(recorded: str) -> None:
    output = await replay(mode="session").run(Case("call", Input("session"), session_id=recorded), TRIAL)

    assert (output.metadata["diverged"], output.text) == ([], "Sunny. Sunny.")


async def test_turn_detection_hears_the_same_turns_at_the_original_times(recorded: str) -> None:
    output = await replay(mode="timing").run(Case("call", Input("session"), session_id=recorded), TRIAL)

    assert (output.metadata["turns_then"], output.metadata["turns_now"]) == (2, 2)
    assert {one.name for one in output.tool_calls} == {"get_weather"}


async def test_the_cookbooks_simulation_runs_with_the_embedded_provider_on_both_sides(shared: Path) -> None:
    folder = shared / "fixtures/evals"
    body: dict[str, Any] = json.loads((folder / "sim_cs_order_status.json").read_text())
    body["assistant"] |= {"tools": json.loads((folder / "tools.json").read_text())}
    scenario = read_scenario(body)
    assert (scenario.end_token, scenario.max_turns, scenario.real_time) == ("END_CALL", 6, True)
    graders = [f"{one.level} {one.kind}" for one in scenario.graders]
    assert graders == ["turn tool_call", "turn tool_call_args", "turn llm_as_judge", "trace llm_as_judge"]

    task = replay(model="local", simulator_model="local")
    output = await task.run(Case("sim", Input("simulation", scenario=body)), TRIAL)

    assert output.metadata["dialogue"][0]["text"] == scenario.first_turn
    assert [one.name for one in output.tool_calls][:1] == ["get_order_status"]
    assert "in transit" in (output.text or "").lower()
    assert output.metadata["ended"] == "end_token", output.metadata["dialogue"]
