"""Requests that are over soon are recorded together, and come out as each by itself would."""

from __future__ import annotations

import base64
import io
import json
import shutil
import threading
import wave
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.jobs.recorded import Bench, say, wait_for

from voxgate.core.errors import StoreUnavailable
from voxgate.jobs.rebuilding import Rebuilder
from voxgate.jobs.recording import SessionRecording
from voxgate.jobs.redaction import Redactions
from voxgate.realtime.frames import BINARY, encode_frame
from voxgate.recording.eventlog import EventLogBuilder
from voxgate.recording.reading import read_lines
from voxgate.recording.spool import Spool, WireLog
from voxgate.recording.wirelog import CLIENT, SERVER, WireLogReader, wire_logs
from voxgate.store import FolderBlobs

QUESTION = {"model": "gpt-5", "messages": [{"role": "user", "content": "Where is the blue parcel?"}]}


def ask(writer: Spool, session_id: str, **opened: Any) -> WireLog:
    log = writer.open(session_id)
    log.fact({
        "type": "gateway.opened", "session_id": session_id, "transport": "http", "project": "shop",
        "endpoint": "chat/completions", "model": "gpt-5", "started_at": "2026-11-22T10:00:00.000Z",
        "request": {"path": "/v1/chat/completions"}, "credential": {"kind": "api_key"}, **opened,
    })  # fmt: skip
    say(log, CLIENT, **QUESTION)
    return log


def answer(log: WireLog, words: Sequence[str] = ("On ", "its ", "way.")) -> None:
    log.fact({"type": "gateway.dialled", "provider": "house", "upstream_model": "gpt-5", "ms": 2.5})
    log.fact({"type": "gateway.answered_http", "status": 200, "content_type": "text/event-stream"})
    for word in words:
        say(log, SERVER, choices=[{"index": 0, "delta": {"content": word}}])
    usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    say(log, SERVER, choices=[], usage=usage)
    log.close(1000, "", "provider")


def all_written(bench: Bench, count: int) -> list[Path]:
    """The closed logs of so many requests, before a recorder has seen them."""

    def closed() -> bool:
        for spool in bench.writers:
            spool.arm()
        readers = [WireLogReader(path) for path in wire_logs(bench.wire)]
        return len(readers) == count and all(reader.read() and reader.closed for reader in readers)

    wait_for(closed)
    return wire_logs(bench.wire)


def asked(bench: Bench, count: int) -> list[Path]:
    writer = bench.writer()
    for number in range(count):
        answer(ask(writer, f"sess_{number}"), ["On ", "its ", f"way, number {number}."])
    return all_written(bench, count)


def wav(frames: int) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(24_000)
        sound.writeframes(b"\x10\x20" * frames)
    return file.getvalue()


def without_counters(row: dict[str, Any] | None) -> dict[str, Any]:
    assert row is not None
    return {name: value for name, value in row.items() if name != "revision"}


def saves(bench: Bench) -> list[int]:
    """How many traces each transaction has saved."""
    found: list[int] = []
    save = bench.store.save_traces

    def counted(traces: Sequence[Any]) -> None:
        found.append(len(traces))
        save(traces)

    bench.store.save_traces = counted  # type: ignore[method-assign]
    return found


