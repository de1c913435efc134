from __future__ import annotations

from typing import Any

import orjson
import pytest
from tests.realtime.dialects.speaking import (
    BETA,
    GA,
    Event,
    beta_client,
    ga_client,
    to_client,
    to_provider,
    update,
)

from voxgate.realtime.dialects import Translated, Translator

REALTIME_CLIENT_UPDATE: Event = {
    "event_id": "evt_YrZQzP8sLmSaEUmEM",
    "type": "session.update",
    "session": {
        "modalities": ["text", "audio"],
        "instructions": "",
        "voice": "verse",
        "input_audio_format": "pcm16",
        "output_audio_format": "g711_ulaw",
        "input_audio_transcription": None,
        "turn_detection": None,
        "tools": [],
        "tool_choice": "auto",
        "temperature": 0.7,
        "max_response_output_tokens": 4096,
    },
}
GA_SESSION: Event = {
    "type": "realtime",
    "object": "realtime.session",
    "id": "sess_1",
    "model": "gpt-realtime",
    "output_modalities": ["audio"],
    "instructions": "Be brief.",
    "tools": [],
    "tool_choice": "auto",
    "max_output_tokens": "inf",
    "truncation": "auto",
    "expires_at": 1785217655,
    "audio": {
        "input": {
            "format": {"type": "audio/pcm", "rate": 24000},
            "transcription": None,
            "noise_reduction": None,
            "turn_detection": {"type": "server_vad", "idle_timeout_ms": None},
        },
        "output": {"format": {"type": "audio/pcma"}, "voice": "alloy", "speed": 1.0},
    },
}


def test_a_beta_session_update_becomes_one_that_ga_takes() -> None:
    assert to_provider(beta_client(), REALTIME_CLIENT_UPDATE) == [
        {
            "event_id": "evt_YrZQzP8sLmSaEUmEM",
            "type": "session.update",
            "session": {
                "type": "realtime",
                "output_modalities": ["audio"],
                "instructions": "",
                "tools": [],
                "tool_choice": "auto",
                "max_output_tokens": 4096,
                "audio": {
                    "input": {
                        "format": {"type": "audio/pcm", "rate": 24000},
                        "transcription": None,
                        "turn_detection": None,
                    },
                    "output": {"format": {"type": "audio/pcmu"}, "voice": "verse"},
                },
            },
        }
    ]


def test_a_ga_session_is_shown_in_the_beta_shape() -> None:
    event = {"type": "session.created", "event_id": "event_1", "session": GA_SESSION}
    assert to_client(beta_client(), event) == [
        {
            "type": "session.created",
            "event_id": "event_1",
            "session": {
                "object": "realtime.session",
                "id": "sess_1",
                "model": "gpt-realtime",
                "modalities": ["audio", "text"],
                "instructions": "Be brief.",
                "tools": [],
                "tool_choice": "auto",
                "max_response_output_tokens": "inf",
                "truncation": "auto",
                "expires_at": 1785217655,
                "input_audio_format": "pcm16",
                "input_audio_transcription": None,
                "input_audio_noise_reduction": None,
                "turn_detection": {"type": "server_vad", "idle_timeout_ms": None},
                "output_audio_format": "g711_alaw",
                "voice": "alloy",
                "speed": 1.0,
                "temperature": 0.8,
            },
        }
    ]


def test_the_temperature_of_a_beta_client_is_not_sent_and_shown_to_it_again() -> None:
    translator = beta_client()
    (sent,) = to_provider(translator, REALTIME_CLIENT_UPDATE)
    assert "temperature" not in sent["session"]
    (shown,) = to_client(translator, {"type": "session.updated", "session": dict(GA_SESSION)})
    assert shown["session"]["temperature"] == 0.7
    response = {"type": "response.created", "response": {"id": "resp_1"}}
    assert to_client(translator, response)[0]["response"]["temperature"] == 0.7


def test_the_temperature_of_one_response_is_shown_on_that_response() -> None:
    translator = beta_client()
    create = {"type": "response.create", "response": {"temperature": 1.1, "instructions": "Sing."}}
    assert to_provider(translator, create) == [
        {"type": "response.create", "response": {"instructions": "Sing."}}
    ]
    shown = [
        to_client(translator, {"type": name, "response": {"id": "resp_1"}})[0]["response"]["temperature"]
        for name in ("response.created", "response.done", "response.created")
    ]
    assert shown == [1.1, 1.1, 0.8]


def test_a_client_secret_in_an_update_is_neither_sent_nor_shown() -> None:
    translator = beta_client()
    (sent,) = to_provider(translator, update(client_secret={"expires_after": {"seconds": 60}}))
    assert sent == update(type="realtime")
    (shown,) = to_client(translator, {"type": "session.updated", "session": {"type": "realtime"}})
    assert "client_secret" not in shown["session"]


