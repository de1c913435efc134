"""Case 1. G.711 is counted and cut as what it is; formats differ by direction and change on the way."""

from __future__ import annotations

from typing import Any

import pytest
from tests.traces.calls import Call, pcm, spans


def test_g711_is_counted_at_eight_thousand_bytes_a_second() -> None:
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


def test_a_response_with_a_format_of_its_own() -> None:
    call = Call().session()
    named = {"output": {"format": {"type": "audio/pcmu"}}}
    call.created(100, "resp_1", audio=named).audio(120, "resp_1", "item_a", b"\xff" * 800).done(200, "resp_1")
    call.created(300, "resp_2").audio(320, "resp_2", "item_b", pcm(100)).done(400, "resp_2")
    first, second = spans(call.close(500).trace(), "response")
    assert first.metrics["audio_generated_ms"] == 100
    assert second.metrics["audio_generated_ms"] == 100


def test_the_format_changes_on_the_way() -> None:
    call = Call().session().append(100, pcm(200)).formats(400, "audio/pcmu", "audio/pcmu")
    call.append(500, b"\xff" * 1600, chunk=800)
    assert call.close(900).trace().data["audio_ms"]["in"] == 400


def test_a_refused_format_is_not_taken() -> None:
    call = Call().session()
    audio = {"input": {"format": {"type": "audio/pcmu"}}}
    call.client(100, "session.update", session={"audio": audio}, event_id="e1")
    call.server(110, "error", error={"type": "invalid_request_error", "message": "no", "event_id": "e1"})
    assert call.append(200, pcm(300)).close(900).trace().data["audio_ms"]["in"] == 300


def updated(call: Call, t_ms: float, name: str, event_id: str | None = None) -> Call:
    """The client's `session.update` to this input format."""
    audio = {"input": {"format": {"type": name}}}
    named = {"event_id": event_id} if event_id else {}
    return call.client(t_ms, "session.update", session={"audio": audio}, **named)


def test_what_the_provider_said_before_it_read_the_new_format_does_not_bring_the_old_one_back() -> None:
    """A client that does not wait for `session.created`, and sound that is sent at once."""
    call = updated(Call(), 5, "audio/pcmu").append(10, b"\xff" * 800, chunk=800)
    call.session(50).append(60, b"\xff" * 800, chunk=800)
    call.server(100, "session.updated", session={"audio": {"input": {"format": {"type": "audio/pcmu"}}}})
    trace = call.append(210, b"\xff" * 1600, chunk=800).close(900).trace()
    assert trace.data["audio_ms"]["in"] == 400
    assert trace.data["tracks"]["user"] == {"rate": 8000, "channels": 1, "bytes": 6400}
    assert trace.data["formats"]["input"] == {"type": "pcmu", "rate": 8000}


def test_the_answer_to_an_update_before_does_not_bring_the_old_format_back() -> None:
    call = Call().session(10).client(20, "session.update", session={"instructions": "Be kind."})
    call = updated(call, 30, "audio/pcma")
    pcm_format = {"type": "audio/pcm", "rate": 24_000}
    call.server(40, "session.updated", session={"audio": {"input": {"format": pcm_format}}})
    call.append(50, b"\xd5" * 800, chunk=800)
    call.server(160, "session.updated", session={"audio": {"input": {"format": {"type": "audio/pcma"}}}})
    assert call.close(900).trace().data["tracks"]["user"] == {"rate": 8000, "channels": 1, "bytes": 1600}


@pytest.mark.parametrize(
    ("error", "is_refused"),
    [
        ({"message": "no", "event_id": "e1"}, True),
        ({"message": "no", "event_id": None}, True),
        ({"message": "no", "event_id": None, "param": "session.audio.input.format"}, True),
        ({"message": "no", "event_id": "e2"}, False),
        ({"message": "no", "event_id": None, "param": "response.output_modalities"}, False),
    ],
    ids=str,
)
@pytest.mark.parametrize("by_gateway", [False, True])
def test_only_an_error_about_the_update_refuses_its_format(
    error: dict[str, Any], is_refused: bool, by_gateway: bool
) -> None:
    call = updated(Call().session(), 20, "audio/pcmu", "e1")
    if by_gateway:
        call.gateway(30, "gateway.answered", message={"type": "error", "error": error})
    else:
        call.server(30, "error", error=error)
    trace = call.append(50, b"\xff" * 4800, chunk=4800).close(900).trace()
    assert trace.data["audio_ms"]["in"] == (100 if is_refused else 600)


def test_a_cut_falls_on_the_millisecond_of_g711_too() -> None:
    call = Call().session().formats(20, "audio/pcmu", "audio/pcmu")
    call.created(950, "resp_1").audio(1000, "resp_1", "item_a", b"\xff" * 16_000).done(1100, "resp_1")
    call.client(1900, "conversation.item.truncate", item_id="item_a", content_index=0, audio_end_ms=625)
    (response,) = spans(call.close(4000).trace(), "response")
    assert (response.metrics["audio_generated_ms"], response.metrics["audio_heard_ms"]) == (2000, 625)
    generated, heard = response.attachments
    assert (generated.end_byte, heard.end_byte) == (32_000, 10_000)  # 16 bits a sample, as they are stored


def test_the_directions_have_formats_of_their_own_under_their_beta_names() -> None:
    call = Call().server(10, "session.created", session={"input_audio_format": "g711_ulaw"})
    call.append(100, b"\xff" * 800, chunk=800).created(950, "resp_1").audio(
        1000, "resp_1", "item_a", pcm(100)
    )
    assert call.close(2000).trace().data["audio_ms"] == {"in": 100, "generated": 100, "heard": 100}
