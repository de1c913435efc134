"""What other tracers get wrong: one test or more for each case of the design document, in its order."""

from __future__ import annotations

import pytest
from tests.traces.calls import Call, b64, outline, pcm, spans, vad

from voxgate.traces import build_trace


def greeting(call: Call, audio_ms: float = 1000) -> Call:
    """A spoken turn: said from 500 to 1500, answered from 1800 on."""
    call.append(500, pcm(1400)).speech("item_u", 1000, 2000, audio=(0, 1000))
    call.created(2100, "resp_1").words(
        2150, "resp_1", "item_a", "one two three four five six seven eight nine ten"
    )
    return call.audio(2200, "resp_1", "item_a", pcm(audio_ms))


# 1. G.711, formats by direction and response, changes on the way


def test_1_g711_is_counted_at_eight_thousand_bytes_a_second() -> None:
    call = Call().session().formats(20, "audio/pcmu", "audio/pcma")
    call.append(100, b"\xff" * 8000, chunk=800).speech("item_u", 300, 900, audio=(0, 500))
    call.created(950, "resp_1").audio(1000, "resp_1", "item_a", b"\xd5" * 4000).done(1100, "resp_1")
    trace = call.close(3000).trace()
    assert trace.data["audio_ms"] == {"in": 1000, "generated": 500, "heard": 500}
    assert trace.data["tracks"]["user"] == {"rate": 8000, "channels": 1, "bytes": 16_000}
    assert spans(trace, "response")[0].metrics["audio_generated_ms"] == 500
    assert trace.data["formats"]["output"] == {"type": "pcma", "rate": 8000}
    (clip,) = spans(trace, "user")[0].attachments
    assert (clip.start_byte, clip.end_byte, clip.duration_ms) == (0, 8000, 500)


def test_1_a_response_with_a_format_of_its_own() -> None:
    call = Call().session()
    named = {"output": {"format": {"type": "audio/pcmu"}}}
    call.created(100, "resp_1", audio=named).audio(120, "resp_1", "item_a", b"\xff" * 800).done(200, "resp_1")
    call.created(300, "resp_2").audio(320, "resp_2", "item_b", pcm(100)).done(400, "resp_2")
    first, second = spans(call.close(500).trace(), "response")
    assert first.metrics["audio_generated_ms"] == 100
    assert second.metrics["audio_generated_ms"] == 100


def test_1_the_format_changes_on_the_way() -> None:
    call = Call().session().append(100, pcm(200)).formats(400, "audio/pcmu", "audio/pcmu")
    call.append(500, b"\xff" * 1600, chunk=800)
    assert call.close(900).trace().data["audio_ms"]["in"] == 400


def test_1_a_refused_format_is_not_taken() -> None:
    call = Call().session()
    audio = {"input": {"format": {"type": "audio/pcmu"}}}
    call.client(100, "session.update", session={"audio": audio}, event_id="e1")
    call.server(110, "error", error={"type": "invalid_request_error", "message": "no", "event_id": "e1"})
    assert call.append(200, pcm(300)).close(900).trace().data["audio_ms"]["in"] == 300


# 2. No transcription


def test_2_turns_are_separate_without_transcripts_each_with_its_own_audio() -> None:
    call = Call().session().append(0, pcm(4000))
    call.speech("item_1", 1000, 1800).created(1900, "resp_1").done(2000, "resp_1")
    call.speech("item_2", 3000, 3800).created(3900, "resp_2").done(4000, "resp_2")
    trace = call.close(4100).trace()
    assert trace.summary["turns"] == 2
    clips = [span.attachments[0] for span in spans(trace, "user")]
    assert [(clip.start_byte, clip.end_byte) for clip in clips] == [(48_000, 86_400), (144_000, 182_400)]
    assert [span.input["transcript"] for span in spans(trace, "user")] == [None, None]


