"""What is left of messages whose sound or words are not to be recorded."""

from __future__ import annotations

import base64
import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxgate.realtime.screening import Screen

NO_AUDIO, NO_TEXT, NOTHING = Screen(False, True), Screen(True, False), Screen(False, False)
SOUND = base64.b64encode(b"the sound of a voice").decode()
WORD = "PLUM"
LONG = base64.b64encode(bytes(range(256)) * 2).decode()


def screened(screen: Screen, **event: Any) -> dict[str, Any]:
    text = screen.message(json.dumps(event).encode())
    assert text is not None
    kept: dict[str, Any] = orjson.loads(text)
    return kept


@pytest.mark.parametrize("screen", [NO_AUDIO, NOTHING])
@pytest.mark.parametrize(
    ("kind", "field"),
    [
        ("input_audio_buffer.append", "audio"),
        ("response.output_audio.delta", "delta"),
        ("response.audio.delta", "delta"),
    ],
)
def test_a_note_with_its_size_stands_for_sound(screen: Screen, kind: str, field: str) -> None:
    kept = screened(screen, type=kind, event_id="e1", item_id="i1", **{field: SOUND})
    assert kept == {"type": kind, "event_id": "e1", "item_id": "i1", field: "[not recorded: 20 bytes]"}


@pytest.mark.parametrize("screen", [NO_AUDIO, NOTHING])
def test_sound_is_found_in_items_and_under_other_names(screen: Screen) -> None:
    item = {
        "type": "message",
        "role": "user",
        "content": [
            {"type": "input_audio", "audio": SOUND},
            {"type": "input_image", "image_url": "data:audio/x,y"},
        ],
    }
    kept = screened(
        screen,
        type="conversation.item.create",
        item=item,
        response={"input": [item]},
        voice_clip=LONG,
        more=[LONG],
    )
    text = json.dumps(kept)
    assert SOUND not in text
    assert "data:audio" not in text
    assert LONG not in text
    assert kept["item"]["content"][0]["audio"] == "[not recorded: 20 bytes]"


def test_without_sound_the_words_are_as_they_were() -> None:
    event = {
        "type": "response.output_audio_transcript.delta",
        "delta": "Good morning",
        "more": {"deep": [1, None, True, "x"]},
        "session": {"audio": {"input": {"format": {"type": "audio/pcm", "rate": 24000}}}},
    }
    assert screened(NO_AUDIO, **event) == event


@pytest.mark.parametrize("screen", [NO_TEXT, NOTHING])
@pytest.mark.parametrize(
    "event",
    [
        {"type": "response.output_text.delta", "delta": WORD},
        {"type": "response.output_audio_transcript.done", "transcript": WORD},
        {
            "type": "conversation.item.input_audio_transcription.completed",
            "transcript": WORD,
            "logprobs": [WORD],
        },
        {"type": "conversation.item.create", "item": {"content": [{"type": "input_text", "text": WORD}]}},
        {"type": "conversation.item.create", "item": {"type": "function_call_output", "output": WORD}},
        {"type": "conversation.item.create", "item": {"content": [WORD], "output": [[WORD]]}},
        {"type": "response.function_call_arguments.done", "name": "buy", "arguments": WORD},
        {"type": "session.update", "session": {"instructions": WORD, "prompt": {"variables": {"a": WORD}}}},
        {
            "type": "session.update",
            "session": {"tools": [{"name": "f", "description": WORD, "parameters": {WORD: 1}}]},
        },
        {"type": "response.create", "response": {"metadata": {WORD: WORD}, "instructions": WORD}},
        {"type": "error", "error": {"message": f"Not {WORD}", "code": f"a {WORD}"}},
        {"type": "input_audio_buffer.append", "audio": f"{WORD} {WORD}", "note": WORD},
        {"type": "input_audio_buffer.append", "audio": SOUND, "event_id": f"two words {WORD}"},
        {"type": "x", WORD: 1, "status": {WORD: [WORD]}, "voice": {"name": f"{WORD} {WORD}"}},
        {"type": f"a {WORD}", "reason": f"{WORD} {WORD}", "delta": WORD, "unknown": {"deep": WORD}},
        {"model": "m", "messages": [{"role": "user", "content": WORD, "name": WORD}], "prompt": WORD},
        {"model": "m", "input": [WORD], "system": WORD, "metadata": {"a": WORD}, "stop": [WORD]},
        {"choices": [{"index": 0, "message": {"content": WORD, "reasoning": WORD, "refusal": WORD}}]},
        {"choices": [{"delta": {"content": WORD, "reasoning": WORD, "reasoning_content": WORD}}]},
        {"choices": [{"text": WORD, "logprobs": {"content": [{"token": WORD}]}, "delta": WORD}]},
        {"content": [{"type": "tool_use", "name": "book", "input": {"name": WORD, "language": WORD}}]},
        {"type": "content_block_delta", "delta": {"type": "text_delta", "text": WORD, "partial_json": WORD}},
        {"text": WORD, "segments": [{"text": WORD}], "words": [{"word": WORD}], "data": [WORD]},
        {"output": [{"type": "function_call", "arguments": WORD, "output": {"name": WORD}}]},
    ],
)
def test_no_words_are_left(screen: Screen, event: dict[str, Any]) -> None:
    assert WORD not in json.dumps(screened(screen, **event))


