"""The session without sockets: client events in, effects out; every event that it sends fits the schema."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import numpy as np
import pybase64
import pytest

pytest.importorskip("_webrtcvad")

from tests.providers.local.conftest import Check, Event, types_of
from voxgate.core.errors import UpstreamLost
from voxgate.providers.local.responses import Response
from voxgate.providers.local.session import Answer, Effect, Halt, Hear, Pause, Send, Session
from voxgate.providers.local.session_config import SERVER_VAD

Samples = np.ndarray[Any, np.dtype[np.int16]]
NOW = 1_790_000_000.0


class Play:
    """A session and what came out of it."""

    def __init__(self, valid: Check) -> None:
        self.session = Session("local", lambda: NOW)
        self._valid = valid
        self.effects: list[Effect] = []
        self.created = self.take(self.session.opened())[0]

    def take(self, effects: Iterable[Effect]) -> list[Event]:
        """The events of some effects, as they were when they were sent."""
        sent = []
        for effect in effects:
            self.effects.append(effect)
            if isinstance(effect, Send):
                sent.append(self._valid(json.loads(json.dumps(effect.event))))
        return sent

    def __call__(self, kind: str, **fields: Any) -> list[Event]:
        return self.take(self.session.receive({"type": kind, **fields}))

    def error(self, kind: str, **fields: Any) -> dict[str, Any]:
        before = json.dumps(self.session.config)
        [event] = self(kind, **fields)
        assert event["type"] == "error", event
        assert json.dumps(self.session.config) == before, "a refused event changed the session"
        error: dict[str, Any] = event["error"]
        return error

    def update(self, **session: Any) -> dict[str, Any]:
        [event] = self("session.update", session={"type": "realtime", **session})
        assert event["type"] == "session.updated", event
        updated: dict[str, Any] = event["session"]
        return updated

    def refused(self, **session: Any) -> tuple[str, str]:
        error = self.error("session.update", session={"type": "realtime", **session})
        return error["code"], error["param"]

    def say(self, text: str, **fields: Any) -> list[Event]:
        content = [{"type": "input_text", "text": text}]
        return self(
            "conversation.item.create", item={"type": "message", "role": "user", "content": content}, **fields
        )

    def respond(self, **fields: Any) -> Response:
        self("response.create", response=fields)
        answer = self.effects[-1]
        assert isinstance(answer, Answer), self.effects[-1]
        return answer.response

    def append(self, samples: Samples) -> list[Event]:
        return self("input_audio_buffer.append", audio=pybase64.b64encode(samples.tobytes()).decode())

    def of(self, kind: type[Any]) -> list[Any]:
        return [effect for effect in self.effects if isinstance(effect, kind)]


@pytest.fixture
def play(valid: Check) -> Play:
    return Play(valid)


def test_the_first_event_shows_the_whole_session(play: Play) -> None:
    session = play.created["session"]
    assert play.created["type"] == "session.created"
    assert set(session) == {
        "type", "object", "id", "model", "output_modalities", "instructions", "tools", "tool_choice",
        "max_output_tokens", "tracing", "truncation", "prompt", "expires_at", "audio", "include",
    }  # fmt: skip
    assert (session["object"], session["model"]) == ("realtime.session", "local")
    assert session["expires_at"] == NOW + 3600
    assert session["audio"]["input"]["turn_detection"] == SERVER_VAD


def test_an_update_is_merged_deeply(play: Play) -> None:
    play.update(audio={"input": {"turn_detection": {"type": "server_vad", "threshold": 0.7}}})
    session = play.update(
        instructions="Be kind.",
        audio={
            "input": {"turn_detection": {"type": "server_vad", "silence_duration_ms": 400}},
            "output": {"voice": "marin"},
        },
    )
    wanted = {**SERVER_VAD, "threshold": 0.7, "silence_duration_ms": 400}
    assert session["audio"]["input"]["turn_detection"] == wanted
    assert session["audio"]["output"] == {
        "format": {"type": "audio/pcm", "rate": 24000},
        "voice": "marin",
        "speed": 1.0,
    }
    assert session["instructions"] == "Be kind."


def test_transcription_is_filled_up_as_the_live_service_does(play: Play) -> None:
    session = play.update(audio={"input": {"transcription": {"model": "gpt-realtime-whisper"}}})
    wanted = {"model": "gpt-realtime-whisper", "language": None, "prompt": None}
    assert session["audio"]["input"]["transcription"] == wanted


def test_clients_may_repeat_the_model(play: Play) -> None:
    assert play.update(model="gpt-realtime")["model"] == "local"


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"bogus_field": 1}, "unknown_parameter", "session.bogus_field"),
        ({"temperature": 0.8}, "unknown_parameter", "session.temperature"),
        (
            {"audio": {"input": {"format": {"type": "audio/pcm", "rate": 16000}}}},
            "integer_below_min_value",
            "session.audio.input.format.rate",
        ),
        (
            {"audio": {"input": {"format": {"type": "audio/mp3"}}}},
            "invalid_value",
            "session.audio.input.format.type",
        ),
        ({"audio": {"output": {"voice": "nobody"}}}, "invalid_value", "session.audio.output.voice"),
        ({"audio": {"output": {"speed": 3}}}, "decimal_above_max_value", "session.audio.output.speed"),
        ({"output_modalities": ["audio", "text"]}, "invalid_value", "session.output_modalities"),
        ({"output_modalities": ["video"]}, "invalid_value", "session.output_modalities[0]"),
        ({"instructions": 5}, "invalid_type", "session.instructions"),
        ({"max_output_tokens": 0}, "integer_below_min_value", "session.max_output_tokens"),
        ({"max_output_tokens": 5000}, "integer_above_max_value", "session.max_output_tokens"),
        ({"tools": [{"type": "function"}]}, "missing_required_parameter", "session.tools[0].name"),
        ({"tools": [{"type": "mcp", "server_label": "x"}]}, "invalid_value", "session.tools[0].type"),
        ({"tool_choice": "maybe"}, "invalid_value", "session.tool_choice"),
        (
            {"audio": {"input": {"turn_detection": {"type": "server_vad", "threshold": 2}}}},
            "decimal_above_max_value",
            "session.audio.input.turn_detection.threshold",
        ),
    ],
)
def test_one_wrong_field_refuses_the_whole_update(
    play: Play, fields: dict[str, Any], code: str, param: str
) -> None:
    assert play.refused(**fields) == (code, param)


def test_the_right_fields_beside_a_wrong_one_are_not_taken(play: Play) -> None:
    play.refused(instructions="Sing.", bogus_field=1)
    assert play.update()["instructions"] != "Sing."


def test_the_sentences_are_the_live_services(play: Play) -> None:
    error = play.error("session.update", session={"type": "realtime", "bogus_field": 1}, event_id="mine")
    assert error == {
        "type": "invalid_request_error",
        "code": "unknown_parameter",
        "message": "Unknown parameter: 'session.bogus_field'.",
        "param": "session.bogus_field",
        "event_id": "mine",
    }
    error = play.error("nope")
    assert error["message"].startswith("Invalid value: 'nope'. Supported values are: 'session.update', ")
    assert error["message"].endswith(", and 'response.cancel'.")
    assert (error["code"], error["param"]) == ("invalid_value", "type")


def test_a_session_needs_its_type(play: Play) -> None:
    error = play.error("session.update", session={"instructions": "x"})
    assert (error["code"], error["param"]) == ("missing_required_parameter", "session.type")


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("{nope", "invalid_json"),
        ("[]", "invalid_type"),
        ("3", "invalid_type"),
        ("{}", "missing_required_parameter"),
        ('{"type": 7}', "invalid_value"),
        ('{"type": "response.create", "response": 3}', "invalid_type"),
        ('{"type": "conversation.item.create"}', "missing_required_parameter"),
        ('{"type": "conversation.item.create", "item": {"type": "poem"}}', "invalid_value"),
        ('{"type": "input_audio_buffer.append", "audio": "!!"}', "invalid_value"),
        ('{"type": "input_audio_buffer.append", "audio": "AAA=", "rate": 1}', "unknown_parameter"),
        ('{"type": "output_audio_buffer.clear"}', "invalid_value"),
        ('{"type": "conversation.item.delete", "item_id": "x", "event_id": 5}', "invalid_type"),
    ],
)
def test_whatever_is_sent_is_answered_with_an_error(play: Play, message: str, code: str) -> None:
    [event] = play.take(play.session.receive_text(message))
    assert (event["type"], event["error"]["code"]) == ("error", code)


def test_a_binary_frame_is_refused(play: Play) -> None:
    [event] = play.take(play.session.receive_binary())
    assert event["error"]["code"] == "invalid_event"


def test_items_are_put_where_the_client_wants_them(play: Play) -> None:
    ids = [play.say(text)[0]["item"]["id"] for text in ("one", "two")]
    [added, done] = play.say("first", previous_item_id="root")
    assert (added["type"], done["type"]) == ("conversation.item.added", "conversation.item.done")
    assert added["previous_item_id"] is None
    [between, _] = play.say("between", previous_item_id=ids[0])
    assert between["previous_item_id"] == ids[0]
    order = [item.body["content"][0]["text"] for item in play.session.conversation.items]
    assert order == ["first", "one", "between", "two"]


def test_an_item_keeps_the_id_that_the_client_gave_it_and_it_is_unique(play: Play) -> None:
    item = {"type": "message", "role": "user", "id": "mine", "content": [{"type": "input_text", "text": "a"}]}
    [added, _] = play("conversation.item.create", item=item)
    assert added["item"] == {**item, "status": "completed"}
    assert play.error("conversation.item.create", item=item)["param"] == "item.id"


def test_items_can_be_read_and_deleted(play: Play) -> None:
    item = play.say("hello")[0]["item"]
    [retrieved] = play("conversation.item.retrieve", item_id=item["id"])
    assert retrieved["item"] == item
    [deleted] = play("conversation.item.delete", item_id=item["id"])
    assert (deleted["type"], deleted["item_id"]) == ("conversation.item.deleted", item["id"])
    for verb in ("retrieve", "delete"):
        error = play.error(f"conversation.item.{verb}", item_id=item["id"])
        assert error["code"] == f"item_{verb}_invalid_item_id"
    cut = play.error("conversation.item.truncate", item_id="x", content_index=0, audio_end_ms=1)
    assert cut["code"] == "item_truncate_invalid_item_id"


def test_only_spoken_answers_can_be_truncated(play: Play) -> None:
    item = play.say("hello")[0]["item"]
    error = play.error("conversation.item.truncate", item_id=item["id"], content_index=0, audio_end_ms=1)
    assert error["message"] == "Only model output audio messages can be truncated"


def test_truncation_forgets_the_words_that_were_not_heard(play: Play) -> None:
    response = play.respond()
    for words in ("One two", " three", " four."):
        play.take(map(Send, [*response.say(words), *response.sound(bytes(48 * 200))]))
    [item] = play.take(play.session.finish(response, "completed"))[-2]["response"]["output"]

    def cut(end_ms: int) -> tuple[int, str]:
        place = {"item_id": item["id"], "content_index": 0, "audio_end_ms": end_ms}
        event = play("conversation.item.truncate", **place)[-1]
        [retrieved] = play("conversation.item.retrieve", item_id=item["id"])
        part = retrieved["item"]["content"][0]
        assert len(pybase64.b64decode(part.get("audio", ""))) == 48 * event["audio_end_ms"]
        return event["audio_end_ms"], part["transcript"]

    assert cut(450) == (450, "One two three")
    assert cut(500) == (450, "One two three")  # with a complaint: it is shorter already
    assert cut(399) == (399, "One two")
    assert cut(0) == (0, "")


def test_what_is_still_generated_cannot_be_truncated(play: Play) -> None:
    response = play.respond()
    events = play.take(map(Send, [*response.say("One"), *response.sound(bytes(9600))]))
    item_id = events[0]["item"]["id"]
    error = play.error("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=50)
    assert error["code"] == "item_truncate_in_progress"


def test_an_empty_commit_is_refused(play: Play) -> None:
    error = play.error("input_audio_buffer.commit")
    assert error["code"] == "input_audio_buffer_commit_empty"
    assert "buffer only has 0.00ms of audio" in error["message"]
    play.update(audio={"input": {"turn_detection": None}})
    play.append(np.zeros(1200, np.int16))
    assert "50.00ms" in play.error("input_audio_buffer.commit")["message"]


def test_a_cleared_buffer_is_empty(play: Play) -> None:
    play.append(np.zeros(48_000, np.int16))
    [cleared] = play("input_audio_buffer.clear")
    assert cleared["type"] == "input_audio_buffer.cleared"
    assert play.error("input_audio_buffer.commit")["code"] == "input_audio_buffer_commit_empty"


def test_a_spoken_turn_is_committed_heard_and_answered(play: Play, question: Samples) -> None:
    events = play.append(question)
    assert types_of(events) == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "response.created",
    ]
    assert len({event["item_id"] for event in events[:3]} | {events[3]["item"]["id"]}) == 1
    [hear], [answer] = play.of(Hear), play.of(Answer)
    assert hear.item.audio_ms == events[1]["audio_end_ms"] - events[0]["audio_start_ms"]
    assert answer.response.context == [hear.item]
    assert play.take(play.session.heard(hear, "What?")) == []  # nobody asked for the transcription
    assert hear.item.heard == "What?"


def test_without_create_response_a_turn_is_not_answered(play: Play, question: Samples) -> None:
    play.update(audio={"input": {"turn_detection": {"type": "semantic_vad", "create_response": False}}})
    play.append(question)
    assert len(play.of(Hear)) == 1
    assert play.of(Answer) == []


def test_a_transcription_that_fails_is_told(play: Play, question: Samples) -> None:
    play.update(audio={"input": {"transcription": {"model": "whisper-1"}}})
    play.append(question)
    [event] = play.take(play.session.not_heard(play.of(Hear)[0], UpstreamLost("The endpoint is gone.")))
    assert event["type"] == "conversation.item.input_audio_transcription.failed"
    assert event["error"]["message"] == "The endpoint is gone."


def test_a_long_append_leaves_room_for_others(play: Play) -> None:
    play.append(np.zeros(24_000 * 5, np.int16))
    assert len(play.of(Pause)) == 4


def test_a_second_response_has_to_wait(play: Play) -> None:
    play.say("hello")
    response = play.respond()
    error = play.error("response.create", event_id="again")
    assert (error["code"], error["event_id"]) == ("conversation_already_has_active_response", "again")
    assert response.id in error["message"]
    play.take(play.session.finish(response, "completed"))
    assert play.respond().id != response.id


def test_a_response_can_be_cancelled_once(play: Play) -> None:
    play.say("hello")
    response = play.respond()
    play.take(map(Send, response.say("Hel")))
    events = play("response.cancel")
    assert types_of(events)[-2:] == ["response.done", "rate_limits.updated"]
    done = events[-2]["response"]
    assert done["status"] == "cancelled"
    assert done["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
    assert done["output"][0]["content"] == [{"type": "output_audio", "transcript": "Hel"}]
    assert [each.response for each in play.of(Halt)] == [response]
    assert play.error("response.cancel")["code"] == "response_cancel_not_active"
    assert play.take(play.session.finish(response, "completed")) == []


def test_speech_cancels_a_response(play: Play, question: Samples) -> None:
    play.say("hello")
    response = play.respond()
    types = types_of(play.append(question))
    assert types[:2] == ["input_audio_buffer.speech_started", "response.done"]
    assert response.status == "cancelled"
    assert types[-1] == "response.created"


def test_a_response_apart_leaves_the_conversation_alone(play: Play) -> None:
    play.say("hello")
    main = play.respond()
    content = [{"type": "input_text", "text": "Is this about music?"}]
    apart = play.respond(
        conversation="none",
        output_modalities=["text"],
        metadata={"topic": "check"},
        input=[{"type": "message", "role": "user", "content": content}],
    )
    assert [item.body["content"] for item in apart.context] == [content]
    events = play.take(map(Send, apart.write("No")))
    assert "conversation.item.added" not in types_of(events)
    done = play.take(play.session.finish(apart, "completed"))[-2]["response"]
    assert done["metadata"] == {"topic": "check"}
    assert done["conversation_id"] is None
    assert len(play.session.conversation.items) == 1
    assert not main.done


def test_a_response_may_refer_to_items(play: Play) -> None:
    first = play.say("one")[0]["item"]["id"]
    play.say("two")
    response = play.respond(input=[{"type": "item_reference", "id": first}])
    assert [item.id for item in response.context] == [first]
    play("response.cancel")
    reference = [{"type": "item_reference", "id": "nobody"}]
    error = play.error("response.create", response={"input": reference})
    assert "nobody" in error["message"]


@pytest.mark.parametrize(
    ("response", "param"),
    [
        ({"bogus": 1}, "response.bogus"),
        ({"metadata": {"a": 1}}, "response.metadata.a"),
        ({"output_modalities": []}, "response.output_modalities"),
        ({"audio": {"output": {"speed": 1}}}, "response.audio.output.speed"),
    ],
)
def test_a_wrong_override_refuses_the_response(play: Play, response: dict[str, Any], param: str) -> None:
    assert play.error("response.create", response=response)["param"] == param
    assert play.session.active is None


def test_overrides_hold_for_one_response(play: Play) -> None:
    tool = {"type": "function", "name": "f"}
    response = play.respond(
        instructions="Sing.",
        tools=[tool],
        tool_choice="required",
        max_output_tokens=7,
        output_modalities=["text"],
    )
    config = response.config
    assert (config.instructions, config.tools, config.tool_choice) == ("Sing.", [tool], "required")
    assert (config.max_output_tokens, config.output_modality) == (7, "text")
    play("response.cancel")
    assert play.respond().config.instructions != "Sing."


def test_a_null_for_the_instructions_of_a_response_leaves_those_of_the_session(play: Play) -> None:
    play.update(instructions="Be kind.")
    config = play.respond(instructions=None).config
    assert (config.instructions, config.own_instructions) == ("Be kind.", False)


def test_the_voice_stays_once_it_was_heard(play: Play) -> None:
    play.update(audio={"output": {"voice": "ash"}})
    response = play.respond()
    play.take(map(Send, [*response.say("Hi."), *response.sound(bytes(4800))]))
    play.take(play.session.finish(response, "completed"))
    assert play.refused(audio={"output": {"voice": "echo"}})[0] == "cannot_update_voice"
    assert play.update(audio={"output": {"voice": "ash"}})


def silence(seconds: float) -> Samples:
    return np.zeros(int(24_000 * seconds), np.int16)


def test_a_long_silence_after_an_answer_triggers_another(play: Play) -> None:
    rules = {"type": "server_vad", "idle_timeout_ms": 5000}
    play.update(audio={"input": {"turn_detection": rules}})
    assert play.append(silence(8)) == []  # nothing was answered yet
    response = play.respond()
    play.take(map(Send, [*response.say("Hi."), *response.sound(bytes(48 * 2000))]))
    play.take(play.session.finish(response, "completed"))
    assert play.append(silence(6.5)) == []  # two seconds are still playing
    events = play.append(silence(1))
    assert types_of(events)[:2] == ["input_audio_buffer.timeout_triggered", "input_audio_buffer.committed"]
    assert events[0]["audio_start_ms"] == 10_000
    assert events[-1]["type"] == "response.created"


def test_context_that_was_seen_is_cached(play: Play) -> None:
    play.update(instructions="Be short. " * 40)
    usages = []
    for text in ("one two three " * 10, "four"):
        play.say(text)
        response = play.respond()
        usages.append(play.take(play.session.finish(response, "completed"))[-2]["response"]["usage"])
    cached = [usage["input_token_details"]["cached_tokens"] for usage in usages]
    assert cached == [0, 128]  # 100 tokens of instructions and 35 of the first item, in blocks of 64
    assert usages[1]["input_tokens"] == usages[0]["input_tokens"] + 1


@pytest.mark.parametrize("finish", ["completed", "cancelled", "incomplete", "failed"])
def test_every_way_to_end_closes_what_is_open(play: Play, finish: str) -> None:
    response = play.respond()
    events = play.take(map(Send, [*response.say("Hello"), *response.sound(bytes(960))]))
    events += play.take(play.session.finish(response, finish))
    opened = [name for name in types_of(events) if name.endswith(".added")]
    closed = {name.removesuffix(".done") for name in types_of(events) if name.endswith(".done")}
    assert {name.removesuffix(".added") for name in opened} <= closed
    assert events[-2]["response"]["output"][0]["status"] == (
        "completed" if finish == "completed" else "incomplete"
    )


def test_ids_are_unique(play: Play) -> None:
    play.say("a")
    play.respond()
    play("response.cancel")
    ids = [effect.event["event_id"] for effect in play.of(Send)]
    assert len(set(ids)) == len(ids) > 5