def test_2_push_to_talk_without_server_vad_has_turns_and_clips() -> None:
    call = Call().session(turn_detection={"type": "none"})
    call.append(100, pcm(500)).client(600, "input_audio_buffer.commit").client(610, "response.create")
    call.committed(650, "item_1").created(700, "resp_1").done(800, "resp_1")
    call.append(1000, pcm(300)).client(1300, "input_audio_buffer.commit").client(1310, "response.create")
    call.committed(1350, "item_2").created(1400, "resp_2").done(1500, "resp_2")
    trace = call.close(1600).trace()
    first, second = spans(trace, "user")
    assert outline(trace)[1:] == [
        "  turn 1 completed",
        "    user completed",
        "    response completed",
        "  turn 2 completed",
        "    user completed",
        "    response completed",
    ]
    assert (first.input["item_id"], first.attachments[0].duration_ms) == ("item_1", 500)
    assert (second.input["item_id"], second.attachments[0].start_byte) == ("item_2", 24_000)
    assert first.input["vad"] == "client"


def test_2_an_empty_commit_is_an_error_and_no_turn() -> None:
    call = Call().session().client(100, "input_audio_buffer.commit")
    call.server(
        110, "error", error={"code": "input_audio_buffer_commit_empty", "type": "x", "message": "empty"}
    )
    trace = call.client(120, "response.create").created(130, "resp_1").done(140, "resp_1").close(200).trace()
    assert outline(trace)[1:] == ["  turn 1 completed", "    response completed"]
    assert trace.metrics["errors"] == 1


# 3. Server VAD's marks


def test_3_the_clip_lies_between_the_marks_and_true_end_leaves_out_the_silence() -> None:
    call = Call().session().append(1000, pcm(3000)).speech("item_u", 1700, 3200, audio=(500, 2100))
    call.created(3300, "resp_1").audio(3500, "resp_1", "item_a", pcm(500)).done(3600, "resp_1")
    trace = call.close(5000).trace()
    user, response = spans(trace, "user")[0], spans(trace, "response")[0]
    (clip,) = user.attachments
    assert (clip.start_byte, clip.end_byte, clip.duration_ms) == (500 * 48, 2100 * 48, 1600)
    assert user.metrics["true_speech_end_ms"] == 1000 + 2100 - 200
    assert response.metrics["endpointing_delay"] == 3200 - 2900
    assert response.metrics["v2v_heard"] == 3500 - 2900
    parts = ("endpointing_delay", "commit_to_response", "model_ttfa", "playback_queue")
    assert sum(response.metrics[part] for part in parts) == response.metrics["v2v_heard"]
    assert trace.metrics["v2v_p50"] == 600
    assert "v2v_p50" not in trace.data["metric_reasons"]


# 4. Late transcripts


def test_4_a_late_transcript_goes_to_its_own_item() -> None:
    call = Call().session().append(0, pcm(4000))
    call.speech("item_1", 500, 1000).created(1100, "resp_1").done(1200, "resp_1")
    call.speech("item_2", 2000, 2500).created(2600, "resp_2").done(2700, "resp_2")
    call.transcript(2800, "item_2", "second").transcript(2900, "item_1", "first")
    trace = call.close(3000).trace()
    assert [span.input["transcript"] for span in spans(trace, "user")] == ["first", "second"]
    assert trace.summary["title"] == "first"
    assert spans(trace, "user")[0].metrics["transcript_lag"] == 1900


def test_4_a_transcript_may_come_before_its_item() -> None:
    call = Call().session().transcript(100, "item_1", "early").speech("item_1", 200, 300)
    assert spans(call.close(400).trace(), "user")[0].input["transcript"] == "early"


# 5. Interruption


def test_5_truncate_cuts_the_heard_sound_at_its_millisecond() -> None:
    call = greeting(Call().session(), audio_ms=4000).done(2300, "resp_1")
    call.server(3000, "input_audio_buffer.speech_started", item_id="item_2", audio_start_ms=1100)
    call.client(3010, "conversation.item.truncate", item_id="item_a", content_index=0, audio_end_ms=750)
    trace = call.close(4000).trace()
    response = spans(trace, "response")[0]
    assert response.metrics["audio_generated_ms"] == 4000
    assert response.metrics["audio_heard_ms"] == 750
    assert response.metrics["truncated_at_ms"] == 750
    assert response.metrics["heard_estimated"] is False
    assert response.output["interrupted"] is True
    assert response.output["heard_transcript"] == "one two"  # 750 of 4000 ms
    assert response.output["transcript"].endswith("ten")
    generated, heard = response.attachments
    assert (generated.end_byte, heard.name, heard.end_byte) == (4000 * 48, "heard", 750 * 48)
    assert trace.summary["interruptions"] == 1
    assert spans(trace, "user")[1].metrics["barge_in"] is True
    assert trace.data["audio_ms"]["heard"] == 750


