"""Traces as OTLP: what a collector decodes, by both conventions."""

from __future__ import annotations

import json
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span, Status

from tests.export.calls import TRACEPARENT, row_of, tool_call
from tests.export.collector import attributes, parsed, root_of, spans_of
from tests.traces.calls import Call, pcm
from voxgate.core.kinds import Kind
from voxgate.export.otlp import OtlpEncoder, conventions
from voxgate.traces import Trace

URL = "https://voxgate.example"
KINDS = {"openai": Kind.OPENAI, "blue": Kind.AZURE, "house": Kind.COMPATIBLE}


def encode(trace: Trace, *names: str, content: bool = True) -> ResourceSpans:
    used = conventions(names or ("gen_ai", "openinference"), content=content, kinds=KINDS)
    encoder = OtlpEncoder(used, URL, {"service.name": "voxgate"}, content)
    return ResourceSpans.FromString(encoder.encode(row_of(trace)).SerializeToString())


def by_type(resource_spans: ResourceSpans, kind: str) -> list[Span]:
    return [one for one in spans_of(resource_spans) if attributes(one)["voxgate.span.type"] == kind]


def test_the_tree_of_the_trace_is_the_tree_of_the_spans() -> None:
    trace = tool_call().trace()
    sent = spans_of(encode(trace))
    ids = {span.id: one.span_id for span, one in zip(trace.spans, sent, strict=True)}
    assert len({one.trace_id for one in sent}) == 1
    assert len(sent[0].trace_id) == 16
    for span, one in zip(trace.spans, sent, strict=True):
        assert one.parent_span_id == (ids[span.parent_id] if span.parent_id else b"")
        assert span.id == f"span_{one.span_id.hex()}"
    assert [one.name for one in sent if attributes(one)["voxgate.span.type"] != "turn"] == [
        "session", "user", "chat gpt-realtime", "execute_tool get_weather", "chat gpt-realtime", "user",
    ]  # fmt: skip


def test_times_are_those_of_the_day_of_the_call() -> None:
    response = by_type(encode(tool_call().trace()), "response")[1]
    started_ns = 1_795_341_600_000_000_000  # 2026-11-22T10:00:00Z
    assert response.start_time_unix_nano == started_ns + 2_000_000_000
    assert response.end_time_unix_nano == started_ns + 2_700_000_000


def test_a_response_by_the_gen_ai_conventions() -> None:
    first, second = by_type(encode(tool_call().trace(), "gen_ai"), "response")
    found = attributes(first)
    assert first.kind == Span.SPAN_KIND_CLIENT
    assert {name: value for name, value in found.items() if name.startswith("gen_ai.usage.")} == {
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 50,
        "gen_ai.usage.cache_read.input_tokens": 30,
        "gen_ai.usage.text.input_tokens": 40,
        "gen_ai.usage.audio.input_tokens": 60,
        "gen_ai.usage.text.cache_read.input_tokens": 20,
        "gen_ai.usage.audio.cache_read.input_tokens": 10,
        "gen_ai.usage.text.output_tokens": 10,
        "gen_ai.usage.audio.output_tokens": 40,
    }
    assert found["gen_ai.operation.name"] == "chat"
    assert found["gen_ai.provider.name"] == "openai"
    assert found["gen_ai.conversation.id"] == "sess_test"
    assert found["gen_ai.request.model"] == "gpt-realtime"
    assert found["gen_ai.response.model"] == "gpt-realtime-2026"
    assert found["gen_ai.response.id"] == "resp_1"
    assert found["gen_ai.response.finish_reasons"] == ["tool_call"]
    assert found["gen_ai.output.type"] == "text"
    assert parsed(first, "gen_ai.system_instructions") == [{"type": "text", "content": "Be brief."}]
    assert parsed(first, "gen_ai.tool.definitions")[0]["name"] == "get_weather"
    cut = attributes(second)
    assert cut["gen_ai.response.finish_reasons"] == ["turn_detected"]
    assert cut["gen_ai.output.type"] == "speech"
    assert cut["gen_ai.response.time_to_first_chunk"] == pytest.approx(0.1)
    assert cut["voxgate.metrics.audio_heard_ms"] == 400


