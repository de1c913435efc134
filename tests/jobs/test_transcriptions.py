"""Words where the provider gave none: real recorders, stores and files, and a server that transcribes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.jobs.recorded import begin, end, wait_for
from tests.jobs.wordless import (
    PREFIX,
    WANTED,
    Wordless,
    call,
    impatient,
    rebuild,
    scribe_server,
    shown,
    speak,
    users,
    voice,
    wordless_bench,
)
from tests.transcription import KEY, Asked, Reply, Transcribing, words_by_length

from voxgate.core.prices import PriceSettings
from voxgate.core.settings import Settings
from voxgate.jobs.compaction import Compactor
from voxgate.jobs.transcription_marks import Marks
from voxgate.recording.later import LATER
from voxgate.recording.reading import read_lines
from voxgate.store import TRANSCRIBE, TRANSCRIBED

__all__ = ["impatient", "scribe_server", "wordless_bench"]


def test_every_utterance_gets_its_words_and_the_session_its_title_search_and_cost(
    bench: Wordless, server: Transcribing
) -> None:
    sounds = call(bench)
    row = bench.words()
    assert sorted(asked.samples for asked in server.asked) == sorted(sounds)
    first = server.asked[0]
    assert (first.path, first.rate, first.file_name) == ("/v1/audio/transcriptions", 24_000, "speech.wav")
    assert first.headers["authorization"] == f"Bearer {KEY}"
    assert first.fields == {
        "model": "scribe",
        "response_format": "json",
        "language": "en",
        "prompt": "Voxgate",
    }
    said = [span["input"] for span in users(row)]
    assert [one["transcript"] for one in said] == ["said in 500 ms", "said in 250 ms"]
    assert {(one["transcribed_by"], one["transcription_model"]) for one in said} == {("voxgate", "scribe")}
    assert row["title"] == "said in 500 ms"
    assert [span["cost_usd"] for span in users(row)] == [0.005, 0.0025]
    assert row["cost_usd"] == 0.0075
    assert row["data"]["usage"]["transcription"] == {"seconds": 0.75}
    assert row["data"]["transcription"] == {"by": "voxgate", "model": "scribe", "items": 2, "failed": []}
    assert users(row)[0]["metrics"]["transcript_lag"] is None
    found, _ = bench.store.list_sessions(q='"said in 250"')
    assert [one["id"] for one in found] == ["sess_1"]
    assert bench.marks == []


def test_words_that_came_later_change_nothing_else_and_a_rebuilt_trace_is_the_same(bench: Wordless) -> None:
    bench.transcriptions.add = lambda _: None  # type: ignore[method-assign]
    call(bench)
    bench.finish()
    before = bench.session("sess_1")
    assert before is not None
    bench.again()
    bench.transcriptions.add(["sess_1"])
    row = bench.words()
    assert (row["duration_ms"], row["ended_at"]) == (before["duration_ms"], before["ended_at"])
    assert [span["end_ms"] for span in row["spans"]] == [span["end_ms"] for span in before["spans"]]
    assert rebuild(bench) == shown(row)
    compactor = Compactor(bench.store, bench.blobs, bench.folder / "compact")
    compactor.add("sess_1")
    wait_for(lambda: not list((bench.folder / "compact").iterdir()), compactor.step)
    compactor.close()
    assert bench.blobs.size(f"{PREFIX}/events.jsonl") is None
    assert rebuild(bench) == shown(row)
    facts = [json.loads(line)["msg"] for line in read_lines(bench.blobs, PREFIX)]
    assert [fact["item_id"] for fact in facts if fact["type"] == "gateway.transcribed"] == ["u0", "u1"]


def test_what_the_provider_transcribed_stays_and_is_not_asked_for(
    bench: Wordless, server: Transcribing
) -> None:
    log = begin(bench.writer(), "sess_1")
    at = speak(log, "u0", 0, voice(0.5), "the provider's own")
    at = speak(log, "u1", at, voice(0.25), "")
    speak(log, "u2", at, voice(0.2))
    end(log)
    row = bench.words()
    said = [(one["input"]["transcript"], one["input"]["transcribed_by"]) for one in users(row)]
    assert said == [("the provider's own", None), (None, None), ("said in 200 ms", "voxgate")]
    assert len(server.asked) == 1


def test_who_is_asked_too_often_is_asked_again_when_it_says_so(bench: Wordless, server: Transcribing) -> None:
    replies = [Reply(429, {"error": {"message": "slow down"}}, {"retry-after": "0"}), Reply(503, b"away")]

    def answer(asked: Asked) -> Reply:
        return replies.pop(0) if replies else words_by_length(asked)

    server.answer = answer
    call(bench)
    row = bench.words()
    assert [one["input"]["transcript"] for one in users(row)] == ["said in 500 ms", "said in 250 ms"]
    assert len(server.asked) == 4


def test_a_provider_that_wants_to_rest_is_left_alone_by_all(bench: Wordless, server: Transcribing) -> None:
    server.answer = lambda _: Reply(429, {}, {"retry-after": "3000"})
    call(bench)
    wait_for(lambda: len(server.asked) == 2 and _rests(bench), bench.recorder.step)
    for _ in range(50):
        bench.recorder.step()
    assert len(server.asked) == 2
    assert bench.finished == []
    assert bench.marks == ["sess_1.todo"]


def _rests(bench: Wordless) -> bool:
    work = bench.transcriptions._works["sess_1"]
    return work.asked == 0 and len(work.tasks) == 2


def test_what_is_refused_is_recorded_with_the_reason_and_not_asked_again(
    bench: Wordless, server: Transcribing
) -> None:
    server.answer = lambda _: Reply(400, {"error": {"message": f"no such language; your key is {KEY}"}})
    call(bench, (voice(0.5),))
    row = bench.words()
    (failed,) = row["data"]["transcription"]["failed"]
    assert failed["item_id"] == "u0"
    assert failed["error"]["type"] == "refused"
    assert failed["error"]["message"] == "house: 400 Bad Request: no such language; your key is [redacted]"
    assert users(row)[0]["input"]["transcript"] is None
    assert row["cost_usd"] is None
    assert row["data"]["errors"] == []
    for _ in range(20):
        bench.recorder.step()
    assert len(server.asked) == 1
    assert bench.marks == []


def test_of_several_providers_the_next_is_asked_when_one_is_dead(
    tmp_path: Path, server: Transcribing, bench: Wordless
) -> None:
    dead = Transcribing()
    dead.close()
    other = Wordless(tmp_path / "other", server, {"dead": {"base_url": dead.base_url}})
    call(other)
    row = other.words()
    assert [one["input"]["transcript"] for one in users(row)] == ["said in 500 ms", "said in 250 ms"]
    other.writers[0].stop()
    other.store.close()


def test_a_server_that_is_dead_is_given_up(bench: Wordless, server: Transcribing) -> None:
    server.close()
    call(bench)
    row = bench.words()
    messages = [one["error"]["message"] for one in row["data"]["transcription"]["failed"]]
    assert len(messages) == 2
    assert all("does not answer" in message for message in messages)
    assert bench.marks == []


def test_what_is_silent_or_too_short_is_not_sent_and_costs_nothing(
    bench: Wordless, server: Transcribing
) -> None:
    call(bench, (bytes(48_000), voice(0.05), voice(0.5)))
    row = bench.words()
    assert [one["input"]["transcript"] for one in users(row)] == [None, None, "said in 500 ms"]
    assert [one["input"]["transcribed_by"] for one in users(row)] == ["voxgate"] * 3
    assert len(server.asked) == 1
    assert row["cost_usd"] == 0.005


def test_a_usage_that_has_no_price_makes_the_cost_unknown_and_tokens_are_priced(
    bench: Wordless, server: Transcribing
) -> None:
    bench.prices["scribe"] = PriceSettings(text_output=10, audio_input=5, text_input=1)
    bench.again()
    usage = {
        "type": "tokens",
        "input_tokens": 14,
        "input_token_details": {"text_tokens": 4, "audio_tokens": 10},
        "output_tokens": 6,
        "total_tokens": 20,
    }
    server.answer = lambda asked: Reply(body={"text": "x", "usage": usage if asked.seconds > 0.3 else None})
    call(bench)
    row = bench.words()
    assert users(row)[0]["cost_usd"] == pytest.approx((4 * 1 + 10 * 5 + 6 * 10) / 1e6)
    assert users(row)[1]["cost_usd"] is None
    assert users(row)[1]["usage"] == {"seconds": 0.25}
    assert row["cost_usd"] is None


def test_a_recorder_that_is_killed_in_the_middle_asks_only_for_the_rest(
    bench: Wordless, server: Transcribing
) -> None:
    server.answer = lambda asked: words_by_length(asked) if asked.seconds > 0.3 else Reply(503, b"")
    call(bench)
    mark = bench.folder / "transcribe" / "sess_1.todo"
    wait_for(lambda: mark.exists() and b"said in 500" in mark.read_bytes(), bench.recorder.step)
    mark.open("ab").write(b'{"type":"gateway.transcr')  # half a line
    asked = len([one for one in server.asked if one.seconds > 0.3])
    bench.again()
    server.answer = words_by_length
    row = bench.words()
    assert [one["input"]["transcript"] for one in users(row)] == ["said in 500 ms", "said in 250 ms"]
    assert len([one for one in server.asked if one.seconds > 0.3]) == asked == 1
    assert len(bench.blob("sess_1", LATER).splitlines()) == 2


def test_one_that_is_killed_before_the_mark_goes_adds_nothing_twice(
    bench: Wordless, server: Transcribing
) -> None:
    call(bench)
    mark = bench.folder / "transcribe" / "sess_1.todo"
    wait_for(lambda: bench.blobs.size(f"{PREFIX}/{LATER}"), bench.recorder.step)
    text = mark.read_bytes()
    row = shown(bench.words())
    mark.write_bytes(text)
    bench.finished.clear()
    bench.again()
    assert shown(bench.words()) == row
    assert len(server.asked) == 2
    assert len(bench.blob("sess_1", LATER).splitlines()) == 2


def test_other_projects_are_left_alone(bench: Wordless, server: Transcribing) -> None:
    bench.wanted.clear()
    bench.wanted["shop"] = WANTED
    call(bench)
    row = bench.words()
    assert (row["title"], server.asked) == (None, [])


def test_an_old_session_is_transcribed_when_somebody_asks(bench: Wordless, server: Transcribing) -> None:
    bench.wanted.clear()
    call(bench)
    bench.words()
    bench.finish()
    bench.finished.clear()
    before = bench.store.last_signal_id()
    wish = {"session_id": "sess_1", "wanted": {"model": "scribe"}}
    bench.store.add_signal(TRANSCRIBE, json.dumps(wish))
    wait_for(
        lambda: (TRANSCRIBED, "sess_1") in [one[1:] for one in bench.store.signals_after(before)],
        bench.recorder.step,
    )
    row = bench.session("sess_1")
    assert row is not None
    assert row["title"] == "said in 500 ms"
    assert bench.finished == []  # it is not exported again
    assert "language" not in server.asked[0].fields


def test_a_session_that_is_deleted_meanwhile_stays_deleted(bench: Wordless, server: Transcribing) -> None:
    server.hold.clear()
    call(bench)
    wait_for(lambda: len(server.asked) == 2, bench.recorder.step)
    bench.blobs.delete_prefix(f"{PREFIX}/")
    bench.store.delete_session("sess_1")
    server.hold.set()
    wait_for(lambda: not bench.marks, bench.recorder.step)
    assert bench.session("sess_1") is None
    assert bench.blobs.list(PREFIX) == []


def test_a_long_utterance_is_cut_where_it_is_quiet_and_its_parts_are_joined(
    bench: Wordless, server: Transcribing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voxgate.recording.clips.LONGEST_SECONDS", 2)
    sound = voice(1.5) + bytes(9600) + voice(1.3)
    call(bench, (sound,))
    row = bench.words()
    assert b"".join(one.samples for one in server.asked) == sound
    assert [round(one.seconds, 1) for one in server.asked] == [1.6, 1.4]
    assert users(row)[0]["input"]["transcript"].count("said in") == 2
    assert users(row)[0]["usage"] == {"seconds": 3.0}


def test_of_machines_that_share_a_store_one_does_what_all_are_asked_for(
    bench: Wordless, server: Transcribing
) -> None:
    bench.wanted.clear()
    call(bench)
    bench.words()
    bench.finish()
    machines = [bench.machine(name) for name in ("machine_a", "machine_b")]
    for rebuilder, transcriptions in machines:
        rebuilder.step()
        transcriptions.step()
    before = bench.store.last_signal_id()
    wish = {"session_id": "sess_1", "wanted": {"model": "scribe"}}
    bench.store.add_signal(TRANSCRIBE, json.dumps(wish))

    def step() -> None:
        for rebuilder, transcriptions in machines:
            transcriptions.step()
            rebuilder.step()

    wait_for(lambda: len(bench.store.signals_after(before)) == 2, step)
    for _ in range(20):
        step()
    assert len(bench.store.signals_after(before)) == 2
    assert len(server.asked) == 2
    for _, transcriptions in machines:
        transcriptions.close()


def test_without_a_key_every_utterance_says_so(bench: Wordless, server: Transcribing) -> None:
    poor = {"providers": {"openai": {"base_url": server.base_url, "api_key_env": "NO_SUCH_KEY"}}}
    routes = [{"model": "scribe", "providers": ["openai"]}]
    bench.settings = Settings.model_validate({**poor, "routes": routes})
    bench.again()
    call(bench)
    failed = bench.words()["data"]["transcription"]["failed"]
    assert [one["error"]["type"] for one in failed] == ["nobody", "nobody"]
    assert "NO_SUCH_KEY" in failed[0]["error"]["message"]
    assert server.asked == []


def test_a_mark_whose_last_line_was_cut_off_takes_more_lines(tmp_path: Path) -> None:
    marks = Marks(tmp_path)
    marks.add("sess_1", WANTED)
    (tmp_path / "sess_1.todo").open("ab").write(b'{"item_id":"u0"}\n{"item_')
    for number in (1, 2):
        mark = marks.take("sess_1")
        assert mark is not None
        assert marks.take("sess_1") is None  # somebody has it
        assert mark.wanted == WANTED
        mark.add({"item_id": f"u{number}"})
        mark.close()
    mark = marks.take("sess_1")
    assert mark is not None
    assert [fact["item_id"] for fact in mark.facts] == ["u0", "u1", "u2"]
    mark.done()
    assert list(tmp_path.iterdir()) == []


def test_answers_for_a_call_that_is_begun_again_are_dropped(bench: Wordless, server: Transcribing) -> None:
    server.hold.clear()
    call(bench)
    wait_for(lambda: len(server.asked) == 2, bench.recorder.step)
    bench.transcriptions.forget("sess_1")
    assert bench.marks == []
    bench.transcriptions.add(["sess_1"])
    server.hold.set()
    row = bench.words()
    assert row["data"]["transcription"]["items"] == 2
    assert len(server.asked) == 4
    assert len(bench.blob("sess_1", LATER).splitlines()) == 2