def test_the_model_is_shown_as_requested_and_sent_as_the_provider_knows_it() -> None:
    requested = "gpt-4o-realtime-preview-2024-10-01"
    translator = beta_client(requested_model=requested, upstream_model="gpt-realtime")
    (sent,) = to_provider(translator, update(model="gpt-4o-realtime-preview", voice="ash"))
    assert sent["session"]["model"] == "gpt-realtime"
    (shown,) = to_client(translator, {"type": "session.created", "session": dict(GA_SESSION)})
    assert shown["session"]["model"] == requested


def test_an_alias_between_speakers_of_one_dialect_changes_the_model_and_nothing_else() -> None:
    translator = Translator(GA, GA, requested_model="house", upstream_model="gpt-realtime")
    assert not translator.transparent
    event = {"type": "session.created", "event_id": "event_1", "session": GA_SESSION}
    assert to_client(translator, event) == [{**event, "session": {**GA_SESSION, "model": "house"}}]
    assert to_provider(translator, update(type="realtime", model="house", voice="x")) == [
        update(type="realtime", model="gpt-realtime", voice="x")
    ]
    delta = b'{"type":"response.output_audio.delta","delta":"AAAA"}'
    assert translator.to_client(delta).forward[0] is delta


def test_a_call_in_one_dialect_is_transparent() -> None:
    assert Translator(GA, GA).transparent
    assert Translator(BETA, BETA, requested_model="m", upstream_model="m").transparent
    assert not Translator(BETA, GA).transparent
    text = orjson.dumps(REALTIME_CLIENT_UPDATE)
    assert Translator(BETA, BETA).to_provider(text).forward[0] is text


def test_an_undecided_client_is_known_from_its_first_session_update() -> None:
    translator = Translator(None, GA)
    assert not translator.transparent
    created = orjson.dumps({"type": "session.created", "session": GA_SESSION})
    assert translator.to_client(created) == Translated((created,))
    append = b'{"type":"input_audio_buffer.append","audio":"AAAA"}'
    assert translator.to_provider(append).forward[0] is append
    assert to_provider(translator, update(modalities=["text"])) == [
        update(type="realtime", output_modalities=["text"])
    ]
    assert translator.client is BETA
    assert translator.to_client(created) != Translated((created,))


def test_an_undecided_client_that_speaks_the_providers_dialect_makes_the_call_transparent() -> None:
    translator = Translator(None, GA)
    text = orjson.dumps(update(type="realtime", instructions="Hi."))
    assert translator.to_provider(text).forward[0] is text
    assert translator.transparent


def test_the_end_of_an_item_is_kept_from_a_beta_client() -> None:
    item = {"id": "item_1", "type": "message", "role": "user", "content": [], "status": "completed"}
    added = {"type": "conversation.item.added", "previous_item_id": None, "item": item}
    translator = beta_client()
    assert to_client(translator, added) == [
        {
            "type": "conversation.item.created",
            "previous_item_id": None,
            "item": {**item, "object": "realtime.item"},
        }
    ]
    assert translator.to_client(orjson.dumps({**added, "type": "conversation.item.done"})) == Translated()


def test_an_item_that_a_beta_provider_creates_whole_ends_at_once_for_a_ga_client() -> None:
    item = {"id": "item_1", "type": "message", "role": "user", "status": "completed", "content": []}
    created = {"type": "conversation.item.created", "previous_item_id": "item_0", "item": item}
    translator = ga_client()
    added, done = to_client(translator, created)
    assert added == {**created, "type": "conversation.item.added"}
    assert done.pop("event_id").startswith("event_")
    assert done == {"type": "conversation.item.done", "previous_item_id": "item_0", "item": item}
    # Azure Voice Live says it as well: not a second time
    assert to_client(translator, {**created, "type": "conversation.item.done"}) == []


def test_an_answer_of_a_beta_provider_ends_right_before_its_output_item() -> None:
    item: Event = {"id": "item_2", "type": "message", "role": "assistant", "status": "in_progress"}
    translator = ga_client()
    created = {"type": "conversation.item.created", "previous_item_id": "item_1", "item": item}
    assert len(to_client(translator, created)) == 1
    whole = {**item, "status": "completed", "content": [{"type": "audio", "transcript": "Hi."}]}
    done, output_done = to_client(
        translator, {"type": "response.output_item.done", "response_id": "resp_1", "item": whole}
    )
    assert (done["type"], done["previous_item_id"]) == ("conversation.item.done", "item_1")
    assert done["item"]["content"] == [{"type": "output_audio", "transcript": "Hi."}]
    assert (output_done["type"], output_done["item"]) == ("response.output_item.done", done["item"])


def test_an_item_outside_of_the_conversation_has_no_end_there() -> None:
    item = {"id": "item_3", "type": "message", "role": "assistant", "content": []}
    events = to_client(ga_client(), {"type": "response.output_item.done", "item": item})
    assert [event["type"] for event in events] == ["response.output_item.done"]


