"""Items, responses, transcription sessions, errors and quirks in the words of the other dialect."""

from __future__ import annotations

import pytest
from tests.realtime.dialects.speaking import (
    Event,
    beta_client,
    ga_client,
    refusals,
    to_client,
    to_provider,
    update,
)

from voxgate.realtime.dialects import REFUSED_BY_VOICE_LIVE


def test_contents_of_an_assistants_message() -> None:
    def create(*kinds: str) -> Event:
        content = [{"type": kind, "text": "Hi."} for kind in kinds]
        return {"type": "conversation.item.create", "item": {"role": "assistant", "content": content}}

    beta, ga = create("text", "audio", "input_text"), create("output_text", "output_audio", "input_text")
    assert to_provider(beta_client(), beta) == [ga]
    assert to_provider(ga_client(), ga) == [beta]


def test_a_response_asked_for_by_a_beta_client() -> None:
    create = {
        "type": "response.create",
        "event_id": "evt_1",
        "response": {
            "modalities": ["audio", "text"],
            "voice": "sage",
            "output_audio_format": "pcm16",
            "temperature": 0.9,
            "max_response_output_tokens": 100,
            "conversation": "none",
            "metadata": {"client_event_id": "x"},
            "input": [{"type": "message", "role": "assistant", "content": [{"type": "text", "text": "Hi."}]}],
        },
    }
    assert to_provider(beta_client(), create) == [
        {
            "type": "response.create",
            "event_id": "evt_1",
            "response": {
                "output_modalities": ["audio"],
                "audio": {"output": {"voice": "sage", "format": {"type": "audio/pcm", "rate": 24000}}},
                "max_output_tokens": 100,
                "conversation": "none",
                "metadata": {"client_event_id": "x"},
                "input": [
                    {
                        "type": "message",
                        "role": "assistant",
                        "content": [{"type": "output_text", "text": "Hi."}],
                    }
                ],
            },
        }
    ]


def test_a_response_shown_to_a_beta_client() -> None:
    done = {
        "type": "response.done",
        "response": {
            "id": "resp_1",
            "status": "completed",
            "output": [
                {"id": "item_1", "role": "assistant", "content": [{"type": "output_text", "text": "Hi."}]}
            ],
            "output_modalities": ["text"],
            "max_output_tokens": "inf",
            "audio": {"output": {"format": {"type": "audio/pcmu"}, "voice": "alloy"}},
            "usage": {"total_tokens": 3, "input_token_details": {"image_tokens": 0}},
            "metadata": None,
        },
    }
    (shown,) = to_client(beta_client(), done)
    assert shown["response"] == {
        "id": "resp_1",
        "status": "completed",
        "output": [
            {
                "id": "item_1",
                "role": "assistant",
                "content": [{"type": "text", "text": "Hi."}],
                "object": "realtime.item",
            }
        ],
        "modalities": ["text"],
        "max_output_tokens": "inf",
        "output_audio_format": "g711_ulaw",
        "voice": "alloy",
        "usage": {"total_tokens": 3, "input_token_details": {"image_tokens": 0}},
        "metadata": None,
        "temperature": 0.8,
    }


def test_a_transcription_session_of_a_beta_client() -> None:
    translator = beta_client()
    said = {
        "type": "transcription_session.update",
        "event_id": "evt_1",
        "session": {
            "modalities": ["audio", "text"],
            "input_audio_format": "pcm16",
            "input_audio_transcription": {"model": "gpt-4o-transcribe", "prompt": "", "language": ""},
            "turn_detection": {"type": "server_vad", "silence_duration_ms": 500},
            "input_audio_noise_reduction": {"type": "near_field"},
            "include": ["item.input_audio_transcription.logprobs"],
        },
    }
    sent = {
        "type": "session.update",
        "event_id": "evt_1",
        "session": {
            "type": "transcription",
            "include": ["item.input_audio_transcription.logprobs"],
            "audio": {
                "input": {
                    "format": {"type": "audio/pcm", "rate": 24000},
                    "transcription": {"model": "gpt-4o-transcribe", "prompt": "", "language": ""},
                    "turn_detection": {"type": "server_vad", "silence_duration_ms": 500},
                    "noise_reduction": {"type": "near_field"},
                }
            },
        },
    }
    assert to_provider(translator, said) == [sent]
    for event in ("created", "updated"):
        (shown,) = to_client(translator, {**sent, "type": f"session.{event}"})
        assert shown == {**said, "type": f"transcription_session.{event}"}


