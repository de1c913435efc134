"""A recorded call as scorers see it."""

from __future__ import annotations

import numpy as np
import pytest

from tests.evals.sessions import FakeSource, session_of, snapshot_sessions, weather_session
from tests.traces.calls import OPENED, Call, live_trace
from voxgate.core.errors import NotFound
from voxgate.evals.session import Session


def test_a_session_says_what_it_was() -> None:
    session = weather_session()
    assert (session.id, session.project, session.status) == ("sess_test", "default", "complete")
    assert (session.model, session.provider) == ("gpt-realtime", "openai")
    assert session.tags == OPENED["tags"]
    assert session.metadata == {"user_id": "u1"}
    assert session.config["audio"]["output"]["voice"] == "alloy"
    assert session.duration_ms == session.end_ms == 9000
    assert session.metrics["turns"] == 2
    assert session.why_missing("v2v_p50")
    assert session.errors == []


def test_lines_are_what_was_said_with_its_time_and_as_far_as_it_was_heard() -> None:
    question, answer, request, story = weather_session().lines
    assert (question.role, question.text) == ("user", "What is the weather in Paris?")
    assert question.is_spoken
    assert not request.is_spoken
    assert (answer.start_ms, answer.end_ms, answer.heard_until_ms) == (2700, 3700, 3700)
    assert answer.heard_text == answer.text == "It is cloudy in Paris."
    assert (request.role, request.text, request.start_ms) == ("user", "Tell me a story.", 5000)
    assert (story.start_ms, story.heard_until_ms) == (5200, 6200)
    assert story.text == "One day a model lived in a box"
    assert story.heard_text == "One day"
    assert story.evidence.to_json() == {"span_id": story.span_id, "start_ms": 5200, "end_ms": 6200}


def test_the_words_of_a_side_are_all_or_those_that_were_heard() -> None:
    session = weather_session()
    assert session.said("user") == "What is the weather in Paris?\nTell me a story."
    assert session.said("assistant") == "It is cloudy in Paris.\nOne day a model lived in a box"
    assert session.said("assistant", heard=True) == "It is cloudy in Paris.\nOne day"


def test_tool_calls_are_those_that_were_answered_and_those_that_were_not() -> None:
    answered, orphaned = weather_session().tool_calls
    assert (answered.name, answered.arguments, answered.result, answered.status) == (
        "get_weather",
        {"city": "Paris"},
        {"sky": "cloudy"},
        "ok",
    )
    assert (answered.start_ms, answered.end_ms) == (2155, 2500)
    assert (orphaned.name, orphaned.arguments, orphaned.result) == ("find_story", "not json", None)
    assert orphaned.status == "unfinished"
    assert orphaned.end_ms == 9000  # as long as the call


def test_arguments_that_are_json_but_no_object_are_text() -> None:
    call = Call().session().created(100, "r").call_tool(200, "r", "c", "add", "[1, 2]").done(300, "r")
    assert session_of(call.close(400)).tool_calls[0].arguments == "[1, 2]"


def test_responses_say_how_they_ended() -> None:
    first, second, third = weather_session().responses
    assert first.tools == ("get_weather",)
    assert second.text == "It is cloudy in Paris."
    assert (third.interrupted, third.heard_text) == (True, "One day")
    assert all(one.status == "completed" for one in (first, second, third))


def test_a_turn_is_a_session_of_its_own_spans() -> None:
    session = weather_session()
    weather, story = session.turns
    assert [line.text for line in weather.lines] == [
        "What is the weather in Paris?",
        "It is cloudy in Paris.",
    ]
    assert [call.name for call in weather.tool_calls] == ["get_weather"]
    assert [call.name for call in story.tool_calls] == ["find_story"]
    assert (weather.id, weather.model, weather.config) == (session.id, session.model, session.config)
    assert story.start_ms == 5000
    assert weather.metrics["commit_to_response_p50"] == 100
    assert (weather.metrics["turns"], story.metrics["interruptions"]) == (1, 1)
    assert weather.metrics["response_rate"] is None
    assert "whole calls" in weather.why_missing("response_rate")
    assert "nothing in this turn" in story.why_missing("endpointing_p50")
    assert set(weather.metrics) == set(session.metrics)


def test_a_turn_is_found_by_its_span_or_one_in_it() -> None:
    session = weather_session()
    story = session.turns[1]
    assert session.turn(story.span_id or "").lines == story.lines
    assert session.turn(session.tool_calls[1].span_id or "").span_id == story.span_id
    assert story.turn(story.span_id or "") is story
    with pytest.raises(NotFound, match="no turn 'span_x'"):
        session.turn("span_x")


