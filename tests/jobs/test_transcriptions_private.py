"""Transcription and what must not be recorded, redaction, and sound that is deleted."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.jobs.recorded import end, wait_for
from tests.jobs.wordless import (
    PREFIX,
    Wordless,
    call,
    impatient,
    rebuild,
    scribe_server,
    speak,
    users,
    voice,
    wordless_bench,
)
from tests.transcription import Reply, Transcribing

from voxgate.core.patterns import BUILT_IN
from voxgate.jobs.compaction import Compactor
from voxgate.recording.later import LATER
from voxgate.recording.reading import read_lines
from voxgate.recording.soundless import remove_sound

__all__ = ["impatient", "scribe_server", "wordless_bench"]


@pytest.mark.parametrize("missing", ["audio", "text"])
def test_a_call_whose_sound_or_words_are_not_to_be_recorded_is_not_transcribed(
    bench: Wordless, server: Transcribing, missing: str
) -> None:
    log = bench.writer().open("sess_1")
    recorded = {"audio": True, "text": True, missing: False}
    log.fact({"type": "gateway.opened", "session_id": "sess_1", "project": "default", "recorded": recorded})
    speak(log, "u0", 0, voice(0.5))
    end(log)
    row = bench.words()
    assert row["data"]["transcription"] is None
    assert server.asked == []
    assert bench.marks == []


CARD = "4111 1111 1111 1111"


@pytest.mark.parametrize("is_put_away", [False, True])
def test_what_rules_find_in_our_words_is_nowhere_and_silent(
    bench: Wordless, server: Transcribing, is_put_away: bool
) -> None:
    bench.patterns = {"card_number": BUILT_IN["card_number"], "phone_number": BUILT_IN["phone_number"]}
    compactor = Compactor(bench.store, bench.blobs, bench.folder / "compact")
    bench.again(compactor=compactor)
    server.hold.clear()
    server.answer = lambda asked: Reply(body={"text": f"my card is {CARD}" if asked.seconds > 0.3 else "bye"})
    call(bench)
    bench.finish()
    if is_put_away:
        wait_for(lambda: bench.blobs.size(f"{PREFIX}/events.zst"), bench.recorder.step)
        wait_for(lambda: bench.blobs.size(f"{PREFIX}/events.jsonl") is None, bench.recorder.step)
    server.hold.set()
    row = bench.words()
    wait_for(lambda: not list((bench.folder / "compact").iterdir()), bench.recorder.step)
    assert [one["input"]["transcript"] for one in users(row)] == ["my card is [redacted:card_number]", "bye"]
    assert row["title"] == "my card is [redacted:card_number]"
    assert row["data"]["redaction"]["state"] == "done"
    assert row["data"]["redaction"]["silenced_ms"]["user"] >= 500
    sound = bench.sound("sess_1", "user")
    assert not sound[:12_000].any()
    everything = json.dumps(row) + b"".join(read_lines(bench.blobs, PREFIX)).decode()
    files = b"".join(path.read_bytes() for path in bench.folder.rglob("*") if path.is_file())
    assert CARD not in everything + files.decode("latin-1")
    again = rebuild(bench)  # its sound is another one now, so that it measures otherwise
    assert again["title"] == row["title"]
    assert [one["input"] for one in users(again)] == [one["input"] for one in users(row)]
    assert again["data"]["redaction"] == row["data"]["redaction"]
    compactor.close()


def test_while_rules_are_carried_out_nobody_is_shown_the_words_and_a_failure_leaves_none(
    bench: Wordless, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.patterns = {"said": r"said in \d+"}
    bench.again()
    bench.transcriptions.add = lambda _: None  # type: ignore[method-assign]
    call(bench)
    bench.finish()
    before = bench.session("sess_1")
    assert before is not None
    assert before["data"]["redaction"]["state"] == "done"
    states: list[str] = []

    def damaged(*_: Any) -> Any:
        row = bench.session("sess_1")
        assert row is not None
        states.append(row["data"]["redaction"]["state"])
        assert bench.blobs.size(f"{PREFIX}/{LATER}")
        raise ValueError("damaged")

    monkeypatch.setattr("voxgate.jobs.rebuilding.read_lines", damaged)
    bench.again()
    bench.transcriptions.add(["sess_1"])
    row = bench.words()
    assert states == ["pending"]
    assert row["data"]["redaction"] == before["data"]["redaction"]
    assert bench.blobs.size(f"{PREFIX}/{LATER}") is None
    assert bench.marks == ["sess_1.failed"]


def test_words_stay_when_the_sound_is_deleted(bench: Wordless) -> None:
    call(bench)
    row = bench.words()
    bench.finish()
    for _ in remove_sound(bench.blobs, PREFIX, bench.folder / "scratch.jsonl", "2026-11-23T00:00:00Z"):
        pass
    assert bench.blobs.list(PREFIX) == [f"{PREFIX}/events.jsonl"]
    again = rebuild(bench)
    assert [one["input"] for one in users(again)] == [one["input"] for one in users(row)]
    assert again["cost_usd"] == row["cost_usd"]
    assert users(again)[0]["attachments"] == []