def test_a_transcription_session_of_a_ga_client() -> None:
    translator = ga_client()
    session = {"type": "transcription", "audio": {"input": {"transcription": {"model": "whisper-1"}}}}
    beta = {"input_audio_transcription": {"model": "whisper-1"}}
    assert to_provider(translator, update(**session)) == [
        {"type": "transcription_session.update", "session": beta}
    ]
    answer = {"type": "transcription_session.updated", "session": beta}
    assert to_client(translator, answer) == [{"type": "session.updated", "session": session}]


def test_the_object_of_a_session_tells_a_transcription_too() -> None:
    session = {"object": "realtime.transcription_session", "input_audio_format": "pcm16"}
    (shown,) = to_client(ga_client(), {"type": "session.updated", "session": session})
    assert shown["session"]["type"] == "transcription"


@pytest.mark.parametrize(
    ("in_ga", "in_beta"),
    [
        ("session.audio.input.format", "session.input_audio_format"),
        ("session.audio.input.turn_detection.threshold", "session.turn_detection.threshold"),
        ("session.audio.input.transcription", "session.input_audio_transcription"),
        ("session.audio.output.voice", "session.voice"),
        ("session.output_modalities", "session.modalities"),
        ("session.output_modalities[0]", "session.modalities[0]"),
        ("session.max_output_tokens", "session.max_response_output_tokens"),
        ("response.audio.output.voice", "response.voice"),
        ("response.output_modalities", "response.modalities"),
        ("session.tools[0].name", "session.tools[0].name"),
        ("session.output_modalities_of_another_kind", "session.output_modalities_of_another_kind"),
    ],
)
def test_an_error_names_the_field_as_the_client_knows_it(in_ga: str, in_beta: str) -> None:
    def error(param: str) -> Event:
        return {
            "type": "error",
            "event_id": "event_1",
            "error": {
                "type": "invalid_request_error",
                "code": "invalid_value",
                "message": f"Invalid value for '{param}'.",
                "param": param,
                "event_id": "evt_of_the_client",
            },
        }

    assert to_client(beta_client(), error(in_ga)) == [error(in_beta)]
    assert to_client(ga_client(), error(in_beta)) == [error(in_ga)]


def test_an_error_about_the_inside_of_a_format_names_the_format() -> None:
    error = {"type": "error", "error": {"param": "session.audio.output.format.type", "message": None}}
    assert to_client(beta_client(), error)[0]["error"]["param"] == "session.output_audio_format"


def test_an_error_about_the_rate_names_the_sampling_rate() -> None:
    error = {"type": "error", "error": {"param": "session.input_audio_sampling_rate", "message": "?"}}
    (shown,) = to_client(ga_client(), error)
    assert shown["error"]["param"] == "session.audio.input.format.rate"


def test_a_format_that_ga_has_no_word_for_is_refused_and_the_update_is_not_sent() -> None:
    translator = beta_client()
    said = {**update(input_audio_format="mp3", temperature=0.9), "event_id": "evt_1"}
    (error,) = refusals(translator, said)
    assert error.pop("event_id").startswith("event_")
    assert error == {
        "type": "error",
        "error": {
            "type": "invalid_request_error",
            "code": "invalid_value",
            "message": "Invalid value: 'mp3'. Supported values are: 'pcm16', 'g711_ulaw', and 'g711_alaw'.",
            "param": "session.input_audio_format",
            "event_id": "evt_1",
        },
    }
    (shown,) = to_client(translator, {"type": "session.updated", "session": {"type": "realtime"}})
    assert shown["session"]["temperature"] == 0.8


def test_a_format_that_beta_has_no_word_for_is_refused() -> None:
    said = update(type="realtime", audio={"input": {"format": {"type": "audio/pcm", "rate": 44100}}})
    (error,) = refusals(ga_client(), said)
    assert error["error"]["param"] == "session.audio.input.format"
    assert error["error"]["event_id"] is None
    create = {
        "type": "response.create",
        "response": {"audio": {"output": {"format": {"type": "audio/opus"}}}},
    }
    (error,) = refusals(ga_client(), create)
    assert error["error"]["param"] == "response.audio.output.format"


