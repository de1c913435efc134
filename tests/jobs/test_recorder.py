"""The recorder from wire logs to store and blobs, with a real store and real files."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import orjson
import pytest
from tests.jobs.recorded import Bench, begin, end, say, talk, wait_for
from tests.traces.calls import pcm

from voxgate.audio.g711 import decode_ulaw
from voxgate.jobs import giving_way
from voxgate.jobs.hearing import CallHearing
from voxgate.jobs.recording import SessionRecording
from voxgate.recording.eventlog import read_events
from voxgate.recording.spool import Spool
from voxgate.recording.wirelog import CLIENT, SERVER, wire_logs
from voxgate.traces import build_trace
from voxgate.traces.changes import span_json


def test_a_call_becomes_a_trace_with_its_sound_and_the_wire_log_goes(bench: Bench) -> None:
    log = begin(bench.writer(), "sess_1")
    user, assistant = pcm(500), pcm(300, start=7000)
    talk(log, user, assistant)
    end(log)
    row = bench.record_until("sess_1", "complete")
    bench.finish()
    assert [span["type"] for span in row["spans"]] == ["session", "turn", "user", "response"]
    assert row["credential_id"] == "cred_1"
    assert bench.blob("sess_1", "user.pcm") == user
    assert bench.blob("sess_1", "assistant.pcm") == assistant
    heard = bench.sound("sess_1", "heard")
    played = round(row["spans"][-1]["metrics"]["audio_heard_ms"] * 24)
    assert 0 < played < 7200  # the client was gone before the rest could sound
    assert np.array_equal(heard[heard != 0], np.frombuffer(assistant, "<i2")[:played])
    tracks = row["data"]["tracks"]
    assert {name: (track["rate"], track["channels"]) for name, track in tracks.items()} == {
        "user": (24_000, 1),
        "assistant": (24_000, 1),
        "heard": (24_000, 1),
        "mix": (24_000, 2),
    }
    for name, track in tracks.items():
        assert bench.sound("sess_1", name).nbytes == track["bytes"]
    assert {"user track", "assistant track", "heard track", "call"} == {
        attachment["name"] for attachment in row["spans"][0]["attachments"]
    }
    events = list(read_events(bench.blob("sess_1", "events.jsonl").splitlines()))
    assert events[0].type == "gateway.opened"
    assert events[-1].type == "gateway.closed"
    assert not wire_logs(bench.wire)


def test_the_stored_trace_is_the_one_that_its_event_log_gives(bench: Bench) -> None:
    log = begin(bench.writer(), "sess_1")
    talk(log, pcm(300), pcm(200))
    end(log)
    row = bench.record_until("sess_1", "complete")
    lines = bench.blob("sess_1", "events.jsonl").splitlines()
    mix = bench.sound("sess_1", "mix")
    hearing = CallHearing(24_000)
    hearing.feed(mix[:, 0], mix[:, 1])
    again = build_trace(read_events(lines), session_id="sess_1", sound=hearing.facts())
    stored = {span["id"]: span for span in row["spans"]}
    for span in again.spans[1:]:
        assert stored[span.id] == orjson.loads(orjson.dumps(span_json(span)))
    assert row["data"]["metrics"] == again.metrics


def test_the_mix_lies_on_the_calls_clock_with_the_user_left_and_the_heard_right(bench: Bench) -> None:
    log = begin(bench.writer(), "sess_1")
    talk(log, pcm(400), pcm(2000, start=7000))
    say(log, CLIENT, type="conversation.item.truncate", item_id="a_resp_1", content_index=0, audio_end_ms=250)
    end(log)
    row = bench.record_until("sess_1", "complete")
    bench.finish()
    mix = bench.sound("sess_1", "mix")
    response = next(span for span in row["spans"] if span["type"] == "response")
    assert response["metrics"]["audio_heard_ms"] == 250
    start = round(response["output"]["play_start_ms"] * 24)
    right = np.frombuffer(pcm(250, start=7000), "<i2")
    assert np.array_equal(mix[start : start + 6000, 1], right)
    assert not mix[:start, 1].any()
    assert not mix[start + 6000 :, 1].any()
    left = mix[:, 0]
    spoken = np.flatnonzero(left)
    assert len(spoken) == 9600
    assert np.array_equal(left[spoken[0] : spoken[0] + 9600], np.frombuffer(pcm(400), "<i2"))
    assert np.array_equal(bench.sound("sess_1", "heard"), mix[:, 1])
    peaks = orjson.loads(bench.blob("sess_1", "peaks.json"))
    assert peaks["per_second"] == 50
    expected = -(-len(mix) // 480)
    assert [len(peaks[name]) for name in ("user", "assistant", "heard")] == [expected] * 3
    assert sum(value > 0 for value in peaks["heard"]) in (12, 13, 14)
    assert max(peaks["heard"]) == pytest.approx(np.abs(right).max() / 32768, abs=0.001)
    [listed] = bench.store.list_sessions()[0]
    for name, lane in (("user", peaks["user"]), ("assistant", peaks["heard"])):
        loud = [at * 60 / expected for at, value in enumerate(lane) if value > 0.01]
        drawn = [at for at, digit in enumerate(listed["wave"][name]) if digit != "0"]
        assert len(listed["wave"][name]) == 60
        assert (drawn[0], drawn[-1]) == (pytest.approx(loud[0], abs=3), pytest.approx(loud[-1], abs=3))


def test_g711_is_stored_as_pcm_at_eight_kilohertz(bench: Bench) -> None:
    log = begin(bench.writer(), "sess_1", "audio/pcmu")
    user, assistant = bytes(range(256)) * 40, bytes(range(255, -1, -1)) * 20
    talk(log, user, assistant)
    end(log)
    row = bench.record_until("sess_1", "complete")
    assert bench.blob("sess_1", "user.pcm") == decode_ulaw(user).astype("<i2").tobytes()
    assert bench.blob("sess_1", "assistant.pcm") == decode_ulaw(assistant).astype("<i2").tobytes()
    assert row["data"]["tracks"]["mix"]["rate"] == 8000


def test_lanes_of_different_rates_are_mixed_at_the_higher_one(bench: Bench) -> None:
    log = begin(bench.writer(), "sess_1")
    audio = {
        "input": {"format": {"type": "audio/pcma"}},
        "output": {"format": {"type": "audio/pcm", "rate": 24_000}},
    }
    say(log, SERVER, type="session.updated", session={"audio": audio})
    talk(log, b"\x2a" * 8000, pcm(500))
    end(log)
    row = bench.record_until("sess_1", "complete")
    assert row["data"]["tracks"]["mix"]["rate"] == 24_000
    mix = bench.sound("sess_1", "mix")
    loud = np.abs(mix[:, 0].astype(int)) > 20_000
    assert loud.sum() == pytest.approx(24_000, rel=0.01)


def test_a_running_call_is_shown_as_live_and_grows(bench: Bench) -> None:
    log = begin(bench.writer(), "sess_1")
    bench.record_until("sess_1", "live")
    talk(log, pcm(100), pcm(100))

    def answered() -> bool:
        row = bench.session("sess_1")
        return row is not None and any(span["type"] == "response" for span in row["spans"])

    wait_for(answered, bench.recorder.step)
    assert bench.session("sess_1")["status"] == "live"
    assert bench.blob("sess_1", "user.pcm") == pcm(100)
    end(log)
    bench.record_until("sess_1", "complete")


def test_the_recorder_lets_a_writer_go_first_that_is_behind(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = begin(bench.writer(), "sess_1")
    bench.record_until("sess_1", "live")
    talk(log, pcm(100), pcm(100))
    sizes: list[int] = []

    def are_behind(folder: Path) -> bool:
        assert folder == bench.wire
        sizes.append(sum(path.stat().st_size for path in (tmp_path / "blobs").rglob("user.pcm")))
        return len(sizes) < 4

    monkeypatch.setattr(giving_way, "writers_are_behind", are_behind)
    wait_for(lambda: any((tmp_path / "blobs").rglob("user.pcm")), bench.recorder.step)
    assert sizes[:4] == [0, 0, 0, 0]
    end(log)
    bench.record_until("sess_1", "complete")


def _ended(writer: Spool, calls: int) -> None:
    for number in range(calls):
        log = begin(writer, f"sess_{number:02}")
        talk(log, pcm(20_000), b"")
        end(log)


def _all_are_written(bench: Bench, writer: Spool, calls: int) -> None:
    def written() -> bool:
        writer.arm()  # a writer that was not ready for all that it was told hears it now
        return len(wire_logs(bench.wire)) == calls and not writer.waiting_bytes

    wait_for(written, writer.turn)


def test_a_recorder_that_is_behind_finishes_the_oldest_sessions_first(bench: Bench) -> None:
    """And keeps few at a time, so that little is begun again if it is killed."""
    writer = bench.writer()
    _ended(writer, 30)
    _all_are_written(bench, writer, 30)
    done: list[str] = []
    while logs := wire_logs(bench.wire):
        bench.recorder.step()
        assert len(bench.recorder._recordings) <= 8
        done += sorted({path.stem for path in logs} - {path.stem for path in wire_logs(bench.wire)})
    assert done == [f"sess_{number:02}" for number in range(30)]
    assert bench.session("sess_29")["status"] == "complete"


def test_a_call_that_begins_does_not_wait_until_those_that_have_ended_are_finished(bench: Bench) -> None:
    writer = bench.writer()
    _ended(writer, 16)
    log = begin(writer, "sess_now")
    _all_are_written(bench, writer, 17)
    running = next(path for path in wire_logs(bench.wire) if path.stem == "sess_now")

    def goes_on() -> None:
        running.touch()
        bench.recorder.step()

    wait_for(lambda: bench.session("sess_now"), goes_on)
    assert len(wire_logs(bench.wire)) > 12
    end(log)
    bench.finish()


def test_a_running_call_has_its_turn_after_each_bit_of_what_has_time(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = bench.writer()
    begin(writer, "sess_now")
    _ended(writer, 6)
    _all_are_written(bench, writer, 7)
    order: list[str] = []
    clock = [1000.0]
    advance = SessionRecording.advance

    def told(one: SessionRecording) -> bool:
        order.append(one.session_id)
        clock[0] += 0.02
        return advance(one)

    def no_rest(one: SessionRecording, now: float) -> bool:
        return False

    monkeypatch.setattr(SessionRecording, "advance", told)
    monkeypatch.setattr(SessionRecording, "rests", no_rest)
    monkeypatch.setattr("voxgate.jobs.recorder.time", SimpleNamespace(monotonic=lambda: clock[0]))
    bench.record_until("sess_05", "complete")
    turns = " ".join(order).split("sess_now")
    assert len(turns) > 12
    assert max(len(others.split()) for others in turns) <= 3


def test_a_call_without_sound_has_no_tracks(bench: Bench) -> None:
    log = begin(bench.writer(), "sess_1")
    end(log)
    row = bench.record_until("sess_1", "complete")
    assert row["data"]["tracks"] == {}
    assert list(bench.blobs.list("sessions/sess_1")) == ["sessions/sess_1/events.jsonl"]
