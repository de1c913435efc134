"""Tracks and lanes: every byte in its place, every place on the call's clock."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tests.traces.calls import Call, b64, pcm

from voxgate.traces import AudioChunk, TrackLayout
from voxgate.traces.formats import AudioFormat, format_in, parse_format
from voxgate.traces.lanes import AssistantLane, UserLane


def follow(call: Call) -> tuple[TrackLayout, list[AudioChunk]]:
    layout = TrackLayout()
    chunks = [chunk for event in call.events for chunk in layout.feed(event)]
    return layout, chunks


@given(st.binary(max_size=3000), st.lists(st.integers(1, 700), min_size=1))
def test_any_chunking_gives_the_same_bytes_and_frames(data: bytes, sizes: list[int]) -> None:
    call, at = Call().session(), 0
    while at < len(data):
        size = sizes[at % len(sizes)]
        call.client(None, "input_audio_buffer.append", audio=b64(data[at : at + size]))
        call.server(
            None, "response.output_audio.delta", item_id="a", response_id="r", delta=b64(data[at : at + size])
        )
        at += size
    layout, chunks = follow(call)
    for track in ("user", "assistant"):
        assert b"".join(chunk.data for chunk in chunks if chunk.track == track) == data
        assert layout.frames(track) == len(data) // 2


def test_what_is_no_base64_is_no_audio() -> None:
    call = Call().session().client(10, "input_audio_buffer.append", audio="%%%")
    call.client(20, "input_audio_buffer.append", audio=None).client(30, "input_audio_buffer.append")
    assert follow(call)[1] == []


def test_formats_by_their_ga_and_beta_names() -> None:
    assert parse_format({"type": "audio/pcm", "rate": 16_000}) == AudioFormat("pcm", 16_000)
    assert parse_format({"type": "audio/pcma"}) == AudioFormat("pcma", 8000)
    assert parse_format("g711_ulaw") == AudioFormat("pcmu", 8000)
    assert parse_format("pcm16") == AudioFormat("pcm", 24_000)
    assert parse_format({"type": "audio/opus"}) is None
    assert parse_format({"type": "audio/pcm", "rate": 1}) is None
    assert format_in({"output_audio_format": "g711_alaw"}, "output") == AudioFormat("pcma", 8000)


def test_rates_as_azure_voice_live_says_them() -> None:
    session = {
        "input_audio_format": "pcm16",
        "input_audio_sampling_rate": 16_000,
        "output_audio_format": "pcm16_8000hz",
    }
    assert format_in(session, "input") == AudioFormat("pcm", 16_000)
    assert format_in(session, "output") == AudioFormat("pcm", 8_000)
    assert format_in({"input_audio_format": "g711_ulaw", "input_audio_sampling_rate": 16_000}, "input") == (
        AudioFormat("pcmu", 8_000)
    )
    assert format_in({"input_audio_format": "pcm16"}, "input") == AudioFormat("pcm", 24_000)


def test_a_track_keeps_its_first_rate_when_the_format_changes() -> None:
    call = Call().session().formats(50, "audio/pcmu", "audio/pcm").append(100, b"\xff" * 800, chunk=800)
    call.formats(300, "audio/pcm", "audio/pcm").append(400, pcm(100))
    layout, chunks = follow(call)
    assert layout.user.rate == 8000
    assert [chunk.frames for chunk in chunks] == [800, 800]


# The user's lane


def test_paced_audio_lies_where_it_was_sent_and_pauses_stay() -> None:
    lane = UserLane(1000)
    for t_ms in (100, 200, 310, 395, 2000, 2100):
        lane.add(100, t_ms)
    assert [(run.start_ms, run.start_frame, run.frames) for run in lane.runs] == [
        (100, 0, 400),
        (2000, 400, 200),
    ]
    assert lane.time_of(0) == 100
    assert lane.time_of(399) == 499
    assert lane.time_of(400) == 2000
    assert lane.time_of(601) is None


def test_audio_sent_at_once_lies_on_its_own_clock() -> None:
    lane = UserLane(1000)
    for n in range(10):
        lane.add(100, 50 + n)
    assert [(run.start_ms, run.frames) for run in lane.runs] == [(50, 1000)]


def test_a_stall_and_its_backlog_is_no_pause_of_the_speaker() -> None:
    lane = UserLane(1000)
    lane.add(100, 0)
    lane.add(100, 100)
    for n in range(5):  # 500 ms were held up and come at once
        lane.add(100, 700 + n)
    lane.add(100, 800)
    assert [(run.start_ms, run.frames) for run in lane.runs] == [(0, 800)]


def test_a_second_file_after_a_pause_stays_where_it_was_sent() -> None:
    lane = UserLane(1000)
    lane.add(300, 0)
    for n in range(3):
        lane.add(100, 5000 + n)
    assert [(run.start_ms, run.frames) for run in lane.runs] == [(0, 300), (5000, 300)]


# The assistant's lane


def test_sound_plays_after_what_plays_before_it_and_late_chunks_leave_gaps() -> None:
    lane = AssistantLane(1000)
    lane.add(500, 100, "a", "r")
    lane.add(500, 150, "a", "r")
    lane.add(100, 1400, "a", "r")
    assert [(run.start_ms, run.frames) for run in lane.runs] == [(100, 1000), (1400, 100)]
    assert lane.underrun_ms == {"r": 300}


def test_the_pause_between_two_responses_is_no_underrun() -> None:
    lane = AssistantLane(1000)
    lane.add(100, 100, "a", "r1")
    lane.add(100, 900, "b", "r2")
    assert lane.underrun_ms == {}


def test_a_stop_cuts_what_plays_and_what_waits() -> None:
    lane = AssistantLane(1000)
    lane.add(500, 100, "a", "r")
    lane.add(500, 110, "b", "r")
    lane.stop(300, "r", exact=False)
    lane.add(50, 310, "b", "r")
    assert [run.heard_frames for run in lane.runs] == [
        200,
        0,
    ]
    assert lane.item_frames("b") == 550
    assert lane.cuts["a"].heard_ms == 200
    assert not lane.cuts["a"].exact


@given(
    st.lists(
        st.tuples(st.integers(1, 400), st.integers(0, 200), st.sampled_from("ab")), min_size=1, max_size=20
    ),
    st.integers(0, 3000),
)
def test_heard_is_never_more_than_generated_and_truncate_is_exact(chunks, audio_end_ms: int) -> None:
    lane, t_ms = AssistantLane(1000), 0
    for frames, wait, item_id in chunks:
        t_ms += wait
        lane.add(frames, t_ms, item_id, "r")
    lane.truncate("a", audio_end_ms, t_ms)
    assert lane.heard_frames("a") == min(audio_end_ms, lane.item_frames("a"))
    assert all(0 <= run.heard_frames <= run.frames for run in lane.runs)
    assert sum(run.frames for run in lane.runs) == lane.frames
