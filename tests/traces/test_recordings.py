"""Traces of recorded sessions with the live services."""

from __future__ import annotations

from pathlib import Path

from tests.traces.calls import outline, recording, spans


def test_a_spoken_turn_with_server_vad(shared: Path) -> None:
    trace = recording(shared, "test_openai_ws__test_audio_in_server_vad_turn").trace()
    assert outline(trace) == [
        "session complete",
        "  turn 1 completed",
        "    user completed",
        "    response completed",
    ]
    user, response = spans(trace, "user")[0], spans(trace, "response")[0]
    assert user.input["transcript"] == "Hello, my name is Marcelo."
    assert user.usage == {"seconds": 3}
    assert (user.input["audio_start_ms"], user.input["audio_end_ms"]) == (1460, 4256)
    assert response.output["transcript"] == "Hello, Marcelo! Great to meet you. How can I help you today?"
    assert response.input["trigger"] == "vad"
    assert response.usage == {
        "input_tokens": 41,
        "output_tokens": 164,
        "total_tokens": 205,
        "input_text_tokens": 14,
        "input_audio_tokens": 27,
        "input_image_tokens": 0,
        "cached_tokens": 0,
        "cached_text_tokens": 0,
        "cached_audio_tokens": 0,
        "cached_image_tokens": 0,
        "output_text_tokens": 28,
        "output_audio_tokens": 136,
    }
    assert trace.summary["title"] == "Hello, my name is Marcelo."
    assert trace.data["transcription_model"] == "gpt-realtime-whisper"
    assert trace.data["turn_detection"]["silence_duration_ms"] == 200
    assert trace.data["usage"]["transcription"] == {"seconds": 3}
    assert trace.metrics["tokens_audio_in"] == 27
    assert trace.metrics["v2v_p50"] is None  # the audio was cut to a few bytes per message
    assert "v2v_p50" in trace.data["metric_reasons"]


def test_a_text_turn(shared: Path) -> None:
    trace = recording(shared, "test_openai_ws__test_text_in_audio_out_turn").trace()
    assert outline(trace) == [
        "session complete",
        "  turn 1 completed",
        "    user completed",
        "    response completed",
    ]
    user, response = spans(trace, "user")[0], spans(trace, "response")[0]
    assert user.input["kind"] == "text"
    assert user.input["text"] == trace.summary["title"]
    assert user.input["item_id"].startswith("item_")
    assert response.input["trigger"] == "client"
    assert response.input["context_item_ids"] == [user.input["item_id"]]
    assert response.output["transcript"]
    assert len(response.attachments) == 1


def test_a_tool_round(shared: Path) -> None:
    trace = recording(shared, "test_openai_ws__test_tool_call_round").trace()
    assert outline(trace) == [
        "session complete",
        "  turn 1 completed",
        "    user completed",
        "    response completed",
        "      get_weather completed",
        "    response completed",
    ]
    tool = spans(trace, "tool")[0]
    assert tool.input["arguments"] == {"city": "London"}
    assert tool.input["call_id"] == "call_uMNE0Myi2tDTPu0w"
    assert tool.output == {"result": "It is foggy and 12 degrees in London."}
    first, second = spans(trace, "response")
    assert (first.input["trigger"], second.input["trigger"]) == ("client", "tool")
    assert second.output["text"] == "It is foggy and 12 degrees in London."
    assert second.input["context_length"] == 3
    assert trace.data["usage"]["total_tokens"] == 201
    assert trace.metrics["cache_hit_rate"] == round(64 / 166, 6)


def test_azure_which_still_speaks_the_beta_names(shared: Path) -> None:
    trace = recording(shared, "test_azure_voice_live_ws__test_audio_in_server_vad_turn").trace()
    assert outline(trace) == [
        "session complete",
        "  turn 1 completed",
        "    user completed",
        "    response completed",
    ]
    assert spans(trace, "user")[0].input["transcript"] == "Cześć, nazywam się Marcelo."
    response = spans(trace, "response")[0]
    assert response.output["transcript"] == "Hi Marcelo, nice to meet you! How can I help you today?"
    assert response.metrics["audio_generated_ms"] > 0
    assert trace.data["usage"]["output_audio_tokens"] == 72
    assert trace.data["voice"] == "alloy"


def test_xai_with_its_own_ids_and_its_usage_beside_the_response(shared: Path) -> None:
    trace = recording(shared, "test_xai_ws__test_audio_in_server_vad_turn").trace()
    assert trace.summary["turns"] == len(spans(trace, "turn")) >= 1
    response = spans(trace, "response")[-1]
    assert response.output["transcript"] == "Hello Marcelo! Nice to meet you. How can I help you today?"
    assert response.usage["input_audio_tokens"] == 146
    assert trace.summary["status"] == "complete"


def test_a_sideband_which_hears_no_audio(shared: Path) -> None:
    trace = recording(shared, "test_openai_ws_sideband__test_webrtc_sideband_text_turn").trace()
    assert outline(trace)[1:] == ["  turn 1 completed", "    user completed", "    response completed"]
    assert trace.data["tracks"] == {}
    assert spans(trace, "response")[0].output["text"] == "Hello there!"
