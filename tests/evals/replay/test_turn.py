"""Mode `turn`, against a stand-in behind a real gateway."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from tests.evals.replay.conftest import Stage
from tests.evals.replay.standin import Call, Reply, speech
from tests.evals.replay.test_context import RECORDED, recorded_events
from voxgate.core.prices import PriceTable
from voxgate.evals.datasets import dataset
from voxgate.evals.model import Case, Input
from voxgate.evals.protocols import TaskError, Trial
from voxgate.evals.replay import replay
from voxgate.evals.replay.recorded import read_call
from voxgate.evals.replay.turn import takeable

pytestmark = pytest.mark.anyio
TRIAL = Trial("exp_1", 2, 7)


def turn_case(session_id: str, turn: int) -> Case:
    return Case(f"case-{turn}", Input("turn", turn=turn), session_id=session_id)


async def test_a_turn_is_said_again_after_what_was_known_before_it(stage: Stage) -> None:
    session_id = await stage.record(
        "Hello there", speech(400), speech(300), session={"instructions": "Be kind."}
    )

    output = await replay(model="fake-2").run(turn_case(session_id, 2), TRIAL)

    call = stage.standin.calls[-1]
    assert call.texts()[:3] == ["Hello there", "Answer 1.", ""]
    assert call.session["instructions"] == "Be kind."
    assert [len(sound) for sound in call.committed] == [300 * 48]
    assert call.session["audio"]["input"]["turn_detection"] is None
    assert output.text == "Answer 3."
    assert output.session_id != session_id
    assert output.turn_span_id is not None
    assert output.metadata["context_items"] == 4


async def test_at_real_pace_the_answer_sounds_to_its_end_so_that_its_wait_is_measured(stage: Stage) -> None:
    stage.standin.think = lambda call: Reply("Yes.", sound_ms=600)
    session_id = await stage.record(speech(200))

    output = await replay(pace="real").run(turn_case(session_id, 0), TRIAL)

    trace = await stage.voxgate.finished_session(output.session_id or "")
    [answer] = (span for span in trace["spans"] if span["type"] == "response")
    assert answer["metrics"]["audio_heard_ms"] == 600
    assert trace["metrics"]["v2v_p50"] is not None


async def test_the_replay_is_a_session_that_says_of_which_case_it_is(stage: Stage) -> None:
    session_id = await stage.record(speech(200))

    output = await replay(model="fake").run(turn_case(session_id, 0), TRIAL)

    assert output.session_id is not None
    found = await stage.voxgate.request("GET", "/api/sessions", params={"q": "tag:replay tag:exp_1"})
    assert output.session_id in [one["id"] for one in found["items"]]
    trace = await stage.voxgate.finished_session(output.session_id)
    assert trace["metadata"]["case_id"] == "case-0"
    assert (trace["metadata"]["trial"], trace["metadata"]["replay_of"]) == (2, session_id)
    spans = [span for span in trace["spans"] if span["id"] == output.turn_span_id]
    assert [span["type"] for span in spans] == ["turn"]


def order_tool(call: Call) -> Reply:
    last = call.items[-1]
    if last["type"] == "function_call_output":
        return Reply(f"It is {last['output']}.")
    if len(call.items) == 1:
        return Reply("Which one?")
    return Reply(calls=[("get_order", {"id": "A1", "fast": True})])


async def test_tools_are_answered_with_the_recorded_results_until_the_final_response(stage: Stage) -> None:
    stage.standin.think = order_tool
    session_id = await stage.record(speech(200), speech(300), tools={"get_order": "shipped"})

    output = await replay().run(turn_case(session_id, 1), TRIAL)

    assert [(one.name, one.arguments, one.result) for one in output.tool_calls] == [
        ("get_order", {"id": "A1", "fast": True}, "shipped")
    ]
    assert output.text == "It is shipped."
    assert output.metadata["misses"] == []


async def test_a_call_that_was_not_recorded_is_an_error_and_is_counted(stage: Stage) -> None:
    stage.standin.think = order_tool
    session_id = await stage.record(speech(200), speech(300), tools={"get_order": "shipped"})
    stage.standin.think = lambda call: (
        order_tool(call)
        if call.items[-1]["type"] == "function_call_output"
        else Reply(calls=[("get_order", {"id": "B2"})])
    )

    case = turn_case(session_id, 1)
    output = await replay().run(case, TRIAL)
    nearest = await replay(miss="nearest").run(case, TRIAL)

    assert "no result" in (output.text or "")
    assert output.metadata["misses"] == [
        {"name": "get_order", "arguments": {"id": "B2"}, "answered": "error"}
    ]
    assert nearest.text == "It is shipped."
    assert nearest.metadata["misses"][0]["answered"] == "nearest"


async def test_a_later_turn_knows_the_calls_and_results_of_the_turns_before(stage: Stage) -> None:
    stage.standin.think = order_tool
    session_id = await stage.record(speech(200), speech(300), "And now?", tools={"get_order": "shipped"})

    await replay().run(turn_case(session_id, 2), TRIAL)

    known = stage.standin.calls[-1].items
    kinds = [item["type"] for item in known[:6]]
    assert kinds == ["message", "message", "message", "function_call", "function_call_output", "message"]
    assert known[3]["call_id"] == known[4]["call_id"]
    assert (known[3]["name"], known[4]["output"]) == ("get_order", "shipped")


async def test_a_whole_call_is_replayed_turn_by_turn_without_diverging(stage: Stage) -> None:
    session_id = await stage.record(speech(200), "Two", speech(300))
    stage.standin.think = lambda call: Reply(f"Other {len(call.items)}.")

    output = await replay().run(Case("all", Input("session"), session_id=session_id), TRIAL)

    assert output.text == "Other 1. Other 3. Other 5."
    last = stage.standin.calls[-1]
    assert last.texts()[:5] == ["", "Answer 1.", "Two", "Answer 2.", ""]
    assert [len(sound) for sound in last.committed] == [200 * 48, 300 * 48]


async def test_instructions_voice_and_session_of_the_experiment_replace_the_recorded(stage: Stage) -> None:
    recorded = {"instructions": "Be kind.", "tool_choice": "none", "audio": {"output": {"voice": "alloy"}}}
    session_id = await stage.record(speech(200), session=recorded)

    task = replay(instructions="Be short.", voice="cedar", session={"max_output_tokens": 100})
    await task.run(turn_case(session_id, 0), TRIAL)

    session = stage.standin.calls[-1].session
    assert (session["instructions"], session["audio"]["output"]["voice"]) == ("Be short.", "cedar")
    assert (session["tool_choice"], session["max_output_tokens"]) == ("none", 100)
    assert task.describe()["instructions"] == "Be short."


@pytest.mark.parametrize(("kind", "retryable"), [("server_error", True), ("insufficient_quota", False)])
async def test_a_failed_response_is_a_task_error(stage: Stage, kind: str, retryable: bool) -> None:
    session_id = await stage.record(speech(200))
    error = {"type": kind, "message": "The model fell over."}
    stage.standin.think = lambda call: Reply(status="failed", error=error)

    with pytest.raises(TaskError, match="fell over") as failed:
        await replay().run(turn_case(session_id, 0), TRIAL)

    assert failed.value.retryable is retryable


async def test_refused_settings_a_missing_turn_and_an_unknown_model_are_not_tried_again(stage: Stage) -> None:
    session_id = await stage.record(speech(200))
    with pytest.raises(TaskError, match="no turn 5: the recording has 1 turn") as missing:
        await replay().run(turn_case(session_id, 4), TRIAL)
    with pytest.raises(TaskError, match="none-such") as unknown:
        await replay(model="none-such").run(turn_case(session_id, 0), TRIAL)
    stage.standin.confirms = False
    with pytest.raises(TaskError, match="Unknown parameter") as refused:
        await replay().run(turn_case(session_id, 0), TRIAL)

    assert [one.value.retryable for one in (missing, unknown, refused)] == [False, False, False]


async def test_an_answer_that_never_ends_is_given_up_in_time(stage: Stage) -> None:
    session_id = await stage.record(speech(200))
    stage.standin.think = lambda call: Reply("Never.", delay_seconds=600)

    with pytest.raises(TaskError, match="No end of the response") as late:
        await replay(timeout=0.3).run(turn_case(session_id, 0), TRIAL)

    assert late.value.retryable


async def test_every_turn_of_the_recordings_of_live_services_is_replayed(
    stage: Stage, shared: Path, tmp_path: Path
) -> None:
    replayed = 0
    for name in RECORDED:
        events = recorded_events(shared, name)
        log = tmp_path / f"{name}.jsonl"
        lines = [{"t": event.t_ns, "dir": event.dir, "msg": event.msg} for event in events]
        log.write_text("".join(json.dumps(line) + "\n" for line in lines))
        for turn in takeable(read_call(events)):
            case = Case(name, Input("turn", recording=str(log), turn=turn.number))
            output = await replay(model="fake").run(case, TRIAL)
            assert (output.text or "").startswith("Answer"), name
            replayed += 1
    assert replayed >= len(RECORDED)


async def test_the_turns_of_a_data_set_are_replayed_from_its_own_copies(stage: Stage) -> None:
    session_id = await stage.record(speech(200), "Two", speech(300))
    made = await stage.voxgate.request("POST", "/api/datasets", json={"name": "turns", "project": "default"})
    chosen = {"sessions": [session_id], "turns": "each", "expected": "said"}
    await stage.voxgate.request("POST", f"/api/datasets/{made['id']}/from-sessions", json=chosen)
    cases = await asyncio.to_thread(lambda: list(dataset("turns", project="default")))
    await stage.voxgate.request("DELETE", f"/api/sessions/{session_id}")

    task = replay()
    said = [(await task.run(case, TRIAL)).text for case in cases]

    assert said == ["Answer 1.", "Answer 2.", "Answer 3."]
    assert [case.expected.transcript for case in cases] == said
    assert [len(sound) for sound in stage.standin.calls[-1].committed] == [300 * 48]


def test_what_a_case_is_likely_to_cost_follows_from_what_its_turn_used() -> None:
    log = Path(__file__).parent / "none.jsonl"
    unknown = Case("a", Input("turn", recording=str(log), turn=0))
    assert replay(model="gpt-realtime-2").estimate_usd(unknown) is None
    text = Case("b", Input("text", text="Hello" * 100))
    known = replay(model="gpt-realtime-2").estimate_usd(text)
    assert known is not None
    assert 0 < known < 0.05
    assert replay(model="no-such").estimate_usd(text) is None


async def test_the_cost_of_a_recorded_turn_is_estimated_at_the_price_of_the_new_model(stage: Stage) -> None:
    session_id = await stage.record(speech(200), speech(300))
    case = turn_case(session_id, 1)
    known = await asyncio.to_thread(replay(model="gpt-realtime-2").estimate_usd, case)
    price = PriceTable().of("gpt-realtime-2")
    assert price is not None
    assert price.text_input is not None
    each = (price.text_input, price.audio_input, price.text_output, price.audio_output)
    tokens = (10, 10, 5, 5)
    total = sum(count * (dollars or 0) for count, dollars in zip(tokens, each, strict=True))
    assert known == pytest.approx(total / 1e6)