def test_5_turn_detected_alone_is_cut_at_speech_started_and_marked_as_estimated() -> None:
    call = greeting(Call().session(), audio_ms=4000)
    call.server(3000, "input_audio_buffer.speech_started", item_id="item_2", audio_start_ms=1100)
    call.cancelled(3050, "resp_1", "turn_detected").audio(3060, "resp_1", "item_a", pcm(100))
    response = spans(call.close(4000).trace(), "response")[0]
    assert response.status == "cancelled"
    assert response.output["reason"] == "turn_detected"
    assert response.metrics["audio_heard_ms"] == 800  # it played from 2200 to 3000
    assert response.metrics["audio_generated_ms"] == 4100
    assert response.metrics["heard_estimated"] is True


def test_5_a_cancel_of_the_client_cuts_at_its_time_and_truncate_knows_better() -> None:
    call = greeting(Call().session(), audio_ms=4000).client(2900, "response.cancel")
    call.cancelled(2950, "resp_1", "client_cancelled")
    estimated = spans(call.trace(), "response")[0]
    assert (estimated.metrics["audio_heard_ms"], estimated.metrics["heard_estimated"]) == (700, True)
    call.client(2960, "conversation.item.truncate", item_id="item_a", content_index=0, audio_end_ms=650)
    exact = spans(call.trace(), "response")[0]
    assert (exact.metrics["audio_heard_ms"], exact.metrics["heard_estimated"]) == (650, False)


def test_5_a_cleared_output_buffer_cuts_exactly() -> None:
    call = greeting(Call().session(), audio_ms=4000).done(2300, "resp_1")
    call.server(2700, "output_audio_buffer.cleared", response_id="resp_1")
    response = spans(call.close(4000).trace(), "response")[0]
    assert (response.metrics["audio_heard_ms"], response.metrics["heard_estimated"]) == (500, False)
    assert response.output["interrupted"] is True


def test_5_the_next_answer_does_not_wait_for_sound_that_was_cut() -> None:
    call = greeting(Call().session(), audio_ms=20_000).done(2300, "resp_1")
    call.client(3000, "conversation.item.truncate", item_id="item_a", content_index=0, audio_end_ms=700)
    call.created(3100, "resp_2").audio(3200, "resp_2", "item_b", pcm(100)).done(3300, "resp_2")
    second = spans(call.close(4000).trace(), "response")[1]
    assert second.output["play_start_ms"] == 3200
    assert second.metrics["audio_heard_ms"] == 100


def test_5_a_truncate_after_all_was_heard_is_no_interruption() -> None:
    call = greeting(Call().session(), audio_ms=500).done(2300, "resp_1")
    call.client(3000, "conversation.item.truncate", item_id="item_a", content_index=0, audio_end_ms=500)
    trace = call.close(4000).trace()
    assert trace.summary["interruptions"] == 0
    assert spans(trace, "response")[0].metrics["truncated_at_ms"] is None


# 6. Everything that is no speech


def test_6_texts_images_history_and_system_messages_are_in_the_trace_and_in_the_context() -> None:
    call = Call().session()
    system = {
        "id": "item_s",
        "type": "message",
        "role": "system",
        "content": [{"type": "input_text", "text": "be"}],
    }
    call.client(100, "conversation.item.create", item=system)
    call.user_text(110, "earlier question", id="item_h1")
    answer = {"id": "item_h2", "type": "message", "role": "assistant"}
    answer["content"] = [{"type": "output_text", "text": "earlier answer"}]
    call.client(120, "conversation.item.create", item=answer)
    image = {"type": "input_image", "image_url": "data:image/png;base64,AAAA"}
    call.user_text(
        130, "what is this?", id="item_u", content=[{"type": "input_text", "text": "what is this?"}, image]
    )
    call.client(140, "response.create").created(200, "resp_1").done(300, "resp_1")
    trace = call.close(400).trace()
    assert outline(trace)[1:] == ["  turn 1 completed", "    user completed", "    response completed"]
    user, response = spans(trace, "user")[0], spans(trace, "response")[0]
    assert user.input["text"] == "what is this?"
    assert user.input["images"] == [{"content_type": "image/png", "chars": 26}]
    assert response.input["context_item_ids"] == ["item_s", "item_h1", "item_h2", "item_u"]
    texts = {item["id"]: (item["role"], item["text"]) for item in trace.data["items"]}
    assert texts["item_h2"] == ("assistant", "earlier answer")
    assert texts["item_s"] == ("system", "be")


