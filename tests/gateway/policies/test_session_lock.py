"""Locked settings: what may be said of them, what is refused, and what a client is not shown."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.gateway.policies.readers import READERS, texts
from voxgate.core.errors import SettingsRefused
from voxgate.gateway.policies.ruling import Ruling
from voxgate.gateway.policies.session_lock import SessionLock

SECRET = "You are the shop's clerk. The discount code is PLUM."
TOOL = {"type": "function", "name": "get_weather", "parameters": {"type": "object"}}
SETTINGS: dict[str, Any] = {
    "instructions": SECRET,
    "audio": {"output": {"voice": "cedar"}, "input": {"turn_detection": None}},
    "tools": [TOOL],
}
ALL = ["instructions", "audio.output.voice", "audio.input.turn_detection", "tools"]


def sent(lock: SessionLock, **event: Any) -> Ruling:
    return lock.to_provider(json.dumps(event).encode())


def error_of(ruling: Ruling) -> dict[str, Any]:
    assert ruling.forward == ()
    (back,) = ruling.back
    event = orjson.loads(back)
    assert event["type"] == "error"
    assert event["event_id"]
    error: dict[str, Any] = event["error"]
    return error


def update(**session: Any) -> dict[str, Any]:
    return {"type": "session.update", "event_id": "mine", "session": session}


def test_the_session_opens_with_the_settings() -> None:
    (text,) = SessionLock(SETTINGS, ALL).opening().forward
    event = orjson.loads(text)
    assert event["type"] == "session.update"
    assert event["session"] == {"type": "realtime", **SETTINGS}


def test_a_transcription_session_opens_as_one() -> None:
    (text,) = SessionLock({"type": "transcription"}, []).opening().forward
    assert orjson.loads(text)["session"] == {"type": "transcription"}


def test_without_settings_nothing_is_originated() -> None:
    assert SessionLock({}, ["tools"]).opening() == Ruling()


@pytest.mark.parametrize(
    ("session", "param"),
    [
        ({"instructions": "Be rude."}, "session.instructions"),
        ({"instructions": SECRET}, "session.instructions"),
        ({"instructions": None}, "session.instructions"),
        ({"speed": 1, "audio": {"output": {"voice": "alloy"}}}, "session.audio.output.voice"),
        ({"audio": {"output": None}}, "session.audio.output"),
        ({"audio": {"output": {}}}, "session.audio.output"),
        ({"audio": None}, "session.audio"),
        (
            {"audio": {"input": {"turn_detection": {"type": "server_vad"}}}},
            "session.audio.input.turn_detection",
        ),
        ({"tools": []}, "session.tools"),
        ({"tools": [TOOL, {**TOOL, "name": "steal"}]}, "session.tools"),
        ({"prompt": {"id": "pmpt_1"}}, "session.prompt"),
        ({"voice": "alloy"}, "session.voice"),
        ({"turn_detection": {"type": "server_vad"}}, "session.turn_detection"),
    ],
)
def test_a_locked_field_cannot_be_changed(session: dict[str, Any], param: str) -> None:
    error = error_of(sent(SessionLock(SETTINGS, ALL), **update(**session)))
    assert error["type"] == "invalid_request_error"
    assert error["code"] == "session_field_locked"
    assert error["param"] == param
    assert error["event_id"] == "mine"
    assert param in error["message"]


def test_that_there_is_no_prompt_may_be_said_where_there_is_none() -> None:
    for body in ("session", "response"):
        event = {"type": "anything", body: {"prompt": None}}
        assert sent(SessionLock(SETTINGS, ALL), **event).forward
        for locked in ("prompt", "instructions", "tools"):
            lock = SessionLock({**SETTINGS, "prompt": {"id": "pmpt_1"}}, [locked])
            assert error_of(sent(lock, **event))["param"] == f"{body}.prompt"


@pytest.mark.parametrize(
    ("response", "param"),
    [
        ({"instructions": "Be rude."}, "response.instructions"),
        ({"tools": []}, "response.tools"),
        ({"audio": {"output": {"voice": "alloy"}}}, "response.audio.output.voice"),
        ({"prompt": {"id": "pmpt_1"}}, "response.prompt"),
        ({"input": [{"type": "message", "role": "system", "content": []}]}, "response.input.0.role"),
        ({"input": [{"type": "mcp_list_tools", "tools": []}]}, "response.input.0.tools"),
    ],
)
def test_a_locked_field_cannot_be_changed_for_one_response(response: dict[str, Any], param: str) -> None:
    error = error_of(sent(SessionLock(SETTINGS, ALL), type="response.create", response=response))
    assert (error["code"], error["param"], error["event_id"]) == ("session_field_locked", param, None)


@pytest.mark.parametrize("kind", ["Session.Update", "transcription_session.update", "anything"])
def test_the_type_of_the_event_does_not_matter(kind: str) -> None:
    ruling = sent(SessionLock(SETTINGS, ALL), type=kind, session={"instructions": "Be rude."})
    assert error_of(ruling)["code"] == "session_field_locked"


@pytest.mark.parametrize("role", ["system", "developer", "System", 1])
def test_locked_instructions_are_not_added_to_by_a_system_message(role: Any) -> None:
    item = {"type": "message", "role": role, "content": []}
    lock = SessionLock(SETTINGS, ["instructions"])
    assert error_of(sent(lock, type="conversation.item.create", item=item))["param"] == "item.role"
    assert sent(SessionLock(SETTINGS, ["tools"]), type="conversation.item.create", item=item).forward


@pytest.mark.parametrize(
    "event",
    [
        update(audio={"output": {"speed": 1.2}, "input": {"format": {"type": "audio/pcmu"}}}),
        update(audio={"output": {"voice": "cedar"}}, tools=[dict(reversed(TOOL.items()))]),
        update(type="realtime", model="gpt-realtime", tool_choice="auto"),
        {"type": "response.create"},
        {"type": "response.create", "response": None},
        {"type": "response.create", "response": {"metadata": {"Any Name": "x"}, "conversation": "none"}},
        {"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": []}},
        {"type": "conversation.item.create", "item": {"type": "function_call_output", "output": "{}"}},
        {"type": "input_audio_buffer.append", "audio": "AAAA"},
    ],
)
def test_what_is_not_locked_passes_as_the_same_bytes(event: dict[str, Any]) -> None:
    text = json.dumps(event, indent=1).encode()
    assert SessionLock(SETTINGS, ALL).to_provider(text).forward[0] is text


def test_defaults_may_be_changed() -> None:
    text = json.dumps(update(instructions="Mine", voice="alloy", prompt={"id": "p"})).encode()
    assert SessionLock(SETTINGS, []).to_provider(text).forward == (text,)


def test_a_field_is_locked_although_no_setting_gives_it() -> None:
    lock = SessionLock({}, ["audio.input"])
    param = "session.audio.input.noise_reduction"
    assert error_of(sent(lock, **update(audio={"input": {"noise_reduction": None}})))["param"] == param
    assert sent(lock, **update(audio={"output": {"speed": 1.1}})).forward


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"null",
        b"[]",
        b'[{"type":"session.update","session":{"instructions":"x"}}]',
        b'{"type":"session.update"',
        b'{"session":{"instructions":"x"}}',
        b'{"type":7}',
        b'{"type":"response.cancel","type":"session.update","session":{"speed":1}}',
        b'{"type":"session.update","session":{"voice":"cedar","voice":"cedar"}}',
        b'{"type":"x","Session":{"instructions":"x"}}',
        b'{"type":"x","session":{"\\u0049nstructions":"x"}}',
        b'{"type":"x","session":{"instructions\\u0000":"x"}}',
        b'{"type":"x","session":{"in\\ud800structions":"x"}}',
        '{"type":"x","session":{"inſtructions":"x"}}'.encode(),
        b'{"type":"x","session":"{}"}',
        b'{"type":"x","session":null}',
        b'{"type":"x","response":[]}',
        b'{"type":"x","response":{"input":"all"}}',
        b'{"type":"x","item":[]}',
        b'{"type":"x","n":NaN}',
        b'{"type":"x","n":' + b"1" * 5000 + b"}",
        b'{"type":"x\xff"}',
        b'\xef\xbb\xbf{"type":"x"}',
        '{"type":"session.update","session":{"instructions":"x"}}'.encode("utf-16"),
        b'{"type":"x","n":' + b"[" * 100_000,
        b'{"type":"x","event_id":"\\ud800","session":{"Instructions":1}}',
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(text: bytes) -> None:
    error = error_of(SessionLock(SETTINGS, ALL).to_provider(text))
    assert error["type"] == "invalid_request_error"
    assert error["code"] in {"invalid_event", "session_field_locked"}


def changes_a_lock(event: Any) -> bool:
    """Whether a provider that has read this would use another value for a locked field."""
    if not isinstance(event, dict):
        return False
    for body in (event.get("session"), event.get("response")):
        if isinstance(body, dict) and any(_changes(body, path.split("."), SETTINGS) for path in ALL):
            return True
        if isinstance(body, dict) and body.get("voice", "cedar") != "cedar":
            return True
    return False


def _changes(body: dict[str, Any], path: list[str], own: Any) -> bool:
    name, *rest = path
    if name not in body:
        return False
    value, own = body[name], own[name]
    if rest:
        return not isinstance(value, dict) or _changes(value, rest, own)
    return orjson.dumps(value) != orjson.dumps(own) if _writable(value) else True


def _writable(value: Any) -> bool:
    try:
        orjson.dumps(value)
    except orjson.JSONEncodeError:
        return False
    return True


@settings(max_examples=1500, deadline=None)
@given(texts)
def test_no_reader_finds_a_changed_lock_in_what_goes_on(text: bytes) -> None:
    ruling = SessionLock(SETTINGS, ALL).to_provider(text)
    assert bool(ruling.forward) != bool(ruling.back)
    for forwarded in ruling.forward:
        assert not any(changes_a_lock(read(forwarded)) for read in READERS)
    for back in ruling.back:
        assert orjson.loads(back)["type"] == "error"


def test_the_readers_of_that_test_find_changes() -> None:
    for text in (
        b'{"type":"x","session":{"instructions":"a"},"session":{}}',
        b'{"type":"x","session":{},"session":{"instructions":"a"}}',
        b'{"type":"x","SESSION":{"audio":{"Output":null}}}',
        b'{"type":"x","response":{"tools\\u0000":[]}}',
    ):
        assert any(changes_a_lock(read(text)) for read in READERS)


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=200) | texts)
def test_no_message_makes_a_stage_fail(text: bytes) -> None:
    lock = SessionLock(SETTINGS, ALL)
    lock.opening()
    assert isinstance(lock.to_client(text), Ruling)
    assert isinstance(lock.to_provider(text), Ruling)


# What the client is shown


def shown(lock: SessionLock, event: dict[str, Any], **how: Any) -> dict[str, Any]:
    (text,) = lock.to_client(json.dumps(event, **how).encode()).forward
    found: dict[str, Any] = orjson.loads(text)
    return found


@pytest.mark.parametrize("kind", ["session.created", "session.updated"])
def test_locked_instructions_are_not_shown(kind: str) -> None:
    session = {**SETTINGS, "id": "sess_1", "prompt": {"id": "p"}}
    event = {"type": kind, "event_id": "e", "session": session}
    rest = {name: value for name, value in session.items() if name not in ("instructions", "prompt")}
    assert shown(SessionLock(SETTINGS, ["instructions"]), event) == {**event, "session": rest}
    assert shown(SessionLock(SETTINGS, ["prompt"]), event)["session"] == rest
    assert shown(SessionLock(SETTINGS, ["tools"]), event) == event


def test_a_response_does_not_show_them_either() -> None:
    event = {"type": "response.created", "response": {"id": "r", "instructions": SECRET}}
    assert shown(SessionLock(SETTINGS, ALL), event)["response"] == {"id": "r"}


def test_escapes_do_not_show_them() -> None:
    text = b'{"type":"session.updated","session":{"\\u0069nstructions":"PLUM"}}'
    (found,) = SessionLock(SETTINGS, ALL).to_client(text).forward
    assert b"PLUM" not in found


def test_what_a_client_cannot_read_is_not_passed_on_if_it_may_show_them() -> None:
    assert SessionLock(SETTINGS, ALL).to_client(b'{"session":{"instructions":"PLUM"') == Ruling()


@pytest.mark.parametrize(
    "kind", ["response.output_audio.delta", "response.output_text.delta", "response.done"]
)
def test_other_messages_come_as_the_same_bytes(kind: str) -> None:
    text = json.dumps({"type": kind, "delta": "instructions", "response": {"id": "r"}}).encode()
    assert SessionLock(SETTINGS, ALL).to_client(text).forward[0] is text


def test_keys_of_mcp_servers_are_never_shown() -> None:
    server = {
        "type": "mcp",
        "server_label": "crm",
        "authorization": "Bearer s3cret",
        "headers": {"x": "s3cret"},
    }
    lock = SessionLock({"tools": [server]}, [])
    assert b"s3cret" in lock.opening().forward[0]
    found = shown(lock, {"type": "session.updated", "session": {"tools": [server, TOOL]}})
    assert found["session"]["tools"] == [{"type": "mcp", "server_label": "crm"}, TOOL]


# Settings that the provider does not take


def opened() -> tuple[SessionLock, str]:
    lock = SessionLock(SETTINGS, ALL)
    event_id: str = orjson.loads(lock.opening().forward[0])["event_id"]
    return lock, event_id


def failure(event_id: str | None, param: str | None = None) -> bytes:
    error = {"code": "invalid_value", "param": param, "event_id": event_id, "message": f"Invalid: {SECRET}"}
    return json.dumps({"type": "error", "event_id": "e", "error": error}).encode()


def test_a_call_ends_when_its_settings_were_refused() -> None:
    lock, event_id = opened()
    assert lock.to_client(b'{"type":"session.created","session":{}}').end is None
    ruling = lock.to_client(failure(event_id, "session.audio.output.voice"))
    assert isinstance(ruling.end, SettingsRefused)
    assert "session.audio.output.voice" in ruling.end.message
    assert SECRET not in ruling.end.message
    assert ruling.forward == ()


def test_a_provider_that_names_no_event_is_understood() -> None:
    lock, _ = opened()
    assert lock.to_client(failure(None)).end is not None
    lock, _ = opened()
    sent(lock, type="response.create")
    assert lock.to_client(failure(None, "session.instructions")).end is not None


def test_errors_about_other_messages_pass() -> None:
    lock = SessionLock(SETTINGS, [])
    lock.opening()
    sent(lock, type="response.create", event_id="mine")
    for text in (failure("mine"), failure(None, "response")):
        assert lock.to_client(text) == Ruling((text,))


def test_once_the_settings_are_in_force_no_error_ends_the_call() -> None:
    lock, _ = opened()
    assert lock.to_client(b'{"type":"session.updated","session":{}}').forward
    text = failure(None, "session.tools")
    assert lock.to_client(text) == Ruling((text,))


UPDATED = b'{"type":"session.updated","session":{"type":"realtime"}}'
AUDIO = b'{"type":"input_audio_buffer.append","audio":"AAAA"}'


def test_nothing_of_the_clients_passes_until_locked_settings_are_in_force() -> None:
    lock = SessionLock(SETTINGS, ALL)
    lock.opening()
    spoken = [AUDIO, b'{"type":"response.create"}', AUDIO]
    assert [lock.to_provider(text) for text in spoken] == [Ruling()] * 3
    assert error_of(sent(lock, **update(instructions="x")))["code"] == "session_field_locked"
    assert lock.to_client(b'{"type":"session.created"}').back == ()
    assert lock.to_client(UPDATED) == Ruling((UPDATED,), back=tuple(spoken))
    assert lock.to_provider(AUDIO) == Ruling((AUDIO,))
    assert lock.to_client(UPDATED) == Ruling((UPDATED,))


def test_defaults_keep_nobody_waiting() -> None:
    lock = SessionLock(SETTINGS, [])
    assert lock.opening().overdue is None
    assert lock.to_provider(AUDIO) == Ruling((AUDIO,))


def test_locked_settings_that_are_not_confirmed_are_overdue() -> None:
    lock = SessionLock(SETTINGS, ALL)
    overdue = lock.opening().overdue
    assert overdue is not None
    assert isinstance(overdue(), SettingsRefused)
    lock.to_client(UPDATED)
    assert overdue() is None


def test_so_much_is_not_held_for_ever() -> None:
    lock = SessionLock(SETTINGS, ALL)
    lock.opening()
    large = b'{"type":"input_audio_buffer.append","audio":"' + b"A" * (1 << 20) + b'"}'
    ends = [lock.to_provider(large).end for _ in range(4)]
    assert ends[:3] == [None] * 3
    assert isinstance(ends[3], SettingsRefused)
