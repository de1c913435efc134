"""What a client may send: events, tools, names of models."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.gateway.policies.readers import READERS, texts
from tests.gateway.policies.test_session_lock import error_of, sent, update
from voxgate.auth.credentials import Grant
from voxgate.gateway.policies import stages_before_translation, stages_for
from voxgate.gateway.policies.allowed import Allowed
from voxgate.gateway.policies.ruling import Ruling, Stage
from voxgate.gateway.policies.session_lock import SessionLock

WEATHER = {"type": "function", "name": "get_weather", "parameters": {"Type": 1, "name": "steal"}}
STEAL = {"type": "function", "name": "steal"}
SERVER = {"type": "mcp", "server_label": "crm", "server_url": "https://mcp.example"}


def grant(**scopes: Any) -> Grant:
    return Grant("temporary", "cred_1", **scopes)


def stage(**scopes: Any) -> Stage:
    (only,) = stages_for(grant(**scopes))
    return only


# Which stages a call has


def test_an_unrestricted_credential_has_no_stages() -> None:
    assert stages_for(grant()) == []
    assert stages_before_translation(grant()) == []


def test_every_scope_has_its_stage() -> None:
    restricted = grant(allowed_events=(), allowed_tools=(), session={"speed": 1}, models=("a",))
    assert [type(each) for each in stages_for(restricted)] == [Allowed, Allowed, SessionLock]
    assert [type(each) for each in stages_before_translation(restricted)] == [Allowed]
    assert [type(each) for each in stages_for(grant(locked=("tools",)))] == [SessionLock]


# Events


def test_only_allowed_events_pass() -> None:
    allowed = stage(allowed_events=("input_audio_buffer.*", "response.create"))
    for kind in ("input_audio_buffer.append", "input_audio_buffer.commit", "response.create"):
        text = json.dumps({"type": kind, "audio": "AAAA"}).encode()
        assert allowed.to_provider(text).forward[0] is text
    for kind in (
        "session.update",
        "response.cancel",
        "Response.create",
        "response.create ",
        "",
        "ſ",
        "\ud800",
    ):
        error = error_of(allowed.to_provider(json.dumps({"type": kind, "event_id": "mine"}).encode()))
        assert (error["code"], error["param"], error["event_id"]) == ("event_not_allowed", "type", "mine")
    assert "session.update" in error_of(sent(allowed, type="session.update"))["message"]


def test_a_client_with_an_empty_list_only_listens() -> None:
    allowed = stage(allowed_events=())
    for event in ({"type": "input_audio_buffer.append", "audio": "AAAA"}, {"type": "response.create"}):
        assert error_of(allowed.to_provider(json.dumps(event).encode()))["code"] == "event_not_allowed"
    text = b'{"type":"session.created"}'
    assert allowed.to_client(text) == Ruling((text,))


def test_sound_that_is_not_allowed_is_refused_by_its_event() -> None:
    text = json.dumps({"type": "input_audio_buffer.append", "event_id": "mine", "audio": "AAAA"}).encode()
    assert error_of(stage(allowed_events=("response.*",)).to_provider(text))["event_id"] == "mine"


@settings(max_examples=1500, deadline=None)
@given(texts)
def test_no_reader_finds_an_event_that_is_not_allowed(text: bytes) -> None:
    patterns = ("response.*", "input_audio_buffer.append")
    for forwarded in stage(allowed_events=patterns).to_provider(text).forward:
        for read in READERS:
            assert any(fnmatchcase(str(read(forwarded)["type"]), pattern) for pattern in patterns)


# Tools


@pytest.mark.parametrize("at", ["session", "response"])
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"tools": [WEATHER, STEAL]}, "tools.1"),
        ({"tools": [{**WEATHER, "name": "GET_WEATHER"}]}, "tools.0"),
        ({"tools": [{**STEAL, "name": "get_" + "w" * 300}]}, "tools.0"),
        ({"tools": [SERVER]}, "tools.0"),
        ({"tools": [{"type": "Function", "name": "get_weather"}]}, "tools.0"),
        ({"tools": [{"type": "mcp", "server_label": "get_weather"}]}, "tools.0"),
        ({"tools": [{"type": "web_search"}]}, "tools.0"),
        ({"tool_choice": {"type": "function", "name": "steal"}}, "tool_choice"),
        ({"tool_choice": "steal"}, "tool_choice"),
        ({"tool_choice": {"type": "mcp", "server_label": "crm"}}, "tool_choice"),
        ({"tool_choice": {"type": "allowed_tools", "tools": [WEATHER, STEAL]}}, "tool_choice.tools.1"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
    ],
)
def test_other_tools_are_refused(at: str, body: dict[str, Any], field: str) -> None:
    error = error_of(sent(stage(allowed_tools=("get_*",)), type="x", event_id="mine", **{at: body}))
    assert (error["code"], error["param"]) == ("tool_not_allowed", f"{at}.{field}")
    assert error["event_id"] == "mine"


def test_the_refusal_names_the_tool() -> None:
    refused = sent(stage(allowed_tools=()), **update(tools=[STEAL]))
    assert "'steal'" in error_of(refused)["message"]


@pytest.mark.parametrize(
    "body",
    [
        {"tools": {}},
        {"tools": ["get_weather"]},
        {"tools": [{"type": "function", "function": {"name": "get_weather"}}]},
        {"tools": [{**WEATHER, "function": {"name": "steal"}}]},
        {"tools": [{**WEATHER, "Name": "steal"}]},
        {"tools": [{"name": "get_weather"}]},
        {"tool_choice": ["steal"]},
        {"Tools": [STEAL]},
    ],
)
def test_tools_that_cannot_be_judged_are_refused(body: dict[str, Any]) -> None:
    assert error_of(sent(stage(allowed_tools=("get_*",)), **update(**body)))["code"] == "invalid_event"


@pytest.mark.parametrize(
    "body",
    [
        {"tools": [WEATHER]},
        {"tools": []},
        {"tools": None, "tool_choice": None},
        {"tool_choice": "required"},
        {"tool_choice": {"type": "function", "name": "get_weather"}},
        {"instructions": "x", "audio": {}},
    ],
)
def test_allowed_tools_pass(body: dict[str, Any]) -> None:
    text = json.dumps(update(**body)).encode()
    assert stage(allowed_tools=("get_*",)).to_provider(text).forward[0] is text


def test_mcp_servers_are_allowed_by_their_type() -> None:
    allowed = stage(allowed_tools=("mcp",))
    assert sent(allowed, **update(tools=[SERVER])).forward
    assert sent(
        allowed, type="conversation.item.create", item={"type": "mcp_list_tools", "tools": []}
    ).forward
    assert not sent(stage(allowed_tools=("*",)), **update(tools=[SERVER])).forward


@pytest.mark.parametrize("where", ["item", "response.input.0"])
def test_an_item_brings_no_tools(where: str) -> None:
    item = {"type": "mcp_list_tools", "server_label": "crm", "tools": [STEAL]}
    body = {"item": item} if where == "item" else {"response": {"input": [item]}}
    assert error_of(sent(stage(allowed_tools=("*",)), type="x", **body))["param"] == f"{where}.tools"


def test_the_credentials_own_tools_may_be_chosen_but_not_brought() -> None:
    allowed, _ = stages_for(grant(allowed_tools=(), session={"tools": [WEATHER, SERVER]}))
    assert sent(allowed, **update(tool_choice={"type": "function", "name": "get_weather"})).forward
    assert sent(allowed, **update(tool_choice={"type": "mcp", "server_label": "crm", "name": "any"})).forward
    assert not sent(allowed, **update(tool_choice={"type": "mcp", "server_label": "other"})).forward
    assert not sent(allowed, **update(tools=[WEATHER])).forward


def brings_a_tool(event: Any) -> bool:
    for body in (event.get("session"), event.get("response")):
        tools = body.get("tools") if isinstance(body, dict) else None
        if tools and any(not isinstance(tool, dict) or tool.get("name") != "get_weather" for tool in tools):
            return True
    return False


@settings(max_examples=1500, deadline=None)
@given(texts)
def test_no_reader_finds_a_tool_that_is_not_allowed(text: bytes) -> None:
    for forwarded in stage(allowed_tools=("get_weather",)).to_provider(text).forward:
        assert not any(brings_a_tool(read(forwarded)) for read in READERS)


# Models


def judged_names(*models: str, **event: Any) -> Ruling:
    (names,) = stages_before_translation(grant(models=models))
    return sent(names, **event)


@pytest.mark.parametrize(
    ("event", "param"),
    [
        ({"type": "session.update", "session": {"model": "gpt-other"}}, "session.model"),
        ({"type": "response.create", "response": {"model": "gpt-other"}}, "response.model"),
        ({"type": "session.start", "model": "gpt-other"}, "model"),
        (
            update(type="transcription", audio={"input": {"transcription": {"model": "whisper-1"}}}),
            "session.audio.input.transcription.model",
        ),
        (
            {
                "type": "transcription_session.update",
                "session": {"input_audio_transcription": {"model": "whisper-1"}},
            },
            "session.input_audio_transcription.model",
        ),
    ],
)
def test_another_model_is_refused_wherever_it_is_named(event: dict[str, Any], param: str) -> None:
    error = error_of(judged_names("gpt-realtime*", "fake", **event))
    assert (error["code"], error["param"]) == ("model_not_allowed", param)


@pytest.mark.parametrize(
    "event",
    [
        update(model="gpt-realtime-2"),
        update(model=None),
        update(audio={"input": {"transcription": {"model": "whisper-1"}}}),
        update(type="transcription", audio={"input": {"transcription": {"model": "fake"}}}),
        update(type="transcription", audio={"input": {"transcription": None}}),
        {"type": "response.create"},
        {"type": "conversation.item.create", "item": {"content": [{"text": '"model": "gpt-other"'}]}},
    ],
)
def test_the_credentials_models_may_be_named(event: dict[str, Any]) -> None:
    assert judged_names("gpt-realtime*", "fake", **event).forward


WHISPER = {"audio": {"input": {"transcription": {"model": "whisper-1"}}}}


@pytest.mark.parametrize("session", [WHISPER, {"type": "realtime", **WHISPER}])
def test_in_a_session_that_only_transcribes_every_update_counts(session: dict[str, Any]) -> None:
    (names,) = stages_before_translation(grant(models=("fake",)), transcribes=True)
    error = error_of(sent(names, type="session.update", session=session))
    assert (error["code"], error["param"]) == (
        "model_not_allowed",
        "session.audio.input.transcription.model",
    )
    flat = {"input_audio_transcription": {"model": "whisper-1"}}
    error = error_of(sent(names, type="session.update", session=flat))
    assert error["param"] == "session.input_audio_transcription.model"
    (others,) = stages_before_translation(grant(models=("whisper-1",)), transcribes=True)
    assert sent(others, type="session.update", session=session).forward


@pytest.mark.parametrize("name", [["gpt-realtime"], {"id": "gpt-other"}, 1, "g" * 5000])
def test_what_is_no_name_of_a_model_is_refused(name: Any) -> None:
    assert error_of(judged_names("*", **update(model=name)))["param"] == "session.model"


@settings(max_examples=1500, deadline=None)
@given(texts)
def test_no_reader_finds_a_model_that_is_not_allowed(text: bytes) -> None:
    (names,) = stages_before_translation(grant(models=("fake",)))
    for forwarded in names.to_provider(text).forward:
        for event in (read(forwarded) for read in READERS):
            found = event if isinstance(event, dict) else {}
            bodies = (found, found.get("session"), found.get("response"))
            assert all(body.get("model") in (None, "fake") for body in bodies if isinstance(body, dict))


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=200) | texts)
def test_no_message_makes_a_stage_fail(text: bytes) -> None:
    everything = grant(models=("fake",), allowed_events=("response.*",), allowed_tools=("get_*",))
    for each in (*stages_before_translation(everything), *stages_for(everything)):
        assert each.to_client(text).forward[0] is text
        ruling = each.to_provider(text)
        assert ruling.forward == (text,) or orjson.loads(ruling.back[0])["type"] == "error"


def test_sound_costs_no_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voxgate.gateway.policies.allowed.read_event", None)
    monkeypatch.setattr("voxgate.gateway.policies.session_lock.read_event", None)
    everything = grant(
        models=("fake",),
        allowed_events=("input_audio_buffer.*",),
        allowed_tools=(),
        session={"instructions": "x"},
        locked=("instructions",),
    )
    text = b'{"type":"input_audio_buffer.append","audio":"' + b"A" * 4000 + b'"}'
    for each in (*stages_before_translation(everything), *stages_for(everything)):
        assert each.to_provider(text).forward[0] is text


@pytest.mark.parametrize("text", [b"no JSON", b"{}", b'{"type":"response.create"}'])
def test_a_message_that_cannot_name_a_model_is_not_judged(text: bytes) -> None:
    (names,) = stages_before_translation(grant(models=("fake",)))
    assert names.to_provider(text).forward[0] is text


@pytest.mark.parametrize(
    "text",
    [b'{"MODEL":"x"', b'{"\\u006dodel":"x"}', b'{"mo\xe2\x80\x8bdel":1}', '{"model":1}'.encode("utf-16-le")],
)
def test_one_that_may_name_it_in_some_reading_is(text: bytes) -> None:
    (names,) = stages_before_translation(grant(models=("fake",)))
    assert error_of(names.to_provider(text))