def test_6_two_texts_before_the_answer_are_one_turn_and_two_after_it_another() -> None:
    call = Call().session().user_text(100, "one", id="a").user_text(110, "two", id="b")
    call.client(120, "response.create").user_text(130, "three", id="c").created(140, "resp_1").done(
        150, "resp_1"
    )
    trace = call.client(160, "response.create").created(170, "resp_2").done(180, "resp_2").close(200).trace()
    assert [span.input["text"] for span in spans(trace, "turn")] == ["one\ntwo", "three"]
    assert outline(trace)[1:] == [
        "  turn 1 completed",
        "    user completed",
        "    user completed",
        "    response completed",
        "  turn 2 completed",
        "    user completed",
        "    response completed",
    ]


def test_6_a_greeting_has_a_turn_of_its_own() -> None:
    call = Call().session(10).server(50, "session.updated", session={"voice": "x"})
    call.client(60, "response.create").created(100, "resp_1").audio(150, "resp_1", "item_a", pcm(200))
    call.done(200, "resp_1").append(300, pcm(1000)).speech("item_u", 400, 900).created(1000, "resp_2")
    trace = call.done(1100, "resp_2").close(2000).trace()
    assert outline(trace)[1:] == [
        "  turn 1 completed",
        "    response completed",
        "  turn 2 completed",
        "    user completed",
        "    response completed",
    ]
    assert spans(trace, "turn")[0].input is None
    assert trace.metrics["greeting_latency"] == 100


# 7. Errors


def test_7_errors_failures_rate_limits_and_close_codes_are_recorded() -> None:
    call = Call().session().append(0, pcm(1000)).speech("item_u", 200, 600)
    failed = "conversation.item.input_audio_transcription.failed"
    call.server(650, failed, item_id="item_u", content_index=0, error={"type": "x", "message": "inaudible"})
    details = {"type": "failed", "error": {"type": "server_error", "code": "oops", "message": "it broke"}}
    call.created(700, "resp_1").done(800, "resp_1", "failed", status_details=details)
    call.client(850, "response.create").created(860, "resp_2")
    call.done(
        900, "resp_2", "incomplete", status_details={"type": "incomplete", "reason": "max_output_tokens"}
    )
    call.server(910, "rate_limits.updated", rate_limits=[{"name": "tokens", "remaining": 0}])
    call.server(
        920, "error", error={"type": "invalid_request_error", "code": "invalid_value", "message": "bad"}
    )
    trace = call.close(1000, 1011, "provider", "gone").trace()
    assert outline(trace) == [
        "session failed",
        "  turn 1 failed",
        "    user completed",
        "    response failed",
        "    response incomplete",
    ]
    assert spans(trace, "user")[0].error["message"] == "inaudible"
    first, second = spans(trace, "response")
    assert first.error["code"] == "oops"
    assert second.error["message"] == "max_output_tokens"
    assert trace.summary["status"] == "failed"
    assert trace.spans[0].error == {"type": "closed", "code": 1011, "message": "gone"}
    assert trace.metrics["errors"] == 4
    kinds = [event["type"] for event in trace.data["events"]]
    assert kinds == ["config", "transcription", "response", "response", "rate_limits", "error"]
    assert trace.data["close"] == {"code": 1011, "reason": "gone", "side": "provider"}


@pytest.mark.parametrize(
    ("code", "side", "status"),
    [
        (1000, "client", "complete"),
        (1006, "client", "complete"),
        (1001, "provider", "complete"),
        (3000, "provider", "failed"),
        (1011, "gateway", "failed"),
        (1001, "gateway", "complete"),
    ],
)
def test_7_who_closed_and_how_decides_about_the_call(code: int, side: str, status: str) -> None:
    assert Call().session().close(100, code, side).trace().summary["status"] == status


