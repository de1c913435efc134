"""What the model knew before a turn, from event logs: of live services and made up, cut anywhere."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tests.recordings import read_recording
from voxgate.evals.replay.context import input_item, rebuild
from voxgate.evals.replay.plan import Plan
from voxgate.evals.replay.recorded import RecordedCall, Spoken, read_call
from voxgate.evals.replay.settings import session_settings
from voxgate.traces.events import Event

Json = dict[str, Any]
STEP_NS = 100_000_000
PCM = base64.b64encode(b"\1\2" * 2400).decode()


def events_of(messages: Sequence[tuple[str, Json]]) -> list[Event]:
    return [Event((place + 1) * STEP_NS, side, dict(msg)) for place, (side, msg) in enumerate(messages)]


def sounding(spoken: Spoken) -> Json | None:
    return {"type": "input_audio", "audio": PCM} if spoken.has_sound else None


def contexts(call: RecordedCall) -> list[list[Json]]:
    return [rebuild(call, turn.context, sounding).items for turn in call.turns]


def user(text: str, item_id: str) -> list[tuple[str, Json]]:
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
    return [
        ("client", {"type": "conversation.item.create", "item": item}),
        ("server", {"type": "conversation.item.added", "item": {"id": item_id, **item}}),
    ]


def spoken(item_id: str, words: str | None = None) -> list[tuple[str, Json]]:
    item = {"id": item_id, "type": "message", "role": "user", "content": [{"type": "input_audio"}]}
    said = "conversation.item.input_audio_transcription.completed"
    return [
        ("client", {"type": "input_audio_buffer.append", "audio": PCM}),
        ("client", {"type": "input_audio_buffer.commit"}),
        ("server", {"type": "input_audio_buffer.committed", "item_id": item_id}),
        ("server", {"type": "conversation.item.added", "item": item}),
        *([("server", {"type": said, "item_id": item_id, "transcript": words})] if words else []),
    ]


def answer(response_id: str, item_id: str, words: str, *, sound: bool = True) -> list[tuple[str, Json]]:
    item = {"id": item_id, "type": "message", "role": "assistant", "content": []}
    at = {"response_id": response_id, "item_id": item_id}
    name = "response.output_audio_transcript.done"
    done = {"type": "response.done", "response": {"id": response_id, "status": "completed"}}
    return [
        ("client", {"type": "response.create"}),
        ("server", {"type": "response.created", "response": {"id": response_id}}),
        ("server", {"type": "response.output_item.added", "response_id": response_id, "item": item}),
        ("server", {"type": "conversation.item.added", "item": item}),
        *([("server", {"type": "response.output_audio.delta", **at, "delta": PCM * 20})] if sound else []),
        ("server", {"type": name, **at, "transcript": words}),
        ("server", done),
    ]


def tool(response_id: str, call_id: str, result: str) -> list[tuple[str, Json]]:
    call = {"id": f"item_{call_id}", "type": "function_call", "call_id": call_id, "name": "look"}
    output = {"type": "function_call_output", "call_id": call_id, "output": result}
    full = {**call, "arguments": '{"a": 1}'}
    done = {"id": response_id, "status": "completed", "output": [full]}
    return [
        ("client", {"type": "response.create"}),
        ("server", {"type": "response.created", "response": {"id": response_id}}),
        ("server", {"type": "conversation.item.added", "item": {**call, "arguments": ""}}),
        ("server", {"type": "response.output_item.done", "response_id": response_id, "item": full}),
        ("server", {"type": "response.done", "response": done}),
        ("client", {"type": "conversation.item.create", "item": output}),
        ("server", {"type": "conversation.item.added", "item": {"id": f"out_{call_id}", **output}}),
    ]


def texts(items: Sequence[Json]) -> list[str]:
    return [part.get("text", part["type"]) for item in items for part in item.get("content", ())]


def test_speech_is_words_where_they_are_known_and_sound_where_not() -> None:
    log = [*spoken("u1", "Hello"), *answer("r1", "a1", "Hi."), *spoken("u2"), *answer("r2", "a2", "Yes.")]
    call = read_call(events_of([*log, *spoken("u3"), *answer("r3", "a3", "No.")]))
    known = rebuild(call, call.turns[2].context, sounding)
    assert texts(known.items) == ["Hello", "Hi.", "input_audio", "Yes."]
    assert known.of == ["u1", "a1", "u2", "a2"]
    loud = rebuild(call, call.turns[2].context, sounding, prefer_sound=True)
    assert texts(loud.items) == ["input_audio", "Hi.", "input_audio", "Yes."]


def test_of_an_interrupted_answer_the_model_knows_what_was_heard() -> None:
    words = "one two three four five six seven eight nine ten"
    cut = ("client", {"type": "conversation.item.truncate", "item_id": "a1", "audio_end_ms": 1000})
    log = [*spoken("u1", "Count"), *answer("r1", "a1", words), cut, *spoken("u2", "Stop")]
    call = read_call(events_of([*log, *answer("r2", "a2", "Fine.")]))
    assert texts(contexts(call)[1]) == ["Count", "one two three four five"]


def test_calls_keep_their_results_and_the_arguments_that_came_later() -> None:
    log = [
        *user("Look", "u1"),
        *tool("r1", "call_1", "found"),
        *answer("r2", "a2", "Found."),
        *user("More", "u2"),
    ]
    call = read_call(events_of([*log, *answer("r3", "a3", "Done.")]))
    assert [item["type"] for item in contexts(call)[1]] == [
        "message", "function_call", "function_call_output", "message",
    ]  # fmt: skip
    assert contexts(call)[1][1] == {
        "type": "function_call", "call_id": "call_1", "name": "look", "arguments": '{"a": 1}',
    }  # fmt: skip


def test_a_deleted_item_is_not_known_any_more_and_a_later_turn_does_not_know_itself() -> None:
    deleted = ("server", {"type": "conversation.item.deleted", "item_id": "u1"})
    log = [*user("Secret", "u1"), *answer("r1", "a1", "Noted."), deleted, *user("So?", "u2")]
    call = read_call(events_of([*log, *answer("r2", "a2", "What?")]))
    assert [texts(items) for items in contexts(call)] == [[], ["Noted."]]


def test_history_that_the_client_brought_is_known_in_its_order() -> None:
    history = {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "output_text", "text": "Earlier."}],
    }
    system = {"type": "message", "role": "system", "content": [{"type": "input_text", "text": "Rule."}]}
    log: list[tuple[str, Json]] = [
        ("client", {"type": "conversation.item.create", "item": {"id": "s", **system}}),
        ("client", {"type": "conversation.item.create", "item": {"id": "h", **history}}),
    ]
    call = read_call(events_of([*log, *user("Go", "u1"), *answer("r1", "a1", "Went.")]))
    known = contexts(call)[0]
    assert [(item["role"], *texts([item])) for item in known] == [
        ("system", "Rule."),
        ("assistant", "Earlier."),
    ]


def test_what_no_client_can_create_is_left_out_and_counted() -> None:
    tools = ("server", {"type": "conversation.item.added", "item": {"id": "m", "type": "mcp_list_tools"}})
    call = read_call(events_of([tools, *user("Go", "u1"), *answer("r1", "a1", "Went.")]))
    known = rebuild(call, call.turns[0].context, sounding)
    assert (known.items, known.left_out) == ([], {"mcp_list_tools": 1})


def test_a_result_whose_call_was_deleted_is_left_out() -> None:
    deleted = ("server", {"type": "conversation.item.deleted", "item_id": "item_call_1"})
    log = [*user("Look", "u1"), *tool("r1", "call_1", "found"), deleted, *user("More", "u2")]
    call = read_call(events_of([*log, *answer("r2", "a2", "Done.")]))
    known = rebuild(call, call.turns[1].context, sounding)
    assert ([item["type"] for item in known.items], known.left_out) == (
        ["message"], {"function_call_output": 1},
    )  # fmt: skip


# Every log there is


RECORDED = (
    "test_azure_voice_live_ws__test_audio_in_server_vad_turn",
    "test_azure_ws__test_text_in_audio_out_turn",
    "test_openai_ws__test_audio_in_server_vad_turn",
    "test_openai_ws__test_text_in_audio_out_turn",
    "test_openai_ws__test_tool_call_round",
    "test_openai_ws_sideband__test_webrtc_sideband_text_turn",
    "test_xai_ws__test_audio_in_server_vad_turn",
)


def recorded_events(shared: Path, name: str) -> list[Event]:
    sides = {"sent": "client", "received": "server"}
    return events_of([(sides[side], msg) for side, msg in read_recording(shared, name)])


@pytest.fixture(scope="module")
def item_schema(shared: Path) -> Draft202012Validator:
    """Of what `conversation.item.create` may carry."""
    found = json.loads((shared / "fixtures/realtime/event-shapes/ga-client-events.schema.json").read_text())
    return Draft202012Validator({"$defs": found["$defs"], "$ref": "#/$defs/ConversationItemCreateEvent"})


@pytest.mark.parametrize("name", RECORDED)
def test_calls_of_live_services_can_be_cut_anywhere_and_give_valid_items(
    shared: Path, name: str, item_schema: Draft202012Validator
) -> None:
    events = recorded_events(shared, name)
    for end in range(0, len(events) + 1, max(len(events) // 12, 1)):
        call = read_call(events[:end])
        for items in contexts(call):
            check(items, item_schema)
        session_settings(call.config, Plan(), detects_turns=True)
    assert read_call(events).turns, "a call in which nothing was asked shows nothing"


def check(items: Sequence[Json], schema: Draft202012Validator) -> None:
    for item in items:
        schema.validate({"type": "conversation.item.create", "item": item})
        assert len(item.get("call_id", "")) <= 32


turns = st.lists(
    st.one_of(
        st.text(min_size=1, max_size=5).map(lambda text: ("text", text)),
        st.just(("speech", "")),
        st.sampled_from(["spoken words", ""]).map(lambda words: ("speech", words)),
        st.just(("tool", "")),
    ),
    max_size=5,
)
odd = st.sampled_from(
    [
        {"type": "conversation.item.added", "item": {"id": "x", "type": "message", "role": "critic"}},
        {
            "type": "conversation.item.added",
            "item": {"id": "y", "type": "function_call_output", "call_id": "?"},
        },
        {"type": "conversation.item.added", "item": {"id": "z", "type": "mcp_call", "name": "n" * 99}},
        {"type": "conversation.item.added", "item": {"id": "w" * 80, "type": "function_call", "name": "f"}},
        {"type": "conversation.item.added", "item": {"id": "v", "type": "message", "content": [{"text": 3}]}},
        {"type": "conversation.item.truncated", "item_id": "a0", "audio_end_ms": 10},
        {"type": "conversation.item.deleted", "item_id": "u1"},
        {"type": "session.updated", "session": {"audio": 3, "tools": [3, {"type": "mcp"}]}},
        {"type": "response.created"},
        {"type": "response.done", "response": []},
    ]
)


def made_up(parts: list[tuple[str, str]], strange: list[Json]) -> list[Event]:
    log: list[tuple[str, Json]] = []
    for place, (kind, words) in enumerate(parts):
        log += user(words, f"u{place}") if kind == "text" else spoken(f"u{place}", words)
        if kind == "tool":
            log += tool(f"t{place}", f"call_{place}" * 9, "found")
        log += answer(f"r{place}", f"a{place}", "Some words.", sound=kind != "text")
        log += [("server", one) for one in strange[place : place + 1]]
    return events_of(log)


@settings(max_examples=40)
@given(parts=turns, strange=st.lists(odd, max_size=5), cut=st.floats(0, 1))
def test_no_log_however_it_is_cut_stops_a_rebuild_and_all_items_are_valid(
    item_schema: Draft202012Validator, parts: list[tuple[str, str]], strange: list[Json], cut: float
) -> None:
    events = made_up(parts, strange)
    call = read_call(events[: round(len(events) * cut)])
    for turn in call.turns:
        check(rebuild(call, turn.context, sounding).items, item_schema)
        check([item for one in turn.inputs if (item := input_item(one))], item_schema)
    session_settings(call.config, Plan(instructions="x"), detects_turns=False)
