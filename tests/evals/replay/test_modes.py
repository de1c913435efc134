"""Modes `session`, `timing` and `simulate`, and cases without a recording, against a stand-in behind a real
gateway.
"""

from __future__ import annotations

import asyncio
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from tests.cli.commands import Command
from tests.evals.replay.conftest import Stage, append, heard
from tests.evals.replay.standin import Call, Reply, speech
from voxgate.client.http import Client
from voxgate.client.realtime import realtime_session
from voxgate.evals.model import Case, Clip, Input
from voxgate.evals.protocols import TaskError, Trial
from voxgate.evals.replay import replay

pytestmark = pytest.mark.anyio
TRIAL = Trial("exp_1", 0, 7)
VAD = {"type": "server_vad", "silence_duration_ms": 200}


def call_case(session_id: str) -> Case:
    return Case("call", Input("session"), session_id=session_id)


async def record_with_vad(stage: Stage, *turns: bytes) -> str:
    """The user only speaks; the provider says where turns end."""
    async with realtime_session(Client(), "fake", project="default") as call:
        assert call.id is not None
        session = {"type": "realtime", "audio": {"input": {"turn_detection": VAD}}}
        await call.send({"type": "session.update", "session": session})
        for turn in turns:
            await append(call, turn)
            await heard(call, "response.done")
    await stage.voxgate.finished_session(call.id)
    return call.id


# Session


async def test_a_session_is_said_again_and_does_not_diverge_where_nothing_changed(stage: Stage) -> None:
    session_id = await stage.record(speech(200), "Two", speech(300))

    output = await replay(mode="session").run(call_case(session_id), TRIAL)

    assert output.text == "Answer 1. Answer 2. Answer 3."
    assert (output.metadata["diverged"], output.metadata["diverged_at"]) == ([], None)
    assert stage.standin.calls[-1].texts()[1] == "Answer 1."


async def test_other_tool_calls_are_told_as_a_divergence(stage: Stage) -> None:
    session_id = await stage.record(speech(200), speech(300))
    stage.standin.think = lambda call: (
        Reply("Done.") if len(call.items) != 3 else Reply(calls=[("refund", {"id": "A1"})])
    )

    output = await replay(mode="session", miss="error").run(call_case(session_id), TRIAL)

    now = [{"name": "refund", "arguments": {"id": "A1"}}]
    assert output.metadata["diverged"] == [{"turn": 1, "what": "tool_calls", "then": [], "now": now}]
    assert output.metadata["diverged_at"] == 1


async def test_turns_are_found_again_by_turn_detection_and_other_settings_of_it_find_others(
    stage: Stage,
) -> None:
    turn = speech(300) + speech(300, quiet_ms=300)
    paused = speech(300, quiet_ms=120) + speech(300, quiet_ms=300)
    session_id = await record_with_vad(stage, turn, paused)

    same = await replay(mode="session").run(call_case(session_id), TRIAL)
    hasty = replay(mode="session", turn_detection={**VAD, "silence_duration_ms": 60})
    other = await hasty.run(call_case(session_id), TRIAL)

    assert same.metadata["diverged"] == []
    assert stage.standin.calls[-2].session["audio"]["input"]["turn_detection"]["type"] == "server_vad"
    assert "response.create" not in stage.standin.calls[-2].types()
    assert {"turn": 1, "what": "turns", "then": 1, "now": 2} in other.metadata["diverged"]


async def test_at_real_pace_a_turn_begins_when_the_answer_before_it_has_been_heard(stage: Stage) -> None:
    stage.standin.think = lambda call: Reply("Yes.", sound_ms=600)
    session_id = await stage.record(speech(200), speech(200))

    output = await replay(mode="session", pace="real").run(call_case(session_id), TRIAL)

    trace = await stage.voxgate.finished_session(output.session_id or "")
    answers = [span for span in trace["spans"] if span["type"] == "response"]
    users = [span for span in trace["spans"] if span["type"] == "user"]
    assert users[1]["start_ms"] >= answers[0]["output"]["play_start_ms"] + 600
    assert not any(answer["output"]["interrupted"] for answer in answers)
    assert trace["metrics"]["v2v_p50"] is not None


# Timing


