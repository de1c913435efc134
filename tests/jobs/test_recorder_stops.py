"""Recorders that wait for one another, stop and are followed by the next."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from tests.jobs.recorded import SECONDS, Bench, begin, end, talk, wait_for
from tests.traces.calls import pcm

from voxgate.jobs import recorder as recorder_module
from voxgate.jobs.recording import SessionRecording
from voxgate.recording.wirelog import wire_logs


def test_only_one_recorder_works_and_the_second_takes_over(bench: Bench) -> None:
    stops = [threading.Event(), threading.Event()]
    recorders = [bench.recorder, bench.new_recorder()]
    threads = [threading.Thread(target=r.run, args=(s, s)) for r, s in zip(recorders, stops, strict=True)]
    threads[0].start()
    wait_for((bench.wire / "recorder.lock").exists)
    log = begin(bench.writer(), "sess_1")
    wait_for(lambda: bench.session("sess_1"))
    threads[1].start()
    assert not recorders[1]._recordings
    stops[0].set()
    threads[0].join(SECONDS)
    talk(log, pcm(100), pcm(100))
    end(log)
    wait_for(lambda: bench.session("sess_1")["status"] == "complete")
    stops[1].set()
    threads[1].join(SECONDS)
    assert not any(thread.is_alive() for thread in threads)
    assert bench.blob("sess_1", "user.pcm") == pcm(100)


def test_a_recorder_that_is_told_to_stop_finishes_what_workers_still_write(bench: Bench) -> None:
    stop, at_once = threading.Event(), threading.Event()
    thread = threading.Thread(target=bench.recorder.run, args=(stop, at_once))
    thread.start()
    writer = bench.writer()
    log = begin(writer, "sess_1")
    wait_for(lambda: bench.session("sess_1"))
    stop.set()
    later = begin(writer, "sess_2")
    for each in (log, later):
        talk(each, pcm(100), pcm(100))
        end(each)
    bench.writers.remove(writer)
    writer.stop()
    thread.join(SECONDS)
    assert not thread.is_alive()
    assert [bench.session(name)["status"] for name in ("sess_1", "sess_2")] == ["complete", "complete"]
    assert wire_logs(bench.wire) == []


def test_a_recorder_that_is_far_behind_stops_all_the_same_and_says_what_is_left(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(recorder_module, "DRAIN_SECONDS", 0.2)
    end(begin(bench.writer(), "sess_1"))
    wait_for(lambda: wire_logs(bench.wire))
    with monkeypatch.context() as slow:
        slow.setattr(SessionRecording, "advance", lambda self: True)  # never through
        stop = threading.Event()
        thread = threading.Thread(target=bench.recorder.run, args=(stop, threading.Event()))
        thread.start()
        wait_for(lambda: bench.recorder._recordings)
        stop.set()
        thread.join(SECONDS)
        assert not thread.is_alive()
    assert "1 sessions are not finished: 0.0 MB stay in" in caplog.text
    bench.recorder = bench.new_recorder()
    bench.record_until("sess_1", "complete")


def test_the_pages_about_stops_name_the_recorders_time() -> None:
    page = (Path(__file__).parents[2] / "docs/operations.md").read_text()
    assert recorder_module.DRAIN_SECONDS == 5
    assert "finishes traces for at most five seconds" in page


def test_a_recorder_in_a_hurry_leaves_the_rest_to_the_next(bench: Bench) -> None:
    stop, at_once = threading.Event(), threading.Event()
    thread = threading.Thread(target=bench.recorder.run, args=(stop, at_once))
    thread.start()
    log = begin(bench.writer(), "sess_1")
    wait_for(lambda: bench.session("sess_1"))
    stop.set()
    at_once.set()
    thread.join(SECONDS)
    assert not thread.is_alive()
    assert bench.session("sess_1")["status"] == "live"
    bench.recorder = bench.new_recorder()
    end(log)
    bench.record_until("sess_1", "complete")


def test_a_recorder_that_waits_for_the_lock_can_be_stopped(bench: Bench) -> None:
    stops = [threading.Event(), threading.Event()]
    threads = [
        threading.Thread(target=recorder.run, args=(stop, stop))
        for recorder, stop in zip([bench.recorder, bench.new_recorder()], stops, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread, stop in zip(reversed(threads), reversed(stops), strict=True):
        stop.set()
        thread.join(SECONDS)
        assert not thread.is_alive()