def test_messages_have_the_conversation_before_the_response_with_links_to_sound() -> None:
    trace = tool_call().trace()
    second = by_type(encode(trace), "response")[1]
    user, called, result = parsed(second, "gen_ai.input.messages")
    clip = next(span for span in trace.spans if span.type == "user").attachments[0]
    assert user == {
        "role": "user",
        "parts": [
            {"type": "text", "content": "How is the weather in London?"},
            {
                "type": "uri",
                "modality": "audio",
                "mime_type": "audio/wav",
                "uri": f"{URL}/api/sessions/sess_test/attachments/{clip.id}",
            },
        ],
    }
    arguments = {"city": "London"}
    call = {"type": "tool_call", "id": "call_1", "name": "get_weather", "arguments": arguments}
    assert called == {"role": "assistant", "parts": [call]}
    answer = {"type": "tool_call_response", "id": "call_1", "response": {"sky": "foggy"}}
    assert result == {"role": "tool", "parts": [answer]}
    [said] = parsed(second, "gen_ai.output.messages")
    assert said["parts"][0] == {"type": "text", "content": "It is foggy in London today my friend."}
    assert said["parts"][1]["uri"].startswith(f"{URL}/api/sessions/sess_test/attachments/att_")


def test_a_tool_by_both_conventions() -> None:
    [tool] = by_type(encode(tool_call().trace()), "tool")
    found = attributes(tool)
    assert tool.kind == Span.SPAN_KIND_INTERNAL
    assert found["gen_ai.operation.name"] == "execute_tool"
    assert (found["gen_ai.tool.name"], found["gen_ai.tool.call.id"]) == ("get_weather", "call_1")
    assert found["gen_ai.tool.type"] == "function"
    assert found["gen_ai.tool.description"] == "Looks outside."
    assert parsed(tool, "gen_ai.tool.call.arguments") == {"city": "London"}
    assert parsed(tool, "gen_ai.tool.call.result") == {"sky": "foggy"}
    assert found["openinference.span.kind"] == "TOOL"
    assert (found["tool.name"], found["tool.id"]) == ("get_weather", "call_1")
    assert (found["input.value"], found["input.mime_type"]) == ('{"city":"London"}', "application/json")
    assert found["voxgate.metrics.tool_wait"] == pytest.approx(395)


def test_a_response_by_openinference() -> None:
    first, second = by_type(encode(tool_call().trace(), "openinference"), "response")
    found = attributes(first)
    assert not [name for name in found if name.startswith("gen_ai.")]
    assert first.name == "response"
    assert found["openinference.span.kind"] == "LLM"
    assert found["session.id"] == "sess_test"
    assert found["user.id"] == "u1"
    assert found["llm.model_name"] == "gpt-realtime-2026"
    counts = {name.removeprefix("llm.token_count."): value for name, value in found.items()}
    assert counts["prompt"] == 100
    assert counts["prompt_details.audio"] == 60
    assert counts["prompt_details.cache_read"] == 30
    assert counts["completion_details.audio"] == 40
    # Text: 20 new at 4, 20 cached at 0.4, 10 out at 16; sound: 50 new at 32, 10 cached at 0.4, 40 out at 64.
    assert found["llm.cost.prompt_details.audio"] == pytest.approx((50 * 32 + 10 * 0.4) / 1e6)
    assert found["llm.cost.prompt"] == pytest.approx((20 * 4 + 20 * 0.4 + 50 * 32 + 10 * 0.4) / 1e6)
    assert found["llm.cost.completion"] == pytest.approx((10 * 16 + 40 * 64) / 1e6)
    assert found["llm.cost.total"] == pytest.approx(found["llm.cost.prompt"] + found["llm.cost.completion"])
    assert found["llm.input_messages.0.message.role"] == "system"
    content = "llm.input_messages.1.message.contents.1.message_content"
    assert found[f"{content}.type"] == "audio"
    assert found[f"{content}.audio.audio.url"].startswith(f"{URL}/api/sessions/sess_test/attachments/")
    called = "llm.output_messages.0.message.tool_calls.0.tool_call"
    assert found[f"{called}.function.name"] == "get_weather"
    assert json.loads(found[f"{called}.function.arguments"]) == {"city": "London"}
    told = attributes(second)
    assert told["llm.input_messages.3.message.role"] == "tool"
    assert told["llm.input_messages.3.message.tool_call_id"] == "call_1"
    assert told["output.audio.transcript"] == "It is foggy in London today my friend."
    assert told["output.audio.mime_type"] == "audio/wav"
    assert told["time_to_first_token_ms"] == 200
    assert told["llm.finish_reason"] == "turn_detected"