def test_what_changes_nothing_and_is_unknown_in_beta_is_left_out_and_shown_again() -> None:
    translator = ga_client()
    said = update(type="realtime", truncation="auto", instructions="Hi.")
    assert to_provider(translator, said) == [update(instructions="Hi.")]
    (shown,) = to_client(translator, {"type": "session.updated", "session": {"instructions": "Hi."}})
    assert shown["session"] == {"type": "realtime", "truncation": "auto", "instructions": "Hi."}


def test_what_would_change_something_is_sent_even_if_beta_has_no_word_for_it() -> None:
    said = update(type="realtime", truncation="disabled", prompt={"id": "pmpt_1"})
    assert to_provider(ga_client(), said) == [update(truncation="disabled", prompt={"id": "pmpt_1"})]


def test_quirks_of_azure_voice_live() -> None:
    translator = ga_client(refused=REFUSED_BY_VOICE_LIVE)
    said = update(type="realtime", tracing="auto", audio={"output": {"speed": 1, "voice": "alloy"}})
    assert to_provider(translator, said) == [update(voice="alloy")]
    session = {"voice": {"name": "alloy", "type": "openai"}, "input_audio_sampling_rate": 24000}
    assert to_client(translator, {"type": "session.updated", "session": session}) == [
        {
            "type": "session.updated",
            "session": {
                "type": "realtime",
                "tracing": "auto",
                "audio": {
                    "input": {"format": {"type": "audio/pcm", "rate": 24000}},
                    "output": {"voice": "alloy", "speed": 1},
                },
            },
        }
    ]
    fast = update(type="realtime", audio={"output": {"speed": 1.4}})
    assert to_provider(translator, fast) == [update(speed=1.4)]  # the provider refuses it, loudly


@pytest.mark.parametrize("rate", [8000, 16000])
def test_rates_that_only_azure_voice_live_takes(rate: int) -> None:
    pcm = {"type": "audio/pcm", "rate": rate}
    ga = update(type="realtime", audio={"input": {"format": pcm}, "output": {"format": pcm}})
    beta = update(
        input_audio_format="pcm16",
        output_audio_format=f"pcm16_{rate}hz",
        input_audio_sampling_rate=rate,
    )
    assert to_provider(ga_client(), ga) == [beta]
    assert to_provider(beta_client(), beta) == [ga]


def test_a_sampling_rate_that_is_not_set_says_nothing() -> None:
    session = {"input_audio_sampling_rate": None, "input_audio_format": "pcm16"}
    (shown,) = to_client(ga_client(), {"type": "session.updated", "session": session})
    assert shown["session"]["audio"]["input"]["format"] == {"type": "audio/pcm", "rate": 24000}


def test_a_sampling_rate_beside_g711_is_left_out_since_ga_has_none() -> None:
    said = update(input_audio_format="g711_ulaw", input_audio_sampling_rate=8000)
    assert to_provider(beta_client(), said) == [
        update(type="realtime", audio={"input": {"format": {"type": "audio/pcmu"}}})
    ]


def test_voices_of_azure_keep_their_description() -> None:
    voice = {"type": "azure-standard", "name": "en-US-Ava:DragonHDLatestNeural"}
    (shown,) = to_client(ga_client(), {"type": "session.updated", "session": {"voice": voice}})
    assert shown["session"]["audio"]["output"]["voice"] == voice


def test_a_session_that_mixes_both_shapes_keeps_what_it_says_in_the_providers() -> None:
    said = update(voice="ash", audio={"output": {"voice": "sage"}, "input": None}, turn_detection=None)
    assert to_provider(beta_client(), said) == [
        update(type="realtime", audio={"output": {"voice": "sage"}, "input": {"turn_detection": None}})
    ]


def test_fields_inside_audio_that_no_table_knows_stay_there() -> None:
    session = {"type": "realtime", "audio": {"output": {"voice": "ash", "accent": "x"}, "input": 5}}
    (shown,) = to_client(beta_client(), {"type": "session.updated", "session": session})
    assert shown["session"]["voice"] == "ash"
    assert shown["session"]["audio"] == {"output": {"accent": "x"}, "input": 5}
    back = update(turn_detection=None, audio={"input": 5})
    assert to_provider(beta_client(), back) == [
        update(type="realtime", turn_detection=None, audio={"input": 5})
    ]
