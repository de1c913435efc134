"""Case 2. Without transcription, the default, turns are separate all the same, each with its own audio."""

from __future__ import annotations

from tests.traces.calls import Call, outline, pcm, spans


def test_turns_are_separate_without_transcripts_each_with_its_own_audio() -> None:
    call = Call().session().append(0, pcm(4000))
    call.speech("item_1", 1000, 1800).created(1900, "resp_1").done(2000, "resp_1")
    call.speech("item_2", 3000, 3800).created(3900, "resp_2").done(4000, "resp_2")
    trace = call.close(4100).trace()
    assert trace.summary["turns"] == 2
    clips = [span.attachments[0] for span in spans(trace, "user")]
    assert [(clip.start_byte, clip.end_byte) for clip in clips] == [(48_000, 86_400), (144_000, 182_400)]
    assert [span.input["transcript"] for span in spans(trace, "user")] == [None, None]


def test_push_to_talk_without_server_vad_has_turns_and_clips() -> None:
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


def test_an_empty_commit_is_an_error_and_no_turn() -> None:
    call = Call().session().client(100, "input_audio_buffer.commit")
    call.server(
        110, "error", error={"code": "input_audio_buffer_commit_empty", "type": "x", "message": "empty"}
    )
    trace = call.client(120, "response.create").created(130, "resp_1").done(140, "resp_1").close(200).trace()
    assert outline(trace)[1:] == ["  turn 1 completed", "    response completed"]
    assert trace.metrics["errors"] == 1


def test_two_commits_in_a_row_are_named_in_their_order() -> None:
    call = Call().session(turn_detection={"type": "none"})
    call.append(100, pcm(500)).client(600, "input_audio_buffer.commit").client(610, "response.create")
    call.append(620, pcm(300)).client(930, "input_audio_buffer.commit")
    call.committed(950, "item_1").committed(960, "item_2").created(970, "resp_1").done(980, "resp_1")
    found = [
        (span.input["item_id"], span.attachments[0].start_byte)
        for span in spans(call.close(990).trace(), "user")
    ]
    assert found == [("item_1", 0), ("item_2", 24_000)]
