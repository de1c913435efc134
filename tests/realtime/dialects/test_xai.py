"""What xAI says otherwise than GA, both ways."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.realtime.dialects.speaking import Event, update

from voxgate.realtime.dialects import Translated, XaiTranslator

VAD = {"type": "server_vad", "threshold": 0.5}


def told(event: Event) -> Any:
    (text,) = XaiTranslator().to_provider(orjson.dumps(event)).forward
    return json.loads(text)


def shown(event: Event) -> Any:
    (text,) = XaiTranslator().to_client(orjson.dumps(event)).forward
    return json.loads(text)


def test_a_voice_and_a_turn_detection_stand_at_the_top_of_a_session() -> None:
    output = {"voice": "ara", "format": {"type": "audio/pcmu"}}
    said = update(type="realtime", audio={"output": output, "input": {"turn_detection": VAD}})
    assert told(said) == update(
        type="realtime",
        audio={"output": {"format": {"type": "audio/pcmu"}}},
        voice="ara",
        turn_detection=VAD,
    )


def test_no_turn_detection_is_one_without_a_type() -> None:
    assert told(update(audio={"input": {"turn_detection": None}})) == update(turn_detection={"type": None})
    inside = shown({"type": "session.created", "session": {"turn_detection": {"type": None}}})["session"]
    assert inside["audio"] == {"input": {"turn_detection": None}}
    assert inside["turn_detection"] == {"type": None}


def test_a_session_is_shown_in_the_places_of_both() -> None:
    audio = {"input": {"format": {"type": "audio/pcm", "rate": 24000}}}
    session = {"voice": "ara", "turn_detection": VAD, "modalities": ["audio", "text"], "audio": audio}
    assert shown({"type": "session.updated", "session": session})["session"] == {
        **session,
        "type": "realtime",
        "output_modalities": ["audio"],
        "audio": {"input": {**audio["input"], "turn_detection": VAD}, "output": {"voice": "ara"}},
    }


def test_what_already_stands_in_its_place_stays() -> None:
    session = {"type": "realtime", "voice": "ara", "audio": {"output": {"voice": "eve"}}}
    assert shown({"type": "session.updated", "session": session})["session"] == session


def test_a_responses_usage_is_in_the_response() -> None:
    usage = {"total_tokens": 341}
    done = {"type": "response.done", "response": {"id": "r", "usage": {}}, "usage": usage}
    assert shown(done) == {**done, "response": {"id": "r", "usage": usage}}
    own = {"type": "response.done", "response": {"usage": {"total_tokens": 1}}, "usage": usage}
    assert shown(own) == own


@pytest.mark.parametrize(
    "text",
    [
        '{"type": "ping",  "event_id": "e", "timestamp": 1.0}',
        '{"type":"session.update","session":{"voice":"ara", "x":1.0}}',
        '{"type":"session.update","session":[]}',
        '{"type":"response.done", "response":{"usage":{}}}',
        '{"session":{ }, "type":"session.other"}',
        '{"session": 1, "type":"session.updated"}',
        "no JSON",
        '{"type":"session.update"',
        "[" * 2000,
    ],
)
def test_everything_else_goes_on_as_the_same_bytes(text: str) -> None:
    assert XaiTranslator().to_provider(text.encode()) == Translated((text.encode(),))
    assert XaiTranslator().to_client(text.encode()) == Translated((text.encode(),))


DEEP: Any = None
for _ in range(400):
    DEEP = [DEEP]
VALUES = st.recursive(
    st.none() | st.integers(0, 9) | st.text(max_size=4) | st.just(DEEP),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                ["audio", "input", "output", "voice", "turn_detection", "modalities", "usage", "type"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)
NAMES = st.sampled_from(["session.update", "session.created", "session.updated", "response.done", "ping"])


@given(
    st.fixed_dictionaries({"type": NAMES | VALUES}, optional={"session": VALUES, "response": VALUES}),
    st.integers(0, 40),
)
def test_nothing_makes_it_fail(event: Event, cut: int) -> None:
    text = json.dumps(event).encode()
    for said in (text, text[:-cut] if cut else text):
        for way in (XaiTranslator().to_provider, XaiTranslator().to_client):
            (out,) = way(said).forward
            assert isinstance(out, bytes)