def test_7_a_provider_that_was_not_reached() -> None:
    call = Call().gateway(50, "gateway.dial_failed", provider="openai", message="connection refused")
    refusal = {"type": "server_error", "code": "upstream_refused", "message": "no provider answered"}
    trace = call.gateway(60, "gateway.error", error=refusal).close(70, 1011, "gateway").trace()
    assert trace.summary["status"] == "failed"
    assert trace.spans[0].error["code"] == "upstream_refused"
    assert [error["source"] for error in trace.data["errors"]] == ["gateway.dial_failed", "gateway.error"]


# 8. Usage


def test_8_usage_is_counted_once_per_response_and_adds_up() -> None:
    usage = {
        "total_tokens": 30,
        "input_tokens": 20,
        "output_tokens": 10,
        "input_token_details": {"text_tokens": 5, "audio_tokens": 12, "image_tokens": 3, "cached_tokens": 8},
        "output_token_details": {"text_tokens": 4, "audio_tokens": 6},
    }
    output = [{"id": f"item_{n}", "type": "message", "role": "assistant", "content": []} for n in range(3)]
    call = Call().session().client(50, "response.create").created(100, "resp_1")
    call.done(200, "resp_1", usage=usage, output=output)
    call.client(250, "response.create").created(300, "resp_2").done(400, "resp_2", usage=usage)
    call.transcript(450, "item_u", "hi")
    trace = call.close(500).trace()
    assert trace.data["usage"]["input_tokens"] == 40
    assert trace.data["usage"]["input_audio_tokens"] == 24
    assert trace.data["usage"]["cached_tokens"] == 16
    assert trace.data["usage"]["transcription"] == {"seconds": 2}
    assert [span.usage["output_tokens"] for span in spans(trace, "response")] == [10, 10]


# 9. Incomplete responses


def test_9_a_response_that_never_ends_is_a_span_with_what_is_known() -> None:
    call = greeting(Call().session())
    live = build_live(call)
    assert spans(live, "response")[0].status == "in_progress"
    assert spans(live, "response")[0].end_ms is None
    assert live.summary["status"] == "live"
    response = spans(call.close(2500).trace(), "response")[0]
    assert (response.status, response.end_ms, response.usage) == ("unfinished", 2200, None)
    assert response.output["transcript"].startswith("one two")
    assert response.metrics["generation_ms"] is None


def build_live(call: Call):
    from voxgate.traces import TraceBuilder

    builder = TraceBuilder()
    for event in call.events:
        builder.feed(event)
    return builder.snapshot()


def test_9_output_whose_response_began_before_the_log_did() -> None:
    trace = Call().words(100, "resp_x", "item_x", "and so on").close(200).trace()
    response = spans(trace, "response")[0]
    assert (response.output["transcript"], response.input["trigger"]) == ("and so on", "provider")


# 10. Tools


def test_10_parallel_calls_late_results_and_none() -> None:
    call = (
        Call()
        .session()
        .user_text(50, "weather?", id="u")
        .client(60, "response.create")
        .created(100, "resp_1")
    )
    call.call_tool(120, "resp_1", "call_1", "get_weather", '{"city":"Oslo"}')
    call.call_tool(130, "resp_1", "call_2", "get_weather", '{"city":"Rome"}')
    call.call_tool(140, "resp_1", "call_3", "get_time", "not json").done(150, "resp_1")
    call.tool_result(400, "call_2", '{"deg": 30}').client(410, "response.create").created(450, "resp_2")
    call.done(500, "resp_2").tool_result(600, "call_1", "cold").client(610, "response.create")
    trace = call.created(650, "resp_3").done(700, "resp_3").close(800).trace()
    assert outline(trace)[1:] == [
        "  turn 1 unfinished",
        "    user completed",
        "    response completed",
        "      get_weather completed",
        "      get_weather completed",
        "      get_time unfinished",
        "    response completed",
        "    response completed",
    ]
    oslo, rome, time = spans(trace, "tool")
    assert (oslo.start_ms, oslo.end_ms, oslo.output) == (125, 600, {"result": "cold"})
    assert (rome.output, rome.metrics["tool_wait"]) == ({"result": {"deg": 30}}, 265)
    assert (time.end_ms, time.output, time.input["arguments"]) == (None, None, "not json")
    assert [span.input["trigger"] for span in spans(trace, "response")] == ["client", "tool", "tool"]