def test_the_session_has_its_sound_its_end_and_its_moments() -> None:
    sent = encode(tool_call().trace())
    root, found = root_of(sent), attributes(root_of(sent))
    assert found["openinference.span.kind"] == "AUDIO"
    assert found["voxgate.status"] == "complete"
    assert found["end_reason"] == "closed by the client with 1000"
    assert found["input.audio.url"] == f"{URL}/api/sessions/sess_test/audio?track=user"
    assert found["url.full"] == f"{URL}/sessions/sess_test"
    assert (found["tag.tags"], json.loads(found["metadata"])) == (["demo"], {"user_id": "u1"})
    [error] = [event for event in root.events if event.name == "error"]
    assert attributes(error)["error.type"] == "odd"
    assert attributes(error)["exception.message"] == "Odd words."
    assert error.time_unix_nano == root.start_time_unix_nano + 2_800_000_000
    resource = attributes(sent.resource)
    assert resource == {
        "service.name": "voxgate",
        "voxgate.project": "default",
        "openinference.project.name": "default",
    }


@pytest.mark.parametrize("content", [True, False])
def test_scores_are_evaluation_results_at_what_they_are_about(content: bool) -> None:
    trace = tool_call().trace()
    response = next(span for span in trace.spans if span.type == "response")
    score = {
        "created_at": "2026-11-22T10:00:09.500Z",
        "source": "judge",
        "author": "rule:tone",
        "details": {},
    }
    of_call = {
        **score,
        "span_id": None,
        "name": "tone",
        "value": 0.5,
        "label": "maybe",
        "comment": "He said no.",
    }
    of_span = {**score, "span_id": response.id, "name": "v2v", "value": None, "label": None, "comment": None}
    of_span["details"] = {"scorer_version": "2", "reason_missing": "no sound"}
    encoder = OtlpEncoder(conventions(["gen_ai"], content=content, kinds={}), URL, {}, content)
    sent = encoder.encode({**row_of(trace), "scores": [of_call, of_span]})
    told = {
        span.span_id.hex(): [event for event in span.events if event.name == "gen_ai.evaluation.result"]
        for span in spans_of(sent)
    }
    assert [each for each in told.values() if each] == [
        told[root_of(sent).span_id.hex()],
        told[response.id.removeprefix("span_")],
    ]
    [whole], [one] = (each for each in told.values() if each)
    assert whole.time_unix_nano == 1_795_341_609_500_000_000
    explained = {"gen_ai.evaluation.explanation": "He said no."} if content else {}
    assert attributes(whole) == explained | {
        "gen_ai.evaluation.name": "tone",
        "gen_ai.evaluation.score.value": 0.5,
        "gen_ai.evaluation.score.label": "maybe",
        "voxgate.score.source": "judge",
        "voxgate.score.author": "rule:tone",
    }
    assert attributes(one) == {
        "gen_ai.evaluation.name": "v2v",
        "voxgate.score.source": "judge",
        "voxgate.score.author": "rule:tone",
        "voxgate.score.version": "2",
        "voxgate.score.reason_missing": "no sound",
    }


