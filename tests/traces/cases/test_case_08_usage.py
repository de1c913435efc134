"""Case 8. Usage is counted once for each response, in numbers that sum."""

from __future__ import annotations

from tests.traces.calls import Call, pcm, spans


def test_usage_is_counted_once_per_response_and_adds_up() -> None:
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


def test_transcription_by_tokens_and_by_seconds_stands_beside_the_responses() -> None:
    done = "conversation.item.input_audio_transcription.completed"
    tokens = {"type": "tokens", "input_tokens": 14, "output_tokens": 6, "total_tokens": 20}
    tokens["input_token_details"] = {"audio_tokens": 13, "text_tokens": 1}
    call = Call().session().append(0, pcm(4000)).speech("item_1", 500, 1000).speech("item_2", 2000, 2500)
    call.server(2600, done, item_id="item_1", content_index=0, transcript="a", usage=tokens)
    trace = call.transcript(2700, "item_2", "b").close(3000).trace()
    assert trace.data["usage"] == {
        "transcription": {
            "input_tokens": 14,
            "output_tokens": 6,
            "total_tokens": 20,
            "input_audio_tokens": 13,
            "input_text_tokens": 1,
            "seconds": 2,
        }
    }
    assert trace.metrics["tokens_in"] is None  # what transcription used was not the model's


def test_cached_tokens_are_counted_by_modality_within_the_input() -> None:
    details = {"text_tokens": 60, "audio_tokens": 40, "cached_tokens": 48}
    details["cached_tokens_details"] = {"text_tokens": 40, "audio_tokens": 8, "image_tokens": 0}
    usage = {"input_tokens": 100, "output_tokens": 1, "total_tokens": 101, "input_token_details": details}
    call = Call().session().client(50, "response.create").created(100, "resp_1")
    found = spans(call.done(200, "resp_1", usage=usage).close(300).trace(), "response")[0].usage
    assert (found["cached_tokens"], found["cached_text_tokens"], found["cached_audio_tokens"]) == (48, 40, 8)
    assert found["input_tokens"] == found["input_text_tokens"] + found["input_audio_tokens"]