def test_errors_belong_to_the_turn_in_which_they_came() -> None:
    call = Call().session().user_text(1000, "Hello", id="i1").client(1000, "response.create")
    call.created(1100, "r1").done(1500, "r1")
    call.server(1200, "error", error={"type": "invalid_request_error", "message": "No."})
    call.user_text(3000, "Again", id="i2").client(3000, "response.create").created(3100, "r2")
    session = session_of(call.done(3500, "r2").close(4000))
    assert [len(turn.errors) for turn in session.turns] == [1, 0]
    assert len(session.errors) == 1


def test_sound_is_decoded_once_for_the_call_and_its_turns() -> None:
    mix = np.zeros((9 * 24_000, 2))
    mix[5200 * 24 : 6200 * 24, 1] = 0.5
    source = FakeSource(mix=mix)
    session = weather_session(source)
    samples, rate = session.audio("mix")
    assert (samples.dtype, samples.shape, rate) == (np.float32, (216_000, 2), 24_000)
    story = session.turns[1]
    assert story.audio("mix").duration_ms == story.duration_ms
    lane = story.lane("assistant")
    assert np.flatnonzero(lane.samples)[0] == (5200 - story.start_ms) * 24
    assert not story.lane("user").samples.any()
    assert source.fetched == ["mix"]


def test_a_clip_is_a_spans_own_piece_of_its_track() -> None:
    assistant = np.concatenate([np.full(24_000, 0.25), np.full(96_000, 0.5)])
    session = weather_session(FakeSource(assistant=assistant, user=np.full(33_600, 0.125)))
    question, answer, _, story = session.lines
    assert session.clip(answer.span_id, "assistant").duration_ms == 1000
    assert session.clip(answer.span_id, "heard").duration_ms == 1000
    assert set(session.clip(answer.span_id, "heard").samples) == {0.25}
    assert session.clip(story.span_id, "assistant").duration_ms == 4000
    assert session.clip(story.span_id, "heard").duration_ms == 1000
    assert session.clip(question.span_id, "user").duration_ms == 1000
    assert session.turns[1].audio("assistant").duration_ms == 4000
    assert session.clip("span_x", "user").samples.size == 0


def test_without_sound_there_are_no_samples() -> None:
    session = weather_session()
    for track in ("user", "assistant", "heard", "mix"):
        sound = session.audio(track)
        assert (sound.samples.size, sound.rate, sound.duration_ms) == (0, 0, 0.0)
    assert session.lane("user").samples.size == 0
    assert session.turns[0].audio("user").samples.size == 0
    assert list(session.events()) == []


def test_a_call_that_runs_has_what_there_is_so_far() -> None:
    call = (
        Call().session().user_text(1000, "Hello", id="i").client(1000, "response.create").created(1100, "r")
    )
    session = Session(live_trace(call).to_json())
    assert session.status == "live"
    assert [line.text for line in session.lines] == ["Hello"]
    assert session.turns[0].end_ms <= session.end_ms


def test_times_that_lie_outside_of_the_call_are_brought_inside() -> None:
    user = {
        "id": "s1",
        "type": "user",
        "start_ms": 9,
        "end_ms": 900,
        "input": {"text": "Hi", "kind": "text"},
    }
    said = {"transcript": "Hello", "play_start_ms": 400}
    answer = {"id": "s2", "type": "response", "start_ms": 300, "end_ms": None, "output": said}
    answer["metrics"] = {"audio_heard_ms": 800, "audio_generated_ms": 800}
    session = Session({"id": "x", "duration_ms": 500, "spans": [user, answer]})
    assert [(line.start_ms, line.end_ms) for line in session.lines] == [(9, 500), (400, 500)]
    assert session.lines[1].heard_until_ms == 500
    assert (session.responses[0].start_ms, session.responses[0].end_ms) == (300, 500)


def test_most_real_calls_have_words() -> None:
    assert sum(bool(session.lines) for session in snapshot_sessions()) >= 6


@pytest.mark.parametrize("session", snapshot_sessions(), ids=lambda one: one.provider)
def test_everything_of_a_real_call_lies_within_it(session: Session) -> None:
    for line in session.lines:
        assert 0 <= line.start_ms <= line.end_ms <= session.duration_ms
    for turn in session.turns:
        assert {line.span_id for line in turn.lines} <= {line.span_id for line in session.lines}
        assert turn.start_ms <= turn.end_ms <= session.end_ms
    assert sum(len(turn.lines) for turn in session.turns) == len(session.lines)
    assert sum(len(turn.tool_calls) for turn in session.turns) == len(session.tool_calls)