def test_requests_recorded_together_are_what_each_by_itself_would_be(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voxgate.jobs.requests._SLICE_SECONDS", 60.0)
    paths = asked(bench, 9)
    alone = Bench(tmp_path / "alone")
    copies = [Path(shutil.copy(path, tmp_path / path.name)) for path in paths]
    lines = [
        [line for record in WireLogReader(path).read() for line in EventLogBuilder().feed(record)]
        for path in paths
    ]
    found = saves(bench)
    bench.finish()
    assert found == [9]
    for number, copy in enumerate(copies):
        recording = SessionRecording(copy, alone.store, alone.blobs)
        wait_for(lambda one=recording: one.finished, recording.advance)
        together = without_counters(bench.session(f"sess_{number}"))
        assert together == without_counters(alone.session(f"sess_{number}"))
        assert together["status"] == "complete"
        assert f"number {number}." in json.dumps(together["spans"])
        prefix = f"sessions/sess_{number}"
        assert [*read_lines(bench.blobs, prefix)] == [*read_lines(alone.blobs, prefix)] == lines[number]
        assert bench.blobs.list(prefix) == [f"{prefix}/events.zst"]
    alone.store.close()


def test_requests_of_a_backlog_wait_for_each_other(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voxgate.jobs.requests._SLICE_SECONDS", 0.0005)
    monkeypatch.setattr("voxgate.jobs.requests._GATHER_SECONDS", 60.0)
    monkeypatch.setattr("voxgate.jobs.requests._MOST_TOGETHER", 4)
    asked(bench, 9)
    found = saves(bench)
    bench.finish()
    assert found == [4, 4, 1]


def test_no_more_of_a_backlog_are_in_memory_than_there_is_room_for(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voxgate.jobs.requests._SLICE_SECONDS", 60.0)
    monkeypatch.setattr("voxgate.jobs.requests._MOST_TAKEN", 2)
    asked(bench, 5)
    found = saves(bench)
    bench.finish()
    assert found == [2, 2, 1]
    assert all(bench.record_until(f"sess_{number}", "complete")["turns"] == 1 for number in range(5))


def test_whoever_waits_for_requests_is_told_of_all_before_a_log_goes(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voxgate.jobs.requests._SLICE_SECONDS", 60.0)
    paths, told = asked(bench, 3), list[Sequence[str]]()

    def hear(ids: Sequence[str]) -> None:
        assert all(path.exists() for path in paths)
        assert bench.store.saved_sessions(ids) == set(ids)
        told.append(ids)

    bench.recorder = bench.new_recorder(on_finished=hear)
    bench.finish()
    assert told == [["sess_0", "sess_1", "sess_2"]]


def test_requests_recorded_together_are_found_by_their_words(bench: Bench) -> None:
    asked(bench, 5)
    bench.finish()
    pages = {q: bench.store.list_sessions(q=q)[0] for q in ('"blue parcel"', '"number 3"', "nowhere")}
    assert len(pages['"blue parcel"']) == 5
    assert [item["id"] for item in pages['"number 3"']] == ["sess_3"]
    assert not pages["nowhere"]


def test_a_request_that_is_built_again_stays_as_it_was(bench: Bench) -> None:
    asked(bench, 1)
    bench.finish()
    before, done = bench.session("sess_0"), list[bool]()
    rebuilder = Rebuilder(bench.store, bench.blobs)
    rebuilder.ask("sess_0", done.append)
    wait_for(lambda: done, rebuilder.step)
    assert done == [True]
    assert without_counters(bench.session("sess_0")) == without_counters(before)


def test_a_request_that_lasts_is_shown_while_it_runs(bench: Bench) -> None:
    log = ask(bench.writer(), "sess_1")
    row = bench.record_until("sess_1", "live")
    assert row["project"] == "shop"
    answer(log)
    row = bench.record_until("sess_1", "complete")
    bench.finish()
    assert row["spans"][-1]["output"]["text"] == "On its way."


def test_requests_wait_for_a_database_that_is_away(bench: Bench) -> None:
    paths = asked(bench, 3)
    save, away = bench.store.save_traces, [True, True]

    def failing(traces: Sequence[Any]) -> None:
        if away:
            away.pop()
            raise StoreUnavailable("The database is away.")
        save(traces)

    bench.store.save_traces = failing  # type: ignore[method-assign]
    wait_for(lambda: not away, bench.recorder.step)
    assert all(path.exists() for path in paths)
    bench.finish()
    assert all(bench.record_until(path.stem, "complete") for path in paths)


def test_one_that_the_database_does_not_take_keeps_no_others(bench: Bench) -> None:
    asked(bench, 3)

    def failing(_: Sequence[Any]) -> None:
        raise ValueError("a value that no column takes")

    bench.store.save_traces = failing  # type: ignore[method-assign]
    bench.finish()
    for number in range(3):
        assert bench.record_until(f"sess_{number}", "complete")["turns"] == 1


def test_what_a_recorder_left_that_died_before_it_saved_is_made_anew(bench: Bench) -> None:
    (path,) = asked(bench, 1)
    bench.blobs.append(f"sessions/{path.stem}/events.jsonl", b"half a li")
    bench.blobs.append(f"sessions/{path.stem}/events.zst", b"half a log")
    bench.finish()
    assert bench.record_until(path.stem, "complete")["turns"] == 1
    lines = [*read_lines(bench.blobs, f"sessions/{path.stem}")]
    assert b"gateway.opened" in lines[0]
    assert b"gateway.closed" in lines[-1]


def test_one_that_was_saved_before_the_recorder_died_is_there_once(bench: Bench) -> None:
    (path,) = asked(bench, 1)
    kept = path.read_bytes()
    bench.finish()
    path.write_bytes(kept)
    bench.recorder = bench.new_recorder()
    bench.finish()
    row = bench.record_until(path.stem, "complete")
    assert len(bench.store.list_sessions()[0]) == 1
    assert [span["type"] for span in row["spans"]] == ["session", "turn", "user", "response"]
    assert len([*read_lines(bench.blobs, f"sessions/{path.stem}")]) == 9


class SpoilingBlobs(FolderBlobs):
    """A disk that gives back another log than was written, once."""

    spoiled = False

    def append(self, key: str, data: bytes) -> None:
        if key.endswith("events.zst") and not self.spoiled:
            self.spoiled, data = True, b"x" + data[1:]
        super().append(key, data)


def test_a_log_that_does_not_come_back_costs_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.blobs = SpoilingBlobs(tmp_path / "blobs")
    bench.recorder = bench.new_recorder()
    asked(bench, 2)
    bench.finish()
    assert bench.blobs.spoiled
    for number in range(2):
        assert bench.record_until(f"sess_{number}", "complete")["turns"] == 1
        assert len([*read_lines(bench.blobs, f"sessions/sess_{number}")]) == 9
    bench.writers[0].stop()
    bench.store.close()


def test_a_request_with_a_file_keeps_its_file(bench: Bench) -> None:
    log = ask(bench.writer(), "sess_1")
    log.append(CLIENT, encode_frame(BINARY, b"RIFF of a question"))
    answer(log)
    bench.finish()
    row = bench.record_until("sess_1", "complete")
    assert row["turns"] == 1
    lines = [json.loads(line) for line in read_lines(bench.blobs, "sessions/sess_1")]
    assert [line["binary"] for line in lines if "raw" in line] == [True]


def test_a_request_that_speaks_keeps_its_sound(bench: Bench) -> None:
    log = ask(bench.writer(), "sess_1")
    log.fact({"type": "gateway.answered_http", "status": 200, "content_type": "application/json"})
    sound = {"id": "audio_1", "data": base64.b64encode(wav(4800)).decode(), "transcript": "On its way."}
    message = {"role": "assistant", "content": None, "audio": sound}
    say(log, SERVER, choices=[{"index": 0, "message": message, "finish_reason": "stop"}])
    log.close(1000, "", "provider")
    all_written(bench, 1)
    bench.finish()
    row = bench.record_until("sess_1", "complete")
    assert row["data"]["tracks"]["assistant"]["bytes"] > 0
    assert len(bench.sound("sess_1", "assistant")) > 0


def test_rules_of_a_project_hold_for_its_requests(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    redactions = Redactions({"shop": {"colour": "blue parcel"}}, tmp_path / "scratch")
    bench.recorder = bench.new_recorder(redactions=redactions)
    asked(bench, 2)
    bench.finish()
    for number in range(2):
        row = bench.record_until(f"sess_{number}", "complete")
        assert "blue parcel" not in json.dumps(row, default=str)
        assert b"blue parcel" not in b"".join(read_lines(bench.blobs, f"sessions/sess_{number}"))
        assert "[redacted:colour]" in row["title"]
    bench.writers[0].stop()
    bench.store.close()


def test_a_recorder_that_is_stopped_has_recorded_every_request(tmp_path: Path) -> None:
    """Also those of which it had not heard before."""
    bench = Bench(tmp_path)
    asked(bench, 20)
    bench.writers[0].stop()
    stop = threading.Event()
    stop.set()
    bench.recorder.run(stop, threading.Event())
    assert not wire_logs(bench.wire)
    assert len(bench.store.list_sessions()[0]) == 20
    bench.store.close()
