"""Case 4. A transcript goes to its own item, however late it comes."""

from __future__ import annotations

from tests.traces.calls import Call, pcm, spans


def test_a_late_transcript_goes_to_its_own_item() -> None:
    call = Call().session().append(0, pcm(4000))
    call.speech("item_1", 500, 1000).created(1100, "resp_1").done(1200, "resp_1")
    call.speech("item_2", 2000, 2500).created(2600, "resp_2").done(2700, "resp_2")
    call.transcript(2800, "item_2", "second").transcript(2900, "item_1", "first")
    trace = call.close(3000).trace()
    assert [span.input["transcript"] for span in spans(trace, "user")] == ["first", "second"]
    assert trace.summary["title"] == "first"
    assert spans(trace, "user")[0].metrics["transcript_lag"] == 1900


def test_a_transcript_may_come_before_its_item() -> None:
    call = Call().session().transcript(100, "item_1", "early").speech("item_1", 200, 300)
    assert spans(call.close(400).trace(), "user")[0].input["transcript"] == "early"


def test_two_transcripts_that_come_in_pieces_at_once_do_not_mix() -> None:
    call = Call().session().append(0, pcm(4000)).speech("item_1", 500, 1000).speech("item_2", 2000, 2500)
    delta = "conversation.item.input_audio_transcription.delta"
    for item_id, words in (("item_2", "se"), ("item_1", "fi"), ("item_2", "cond"), ("item_1", "rst")):
        call.server(2600, delta, item_id=item_id, content_index=0, delta=words)
    assert [span.input["transcript"] for span in spans(call.close(3000).trace(), "user")] == [
        "first",
        "second",
    ]