@pytest.mark.parametrize(
    ("beta", "ga"),
    [
        (f"response.{old}.{end}", f"response.{new}.{end}")
        for old, new in (
            ("text", "output_text"),
            ("audio", "output_audio"),
            ("audio_transcript", "output_audio_transcript"),
        )
        for end in ("delta", "done")
    ],
)
@pytest.mark.parametrize(
    "form",
    [
        '{"type":"NAME","event_id":"event_1","delta":"AAAA"}',
        '{"event_id":"event_1","type":"NAME","delta":"AAAA"}',
        ' { "event_id" : "SAID" , "output_index" : -1 , "type" : "NAME", "delta": "SAID" } ',
        '{"delta":"SAID","event_id":null,"final":false,"type":"NAME"}',
    ],
)
def test_only_the_name_of_a_delta_changes(beta: str, ga: str, form: str) -> None:
    for translator, theirs, ours in ((beta_client(), ga, beta), (ga_client(), beta, ga)):
        said = form.replace("SAID", theirs)  # what only looks like the name stays
        heard = translator.to_client(said.replace("NAME", theirs).encode())
        assert heard == Translated((said.replace("NAME", ours).encode(),))


def test_a_delta_whose_name_comes_late_or_escaped_is_renamed_too() -> None:
    late = {"delta": "A" * 2000, "type": "response.output_audio.delta"}
    assert to_client(beta_client(), late) == [{**late, "type": "response.audio.delta"}]
    escaped = b'{"type":"response.output_audio\\u002edelta","delta":"AAAA"}'
    assert orjson.loads(beta_client().to_client(escaped).forward[0])["type"] == "response.audio.delta"
    held = {"event_id": "event_1", "x": {"id": "x", "type": "x"}, "type": "response.output_audio.delta"}
    assert to_client(beta_client(), held) == [{**held, "type": "response.audio.delta"}]
    held = {"part": {"type": "response.output_audio.delta"}, "type": "response.content_part.done"}
    text = orjson.dumps(held)
    assert beta_client().to_client(text).forward[0] is text


@pytest.mark.parametrize(
    "text",
    [
        b'{"type":"input_audio_buffer.append","audio":"AAAA"}',
        b'{"event_id":"evt_1","type":"input_audio_buffer.append","audio":"AAAA"}',
        b'{"type":"response.cancel"}',
        b'{"type":"response.create"}',
        b'{"type":"response.create","response":{"instructions":"Hi.","input":[{"type":"item_reference"}]}}',
        b'{"type":"conversation.item.create","item":{"content":[{"type":"input_text","text":"Hi."}]}}',
        b'{"type":"conversation.item.create"}',
        b'{"type":"something.new","session":{"modalities":["text"]}}',
        b'{"type":"session.update","session":5}',
        b'{"type":"session.update","session":{"modalities":',
        b'{"type":"session.update","session":{"type":"translation","audio":{}}}',
        b"{}",
        b"",
        b"null",
        b'"session.update"',
        b"\xff\xfe",
        b'{"type":["session.update"]}',
        b'{"type":"' + b"x" * 300 + b'"}',
        b'{"type":"',
    ],
)
@pytest.mark.parametrize("translator", [beta_client, ga_client])
def test_a_client_message_that_needs_no_change_goes_on_as_the_same_bytes(
    text: bytes, translator: Any
) -> None:
    assert translator().to_provider(text).forward[0] is text


@pytest.mark.parametrize(
    "text",
    [
        b'{"type":"input_audio_buffer.speech_started","audio_start_ms":5,"item_id":"item_1"}',
        b'{"type":"response.function_call_arguments.delta","delta":"{"}',
        b'{"type":"response.content_part.added","part":{"type":"audio","transcript":""}}',
        b'{"type":"rate_limits.updated","rate_limits":[]}',
        b'{"type":"error","error":{"type":"invalid_request_error","param":"item.content","message":"?"}}',
        b'{"type":"error","error":{"type":"invalid_request_error","param":null,"message":"?"}}',
        b'{"type":"error","error":"?"}',
        b'{"type":"ping","timestamp":1}',
        b'{"type":"session.created","session":{',
    ],
)
@pytest.mark.parametrize("translator", [beta_client, ga_client])
def test_a_server_message_that_needs_no_change_goes_on_as_the_same_bytes(
    text: bytes, translator: Any
) -> None:
    assert translator().to_client(text).forward[0] is text


def test_a_message_nested_too_deeply_to_be_written_again_goes_on_as_it_came() -> None:
    text = b'{"type":"session.update","session":{"tools":' + b"[" * 500 + b"]" * 500 + b',"voice":"ash"}}'
    assert beta_client().to_provider(text) == Translated((text,))
