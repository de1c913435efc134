"""To the other dialect and back loses nothing that both can say; and nothing makes a translator fail."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.realtime.dialects.shapes import Choice, Many, Record, Shape
from tests.realtime.dialects.speaking import BETA, GA, Event, beta_client, ga_client, to_client, to_provider

from voxgate.realtime.dialects import Translator
from voxgate.realtime.dialects.names import find_name
from voxgate.realtime.dialects.table import BODIES, FIELDS, ITEM_DONE, RENAMED

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=12)
NUMBER = st.integers(0, 2**31) | st.floats(0, 10, width=32)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBER | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
PCM = {"type": "audio/pcm", "rate": 24000}
VAD = st.none() | st.fixed_dictionaries(
    {"type": st.sampled_from(["server_vad", "semantic_vad"])},
    optional={"threshold": NUMBER, "eagerness": st.just("low"), "create_response": st.booleans()},
)
TRANSCRIPTION = st.none() | st.fixed_dictionaries(
    {"model": TEXT}, optional={"language": TEXT, "prompt": TEXT}
)
NOISE = st.none() | st.fixed_dictionaries({"type": st.sampled_from(["near_field", "far_field"])})
TOOL = st.fixed_dictionaries({"type": st.just("function"), "name": TEXT}, optional={"parameters": JSON})
MAX_TOKENS = st.just("inf") | st.integers(1, 4096)
VOICE = st.sampled_from(["alloy", "verse", "marin"]) | st.fixed_dictionaries({"id": TEXT})
SAME_IN_BOTH = {
    "instructions": TEXT,
    "tools": st.lists(TOOL, max_size=2),
    "tool_choice": st.sampled_from(["auto", "none"]) | st.fixed_dictionaries({"name": TEXT}),
    "model": TEXT,
    "tracing": st.none() | st.just("auto"),
    "prompt": st.none() | st.fixed_dictionaries({"id": TEXT}),
    "include": st.none() | st.lists(TEXT, max_size=1),
    "parallel_tool_calls": st.booleans(),
    "something_new": JSON,
}
BETA_FORMAT = st.sampled_from(["pcm16", "g711_ulaw", "g711_alaw"])
GA_FORMAT = st.sampled_from([PCM, {"type": "audio/pcmu"}, {"type": "audio/pcma"}])
BETA_MODALITIES = st.sampled_from([["audio", "text"], ["text"]])
GA_MODALITIES = st.sampled_from([["audio"], ["text"]])


def record(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Event]:
    return st.fixed_dictionaries({}, optional=fields)


BETA_SESSION = record(
    **SAME_IN_BOTH,
    modalities=BETA_MODALITIES,
    voice=VOICE,
    speed=NUMBER,
    input_audio_format=BETA_FORMAT,
    output_audio_format=BETA_FORMAT,
    input_audio_transcription=TRANSCRIPTION,
    input_audio_noise_reduction=NOISE,
    turn_detection=VAD,
    max_response_output_tokens=MAX_TOKENS,
    reasoning_effort=TEXT,
)


def nonempty(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Event]:
    """An object with nothing in it says nothing, so it need not come back."""
    return record(**fields).filter(bool)


GA_OUTPUT = nonempty(format=GA_FORMAT, voice=VOICE, speed=NUMBER, accent=JSON)
GA_INPUT = nonempty(
    format=GA_FORMAT, transcription=TRANSCRIPTION, noise_reduction=NOISE, turn_detection=VAD, echo=JSON
)
GA_FIELDS: dict[str, st.SearchStrategy[Any]] = {
    **SAME_IN_BOTH,
    "output_modalities": GA_MODALITIES,
    "max_output_tokens": MAX_TOKENS,
    "truncation": st.just("disabled"),
    "reasoning": nonempty(effort=TEXT, summary=TEXT),
    "audio": nonempty(input=GA_INPUT, output=GA_OUTPUT),
}
GA_SESSION = st.fixed_dictionaries({"type": st.just("realtime")}, optional=GA_FIELDS)
GA_TRANSCRIPTION = st.fixed_dictionaries(
    {"type": st.just("transcription")}, optional={"audio": nonempty(input=GA_INPUT), "include": JSON}
)


def content(text: str, audio: str) -> st.SearchStrategy[Any]:
    kinds = st.sampled_from([text, audio, "input_text", "input_audio", "input_image", "new_kind"])
    return st.lists(
        st.fixed_dictionaries({"type": kinds}, optional={"text": TEXT, "audio": TEXT}), max_size=3
    )


def item(text: str, audio: str, **needed: st.SearchStrategy[Any]) -> st.SearchStrategy[Event]:
    return st.fixed_dictionaries(
        {"id": TEXT, "object": st.just("realtime.item"), **needed},
        optional={
            "type": st.sampled_from(["message", "function_call", "function_call_output", "item_reference"]),
            "role": st.sampled_from(["user", "assistant", "system"]),
            "content": content(text, audio),
            "arguments": TEXT,
            "call_id": TEXT,
            "output": TEXT,
            "something_new": JSON,
        },
    )


BETA_ITEM, GA_ITEM = item("text", "audio"), item("output_text", "output_audio")
RESPONSE_IN_BOTH = {
    "id": TEXT,
    "status": TEXT,
    "metadata": JSON,
    "usage": JSON,
    "status_details": JSON,
    "conversation_id": TEXT,
}
BETA_RESPONSE = record(
    **RESPONSE_IN_BOTH,
    modalities=BETA_MODALITIES,
    voice=VOICE,
    output_audio_format=BETA_FORMAT,
    max_output_tokens=MAX_TOKENS,
    output=st.lists(BETA_ITEM, max_size=2),
)
GA_RESPONSE = record(
    **RESPONSE_IN_BOTH,
    output_modalities=GA_MODALITIES,
    max_output_tokens=MAX_TOKENS,
    output=st.lists(GA_ITEM, max_size=2),
    audio=nonempty(output=nonempty(format=GA_FORMAT, voice=VOICE)),
)
REQUEST_IN_BOTH = {"instructions": TEXT, "conversation": TEXT, "metadata": JSON, "something_new": JSON}
BETA_REQUEST = record(
    **REQUEST_IN_BOTH,
    modalities=BETA_MODALITIES,
    voice=VOICE,
    output_audio_format=BETA_FORMAT,
    max_response_output_tokens=MAX_TOKENS,
    input=st.lists(BETA_ITEM, max_size=2),
)
GA_REQUEST = record(
    **REQUEST_IN_BOTH,
    output_modalities=GA_MODALITIES,
    max_output_tokens=MAX_TOKENS,
    input=st.lists(GA_ITEM, max_size=2),
    audio=nonempty(output=nonempty(format=GA_FORMAT, voice=VOICE)),
)


def event(
    name: str, key: str, body: st.SearchStrategy[Any], **more: st.SearchStrategy[Any]
) -> st.SearchStrategy[Event]:
    fixed = {"type": st.just(name), key: body, **more}
    return st.fixed_dictionaries(fixed, optional={"event_id": TEXT, "something_new": JSON})


BETA_CLIENT_EVENT = st.one_of(
    event("session.update", "session", BETA_SESSION),
    event(
        "transcription_session.update",
        "session",
        record(input_audio_format=BETA_FORMAT, turn_detection=VAD, include=JSON),
    ),
    event("conversation.item.create", "item", BETA_ITEM),
    event("response.create", "response", BETA_REQUEST),
    event("input_audio_buffer.append", "audio", TEXT),
)
GA_CLIENT_EVENT = st.one_of(
    event("session.update", "session", GA_SESSION | GA_TRANSCRIPTION),
    event("conversation.item.create", "item", GA_ITEM),
    event("response.create", "response", GA_REQUEST),
    event("input_audio_buffer.append", "audio", TEXT),
)


def with_temperature(body: st.SearchStrategy[Event]) -> st.SearchStrategy[Event]:
    """A beta provider always shows it, and a GA client is not troubled by it."""
    return st.builds(lambda shown, temperature: {**shown, "temperature": temperature}, body, NUMBER)


BETA_SERVER_EVENT = st.one_of(
    event("session.created", "session", with_temperature(BETA_SESSION)),
    event("conversation.item.created", "item", BETA_ITEM, previous_item_id=st.none() | TEXT),
    event("response.output_item.added", "item", BETA_ITEM),
    event("response.done", "response", with_temperature(BETA_RESPONSE)),
    *(event(beta, "delta", TEXT) for beta, _ in RENAMED if "item" not in beta),
)
GA_SERVER_EVENT = st.one_of(
    event("session.updated", "session", with_temperature(GA_SESSION)),
    event("conversation.item.retrieved", "item", GA_ITEM),
    event("response.output_item.added", "item", GA_ITEM),
    event("response.created", "response", with_temperature(GA_RESPONSE)),
    *(event(ga, "delta", TEXT) for _, ga in RENAMED if "item" not in ga),
)


@QUICK
@given(BETA_CLIENT_EVENT)
def test_what_a_beta_client_says_comes_back_from_ga(said: Event) -> None:
    (in_ga,) = to_provider(beta_client(), said)
    assert to_provider(ga_client(), in_ga) == [said]


@QUICK
@given(GA_CLIENT_EVENT)
def test_what_a_ga_client_says_comes_back_from_beta(said: Event) -> None:
    (in_beta,) = to_provider(ga_client(), said)
    assert to_provider(beta_client(), in_beta) == [said]


@QUICK
@given(BETA_SERVER_EVENT)
def test_what_a_beta_provider_says_comes_back_from_ga(said: Event) -> None:
    translator = beta_client()
    back = [out for in_ga in to_client(ga_client(), said) for out in to_client(translator, in_ga)]
    assert back == [said]


@QUICK
@given(GA_SERVER_EVENT)
def test_what_a_ga_provider_says_comes_back_from_beta(said: Event) -> None:
    (in_beta,) = to_client(beta_client(), said)
    assert to_client(ga_client(), in_beta) == [said]


def with_more(body: st.SearchStrategy[Event]) -> st.SearchStrategy[Event]:
    """What GA has no word for."""
    return st.builds(
        lambda said, temperature, audio_format: {**said, "temperature": temperature, **audio_format},
        body,
        NUMBER,
        st.sampled_from([{}, {"output_audio_format": "mp3"}, {"output_audio_format": "pcm16_8000hz"}]),
    )


@QUICK
@given(
    BETA_CLIENT_EVENT
    | event("session.update", "session", with_more(BETA_SESSION))
    | event("response.create", "response", with_more(BETA_REQUEST))
)
def test_what_a_beta_client_says_comes_back_whole_by_way_of_ga(said: Event) -> None:
    (in_ga,) = to_provider(Translator(BETA, GA, is_waypoint=True), said)
    assert to_provider(ga_client(), in_ga) == [said]


@QUICK
@given(BETA_SERVER_EVENT | event("session.updated", "session", with_more(BETA_SESSION)))
def test_what_a_beta_provider_says_comes_back_whole_by_way_of_ga(said: Event) -> None:
    last = Translator(BETA, GA, is_waypoint=True)
    assert [out for in_ga in to_client(ga_client(), said) for out in to_client(last, in_ga)] == [said]


@QUICK
@given(GA_ITEM, st.none() | TEXT, TEXT, st.sampled_from(["completed", "in_progress"]))
def test_the_life_of_an_item_comes_back_from_beta(
    whole: Event, previous: str | None, event_id: str, status: str
) -> None:
    first = {**whole, "status": status}
    added = {"type": "conversation.item.added", "event_id": event_id, "previous_item_id": previous}
    done = {**added, "type": ITEM_DONE, "item": {**whole, "status": "completed"}}
    life = [{**added, "item": first}, done]
    if status == "in_progress":
        life.append({"type": "response.output_item.done", "event_id": event_id, "item": done["item"]})
    to_beta, to_ga = beta_client(), ga_client()
    back = [out for said in life for shown in to_client(to_beta, said) for out in to_client(to_ga, shown)]
    assert [{**one, "event_id": event_id} for one in back] == life


def sayable(shape: Shape, *path: str) -> Shape:
    """The shape without what only beta can say: the temperature, secrets, audio without text."""
    if isinstance(shape, Record):
        gone = {"temperature", "client_secret"}
        fields = [field for field in shape.fields if field[0] not in gone]
        return Record(tuple((name, needed, sayable(inner, *path, name)) for name, needed, inner in fields))
    if isinstance(shape, Many) and path[-1] != "modalities":
        return Many(sayable(shape.inner, *path))
    return Choice(("text",)) if path and path[-1] == "modalities" else shape


@pytest.mark.parametrize(
    "name", ["session.update", "conversation.item.create", "response.create", "conversation.item.truncate"]
)
def test_every_field_of_a_beta_client_event_comes_back_from_ga(
    name: str, beta_client_shapes: dict[str, Shape]
) -> None:
    values = sayable(beta_client_shapes[name]).values()

    @QUICK
    @given(values, st.sampled_from([["text"], ["audio", "text"]]))
    def check(said: Event, modalities: list[str]) -> None:
        for key in ("session", "response"):
            if "modalities" in said.get(key, {}):
                said[key]["modalities"] = modalities
        (in_ga,) = to_provider(beta_client(), said)
        assert to_provider(ga_client(), in_ga) == [said]

    check()


KNOWN = sorted({name for pair in RENAMED for name in pair} | set(BODIES))
NAMES = st.sampled_from(KNOWN)
FIELD_NAMES = st.sampled_from(
    sorted(
        {name for fields in FIELDS.values() for field in fields for name in (field.beta, *field.ga)}
        | {"type", "object", "content", "item", "id", "status", "temperature", "truncation", "model", "param"}
        | {"output", "message", "rate", "tools", "input_audio_sampling_rate"}
    )
)
WORDS = st.sampled_from(["pcm16", "audio/pcm", "audio", "text", "realtime", "transcription", "openai", 16000])
WILD = st.recursive(
    JSON | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELD_NAMES, inner, max_size=5),
    max_leaves=15,
)
WILD_EVENT = st.fixed_dictionaries(
    {"type": NAMES | WILD}, optional=dict.fromkeys(("session", "item", "response", "error", "event_id"), WILD)
)
CALLS = st.sampled_from([(BETA, GA), (GA, BETA), (None, GA), (None, BETA), (GA, GA)])


def translate_all(translator: Translator, texts: list[bytes]) -> None:
    for text in texts:
        for translated in (translator.to_provider(text), translator.to_client(text)):
            assert all(isinstance(one, bytes) for one in (*translated.forward, *translated.back))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(CALLS, st.lists(WILD_EVENT, max_size=4))
def test_no_event_makes_a_translator_fail(call: Any, events: list[Any]) -> None:
    client, provider = call
    translate_all(
        Translator(client, provider, requested_model="a", upstream_model="b"),
        [orjson.dumps(one) for one in events],
    )


@settings(max_examples=200, deadline=None)
@given(CALLS, st.binary(max_size=60) | TEXT.map(str.encode), NAMES, st.integers(0, 60))
def test_no_bytes_make_a_translator_fail(call: Any, junk: bytes, name: str, cut: int) -> None:
    client, provider = call
    texts = [junk, b'{"type":"' + name.encode() + b'",' + junk, b'{"type":"' + name.encode()[:cut] + junk]
    translate_all(Translator(client, provider), texts)


@QUICK
@given(WILD_EVENT.filter(lambda one: one["type"] not in KNOWN))
def test_events_that_no_table_knows_go_on_as_the_same_bytes(unknown: Event) -> None:
    text = orjson.dumps(unknown)
    for translator in (beta_client(), ga_client()):
        assert translator.to_provider(text).forward[0] is text
        assert translator.to_client(text).forward[0] is text


MEMBERS = st.dictionaries(st.sampled_from(["type", "event_id", "item", "x"]), st.just("x") | WILD, min_size=2)
WRITERS = st.sampled_from(
    [orjson.dumps, lambda one: json.dumps(one).encode(), lambda one: json.dumps(one, indent=1).encode()]
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(MEMBERS.flatmap(lambda one: st.permutations(list(one.items()))), WRITERS)
def test_a_name_found_in_the_first_bytes_is_the_events_own(members: list[Any], write: Any) -> None:
    said = dict(members)
    found = find_name(write(said))
    if found is not None:
        assert found[0].decode() == said["type"]