def test_without_content_no_word_leaves() -> None:
    sent = encode(tool_call().trace(), content=False)
    text = sent.SerializeToString()
    for word in ("weather in", "London", "foggy", "Be brief", "Looks outside", "Odd words"):
        assert word.encode() not in text, word
    assert b"get_weather" in text
    assert attributes(by_type(sent, "response")[0])["gen_ai.usage.input_tokens"] == 100


def test_a_failed_response_has_the_status_error_and_the_errors_type() -> None:
    details = {
        "type": "failed",
        "error": {"type": "server_error", "code": "overloaded", "message": "Too much."},
    }
    call = Call().session().client(20, "response.create").created(30, "resp_1")
    trace = call.done(40, "resp_1", "failed", status_details=details).close(50).trace()
    [response] = by_type(encode(trace), "response")
    assert response.status.code == Status.STATUS_CODE_ERROR
    assert response.status.message == "Too much."
    assert attributes(response)["error.type"] == "overloaded"
    assert attributes(response)["gen_ai.response.finish_reasons"] == ["error"]
    [root] = by_type(encode(trace), "session")
    assert root.status.code == Status.STATUS_CODE_UNSET


def test_a_clients_traceparent_makes_the_session_a_part_of_its_trace() -> None:
    request = {"path": "/v1/realtime", "headers": [["host", "x"], ["traceparent", TRACEPARENT]]}
    root = root_of(encode(tool_call(request=request).trace()))
    assert root.trace_id.hex() == "0af7651916cd43dd8448eb211c80319c"
    assert root.parent_span_id.hex() == "b7ad6b7169203331"


@pytest.mark.parametrize("header", ["00-" + "0" * 32 + "-b7ad6b7169203331-01", "rubbish", ""])
def test_a_traceparent_that_is_none_counts_for_nothing(header: str) -> None:
    request = {"headers": [["traceparent", header]]}
    root, other = root_of(encode(tool_call(request=request).trace())), root_of(encode(tool_call().trace()))
    assert (root.trace_id, root.parent_span_id) == (other.trace_id, b"")


def test_instructions_that_were_in_force_earlier_are_not_told_as_those_of_the_end() -> None:
    call = Call().session(10, instructions="Old.").user_text(20, "hi").client(20, "response.create")
    call.created(30, "resp_1").done(40, "resp_1")
    call.server(50, "session.updated", session={"instructions": "New."})
    call.client(60, "response.create").created(70, "resp_2").done(80, "resp_2")
    first, second = by_type(encode(call.close(90).trace()), "response")
    assert "gen_ai.system_instructions" not in attributes(first)
    assert parsed(second, "gen_ai.system_instructions") == [{"type": "text", "content": "New."}]


@pytest.mark.parametrize(("provider", "name"), [("blue", "azure.ai.openai"), ("house", "house")])
def test_providers_are_named_by_what_they_are(provider: str, name: str) -> None:
    call = Call().gateway(1, "gateway.dialled", provider=provider, ms=1).session().created(20, "resp_1")
    [response] = by_type(encode(call.close(30).trace()), "response")
    assert attributes(response)["gen_ai.provider.name"] == name


def test_values_that_protobuf_does_not_take_are_made_such_that_it_does() -> None:
    call = Call(metadata={"user_id": "\ud800"}).session().append(20, pcm(20))
    call.created(30, "resp_\ud800").words(40, "resp_\ud800", "item", "half a pair: \ud800" + "x" * 100_000)
    sent = encode(call.done(50, "resp_\ud800", usage={"input_tokens": 2**70}).close(60).trace())
    found = attributes(by_type(sent, "response")[0])
    assert found["gen_ai.response.id"] == "resp_?"
    assert len(found["output.value"]) == 64 << 10


def every_name(sent: ResourceSpans) -> set[str]:
    return {name for span in spans_of(sent) for name in attributes(span)}


def test_nothing_that_was_not_measured_is_sent_as_zero_or_empty() -> None:
    trace = Call().session().user_text(20, "hi").close(30).trace()
    sent: Any = encode(trace)
    names = every_name(sent)
    assert "voxgate.cost_usd" not in names
    assert "voxgate.metrics.v2v_p50" not in names
    assert "voxgate.audio.url" not in names
