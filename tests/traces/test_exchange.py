"""Requests that were no calls are traces of one turn: the same spans, usage and cost, whatever the API."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxgate.traces import Trace, TraceBuilder, build_trace
from voxgate.traces.events import Event
from voxgate.traces.images import digest_of

PRICE = {"text_input": 2.0, "text_cached_input": 0.5, "text_output": 8.0}
ASKED = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hi."},
    {"role": "assistant", "content": "Hello."},
    {"role": "user", "content": [{"type": "text", "text": "Where is A1?"}, {"type": "image_url"}]},
]
Body = dict[str, Any]


def trace(
    endpoint: str, body: Body, *said: Body, status: int = 200, code: int = 1000, side: str = "provider"
) -> Trace:
    opened = {"type": "gateway.opened", "session_id": "sess_1", "transport": "http", "endpoint": endpoint}
    events = [
        Event(0, "gateway", {**opened, "model": body.get("model"), "project": "p"}),
        Event(1_000_000, "client", body),
        Event(2_000_000, "gateway", {"type": "gateway.dialled", "provider": "openai", "ms": 1.0}),
        Event(2_000_000, "gateway", {"type": "gateway.prices", "model": "m", "price": PRICE}),
        Event(2_000_000, "gateway", {"type": "gateway.answered_http", "status": status}),
        *(Event((3 + number) * 1_000_000, "server", one) for number, one in enumerate(said)),
        Event(90_000_000, "gateway", {"type": "gateway.closed", "code": code, "reason": "", "side": side}),
    ]
    return build_trace(events, session_id="sess_1")


def of_type(found: Trace, kind: str) -> list[Any]:
    return [span for span in found.spans if span.type == kind]


def chunk(usage: Body | None = None, finish: str | None = None, **delta: Any) -> Body:
    choices = [{"index": 0, "delta": delta, "finish_reason": finish}] if delta or finish else []
    return {"object": "chat.completion.chunk", "choices": choices, "usage": usage}


CHAT_USED = {"prompt_tokens": 1000, "completion_tokens": 100, "prompt_tokens_details": {"cached_tokens": 400}}
CALL = {"index": 0, "id": "call_1", "function": {"name": "find", "arguments": ""}}
CHAT_STREAM = [
    chunk(role="assistant", content=""),
    chunk(content="It is "),
    chunk(content="here."),
    chunk(tool_calls=[CALL]),
    chunk(tool_calls=[{"index": 0, "function": {"arguments": '{"id": '}}]),
    chunk(tool_calls=[{"index": 0, "function": {"arguments": '"A1"}'}}], finish="tool_calls"),
    chunk(
        usage={
            "prompt_tokens": 1000,
            "completion_tokens": 100,
            "prompt_tokens_details": {"cached_tokens": 400},
        }
    ),
]
WHOLE_CHAT = {
    "object": "chat.completion",
    "choices": [{
        "finish_reason": "tool_calls",
        "message": {
            "content": "It is here.",
            "tool_calls": [{"id": "call_1", "function": {"name": "find", "arguments": '{"id": "A1"}'}}],
        },
    }],
    "usage": CHAT_USED,
}  # fmt: skip
USED = {"input_tokens": 1000, "output_tokens": 100, "input_tokens_details": {"cached_tokens": 400}}
FUNCTION = {"type": "function_call", "call_id": "call_1", "name": "find", "arguments": '{"id": "A1"}'}
WORDS = {"type": "message", "content": [{"type": "output_text", "text": "It is here."}]}
WHOLE_RESPONSE = {"object": "response", "status": "completed", "output": [WORDS, FUNCTION], "usage": USED}
RESPONSE_STREAM = [
    {"type": "response.created", "response": {"object": "response", "id": "resp_1"}},
    {"type": "response.output_text.delta", "output_index": 0, "delta": "It is "},
    {"type": "response.output_text.delta", "output_index": 0, "delta": "here."},
    {"type": "response.output_item.added", "output_index": 1, "item": {**FUNCTION, "arguments": ""}},
    {"type": "response.function_call_arguments.delta", "output_index": 1, "delta": '{"id": "A1"}'},
    {"type": "response.completed", "response": {**WHOLE_RESPONSE}},
]
CLAUDE_USED = {"input_tokens": 600, "cache_read_input_tokens": 400}
TOOL = {"type": "tool_use", "id": "call_1", "name": "find", "input": {"id": "A1"}}
WHOLE_MESSAGE = {
    "type": "message",
    "content": [{"type": "text", "text": "It is here."}, TOOL],
    "stop_reason": "tool_use",
    "usage": {**CLAUDE_USED, "output_tokens": 100},
}
MESSAGE_STREAM = [
    {"type": "message_start", "message": {"usage": {**CLAUDE_USED, "output_tokens": 1}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "It is "}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "here."}},
    {"type": "content_block_start", "index": 1, "content_block": {**TOOL, "input": {}}},
    {
        "type": "content_block_delta",
        "index": 1,
        "delta": {"type": "input_json_delta", "partial_json": '{"id": "A1"}'},
    },
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 100}},
    {"type": "message_stop"},
]


@pytest.mark.parametrize(
    ("endpoint", "said"),
    [
        ("chat/completions", [WHOLE_CHAT]),
        ("chat/completions", CHAT_STREAM),
        ("responses", [WHOLE_RESPONSE]),
        ("responses", RESPONSE_STREAM),
        ("messages", [WHOLE_MESSAGE]),
        ("messages", MESSAGE_STREAM),
    ],
)
def test_whichever_api_it_was_the_trace_says_the_same(endpoint: str, said: list[Body]) -> None:
    asked = {"input": ASKED} if endpoint == "responses" else {"messages": ASKED}
    found = trace(endpoint, {"model": "m", "temperature": 0, **asked}, *said)
    [user], [response], [tool] = (of_type(found, kind) for kind in ("user", "response", "tool"))
    assert (found.summary["status"], found.summary["turns"], found.summary["title"]) == (
        "complete",
        1,
        "Where is A1?",
    )
    assert user.input["text"] == "Where is A1?"
    assert (response.status, response.output["text"]) == ("completed", "It is here.")
    assert (tool.name, tool.input["arguments"], tool.parent_id) == ("find", {"id": "A1"}, response.id)
    assert found.spans[0].input["instructions"] == "Be brief."
    assert [one["text"] for one in found.spans[0].input["history"]] == ["Be brief.", "Hi.", "Hello."]
    assert (response.usage["input_tokens"], response.usage["output_tokens"]) == (1000, 100)
    assert response.usage["cached_tokens"] == 400
    assert found.summary["cost_usd"] == pytest.approx((600 * 2 + 400 * 0.5 + 100 * 8) / 1e6)


def test_the_first_words_are_timed() -> None:
    [response] = of_type(trace("chat/completions", {"messages": ASKED}, *CHAT_STREAM), "response")
    assert response.metrics["ttft_text"] == pytest.approx(3.0)


@pytest.mark.parametrize(
    "body", [{"error": {"message": "no such model", "code": "x"}}, {"error": "no such model"}]
)
def test_what_the_provider_refuses_is_a_failure_in_its_words(body: Body) -> None:
    found = trace("chat/completions", {"messages": ASKED}, body, status=404, code=404)
    [response] = of_type(found, "response")
    assert (response.status, response.error["message"]) == ("failed", "no such model")
    assert found.summary["status"] == "failed"


def test_an_answer_that_was_cut_off_is_incomplete_and_one_that_nobody_waited_for_cancelled() -> None:
    for code, side, status in ((1011, "gateway", "incomplete"), (499, "client", "cancelled")):
        found = trace("chat/completions", {"messages": ASKED}, *CHAT_STREAM[:2], code=code, side=side)
        [response] = of_type(found, "response")
        assert (response.status, response.output["text"]) == (status, "It is ")


def test_a_transcription_has_its_words() -> None:
    [response] = of_type(trace("audio/transcriptions", {"model": "w"}, {"text": "Hello there."}), "response")
    assert (response.status, response.output["text"]) == ("completed", "Hello there.")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "choices", "delta", "content", "usage", "error", "output", "item", "index", "role"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
bodies = st.dictionaries(
    st.sampled_from(["messages", "input", "model", "system", "prompt"]), json_values, max_size=3
)
fields = ["type", "choices", "usage", "error", "object", "output", "delta", "content", "item", "index"]
answers = st.lists(st.dictionaries(st.sampled_from(fields), json_values), max_size=4)


@given(st.sampled_from(["chat/completions", "responses", "messages", "embeddings"]), bodies, answers)
def test_no_body_and_no_answer_stops_the_builder(endpoint: str, body: Body, said: list[Body]) -> None:
    assert trace(endpoint, body, *said).spans[0].type == "session"


def test_an_answer_from_the_cache_costs_nothing_and_no_provider_was_asked() -> None:
    answer = {"choices": [{"message": {"content": "It is here."}}], "usage": CHAT_USED}
    opened = {"type": "gateway.opened", "session_id": "sess_2", "transport": "http", "model": "m"}
    kept = {"type": "gateway.cache", "result": "hit", "age_seconds": 7, "answer_of": "sess_1"}
    found = build_trace(
        [
            Event(0, "gateway", {**opened, "project": "p", "endpoint": "chat/completions"}),
            Event(1_000_000, "client", {"model": "m", "messages": ASKED}),
            Event(2_000_000, "gateway", kept),
            Event(2_000_000, "gateway", {"type": "gateway.answered_http", "status": 200}),
            Event(3_000_000, "server", answer),
            Event(4_000_000, "gateway", {"type": "gateway.closed", "code": 1000, "side": "gateway"}),
        ],
        session_id="sess_2",
    )
    [response] = of_type(found, "response")
    assert response.status == "completed"
    assert response.output["text"] == "It is here."
    assert (response.cost_usd, response.usage["total_tokens"]) == (0, 0)
    cache = response.output["cache"]
    assert (cache["result"], cache["age_seconds"], cache["answer_of"]) == ("hit", 7, "sess_1")
    assert cache["usage"]["total_tokens"] == 1100
    summary = found.summary
    assert (summary["cost_usd"], summary["provider"], summary["status"]) == (0, "", "complete")


def test_a_request_that_asks_for_no_cache_says_nothing_of_one() -> None:
    answer = {"choices": [{"message": {"content": "It is here."}}], "usage": CHAT_USED}
    [response] = of_type(trace("chat/completions", {"model": "m", "messages": ASKED}, answer), "response")
    assert "cache" not in response.output


# Sound and pictures

PIXEL = "data:image/png;base64,iVBORw0KGgo="
SOUND = b"a file of sound"


def heard(data: bytes, kind: str) -> bytes | None:
    """A second of anything that is no noise."""
    return bytes(48_000) if data.startswith(SOUND) else None


def file_trace(endpoint: str, body: Body, *messages: Event) -> tuple[Trace, int]:
    """And how many bytes of sound were given to the tracks."""
    opened = {"type": "gateway.opened", "session_id": "sess_1", "transport": "http", "endpoint": endpoint}
    closed = {"type": "gateway.closed", "code": 1000, "reason": "", "side": "provider"}
    answered = Event(2_000_000, "gateway", {"type": "gateway.answered_http", "status": 200})
    builder, size = TraceBuilder("sess_1", heard), 0
    sent, said = ([one for one in messages if one.dir == side] for side in ("client", "server"))
    asked = [Event(0, "gateway", opened), Event(1_000_000, "client", body), *sent]
    for event in [*asked, answered, *said, Event(90_000_000, "gateway", closed)]:
        size += sum(len(chunk.data) for chunk in builder.feed(event))
    return builder.snapshot(live=False), size


def test_speech_that_is_made_is_a_track_that_is_heard_to_its_end() -> None:
    pieces = [Event(n * 1_000_000, "server", raw=part) for n, part in ((30, SOUND[:4]), (60, SOUND[4:]))]
    found, size = file_trace("audio/speech", {"model": "tts", "input": "Good day."}, *pieces)
    assert size == 48_000
    assert found.data["audio_ms"] == {"in": 0.0, "generated": 1000.0, "heard": 1000.0}
    [response] = of_type(found, "response")
    assert [(one.name, one.duration_ms) for one in response.attachments] == [("assistant", 1000.0)]
    assert response.metrics["model_ttfa"] == pytest.approx(29.0)
    assert of_type(found, "user")[0].input["text"] == "Good day."
    assert found.summary["interruptions"] == 0


def test_speech_in_events_is_put_together() -> None:
    parts = [base64.b64encode(part).decode() for part in (SOUND[:5], SOUND[5:])]
    deltas = [Event(3_000_000, "server", {"type": "speech.audio.delta", "audio": part}) for part in parts]
    found, size = file_trace("audio/speech", {"model": "tts", "input": "Good day."}, *deltas)
    assert (size, found.data["audio_ms"]["generated"]) == (48_000, 1000.0)


def test_what_is_to_be_transcribed_is_what_the_user_said() -> None:
    body = {"model": "whisper", "files": [{"name": "file", "content_type": "audio/mpeg", "bytes": 15}]}
    file = Event(1_000_000, "client", raw=SOUND)
    words = Event(5_000_000, "server", {"text": "Good day."})
    found, size = file_trace("audio/transcriptions", body, file, words)
    [user], [response] = of_type(found, "user"), of_type(found, "response")
    assert (size, user.input["kind"], user.parent_id) == (48_000, "speech", response.parent_id)
    assert [(one.name, one.duration_ms) for one in user.attachments] == [("user", 1000.0)]
    assert response.output["text"] == "Good day."


def test_sound_that_cannot_be_read_is_a_mark_and_no_track() -> None:
    found, size = file_trace(
        "audio/speech", {"model": "tts", "input": "x"}, Event(3_000_000, "server", raw=b"aac")
    )
    assert (size, found.data["tracks"]) == (0, {})
    assert [one["facts"] for one in found.data["events"] if one["type"] == "gateway.sound_unread"] == [
        {"bytes": 3}
    ]


def test_a_chat_with_sound_and_pictures_has_both() -> None:
    sound = base64.b64encode(SOUND).decode()
    content = [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": PIXEL}},
        {"type": "input_audio", "input_audio": {"data": sound, "format": "wav"}},
    ]
    answer = {"choices": [{"message": {"audio": {"data": sound, "transcript": "A dot."}}}]}
    body = {"model": "m", "messages": [{"role": "user", "content": content}]}
    found, size = file_trace("chat/completions", body, Event(3_000_000, "server", answer))
    text, speech = of_type(found, "user")
    assert size == 2 * 48_000
    assert (text.input["text"], speech.input["kind"]) == ("What is it?", "speech")
    [image] = text.input["images"]
    assert (image["content_type"], image["digest"]) == ("image/png", digest_of(PIXEL))
    assert of_type(found, "response")[0].output["text"] == "A dot."


@pytest.mark.parametrize(
    ("endpoint", "body"),
    [
        (
            "responses",
            {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": PIXEL}]}]},
        ),
        (
            "messages",
            {
                "messages": [{
                    "role": "user",
                    "content": [{
                        "type": "image",
                        "source": {"type": "base64", "media_type": "image/png", "data": PIXEL[22:]},
                    }],
                }]
            },
        ),
    ],
)  # fmt: skip
def test_pictures_are_found_in_every_api(endpoint: str, body: Body) -> None:
    found = trace(endpoint, body)
    assert [one["digest"] for one in of_type(found, "user")[0].input["images"]] == [digest_of(PIXEL)]


@pytest.mark.parametrize(("endpoint", "prompt"), [("images/edits", "A cat."), ("images/variations", None)])
def test_pictures_that_a_form_brings_are_the_users(endpoint: str, prompt: str | None) -> None:
    files = [b"\x89PNG\r\n\x1a\n", b"<svg/>", b"GIF89a rest"]
    opened = {"type": "gateway.opened", "session_id": "sess_1", "transport": "http", "endpoint": endpoint}
    body = {"files": [{"name": "image"}] * 3, **({"prompt": prompt} if prompt else {})}
    events = [
        Event(0, "gateway", {**opened, "project": "p"}),
        Event(1, "client", body),
        *(Event(2, "client", raw=file) for file in files),
        Event(3, "gateway", {"type": "gateway.answered_http", "status": 200}),
        Event(4, "server", {"data": []}),
        Event(5, "gateway", {"type": "gateway.closed", "code": 1000, "reason": "", "side": "provider"}),
    ]
    [user] = of_type(build_trace(events, session_id="sess_1"), "user")
    kinds = [one["content_type"] for one in user.input["images"]]
    assert (user.input["text"] or None, kinds) == (prompt, ["image/png", "image/gif"])
    assert user.input["images"][0]["digest"] == digest_of(PIXEL)


@pytest.mark.parametrize(
    "said",
    [
        {"data": [{"b64_json": PIXEL[22:]}]},
        {"type": "image_generation.completed", "output_format": "png", "b64_json": PIXEL[22:]},
    ],
)
def test_pictures_that_are_made_are_the_responses(said: Body) -> None:
    partial = {"type": "image_generation.partial_image", "b64_json": "aaaa"}
    found = trace("images/generations", {"prompt": "A dot."}, partial, said)
    [response] = of_type(found, "response")
    assert [one["digest"] for one in response.output["images"]] == [digest_of(PIXEL)]
    assert of_type(found, "user")[0].input["text"] == "A dot."


TEXT_DELTA = {"type": "response.output_text.delta", "delta": "It "}
BLOCK_DELTA = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "It "}}
SPEECH = {"data": "AAAA", "transcript": "so "}
BESIDE: list[Body] = [
    {"usage": CHAT_USED},
    {"usage": USED},
    {"error": "no"},
    {"error": {"message": "no"}},
    {"error": None},
    {"data": [{"url": "https://a/b.png"}]},
    {"object": "response", "output": [FUNCTION]},
    {"choices": [{"delta": {"audio": SPEECH}}]},
    {"choices": None},
    {"delta": None},
    {"delta": 3},
    {"delta": {"text": "is ", "partial_json": "{"}},
    {"delta": ""},
    {"type": "error", "message": "no"},
    {"type": "speech.audio.delta", "audio": "AAAA"},
    {"input_tokens": 3},
]
WITH_CHOICE: list[Body] = [
    {"choices": [{"delta": {"content": "is ", **more}, **own}]}
    for more, own in (
        ({}, {}),
        ({"tool_calls": [CALL]}, {}),
        ({"audio": SPEECH}, {}),
        ({"refusal": "No."}, {}),
        ({"content": None, "refusal": "No."}, {}),
        ({"content": 3}, {}),
        ({}, {"finish_reason": "stop"}),
        ({}, {"text": "so "}),
        ({}, {"delta": 3, "message": {"content": "so "}}),
    )
]
MANY_CHOICES: list[Body] = [
    {"choices": []},
    {"choices": [3, *WITH_CHOICE[0]["choices"]]},
    {"choices": [*WITH_CHOICE[0]["choices"], {"delta": {"content": "so "}}]},
]
BEGUN_TOOL = {"type": "tool_use", "id": "call_1", "name": "find"}
TOOL_BEGINS: Body = {"type": "content_block_start", "index": 0, "content_block": BEGUN_TOOL}


@pytest.mark.parametrize(
    ("endpoint", "piece", "nothing"),
    [
        ("chat/completions", chunk(content="It "), {"data": None}),
        ("responses", TEXT_DELTA, {"choices": None}),
        ("messages", BLOCK_DELTA, {"choices": None}),
    ],
)
def test_a_piece_of_text_is_told_with_all_that_comes_with_it(
    endpoint: str, piece: Body, nothing: Body
) -> None:
    """Those that bring text and nothing else are not looked at for anything else: with a member that says
    nothing they are."""
    body = {"model": "m", "messages": ASKED}
    for beside in ({}, *BESIDE, *WITH_CHOICE, *MANY_CHOICES):
        said = [TOOL_BEGINS, piece, {**piece, **beside}, piece]
        looked_at = [{**nothing, **one} for one in said]
        found = trace(endpoint, body, *said)
        assert found.to_json() == trace(endpoint, body, *looked_at).to_json(), beside
        assert of_type(found, "response")[0].output["text"].startswith("It ")