def test_10_mcp_calls_and_approvals() -> None:
    call = (
        Call().session().user_text(50, "find it", id="u").client(60, "response.create").created(100, "resp_1")
    )
    approval = {"id": "mcpr_1", "type": "mcp_approval_request", "name": "search", "arguments": "{}"}
    call.server(
        120, "response.output_item.done", response_id="resp_1", item={**approval, "server_label": "docs"}
    )
    call.done(130, "resp_1")
    granted = {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": True}
    call.client(200, "conversation.item.create", item=granted).client(210, "response.create")
    item = {"id": "mcp_1", "type": "mcp_call", "name": "search", "server_label": "docs", "arguments": ""}
    call.created(220, "resp_2").server(230, "response.output_item.added", response_id="resp_2", item=item)
    names = {"response_id": "resp_2", "item_id": "mcp_1"}
    call.server(240, "response.mcp_call_arguments.done", arguments='{"q":"x"}', **names)
    call.server(250, "response.mcp_call.in_progress", item_id="mcp_1")
    call.server(290, "response.mcp_call.completed", item_id="mcp_1")
    done = {**item, "arguments": '{"q":"x"}', "output": "found", "error": None}
    call.server(300, "response.output_item.done", response_id="resp_2", item=done)
    trace = call.done(310, "resp_2").close(400).trace()
    asked, ran = spans(trace, "tool")
    assert (asked.input["approval"], asked.input["server_label"], asked.status) == (
        "approved",
        "docs",
        "completed",
    )
    assert (ran.input["ran_in"], ran.input["arguments"], ran.output) == (
        "mcp",
        {"q": "x"},
        {"result": "found"},
    )
    assert (ran.start_ms, ran.end_ms) == (240, 290)


# 11. Unknown things


def test_11_semantic_vad_odd_tools_and_unknown_events_are_no_obstacle() -> None:
    tools = [{"type": "function", "name": "f"}, {"type": "teleport", "x": 1}, None]
    call = Call().session(turn_detection=vad("semantic_vad", eagerness="low"), tools=tools, quux={"a": 1})
    call.server(20, "something.new", response_id="resp_0", payload=[1]).client(30, "what.ever").server(40, "")
    call.append(50, pcm(1000)).speech("item_u", 300, 900).created(950, "resp_1").done(990, "resp_1")
    trace = call.close(1000).trace()
    assert spans(trace, "user")[0].input["vad"] == "semantic_vad"
    assert spans(trace, "user")[0].metrics["true_speech_end_ms"] is None
    assert trace.data["config"]["tools"] == tools
    assert trace.metrics["v2v_p50"] is None


# 12. Long calls


def test_12_an_hour_of_audio_leaves_little_behind() -> None:
    call = Call().session()
    chunk = b64(pcm(100))
    for n in range(36_000):
        call.client(n * 100, "input_audio_buffer.append", audio=chunk)
    from voxgate.traces import TraceBuilder

    builder = TraceBuilder()
    for event in call.events:
        builder.feed(event)
    assert builder.layout.user.frames == 3600 * 24_000
    assert len(builder.layout.user.runs) == 1


# 13. A killed process


def test_13_a_log_without_an_end_is_an_interrupted_session() -> None:
    trace = greeting(Call().session()).trace()
    assert trace.summary["status"] == "interrupted"
    assert trace.summary["duration_ms"] == 2200
    assert trace.summary["ended_at"] == "2026-11-22T10:00:02.200Z"
    assert trace.spans[0].end_ms == 2200


# 14. Unusual conversations


def test_14_an_out_of_band_response_belongs_to_the_turn_it_is_about() -> None:
    call = Call().session().user_text(50, "hi", id="u").client(60, "response.create").created(70, "resp_1")
    call.client(80, "response.create", response={"conversation": "none", "metadata": {"topic": "summary"}})
    call.created(90, "resp_2", metadata={"topic": "summary"}).done(100, "resp_2").done(110, "resp_1")
    trace = call.close(200).trace()
    first, second = spans(trace, "response")
    assert trace.summary["turns"] == 1
    assert (first.input["out_of_band"], second.input["out_of_band"]) == (False, True)
    assert second.input["metadata"] == {"topic": "summary"}


def test_14_two_responses_in_flight_keep_their_words_and_sound_apart() -> None:
    call = Call().session().user_text(50, "hi", id="u").client(60, "response.create")
    call.client(61, "response.create", response={"conversation": "none"})
    call.created(70, "resp_1").created(71, "resp_2")
    call.words(80, "resp_1", "item_1", "eins").words(81, "resp_2", "item_2", "one")
    call.audio(82, "resp_1", "item_1", pcm(100)).audio(83, "resp_2", "item_2", pcm(50))
    call.audio(84, "resp_1", "item_1", pcm(100)).done(90, "resp_2").done(91, "resp_1")
    first, second = spans(call.close(900).trace(), "response")
    assert (first.output["transcript"], second.output["transcript"]) == ("eins", "one")
    assert (first.metrics["audio_generated_ms"], second.metrics["audio_generated_ms"]) == (200, 50)
    assert [(clip.start_byte, clip.end_byte) for clip in first.attachments] == [(0, 4800), (7200, 12_000)]


def test_14_deleted_and_inserted_items_change_the_context() -> None:
    call = Call().session()
    for n, name in enumerate(("a", "b", "c")):
        call.user_text(100 + n, name, id=name)
    item = {"type": "message", "role": "system", "content": [{"type": "input_text", "text": "!"}]}
    call.client(110, "conversation.item.create", item={**item, "id": "x"}, previous_item_id="a")
    call.client(120, "conversation.item.create", item={**item, "id": "first"}, previous_item_id="root")
    call.server(130, "conversation.item.deleted", item_id="b")
    call.client(140, "response.create").created(150, "resp_1").done(160, "resp_1")
    trace = call.close(200).trace()
    assert spans(trace, "response")[0].input["context_item_ids"] == ["first", "a", "x", "c"]
    assert [item["id"] for item in trace.data["items"] if item["deleted"]] == ["b"]


def test_14_items_without_ids_get_the_ones_that_the_provider_gives() -> None:
    call = Call().session().user_text(100, "one").client(101, "response.create")
    named = {
        "id": "item_9",
        "type": "message",
        "role": "user",
        "content": [{"type": "input_text", "text": "one"}],
    }
    call.server(120, "conversation.item.added", item=named, previous_item_id=None)
    trace = call.created(130, "resp_1").done(140, "resp_1").close(200).trace()
    assert [span.input["item_id"] for span in spans(trace, "user")] == ["item_9"]
    assert trace.data["items"][0]["made_by"] == "client"
    assert trace.summary["turns"] == 1


# 15. Audio that is not sent in real time


def test_15_a_file_sent_at_once_lies_on_its_own_clock_and_gives_no_latency() -> None:
    call = (
        Call().session().append(1000, pcm(3000), every_ms=1).speech("item_u", 1100, 1200, audio=(500, 2500))
    )
    call.created(1300, "resp_1").audio(1400, "resp_1", "item_a", pcm(200)).done(1500, "resp_1")
    trace = call.close(2000).trace()
    (clip,) = spans(trace, "user")[0].attachments
    assert (clip.start_byte, clip.end_byte) == (500 * 48, 2500 * 48)
    response = spans(trace, "response")[0]
    assert response.metrics["v2v_heard"] is None
    assert response.metrics["ttfa_peer"] == 200
    assert trace.data["metric_reasons"]["v2v_p50"].startswith("needs speech")
    turn = spans(trace, "turn")[0]
    assert turn.start_ms <= spans(trace, "user")[0].start_ms <= response.start_ms


def test_15_the_same_log_gives_the_same_trace_again() -> None:
    events = greeting(Call().session()).done(2300, "resp_1").close(3000).events
    assert build_trace(events).to_json() == build_trace(events).to_json()


def test_6_two_items_with_one_id_are_two_spans_with_two_ids() -> None:
    call = Call().session().user_text(100, "one", id="a").user_text(110, "again", id="a")
    ids = [span.id for span in call.close(200).trace().spans]
    assert len(ids) == len(set(ids)) == 4
