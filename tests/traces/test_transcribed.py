"""Words that the gateway had made after the call: `gateway.transcribed` in an event log."""

from __future__ import annotations

from typing import Any

import pytest
from tests.traces.calls import Call, pcm, spans

from voxgate.traces import Trace

PRICE = {"minute": 0.6}
FACT = {"item_id": "u", "model": "scribe", "text": "ours", "usage": {"seconds": 60}, "price": PRICE}


def call() -> Call:
    return Call().session().append(0, pcm(1000)).speech("u", 200, 600)


def transcribed(one: Call, **fact: Any) -> Call:
    return one.gateway(None, "gateway.transcribed", **{**FACT, **fact})


def said(trace: Trace) -> tuple[Any, ...]:
    (user,) = spans(trace, "user")
    names = ("transcript", "transcribed_by", "transcription_model")
    return (*(user.input[name] for name in names), user.cost_usd)


def test_words_of_ours_are_marked_and_cost_what_they_did_then() -> None:
    trace = transcribed(call().close(1000)).trace()
    assert said(trace) == ("ours", "voxgate", "scribe", 0.6)
    assert trace.summary["title"] == "ours"
    assert trace.summary["status"] == "complete"
    assert trace.summary["cost_usd"] == 0.6
    assert trace.data["transcription"] == {"by": "voxgate", "model": "scribe", "items": 1, "failed": []}


@pytest.mark.parametrize("ours_first", [True, False])
def test_the_providers_own_words_count_before_ours(ours_first: bool) -> None:
    one = call()
    if ours_first:
        transcribed(one)
    one.transcript(800, "u", "its own")
    if not ours_first:
        transcribed(one)
    trace = one.close(1000).trace()
    assert said(trace)[:2] == ("its own", None)
    assert trace.data["transcription"] is None


def test_words_of_ours_stand_where_the_providers_transcription_failed() -> None:
    failed = "conversation.item.input_audio_transcription.failed"
    one = call().server(800, failed, item_id="u", error={"message": "no"})
    trace = transcribed(one.close(1000)).trace()
    assert said(trace)[:2] == ("ours", "voxgate")
    assert spans(trace, "user")[0].error == {"message": "no"}  # what happened in the call stays


def test_a_failure_is_shown_until_another_attempt_has_words_and_hides_none() -> None:
    one = transcribed(call().close(1000), text=None, error={"message": "400"})
    trace = one.trace()
    assert said(trace)[:2] == (None, None)
    failed = [{"item_id": "u", "error": {"message": "400"}}]
    assert trace.data["transcription"] == {"by": "voxgate", "model": None, "items": 0, "failed": failed}
    assert trace.data["errors"] == []
    transcribed(one)
    transcribed(one, text=None, error={"message": "again"})
    assert said(one.trace())[:2] == ("ours", "voxgate")
    assert one.trace().data["transcription"]["failed"] == []


def test_a_fact_that_is_there_twice_counts_once() -> None:
    one = transcribed(transcribed(call().close(1000)))
    assert one.trace().summary["cost_usd"] == 0.6


def test_who_wrote_it_down_is_who_was_to_when_it_was_said() -> None:
    """Of a session that wants another model later, or none; each is paid at its own price."""

    def wants(one: Call, t_ms: float, model: str | None) -> Call:
        transcription = {"model": model} if model else None
        config = {"type": "realtime", "audio": {"input": {"transcription": transcription}}}
        return one.server(t_ms, "session.updated", session=config)

    prices = {"first": {"minute": 0.6}, "second": {"minute": 6.0}}
    one = Call().gateway(5, "gateway.prices", price={}, transcription=prices).session()
    completed = "conversation.item.input_audio_transcription.completed"
    usage = {"type": "duration", "seconds": 1}
    for number, model in enumerate(("first", "second", None)):
        wants(one, 100 + 1000 * number, model)
        one.append(200 + 1000 * number, pcm(500)).committed(800 + 1000 * number, f"u{number}")
        one.created(810 + 1000 * number, f"r{number}").done(850 + 1000 * number, f"r{number}")
    for number in range(2):
        words = {"item_id": f"u{number}", "content_index": 0, "transcript": "so", "usage": usage}
        one.server(3000 + number, completed, **words)
    users = spans(one.close(4000).trace(), "user")
    assert [user.input["transcription_model"] for user in users] == ["first", "second", None]
    assert [user.cost_usd for user in users] == [0.01, 0.1, None]
