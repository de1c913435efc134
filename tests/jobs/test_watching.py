"""A call that somebody watches: each change of it is saved at once. The others' lengths tick in lists."""

from __future__ import annotations

import time
from typing import Any

import pytest
from tests.jobs.recorded import Bench, begin, end, say, talk, wait_for
from tests.traces.calls import pcm

from voxgate.core.errors import StoreUnavailable
from voxgate.jobs import live
from voxgate.recording.eventlog import read_events
from voxgate.recording.wirelog import SERVER
from voxgate.store import WATCHED, Change
from voxgate.traces import TraceBuilder
from voxgate.traces.changes import applied, span_json


def watch(bench: Bench, session_id: str = "sess_1") -> None:
    bench.store.refresh_leases([(WATCHED, session_id)], 60)


def say_words(log: Any, text: str) -> None:
    names = {"response_id": "resp_1", "item_id": "a_resp_1"}
    say(log, SERVER, type="response.output_audio_transcript.delta", delta=text, **names)


def words_of(session: dict[str, Any] | None) -> str:
    spans = session["spans"] if session is not None else []
    return next((span["output"]["transcript"] or "" for span in spans if span["type"] == "response"), "")


def record_words(bench: Bench, text: str) -> None:
    wait_for(lambda: words_of(bench.session("sess_1")) == text, bench.recorder.step)


def rebuilt(bench: Bench) -> Any:
    builder = TraceBuilder("sess_1")
    for event in read_events(bench.blob("sess_1", "events.jsonl").splitlines()):
        builder.feed(event)
    return builder.snapshot()


def test_what_a_watched_call_says_comes_as_changes_that_add_up_to_its_trace(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "_WHOLE_SECONDS", 1e6)
    log = begin(bench.writer(), "sess_1")
    talk(log, pcm(200), pcm(100))
    wait_for(lambda: len((bench.session("sess_1") or {"spans": ()})["spans"]) == 4, bench.recorder.step)
    watch(bench)
    wait_for(lambda: bench.recorder._watching.watched, bench.recorder.step)
    copy = bench.session("sess_1")
    assert copy is not None
    said = ""
    for word in ("one ", "two ", "three "):
        say_words(log, word)
        said += word
        record_words(bench, said.strip())
        revision, changes = bench.store.session_changes("sess_1", copy["revision"])
        assert changes
        copy = {**applied(copy, changes), "revision": revision}
        whole = bench.session("sess_1")
        assert whole is not None
        assert {**copy, "metrics": whole["metrics"], "errors": whole["errors"]} == whole
    trace = rebuilt(bench)
    assert copy["spans"] == [span_json(span) for span in trace.spans]
    assert copy["data"]["metrics"] == trace.metrics
    end(log)
    row = bench.record_until("sess_1", "complete")
    assert words_of(row) == "one two three"
    assert bench.store.session_changes("sess_1", copy["revision"])[1] is None


def test_changes_of_a_watched_call_become_a_whole_now_and_then(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "_WHOLE_SECONDS", 0.0)
    monkeypatch.setattr(live, "_REFRESH_SHARE", 0)
    log = begin(bench.writer(), "sess_1")
    talk(log, pcm(100), pcm(100))
    wait_for(lambda: bench.session("sess_1"), bench.recorder.step)
    watch(bench)
    wait_for(lambda: bench.recorder._watching.watched, bench.recorder.step)
    for number in range(3):
        say_words(log, f"{number} ")
        record_words(bench, " ".join(map(str, range(number + 1))))
    row = bench.session("sess_1")
    assert row is not None
    # What was told is not deleted before the next whole, so who follows misses nothing.
    assert len(bench.store.session_changes("sess_1", row["revision"] - 1)[1] or ()) == 1
    assert row["spans"] == [span_json(span) for span in rebuilt(bench).spans]


def test_a_call_that_is_watched_no_more_is_saved_as_the_others_are(bench: Bench) -> None:
    log = begin(bench.writer(), "sess_1")
    wait_for(lambda: bench.session("sess_1"), bench.recorder.step)
    watch(bench)
    wait_for(lambda: bench.recorder._watching.watched, bench.recorder.step)
    bench.store.give_back_leases([(WATCHED, "sess_1")])
    wait_for(lambda: not bench.recorder._watching.watched, bench.recorder.step)
    talk(log, pcm(100), pcm(100))
    wait_for(lambda: len((bench.session("sess_1") or {"spans": ()})["spans"]) == 4, bench.recorder.step)


def test_a_change_that_could_not_be_saved_is_in_the_next_whole(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed: list[Any] = []

    def fail(changes: list[Change]) -> None:
        failed.append(changes)
        raise RuntimeError("the database is away")

    log = begin(bench.writer(), "sess_1")
    talk(log, pcm(100), pcm(100))
    wait_for(lambda: len((bench.session("sess_1") or {"spans": ()})["spans"]) == 4, bench.recorder.step)
    watch(bench)
    wait_for(lambda: bench.recorder._watching.watched, bench.recorder.step)
    with monkeypatch.context() as patch:
        patch.setattr(bench.store, "save_changes", fail)
        say_words(log, "lost?")
        wait_for(lambda: failed, bench.recorder.step)
    record_words(bench, "lost?")


def test_calls_that_nobody_watches_grow_in_lists(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "_REFRESH_SECONDS", 1e6)  # their traces are saved once
    log = begin(bench.writer(), "sess_1")
    wait_for(lambda: bench.session("sess_1"), bench.recorder.step)
    revision = bench.store.session_revision("sess_1")
    talk(log, pcm(100), pcm(100))

    def turns() -> Any:
        return bench.store.list_sessions(q="turns=1")[0]

    wait_for(turns, bench.recorder.step)
    assert turns()[0]["duration_ms"] > 0
    assert bench.store.session_revision("sess_1") == revision
    end(log)
    bench.record_until("sess_1", "complete")


def test_a_database_that_does_not_say_who_watches_keeps_no_call_waiting(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: str) -> set[str]:
        raise StoreUnavailable("away")

    monkeypatch.setattr(bench.store, "lease_holders", fail)
    log = begin(bench.writer(), "sess_1")
    talk(log, pcm(100), pcm(100))
    wait_for(lambda: "who watches which call is not known" in caplog.text, bench.recorder.step)
    end(log)
    bench.record_until("sess_1", "complete")


def test_a_watched_call_does_not_wait_for_the_others_after_its_first_save(bench: Bench) -> None:
    trace = TraceBuilder("sess_1").snapshot()
    for is_watched in (True, False):
        saved = live.LiveTrace(bench.store, "sess_1")
        saved.watch(is_watched)
        assert saved.save(trace, running=100_000)
        rests_seconds = saved.next_save - time.monotonic()
        assert (rests_seconds < 1.0) is is_watched