def test_without_words_what_can_be_measured_is_left() -> None:
    event = {
        "type": "response.done",
        "response": {
            "id": "resp_1",
            "status": "cancelled",
            "status_details": {"type": "cancelled", "reason": "turn_detected"},
            "usage": {
                "total_tokens": 7,
                "input_token_details": {"audio_tokens": 3, "cached_tokens_details": {}},
            },
            "output": [{"id": "item_1", "type": "function_call", "name": "get_price", "call_id": "call_1"}],
            "output_modalities": ["audio"],
        },
    }
    assert screened(NO_TEXT, **event) == event
    audio = {"type": "response.output_audio.delta", "delta": SOUND, "item_id": "item_1"}
    assert screened(NO_TEXT, **audio) == audio


@pytest.mark.parametrize(
    "answer",
    [
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "model": "gpt-5",
            "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant"}}],
            "usage": {
                "prompt_tokens": 9,
                "completion_tokens": 3,
                "total_tokens": 12,
                "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 1},
                "completion_tokens_details": {"reasoning_tokens": 2, "audio_tokens": 0},
            },
        },
        {
            "type": "message_start",
            "message": {
                "role": "assistant",
                "usage": {
                    "input_tokens": 9,
                    "cache_read_input_tokens": 5,
                    "cache_creation_input_tokens": 7,
                    "cache_creation": {"ephemeral_5m_input_tokens": 7, "ephemeral_1h_input_tokens": 0},
                    "output_tokens": 1,
                },
            },
        },
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 12}},
        {
            "object": "response",
            "usage": {
                "input_tokens": 9,
                "input_tokens_details": {"cached_tokens": 4},
                "output_tokens": 3,
                "output_tokens_details": {"reasoning_tokens": 2},
            },
        },
        {"duration": 2.5, "language": "english", "usage": {"type": "duration", "seconds": 3}},
    ],
)
def test_without_words_what_a_request_used_is_left(answer: dict[str, Any]) -> None:
    assert screened(NO_TEXT, **answer) == answer


@pytest.mark.parametrize("text", [b"", b"PLUM", b"[1]", b'"PLUM"', b"\xff", b'{"a":', b"[" * 3000])
def test_what_is_no_object_is_not_kept(text: bytes) -> None:
    assert NO_AUDIO.message(text) is None
    assert NO_TEXT.message(text) is None


@pytest.mark.parametrize("screen", [NO_AUDIO, NO_TEXT, NOTHING])
def test_what_is_nested_too_deeply_is_cut_off(screen: Screen) -> None:
    depth = 1000
    text = b'{"content":' * depth + b'"' + LONG.encode() + b'"' + b"}" * depth
    kept = screen.message(text)
    assert kept is not None
    assert LONG.encode() not in kept


def test_a_close_frames_reason_may_be_words() -> None:
    assert NO_TEXT.reason("invalid_request_error.code") == "invalid_request_error.code"
    assert NO_TEXT.reason("my name is PLUM") == ""
    assert NO_AUDIO.reason("my name is PLUM") == "my name is PLUM"


_names = st.one_of(
    st.sampled_from(
        ["type", "session", "audio", "delta", "output", "content", "item", "voice", "usage", "tools"]
    ),
    st.sampled_from(["choices", "message", "input", "reasoning"]),
    st.text(),
)
_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.just("zwei Wörter"), st.just("a b")),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_names, inner, max_size=4)),
)


@given(st.dictionaries(_names, _values, max_size=5))
def test_whatever_the_shape_no_words_are_left(event: dict[str, Any]) -> None:
    text = NOTHING.message(json.dumps(event).encode())
    if text is not None:
        assert b"W\xc3\xb6rter" not in text
        assert not any(
            " " in word for word in _strings(orjson.loads(text)) if not word.startswith("[not recorded")
        )


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [word for each in value.values() for word in _strings(each)]
    return [word for each in value for word in _strings(each)] if isinstance(value, list) else []