async def test_an_interruption_is_replayed_with_what_was_heard_by_the_clock_of_now(stage: Stage) -> None:
    stage.standin.think = lambda call: Reply("one two three four", sound_ms=3000)
    session_id = await record_with_vad(stage, speech(200, quiet_ms=300), speech(200, quiet_ms=300))

    output = await replay(mode="timing").run(call_case(session_id), TRIAL)

    call = stage.standin.calls[-1]
    cuts = [event for event in call.events if event["type"] == "conversation.item.truncate"]
    assert [cut["audio_end_ms"] < 3000 for cut in cuts] == [True]
    assert output.metadata["interruptions"] == 1
    assert (output.metadata["turns_then"], output.metadata["turns_now"]) == (2, 2)


async def test_without_turn_detection_everything_is_committed_and_asked_for_when_it_was(stage: Stage) -> None:
    session_id = await stage.record(speech(200), "Two", speech(300))

    output = await replay(mode="timing").run(call_case(session_id), TRIAL)

    call = stage.standin.calls[-1]
    assert [len(sound) for sound in call.committed] == [200 * 48, 300 * 48]
    assert call.types().count("response.create") == 3
    assert (output.metadata["turns_then"], output.metadata["turns_now"]) == (2, 2)


# Without a recording


async def test_a_text_and_a_sound_are_one_turn_in_a_new_call(stage: Stage, tmp_path: Path) -> None:
    text = Case("text", Input("text", text="Hello", config={"instructions": "Be kind."}))
    written = await replay(model="fake").run(text, TRIAL)
    assert stage.standin.calls[-1].texts()[:1] == ["Hello"]
    assert stage.standin.calls[-1].session["instructions"] == "Be kind."

    file = tmp_path / "said.wav"
    pcm = np.frombuffer(speech(500), "<i2")[::3]
    soundfile.write(file, pcm, 8000, subtype="ULAW")
    said = Case("said", Input("audio", clips=(Clip("audio/wav", path=str(file)),)))
    spoken = await replay(model="fake").run(said, TRIAL)
    assert [len(sound) for sound in stage.standin.calls[-1].committed] == [500 * 48]

    to_ulaw = {"audio": {"input": {"format": {"type": "audio/pcmu"}}}}
    await replay(model="fake", session=to_ulaw).run(said, TRIAL)
    assert [len(sound) for sound in stage.standin.calls[-1].committed] == [500 * 8]
    assert [one.text for one in (written, spoken)] == ["Answer 1.", "Answer 1."]
    assert None not in (written.turn_span_id, spoken.turn_span_id)


async def test_noise_is_in_what_is_said_and_the_same_for_the_same_seed(stage: Stage, tmp_path: Path) -> None:
    data = io.BytesIO()
    soundfile.write(data, np.frombuffer(speech(300), "<i2"), 24_000, format="WAV")
    (tmp_path / "said.wav").write_bytes(data.getvalue())
    case = Case("said", Input("audio", clips=(Clip("audio/wav", path=str(tmp_path / "said.wav")),)))
    for spec, seed in (({"gain": 0}, 1), ({"noise": 10}, 1), ({"noise": 10}, 1), ({"noise": 10}, 2)):
        await replay(model="fake", perturb=spec).run(case, Trial("", 0, seed))
    plain, first, again, other = [call.committed[0] for call in stage.standin.calls[-4:]]
    assert first == again
    assert len({plain, first, other}) == 3


async def test_what_cannot_be_run_is_said_and_not_tried_again(stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "no.wav").write_bytes(b"no sound")
    for case, words in (
        (Case("a", Input("value", value=1)), "'value' cannot be replayed"),
        (Case("b", Input("turn", turn=0)), "no recording"),
        (Case("c", Input("audio")), "no sound"),
        (Case("d", Input("audio", clips=(Clip("audio/wav", path=str(tmp_path / "no.wav")),))), "no sound"),
        (Case("e", Input("session"), session_id="sess_none"), "sess_none"),
        (Case("f", Input("simulation", scenario=scenario(max_turns=0))), "max_turns"),
    ):
        with pytest.raises(TaskError, match=words) as refused:
            await replay(model="fake").run(case, TRIAL)
        assert not refused.value.retryable, case.id
    with pytest.raises(TaskError, match="No model"):
        await replay().run(Case("g", Input("text", text="x")), TRIAL)


async def test_a_cancelled_replay_ends_its_call_and_leaves_nothing_running(stage: Stage) -> None:
    stage.standin.think = lambda call: Reply("Never.", delay_seconds=600)
    before = asyncio.all_tasks()
    running = asyncio.create_task(replay(model="fake").run(Case("a", Input("text", text="x")), TRIAL))
    async with asyncio.timeout(60):
        while not stage.standin.calls or "response.create" not in stage.standin.calls[-1].types():
            await asyncio.sleep(0.02)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    async with asyncio.timeout(60):
        while (await stage.voxgate.request("GET", "/api/sessions?q=status:live"))["items"]:
            await asyncio.sleep(0.05)
        while [one for one in asyncio.all_tasks() - before if "replay" in str(one.get_coro())]:
            await asyncio.sleep(0.05)


# Simulations


def both_sides(call: Call) -> Reply:
    """The user asks, is told, and hangs up; the assistant looks the order up first."""
    if "play the user" in call.session["instructions"]:
        heard = sum(1 for item in call.items if item.get("role") == "user")
        return Reply("Where is my order?" if not heard else "END_CALL")
    if call.items[-1]["type"] == "function_call_output":
        return Reply(f"It is {call.items[-1]['output']}.")
    return Reply(calls=[("get_order", {"id": "A1"})])


def scenario(**turns: Any) -> dict[str, Any]:
    return {
        "simulation_id": "sim_1",
        "assistant": {
            "system_prompt": "You are the clerk.",
            "tools": [{"name": "get_order"}],
            "model": "fake",
        },
        "simulator": {"system_prompt": "You play the user. Say the single token: END_CALL", "voice": "ash"},
        "turns": {"fixed_first_user_turn": "Where is my order?", "max_turns": 4, **turns},
        "tool_mocks": [{"name": "get_order", "output": "on its way"}],
    }


async def test_a_user_that_is_played_calls_until_the_end_token(stage: Stage) -> None:
    stage.standin.think = both_sides

    output = await replay().run(Case("sim", Input("simulation", scenario=scenario())), TRIAL)

    assert output.metadata["ended"] == "end_token"
    assert output.metadata["dialogue"] == [
        {"speaker": "user", "text": "Where is my order?"},
        {"speaker": "assistant", "text": "It is on its way."},
    ]
    assert [(one.name, one.result) for one in output.tool_calls] == [("get_order", "on its way")]
    assistant, user = stage.standin.calls[-2:]
    assert user.session["audio"]["output"]["voice"] == "ash"
    assert [len(call.committed) for call in (assistant, user)] == [1, 1]
    traces = [
        await stage.voxgate.finished_session(one)
        for one in (output.session_id, output.metadata["user_session_id"])
        if one
    ]
    assert [trace["metadata"]["role"] for trace in traces] == ["assistant", "user"]
    assert traces[0]["metadata"]["simulation_id"] == traces[1]["metadata"]["simulation_id"]


async def test_a_simulation_ends_at_the_turn_limit(stage: Stage) -> None:
    stage.standin.think = lambda call: Reply("And then?")

    case = Case("sim", Input("simulation", scenario=scenario(max_turns=2)))
    output = await replay().run(case, TRIAL)

    assert output.metadata["ended"] == "max_turns"
    assert [line["speaker"] for line in output.metadata["dialogue"]] == ["user", "assistant"] * 2


# The command


async def test_the_command_shows_what_was_said_then_and_now(stage: Stage, tmp_path: Path) -> None:
    session_id = await stage.record(speech(200), speech(300))
    stage.standin.think = lambda call: Reply(
        "Something else.",
        calls=() if call.items[-1]["type"] == "function_call_output" else [("look", {"at": 1})],
    )
    prompt = tmp_path / "prompt.txt"
    prompt.write_text("Be short.")
    command = Command(stage.voxgate, here=True)

    whole = await asyncio.to_thread(command, "replay", session_id, "--instructions", str(prompt))
    one = await asyncio.to_thread(command, "replay", session_id, "--turn", "2", "--perturb", '{"gain": -6}')
    other = await asyncio.to_thread(command, "replay", session_id, "--mode", "session", "--json")
    wrong = await asyncio.to_thread(command, "replay", session_id, "--perturb", "{")

    assert stage.standin.calls[-3].session["instructions"] == "Be short."
    for text in ("turn 1", "turn 2", "Answer 2.", "Something else.", 'look({"at": 1})', "not known: look"):
        assert text in whole.output, whole.output
    assert f"/sessions/{session_id}" in whole.output
    assert "turn 2" in one.output
    assert "turn 1" not in one.output
    assert json.loads(other.output)["metadata"]["diverged_at"] == 0
    assert (wrong.status, "--perturb is no JSON" in wrong.errors) == (2, True)
